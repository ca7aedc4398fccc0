"""How long tests wait for what has to come: so long that none fails for a busy machine, and none hangs."""

import threading
import time
from collections.abc import Callable

LIMIT = 60.0
"""Seconds after which a test fails instead of hanging. No test measures anything by it."""


def until(condition: Callable[[], object]) -> None:
    """Return once the condition holds; fails after `LIMIT`."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for has not come"
        time.sleep(0.002)


def all_ended(threads: list[threading.Thread]) -> None:
    """Return once all threads have ended; fails after `LIMIT`."""
    until(lambda: not any(thread.is_alive() for thread in threads))
