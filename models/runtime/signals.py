"""How a run ends before its last answer: because of SIGTERM, or because continuing would be useless."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

EXIT_INCOMPLETE = 3
"""Exit status of a run that ended before its last answer, and that the same command can continue."""

WAKE_INTERVAL = 1.0
"""How long the main thread may wait without a pause, in seconds.

Python calls the handlers of signals in the main thread. A wait without a time limit does not end for a signal that
another thread got, or that came just before the wait.
"""


class RunStopped(SystemExit):
    """Ends the program with status 3.

    It is not an ordinary exception, because lmms-eval reports those and ends with status 0.

    Attributes:
        reason: Why the run ended, and how to continue it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(EXIT_INCOMPLETE)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class Terminated(BaseException):
    """The process got SIGTERM. Not an ordinary exception, because those become failures of single requests."""


class SigtermGuard:
    """Within this context, SIGTERM does not end the process, but raises `Terminated` where no answer is lost by it.

    These places are `check`, and everything within `waiting`. Schedulers send SIGTERM some seconds before SIGKILL.
    Outside the main thread, where signals cannot be caught, the guard has no effect.
    """

    def __init__(self) -> None:
        self._received = False
        self._waiting = False
        self._previous_handler: Any = None

    def __enter__(self) -> "SigtermGuard":
        if threading.current_thread() is threading.main_thread():
            self._previous_handler = signal.signal(signal.SIGTERM, self._on_sigterm)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous_handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._previous_handler)

    def check(self) -> None:
        """Check for SIGTERM.

        Raises:
            Terminated: The process got SIGTERM.
        """
        if self._received:
            raise Terminated

    def check_late(self) -> None:
        """Check for SIGTERM after something broke. A signal to a group of processes may reach another one of it first.

        Raises:
            Terminated: The process got SIGTERM, before or soon after the call.
        """
        if not self._received:
            time.sleep(WAKE_INTERVAL)
        self.check()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within this context, SIGTERM raises Terminated at once. It is for waits that may be long.

        Raises:
            Terminated: The process got SIGTERM, before or within the context.
        """
        self._waiting = True  # before the check, so that a signal between the two is not missed
        try:
            self.check()
            yield
        finally:
            self._waiting = False

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        self._received = True
        if self._waiting:
            raise Terminated
