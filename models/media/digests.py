"""Digests of the content of files, remembered on disk for files that have not changed."""

import contextlib
import hashlib
import json
import os
import threading
import time
from pathlib import Path

import huggingface_hub.constants

from .publishing import published
from .stand_in import read_stand_in

_BLOCK = 1 << 20

_YOUNG_NS = 3 * 10**9
"""Nanoseconds. A file that changed less than this before it was read may change again without getting another time:
FAT keeps times in steps of 2 s, NFS and HFS+ in steps of 1 s."""

_State = tuple[int, int, int, int]
"""Size, time of the content, time of the last change of any kind (both in ns), and inode."""


def digests_folder() -> Path:
    """Where digests are remembered: `humansense/digests` in HF_HOME, beside this project's other cached files."""
    return Path(huggingface_hub.constants.HF_HOME) / "humansense" / "digests"


class FileDigests:
    """Digests of the content of files. A file is read again only if it changed. Thread-safe.

    Args:
        folder: Where digests are remembered for other processes and later runs, one small file for each; None to
            remember them only here. A folder that cannot be written is only read.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: dict[tuple[str, _State], str] = {}
        self._lock = threading.Lock()

    def digest(self, path: str) -> str:
        """SHA-256 of a file, as hexadecimal digits. For a file that stands for a clip, it is that of the clip.

        Raises:
            OSError: The file cannot be read.
        """
        name = os.path.abspath(path)
        stands_for = read_stand_in(name)
        if stands_for is not None:
            return stands_for.sha256
        state = _state(name)
        with self._lock:
            known = self._known.get((name, state))
        if known is None:
            known = self._remembered(name, state) or self._computed(name, state)
            with self._lock:
                self._known[name, state] = known
        return known

    def _computed(self, name: str, state: _State) -> str:
        started = time.time_ns()
        digest = sha256_of(Path(name))
        if self._folder is not None and _is_settled(state, started) and _state(name) == state:
            content = json.dumps({"path": name, "state": state, "sha256": digest})
            with contextlib.suppress(OSError), published(self._place(self._folder, name)) as file:
                file.write_text(content, encoding="utf-8")  # if it fails, the digest is computed again next time
        return digest

    def _remembered(self, name: str, state: _State) -> str | None:
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


def _state(name: str) -> _State:
    stat = os.stat(name)
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def _is_settled(state: _State, started: int) -> bool:
    """Whether any later change of the file will give it another time than it had when reading `started` (in ns)."""
    _, changed, touched, _ = state
    return max(changed, touched) + _YOUNG_NS < started
