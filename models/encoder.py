"""Conversations in, a model's inputs out: everything before the weights, for several conversations at once."""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .batches import Encoded
from .body import Body
from .conversation import Conversation, Part, Sound, Text, path_of, read_messages
from .families import family_of
from .families.base import Family
from .prepare import Prepared, Shown, prepare, with_system_prompt
from .settings import Settings, system_prompt_text
from .shared import SharedMedia

NOTHING = Shown()
"""Shown of a sample that failed before its media were decoded."""


@dataclass(frozen=True)
class Outcome:
    """What became of one conversation: what is asked, or a reason (and a traceback) why there is nothing to ask."""

    encoded: Encoded | Body | None = None
    shown: Shown = NOTHING
    remarks: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    trace: str = ""


def failed(error: BaseException, shown: Shown = NOTHING) -> Outcome:
    """The outcome of a conversation that ended in an error."""
    trace = "".join(traceback.format_exception(error))
    return Outcome(shown=shown, reason=f"{type(error).__name__}: {error}", trace=trace)


class PromptTooLongError(ValueError):
    """A prompt does not fit into the model's context. The message names how many tokens it has."""


class Preparer(Protocol):
    """What turns messages into what is asked: `Encoder` for a model of one's own, `wire.WireEncoder` for a server."""

    def read(self, messages: Sequence[Mapping[str, Any]]) -> Conversation:
        """The conversation of raw messages. Raises ValueError for those that can not be read or shown."""

    def encode(self, conversations: Sequence[Conversation]) -> list[Outcome]:
        """What is asked for each conversation; media that several are about are decoded once."""


class Encoder:
    """The processor of a checkpoint and how things are shown to its model."""

    def __init__(self, settings: Settings, model_type: str) -> None:
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

        Raises ValueError for messages that can not be read or that show what this model does not take.
        """
        conversation = with_system_prompt(read_messages(messages, self.settings), self.system_prompt)
        if not self.family.sees and not all(isinstance(part, Sound) for part in media_of(conversation)):
            raise ValueError(f"A checkpoint of type {self.model_type} hears and does not see.")
        return conversation

    def prepare(self, conversation: Conversation, media: SharedMedia | None = None) -> Prepared:
        """Decode what a conversation shows. Raises MediaError for a file that can not be used."""
        return prepare(conversation, self.family.frame_factor, media)

    def encode(self, conversations: Sequence[Conversation]) -> list[Outcome]:
        """The model's inputs for each conversation; media that several are about are decoded and processed once."""
        media = SharedMedia(self.family.frame_factor)
        with self.family.processing_once():
            return [self._outcome(conversation, media) for conversation in conversations]

    def _outcome(self, conversation: Conversation, media: SharedMedia) -> Outcome:
        shown = NOTHING
        # Whatever is wrong with one sample must not cost the others; it is counted, never scored as an answer.
        try:
            prepared = self.prepare(conversation, media)
            shown = prepared.shown
            return Outcome(self.family.encode(prepared), shown, tuple(prepared.remarks))
        except Exception as error:
            return failed(error, shown)


def bytes_of(outcomes: Sequence[Outcome]) -> int:
    """How much memory the inputs take; tensors that several samples share count once."""
    tensors = [tensor for outcome in outcomes if outcome.encoded for tensor in outcome.encoded.tensors.values()]
    return sum({id(tensor): tensor.nbytes for tensor in tensors}.values())


def media_of(conversation: Conversation) -> list[Part]:
    """The pictures, videos and sounds of a conversation."""
    return [part for turn in conversation for part in turn.parts if not isinstance(part, Text)]


def paths_of(conversations: Sequence[Conversation]) -> list[str]:
    """The paths of the media of conversations, each once."""
    paths = [path_of(part) for conversation in conversations for part in media_of(conversation)]
    return list(dict.fromkeys(path for path in paths if path))


def media_names(conversations: Sequence[Conversation]) -> str:
    """How the media of conversations are called in a sentence."""
    return ", ".join(paths_of(conversations)) or "media in memory"
