"""Keeps the folder of a store of decoded clips below a bound."""

import contextlib
from pathlib import Path

from .entries import ENDING
from .publishing import sweep

_TRIMMED_TO = 15 / 16
"""The share of the bound that is left after the least recently used entries are removed."""

_NAME = f"??/{'?' * 38}{ENDING}"
"""What the names of entries look like. Other files are left alone."""


def trim(folder: Path, most_bytes: int) -> int:
    """Remove the least recently used entries of a folder that has become too large, and what killed processes left.

    Args:
        folder: The folder of a store.
        most_bytes: Bytes that all entries together may have.

    Returns:
        The bytes of all entries that are left. More than `most_bytes` if entries cannot be removed.
    """
    sweep(folder)
    entries = []
    for place in folder.glob(_NAME):
        with contextlib.suppress(OSError):  # another process removed it
            stat = place.stat()
            entries.append((stat.st_mtime_ns, stat.st_size, place))
    size = sum(size for _, size, _ in entries)
    if size <= most_bytes:
        return size
    for _, bytes_of_entry, place in sorted(entries):
        if size <= most_bytes * _TRIMMED_TO:
            break
        if _is_removed(place):
            size -= bytes_of_entry
    return size


def _is_removed(place: Path) -> bool:
    """Remove an entry. False if only another user may."""
    try:
        place.unlink(missing_ok=True)
    except OSError:
        return False
    return True
