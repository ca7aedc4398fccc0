"""What an answer depends on, as digests: what is shown and asked, the checkpoint, the code. Knows no harness.

Equal digests mean the same answer, on any machine and from any folder; where that can not be told there is none.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from qwen_omni_utils.v2_5 import vision_process as qwen

from .conversation import Conversation, Image, Part, Text, Video
from .families.base import Family

_BLOCK = 1 << 20
_THREADS = 4

_WITHOUT_EFFECT = frozenset(
    "answering asking chat failures identity jobs ledger omni pipeline posting response_cache samples server stall "
    "stopping transport window worker workers".split()
)
"""Modules that say when and where something is done, and not what: answers do not depend on them."""

_OF_SERVERS = frozenset("body endpoint packing server_settings whole wire".split())
"""Modules that have an effect on what a server answers only."""


class UntoldError(Exception):
    """What something consists of can not be told without fetching it, such as a picture behind an address."""


class Files:
    """Digests of the content of files, each read once as long as it does not change. For several threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int], str] = {}
        self._lock = threading.Lock()

    def digest(self, path: str) -> str:
        """SHA-256 of a file, as hexadecimal digits. Raises OSError where it can not be read."""
        stat = os.stat(path)
        state = os.path.abspath(path), stat.st_size, stat.st_mtime_ns, stat.st_ino
        with self._lock:
            known = self._known.get(state)
        if known is None:
            known = sha256_of(Path(path))
            with self._lock:
                self._known[state] = known
        return known


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits. Raises OSError where it can not be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def digest_of(value: Any) -> str:
    """SHA-256, as hexadecimal digits, of something that JSON can hold; numbers may be NumPy's.

    Raises TypeError for anything else.
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no digest.")


def describe(conversation: Conversation, files: Files) -> list[Any]:
    """Everything that a conversation shows and says, in a form that JSON can hold: media by their content.

    Raises UntoldError where that can not be told, OSError for a file that can not be read, and TypeError or ValueError
    for what is no medium.
    """
    return [[turn.role, [_part(part, files) for part in turn.parts]] for turn in conversation]


def _part(part: Part, files: Files) -> list[Any]:
    if isinstance(part, Text):
        return ["text", part.text]
    if isinstance(part, Image):
        return ["image", _medium(part.image, files)]
    if isinstance(part, Video):
        return ["video", _medium(part.path, files), asdict(replace(part, path=""))]
    clip = None if part.clip is None else asdict(replace(part.clip, path=""))
    return ["sound", _medium(part.source, files), clip]


def _medium(source: Any, files: Files) -> Any:
    """The content of a picture, clip or sound, and what else a decoder looks at: the ending of its name."""
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source).removeprefix("file://")
        if name.startswith("data:"):
            return ["data", name]
        if "://" in name:
            raise UntoldError(name)
        return ["file", files.digest(name), os.path.splitext(name)[1].lower()]
    if isinstance(source, PillowImage.Image):
        palette = [source.getpalette(), repr(source.info.get("transparency"))]
        return ["pixels", source.mode, source.size, _bytes(source.tobytes()), palette]
    if isinstance(source, Mapping) and source.get("array") is not None:
        array = np.ascontiguousarray(source["array"])
        return ["array", str(array.dtype), array.shape, _bytes(array.tobytes()), source.get("sampling_rate")]
    if isinstance(source, Mapping) and isinstance(source.get("bytes"), bytes):
        return ["bytes", _bytes(source["bytes"]), os.path.splitext(str(source.get("path") or ""))[1].lower()]
    raise UntoldError(type(source).__name__)


def _bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def frame_limits() -> dict[str, float]:
    """The limits of qwen-omni-utils on number and size of frames, one of which is read from the environment."""
    return {name: value for name, value in vars(qwen).items() if name.isupper() and isinstance(value, (int, float))}


def digest_of_code(family: Family | None = None) -> str:
    """SHA-256 over the source of everything here that decides what a family is shown and what it answers.

    Without a family, of what decides what a server is sent.
    """
    folder = Path(__file__).parent
    left_out = _WITHOUT_EFFECT | (_OF_SERVERS if family is not None else frozenset())
    shared = {path for path in folder.glob("*.py") if path.stem not in left_out}
    classes = {one.__module__.rpartition(".")[2] for one in type(family).__mro__}
    own = {path for path in (folder / "families").glob("*.py") if path.stem in classes}
    return digest_of([[path.name, sha256_of(path)] for path in sorted(shared | own)])


def versions_of(libraries: Iterable[str]) -> dict[str, str | None]:
    """The version of each library; None of those that are not installed."""
    return {name: _version(name) for name in libraries}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def digest_of_folder(folder: Path) -> str:
    """SHA-256 over names and contents of the files in a checkpoint's folder, as hexadecimal digits.

    Every byte is read, as one layer that was trained on is a few bytes in a hundred. Hidden files and subfolders, which
    are no part of the model, are not.
    """
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    with ThreadPoolExecutor(_THREADS) as pool:  # hashing does not hold Python's lock
        return digest_of([[path.name, digest] for path, digest in zip(paths, pool.map(sha256_of, paths), strict=True)])
