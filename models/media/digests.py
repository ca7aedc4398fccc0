"""Digests of the content of files, remembered on disk for files that have not changed."""

import contextlib
import hashlib
import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import huggingface_hub.constants

from .publishing import published, sweep_once
from .stand_in import read_stand_in

_BLOCK = 1 << 20

_YOUNG_NS = 30 * 10**9
"""Nanoseconds. A file that changed less than this before it was read may change again without getting another time: FAT
keeps times in steps of 2 s, NFS and HFS+ in steps of 1 s, and the clock of a file server may be some seconds behind."""


def digests_folder() -> Path:
    """Where digests are remembered: `humansense/digests` in HF_HOME, beside this project's other cached files."""
    return Path(huggingface_hub.constants.HF_HOME) / "humansense" / "digests"


class FileState(NamedTuple):
    """What shows that a file was changed.

    Attributes:
        size: Bytes of its content.
        written: When its content was written, in ns.
        touched: When anything about it was changed, such as its name or its rights, in ns.
        inode: The number of the file in its file system. A file that replaces another has another number.
    """

    size: int
    written: int
    touched: int
    inode: int


@dataclass(frozen=True)
class SeenFile:
    """What a file held at a moment.

    Attributes:
        path: Its absolute path.
        sha256: The digest of its content, as hexadecimal digits. For a file that stands for a clip, that of the clip.
        state: Its state before it was read.
        settled: Whether any later change gives it another state.
    """

    path: str
    sha256: str
    state: FileState
    settled: bool


class FileDigests:
    """Digests of the content of files. A file is read again only if it may have changed. Thread-safe.

    Args:
        folder: Where digests are remembered for other processes and later runs, one small file for each; None to
            remember them only here. A folder that cannot be written is only read.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: dict[tuple[str, FileState], str] = {}
        self._lock = threading.Lock()

    def digest(self, path: str) -> str:
        """SHA-256 of a file, as hexadecimal digits. For a file that stands for a clip, it is that of the clip.

        Raises:
            OSError: The file cannot be read.
        """
        return self.content(path).sha256

    def content(self, path: str) -> SeenFile:
        """What a file holds now. Later, `is_unchanged` says whether it held that all the time.

        Raises:
            OSError: The file cannot be read.
        """
        name = os.path.abspath(path)
        state = state_of(name)
        settled = _is_settled(state, time.time_ns())
        stands_for = read_stand_in(name)
        if stands_for is not None:
            return SeenFile(name, stands_for.sha256, state, settled)
        with self._lock:
            known = self._known.get((name, state))
        known = known or self._remembered(name, state)
        if known is None:
            known = sha256_of(Path(name))
            settled = settled and state_of(name) == state
            if settled:
                self._remember(name, state, known)
        else:
            settled = True  # no other digests are remembered
        if settled:
            with self._lock:
                self._known[name, state] = known
        return SeenFile(name, known, state, settled)

    def _remember(self, name: str, state: FileState, digest: str) -> None:
        if self._folder is None:
            return
        content = json.dumps({"path": name, "state": state, "sha256": digest})
        with contextlib.suppress(OSError):  # then the digest is computed again next time
            sweep_once(self._folder)
            with published(self._place(self._folder, name)) as file:
                file.write_text(content, encoding="utf-8")

    def _remembered(self, name: str, state: FileState) -> str | None:
        if self._folder is None:
            return None
        try:
            found = json.loads(self._place(self._folder, name).read_text(encoding="utf-8"))
            if found["path"] == name and tuple(found["state"]) == state and len(found["sha256"]) == 64:
                return str(found["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return None

    @staticmethod
    def _place(folder: Path, name: str) -> Path:
        key = hashlib.sha256(os.fsencode(name)).hexdigest()
        return folder / key[:2] / f"{key[2:32]}.json"


def is_unchanged(content: SeenFile) -> bool:
    """Whether a file still holds what it held, and held it all the time in between.

    A file that was young when it was read may have changed without getting another state, and one that was only touched
    (renamed, linked, given other rights) has another. Both are read again.

    Args:
        content: What `FileDigests.content` returned.

    Returns:
        False also if the file can no longer be read.
    """
    try:
        state = state_of(content.path)
        if state == content.state and content.settled:
            return True
        return (
            state._replace(touched=0) == content.state._replace(touched=0)
            and FileDigests().digest(content.path) == content.sha256
        )
    except OSError:
        return False


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits.

    Raises:
        OSError: The file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def state_of(path: str) -> FileState:
    """The state of a file. Links are followed.

    Raises:
        OSError: There is no such file.
    """
    stat = os.stat(path)
    return FileState(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


def _is_settled(state: FileState, started: int) -> bool:
    """Whether any later change of the file will give it another time than it had when reading `started` (in ns)."""
    return max(state.written, state.touched) + _YOUNG_NS < started
