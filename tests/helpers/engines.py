"""An engine without lmms-eval: what it makes of raw messages, its workers, and a run."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from lmms_humansense.models.inputs.decoding import DecodedConversation
from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.models.local.encoder import LocalEncoder
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.runner import LocalRunner
from lmms_humansense.models.local.settings import LocalSettings
from lmms_humansense.models.runtime.signals import SigtermGuard
from lmms_humansense.models.runtime.worker_pool import WorkerPool
from tests.helpers.ledgers import open_ledger


def decoded(engine: Engine, messages: Sequence[Mapping[str, Any]]) -> DecodedConversation:
    """The decoded media of the messages."""
    return engine.encoder.decode(engine.encoder.read(messages))


def encoded(engine: Engine, messages: Sequence[Mapping[str, Any]]) -> EncodedPrompt:
    """The model's inputs for the messages. Raises PromptTooLongError if they exceed its context."""
    return engine.fitting(engine.family.encode(decoded(engine, messages)))


def local_workers(settings: LocalSettings, count: int = 2) -> WorkerPool:
    """Workers with the encoder of a Qwen2.5-Omni checkpoint."""
    return WorkerPool(partial(LocalEncoder, settings, "qwen2_5_omni"), count, settings.media_timeout)


def local_runner(engine: Engine, workers: WorkerPool | None = None) -> LocalRunner:
    """A runner of a run whose requests may all fail."""
    return LocalRunner(engine, workers, open_ledger(), SigtermGuard())
