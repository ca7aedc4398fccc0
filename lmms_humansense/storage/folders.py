"""Searches folders that anybody may have made: links may form circles, and a name may be a pipe or a device.

`lmms_humansense.tasks.humansense.folders` searches in the same way.
"""

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .errors import StorageError

_MOST_VISITS = 64
"""The most names that links may give to one folder. A few links in each of 30 folders can make a billion paths."""

_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


def size_of(path: str | Path) -> int | None:
    """The size in bytes of a regular file, or of the one that a link leads to.

    Args:
        path: The file.

    Returns:
        The size; None if nothing is there, or something that is no regular file.

    Raises:
        OSError: The system does not say it.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return None
        raise
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def files_below(folder: str | Path) -> tuple[list[str], dict[str, str]]:
    """Find all files in a folder and its subfolders. Links are followed, but not back into a folder around them.

    Args:
        folder: The folder.

    Returns:
        The names of the files relative to the folder, with `/`, and the reason for each one that must not be used.
        A link that leads nowhere counts as a file.

    Raises:
        StorageError: Links give too many names to one folder.
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
            raise StorageError(f"Links in {folder} lead to {here} by more than {_MOST_VISITS} names; remove the links.")
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
