"""How long tests wait for an event: so long that no test fails on a busy machine, and no test hangs."""

import threading
import time
from collections.abc import Callable

LIMIT = 60.0
"""Seconds after which a test fails instead of hanging. It is not used for measurements."""


def until(condition: Callable[[], object], limit: float = LIMIT) -> None:
    """Return when the condition holds. Fail after so many seconds; a program that has to start needs more of them."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "the condition that the test waits for did not become true"
        time.sleep(0.002)


def all_ended(threads: list[threading.Thread]) -> None:
    """Return when all threads have ended. Fail after `LIMIT`."""
    until(lambda: not any(thread.is_alive() for thread in threads))
