"""Conversations in, a model's inputs out: everything before the weights, for several conversations at once."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..inputs.conversation import AudioPart, Conversation, media_of, read_messages, with_system_prompt
from ..inputs.decoding import DecodedConversation, decode
from ..inputs.media_cache import MediaCache
from ..inputs.policy import system_prompt_text
from ..runtime.request import NOTHING_SHOWN, EncodingResult, error_result
from .families import family_of
from .families.base import Family
from .settings import LocalSettings


class LocalEncoder:
    """The processor of a checkpoint and how things are shown to its model."""

    def __init__(self, settings: LocalSettings, model_type: str) -> None:
        """Load the processor of the checkpoint that the settings name.

        Raises ValueError, in one sentence that names the argument, where that is not possible.
        """
        self.settings = settings
        self.model_type = model_type
        self.family: Family = family_of(model_type)(settings.pretrained, model_type)
        given = settings.system_prompt
        self.system_prompt = system_prompt_text(given) if given is not None else self.family.system_prompt

    def read(self, messages: Sequence[Mapping[str, Any]]) -> Conversation:
        """The conversation of raw messages, with its system prompt.

        Raises ValueError for messages that cannot be read or that show what this model does not take.
        """
        conversation = with_system_prompt(read_messages(messages, self.settings), self.system_prompt)
        if not self.family.sees and not all(isinstance(part, AudioPart) for part in media_of(conversation)):
            raise ValueError(f"A checkpoint of type {self.model_type} hears and does not see.")
        return conversation

    def decode(self, conversation: Conversation, media: MediaCache | None = None) -> DecodedConversation:
        """Decode what a conversation shows. Raises MediaError for a file that cannot be used."""
        return decode(conversation, self.family.frame_factor, media)

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        """The model's inputs for each conversation; media that several are about are decoded and processed once."""
        media = MediaCache(self.family.frame_factor)
        with self.family.processing_once():
            return [self._result(conversation, media) for conversation in conversations]

    def _result(self, conversation: Conversation, media: MediaCache) -> EncodingResult:
        stats = NOTHING_SHOWN
        # Whatever is wrong with one request must not cost the others; it is counted, never scored as an answer.
        try:
            decoded = self.decode(conversation, media)
            stats = decoded.stats
            return EncodingResult(self.family.encode(decoded), stats, tuple(decoded.remarks))
        except Exception as error:
            return error_result(error, stats)
