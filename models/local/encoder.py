"""Turns conversations into the inputs of a model: everything before the weights, for several conversations at once."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..inputs.conversation import AudioPart, Conversation, media_of, read_messages, with_system_prompt
from ..inputs.decoding import DecodedConversation, decode
from ..inputs.media_cache import MediaCache
from ..inputs.policy import system_prompt_text
from ..inputs.stats import MediaStats
from ..runtime.request import NOTHING_SHOWN, Encoded, EncodingResult, error_result
from .families import family_of
from .families.base import Family
from .settings import CheckpointSettings


class LocalReader:
    """Reads messages as a family of checkpoints takes them. Needs the type of a checkpoint, but not its processor.

    Attributes:
        settings: How media are shown to the model.
        model_type: The `model_type` of the checkpoint's configuration.
        system_prompt: The system prompt of conversations without one; None for none.
    """

    def __init__(self, settings: CheckpointSettings, model_type: str) -> None:
        """Find the family.

        Args:
            settings: The settings, which name the checkpoint.
            model_type: The `model_type` of the checkpoint's configuration.

        Raises:
            ValueError: The type is unknown, the installed transformers is too old for it, or the system prompt cannot
                be read. The message is one sentence.
        """
        self.settings = settings
        self.model_type = model_type
        self._kind: type[Family] = family_of(model_type)
        self._kind.refuse_old_transformers(model_type)
        given = settings.system_prompt
        self.system_prompt = system_prompt_text(given) if given is not None else self._kind.system_prompt

    def read(self, messages: Sequence[Mapping[str, Any]]) -> Conversation:
        """Turn raw messages into a conversation with a system prompt.

        Args:
            messages: Chat messages, as `inputs.conversation.read_messages` takes them.

        Returns:
            The conversation. Its system turn is that of the messages, of the settings or of the family.

        Raises:
            ValueError: The messages cannot be read, or contain pictures or videos for a model that takes only sounds.
        """
        conversation = with_system_prompt(read_messages(messages, self.settings), self.system_prompt)
        if not self._kind.sees and not all(isinstance(part, AudioPart) for part in media_of(conversation)):
            raise ValueError(f"A checkpoint of type {self.model_type} takes sounds, but no pictures or videos.")
        return conversation


class LocalEncoder(LocalReader):
    """A reader with the processor of a checkpoint, which makes prompts.

    Attributes:
        family: The processor.
    """

    def __init__(self, settings: CheckpointSettings, model_type: str) -> None:
        """Load the processor.

        Args:
            settings: The settings, which name the checkpoint.
            model_type: The `model_type` of the checkpoint's configuration.

        Raises:
            ValueError: The processor cannot be loaded, or as `LocalReader` says.
        """
        super().__init__(settings, model_type)
        self.family: Family = self._kind(settings.pretrained, model_type)
        self._store = settings.clip_store()

    def decode(self, conversation: Conversation, media: MediaCache | None = None) -> DecodedConversation:
        """Decode the media of a conversation.

        Args:
            conversation: What to decode.
            media: Media that are decoded already; None if there are none.

        Returns:
            The decoded media, and the messages for the chat template.

        Raises:
            MediaError: A file cannot be used.
        """
        return decode(conversation, self.family.frame_factor, media)

    def stats(self, decoded: DecodedConversation) -> MediaStats:
        """Say how much of its media a model gets of one decoded conversation."""
        return decoded.stats

    def prompt(self, decoded: DecodedConversation) -> Encoded:
        """Make the prompt of one decoded conversation, an `EncodedPrompt`."""
        return self.family.encode(decoded)

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        """Encode conversations. Media that several of them share are decoded and processed once.

        Args:
            conversations: What `read` returned.

        Returns:
            For each conversation, its `EncodedPrompt`, or the reason why it cannot be encoded.
        """
        media = MediaCache(self.family.frame_factor, self._store)
        with self.family.processing_once():
            return [self._result(conversation, media) for conversation in conversations]

    def _result(self, conversation: Conversation, media: MediaCache) -> EncodingResult:
        stats = NOTHING_SHOWN
        # An error of one request must not affect the others. It is counted, and never scored as an answer.
        try:
            decoded = self.decode(conversation, media)
            stats = self.stats(decoded)
            return EncodingResult(self.prompt(decoded), stats, tuple(decoded.remarks))
        except Exception as error:
            return error_result(error, stats)
