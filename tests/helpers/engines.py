"""What an engine turns raw messages into, step by step and without a run."""

from collections.abc import Mapping, Sequence
from typing import Any

from lmms_humansense.models.inputs.decoding import DecodedConversation
from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.models.local.engine import Engine


def decoded(engine: Engine, messages: Sequence[Mapping[str, Any]]) -> DecodedConversation:
    """The decoded media of the messages."""
    return engine.encoder.decode(engine.encoder.read(messages))


def encoded(engine: Engine, messages: Sequence[Mapping[str, Any]]) -> EncodedPrompt:
    """The model's inputs for the messages. Raises PromptTooLongError if they exceed its context."""
    return engine.fitting(engine.family.encode(decoded(engine, messages)))
