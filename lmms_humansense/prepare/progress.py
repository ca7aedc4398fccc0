"""Shows progress to the user: a bar in a terminal, and an occasional line in a log."""

import threading
import time

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

_EVERY = 30.0
"""Seconds between two lines in a log."""


class ProgressDisplay:
    """Shows bytes, files and the remaining time on a console, within a `with` block. Its methods are thread-safe."""

    def __init__(self, what: str, console: Console) -> None:
        self._console = console
        self._what = what
        self._lock = threading.Lock()
        self._files = self._count = self._there = self._found = self._done = 0
        self._started = self._last = time.monotonic()
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
            TextColumn("{task.fields[files]}"), TimeRemainingColumn(), console=self._console,
        )  # fmt: skip
        self._task = self._bar.add_task(what, total=None, start=False, files="")

    def __enter__(self) -> "ProgressDisplay":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def expect(self, files: int, count: int, what: str | None = None) -> None:
        """Begin some work: set its totals, and count from 0.

        Args:
            files: The number of files.
            count: The number of bytes of all files.
            what: What the work is called; None for the name of the work before.
        """
        with self._lock:
            self._what = what or self._what
            self._files, self._count = files, count
            self._there = self._found = self._done = 0
            self._started = time.monotonic()
            self._bar.reset(self._task, total=count, description=self._what)
            self._show()

    def advance(self, count: int, is_new: bool = True) -> None:
        """Count more bytes.

        Args:
            count: The bytes; a negative number takes bytes back.
            is_new: Whether they were made now, and not found: the remaining time follows from those that were made.
        """
        with self._lock:
            self._there += count
            self._found += 0 if is_new else count
            self._show()

    def file_done(self) -> None:
        """Count one more file."""
        with self._lock:
            self._done += 1
            self._show()

    def say(self, sentence: str) -> None:
        """Print a sentence for the user."""
        self._console.print(sentence)

    def _show(self) -> None:
        if self._console.is_terminal:
            files = f"{self._done}/{self._files} files"
            self._bar.update(self._task, total=self._count, completed=self._there, files=files)
        elif time.monotonic() - self._last > _EVERY:
            self._last = time.monotonic()
            self._console.print(f"{self._what}: {self._state()}")

    def _state(self) -> str:
        spent, made = time.monotonic() - self._started, self._there - self._found
        left = spent * (self._count - self._there) / made if made > 0 else 0
        return (
            f"{decimal(self._there)} of {decimal(self._count)}, {self._done} of {self._files} files, "
            f"about {max(1, round(left / 60))} min left"
        )
