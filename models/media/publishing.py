"""Writes files that other processes read meanwhile: they see a file as it was, or whole."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_PART = ".part"

_ABANDONED = 3600.0
"""Seconds after which a half-written file is one of a process that was killed."""


@contextmanager
def published(path: Path) -> Iterator[Path]:
    """Put a file into its place when the block that writes it has ended; if the block fails, nothing changes.

    Args:
        path: The place. Its folder is made.

    Yields:
        The file to write, in the same folder. Its name begins with a dot and ends in ".part".

    Raises:
        OSError: The folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex}{_PART}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove the half-written files of processes that were killed.

    Args:
        folder: The folder whose subfolders `published` has written into. Their names have two letters.
    """
    for place in folder.glob(f"??/.{'?' * 32}{_PART}"):
        with contextlib.suppress(OSError):  # another process removed it, or only its owner may
            if place.stat().st_mtime + _ABANDONED < time.time():
                place.unlink()


@cache
def sweep_once(folder: Path) -> None:
    """Do the same as `sweep`, but only once in this process for each folder."""
    sweep(folder)
