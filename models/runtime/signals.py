"""How a run ends before its last answer: told to by a signal, or because to go on would be worthless."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

EXIT_INCOMPLETE = 3
"""Exit status of a run that ended before its last answer, and that the same command can take up again."""


class RunStopped(SystemExit):
    """Ends the program with status 3. `reason` says why, and how to go on.

    It is no ordinary exception because lmms-eval reports those and ends with status 0.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(EXIT_INCOMPLETE)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class Terminated(BaseException):
    """The process was asked to end. No ordinary exception, as those become failures of single samples."""


class SigtermGuard:
    """Within this context, SIGTERM does not end the process but raises `Terminated` where nothing is lost by it.

    That is in `check`, and anywhere within `waiting`. Schedulers send SIGTERM some seconds before they kill. Outside
    the main thread, where signals can not be caught, it changes nothing.
    """

    def __init__(self) -> None:
        self._asked = False
        self._waiting = False
        self._before: Any = None

    def __enter__(self) -> "SigtermGuard":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._before)

    def check(self) -> None:
        """Raise Terminated if the process was asked to end."""
        if self._asked:
            raise Terminated

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within it, Terminated is raised at once: for waits that may be long."""
        self._waiting = True  # before the check, so that no signal comes between the two
        try:
            self.check()
            yield
        finally:
            self._waiting = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        if self._waiting:
            raise Terminated
