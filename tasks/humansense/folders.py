"""Reads folders that anybody may have made: links may form circles, and a name may be a pipe or a device.

Standard library only.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .annotations import DataError

MOST_BYTES = 256_000_000
"""The most bytes that an annotation file may have. The release's two have 6 MB together."""

_MOST_VISITS = 64
"""The most names that links may give to one folder. A few links in each of 30 folders can make a billion paths."""


def read_small(path: Path) -> bytes:
    """Read a file completely, unless it is no regular file or too large for an annotation file.

    Args:
        path: The file, or a link to it.

    Returns:
        Its content.

    Raises:
        DataError: It is a folder, a pipe or a device, or has more than `MOST_BYTES` bytes. None of it was read.
        OSError: It cannot be read.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path} is no regular file; put the file itself there.")
    refuse_large(str(path), found.st_size)
    return path.read_bytes()


def refuse_large(name: str, size: int) -> None:
    """Refuse what is too large for an annotation file, before it is read.

    Args:
        name: The path or address of the file, for the message.
        size: Its size in bytes.

    Raises:
        DataError: It has more than `MOST_BYTES` bytes.
    """
    if size > MOST_BYTES:
        raise DataError(f"{name} has {size:,} bytes, more than {MOST_BYTES:,}; download it again.")


def files_below(folder: str | Path) -> tuple[list[str], dict[str, str]]:
    """Find all files in a folder and its subfolders. Links are followed, but not back into a folder around them.

    Args:
        folder: The folder.

    Returns:
        The names of the files relative to the folder, with `/`, and the reason for each one that must not be used.
        A link that leads nowhere counts as a file.

    Raises:
        DataError: Links give too many names to one folder.
    """
    names: list[str] = []
    refused: dict[str, str] = {}
    visits: Counter[str] = Counter()
    waiting: list[tuple[str, str, tuple[str, ...]]] = [("", os.path.realpath(folder), ())]
    while waiting:
        prefix, here, around = waiting.pop()
        if here in around:
            continue
        visits[here] += 1
        if visits[here] > _MOST_VISITS:
            raise DataError(f"Links in {folder} lead to {here} by more than {_MOST_VISITS} names; remove the links.")
        folders = []
        for entry in _entries(os.path.join(folder, prefix)):
            kind = _kind(entry)
            if kind == "folder":
                folders.append((f"{prefix}{entry.name}/", _real(entry, here), (*around, here)))
            elif kind == "file":
                names.append(prefix + entry.name)
            else:
                refused[prefix + entry.name] = "it is no regular file."
        waiting += reversed(folders)
    return names, refused


def _entries(folder: str) -> Iterator["os.DirEntry[str]"]:
    """What is in a folder; nothing if it may not be listed."""
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return


def _real(entry: "os.DirEntry[str]", folder: str) -> str:
    """The path of a subfolder without links, given that of its folder."""
    # Resolving every path would take the third power of the depth. Windows does not call its junctions links.
    is_link = entry.is_symlink() or os.name == "nt"
    return os.path.realpath(entry.path) if is_link else os.path.join(folder, entry.name)


def _kind(entry: "os.DirEntry[str]") -> str:
    # This asks the system only about links, and about what is neither file nor folder.
    try:
        if entry.is_dir():
            return "folder"
        return "file" if entry.is_file() or stat.S_ISREG(entry.stat().st_mode) else "other"
    except OSError:  # a link that leads nowhere, or only to itself
        return "file"
