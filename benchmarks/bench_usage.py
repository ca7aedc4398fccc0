"""What a process and all that it has started use: CPU seconds and memory."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil


def _tree() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def cpu_seconds() -> float:
    """CPU seconds, user and system, of this process and its descendants, ended ones that were reaped included."""
    total = 0.0
    for process in _tree():
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_mb() -> float:
    """Megabytes (10^6 bytes) that this process and its descendants hold; what they share counts once."""
    total = 0
    for process in _tree():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return total / 1e6


@dataclass
class Peak:
    """The most memory that was seen, in megabytes, so far and at marked moments."""

    mb: float = 0.0
    marks: dict[int, float] = field(default_factory=dict)


@contextmanager
def repeating(look: Callable[[], None], interval: float) -> Iterator[None]:
    """Call `look` every so many seconds while the block runs, in a thread of its own."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(interval):
            look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def watched(interval: float = 0.5) -> Iterator[Peak]:
    """Look at the memory every so many seconds while the block runs."""
    peak = Peak()

    def look() -> None:
        peak.mb = max(peak.mb, memory_mb())

    with repeating(look, interval):
        yield peak
