"""CPU seconds and memory of a process and its descendants."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil


def _tree() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def cpu_seconds() -> float:
    """CPU seconds (user and system) of this process and its descendants, including those that ended and were reaped."""
    total = 0.0
    for process in _tree():
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_mb() -> float:
    """Megabytes (10^6 bytes) that this process and its descendants hold; shared memory counts once."""
    total = 0
    for process in _tree():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return total / 1e6


@dataclass
class Peak:
    """The peak of memory in megabytes: `mb` so far, `marks` at marked moments."""

    mb: float = 0.0
    marks: dict[int, float] = field(default_factory=dict)


@contextmanager
def repeating(look: Callable[[], None], interval: float) -> Iterator[None]:
    """Call `look` every `interval` seconds while the block runs, in a thread of its own."""
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
    """Measure the memory every `interval` seconds while the block runs; yields the peak."""
    peak = Peak()

    def look() -> None:
        peak.mb = max(peak.mb, memory_mb())

    with repeating(look, interval):
        yield peak
