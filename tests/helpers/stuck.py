"""Encoders for worker processes that never finish by themselves, and report when they have begun."""

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
    """Loads at once, and gets stuck when it has something to encode, like a decoder in an endless loop.

    Its process then writes a file into the folder, with its process ID as the name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, messages: Sequence[Mapping[str, Any]]) -> Conversation:
        """Workers never read messages."""
        raise NotImplementedError

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        """Report that it has begun, and never return."""
        self._begun()
        while True:
            signal.pause()

    def _begun(self) -> None:
        (self._folder / str(os.getpid())).touch()


class StuckLoading(StuckEncoding):
    """The same, but stuck while it loads. It gives up after `LIMIT`, when the test has failed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._begun()
        threading.Event().wait(LIMIT)


class StuckLocalEncoder(StuckEncoding):
    """The same in place of `LocalEncoder`. It writes its file into the folder `settings.pretrained`."""

    def __init__(self, settings: LocalSettings, model_type: str) -> None:
        super().__init__(Path(settings.pretrained))
