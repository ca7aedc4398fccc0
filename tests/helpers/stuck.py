"""Encoders for worker processes that never come to an end by themselves, and tell when they have begun."""

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmms_humansense.models.inputs.conversation import Conversation
from lmms_humansense.models.local.settings import LocalSettings
from lmms_humansense.models.runtime.request import EncodingResult
from tests.helpers.waits import LIMIT


class StuckEncoding:
    """Is loaded at once, and stuck as soon as it has something to encode, like a decoder in an endless loop.

    Its process leaves a file in the folder then, with its number for a name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, messages: Sequence[Mapping[str, Any]]) -> Conversation:
        """No worker reads messages."""
        raise NotImplementedError

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        """Say that it has begun, and stay."""
        self._begun()
        while True:
            signal.pause()

    def _begun(self) -> None:
        (self._folder / str(os.getpid())).touch()


class StuckLoading(StuckEncoding):
    """The same, stuck while it loads; it gives up after `LIMIT`, when the test has failed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._begun()
        threading.Event().wait(LIMIT)


class StuckLocalEncoder(StuckEncoding):
    """The same in place of `LocalEncoder`; its file comes into a folder called `pretrained`."""

    def __init__(self, settings: LocalSettings, model_type: str) -> None:
        super().__init__(Path(settings.pretrained))
