"""Digests of everything that an answer depends on: what is shown and asked, the checkpoint, the code.

Equal digests mean the same answer, on any machine and from any folder, except that in half precision the other requests
of a batch may change the last bits. Where that is not known, there is no digest.
Does not depend on lmms-eval.
"""

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image as PillowImage

from ..inputs.conversation import Conversation, ImagePart, Part, TextPart, VideoPart
from ..media.digests import FileDigests, SeenFile, sha256_of
from ..media.environment import frame_limits as frame_limits
from ..media.environment import versions_of as versions_of

_THREADS = 4

_DECIDING = ("media", "inputs")
"""The folders whose code decides what every model is shown. Answers do not depend on `runtime`, `caching` and the
modules that lmms-eval sees: these decide when and where something is done, but not what."""


class Digests(Protocol):
    """Knows the digests of files: `FileDigests`, or `NotedDigests`."""

    def digest(self, path: str) -> str:
        """SHA-256 of a file, as hexadecimal digits.

        Raises:
            OSError: The file cannot be read.
        """


class NotedDigests:
    """Digests of files, with a note of what each file held.

    Args:
        files: Computes and remembers the digests.

    Attributes:
        contents: What the files held whose digests were asked for.
    """

    def __init__(self, files: FileDigests) -> None:
        self._files = files
        self.contents: list[SeenFile] = []

    def digest(self, path: str) -> str:
        """SHA-256 of a file, as `Digests.digest` says."""
        content = self._files.content(path)
        self.contents.append(content)
        return content.sha256


class UnknownContentError(Exception):
    """The content of a medium is not known without fetching it, such as an image behind a URL."""


def digest_of(value: Any) -> str:
    """SHA-256, as hexadecimal digits, of a value that JSON can hold. Numbers may be NumPy's.

    Raises:
        TypeError: JSON cannot hold the value.
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no digest.")


def describe(conversation: Conversation, files: Digests) -> list[Any]:
    """Describe everything that a conversation shows and says, with media by their content.

    Args:
        conversation: What `read_messages` returns.
        files: Knows the digests of its files.

    Returns:
        The role and the parts of each turn, in a form that JSON can hold. Equal for equal media in any folder.

    Raises:
        UnknownContentError: The content of a medium is not known.
        OSError: A file cannot be read.
        TypeError: An object in memory is not a medium.
        ValueError: An object in memory, or a file name, is not valid.
    """
    return [[turn.role, [_part(part, files) for part in turn.parts]] for turn in conversation]


def _part(part: Part, files: Digests) -> list[Any]:
    if isinstance(part, TextPart):
        return ["text", part.text]
    if isinstance(part, ImagePart):
        return ["image", _medium(part.image, files)]
    if isinstance(part, VideoPart):
        return ["video", _medium(part.path, files), asdict(replace(part, path=""))]
    clip = None if part.clip is None else asdict(replace(part.clip, path=""))
    return ["sound", _medium(part.source, files), clip]


def _medium(source: Any, files: Digests) -> Any:
    """Describe the content of an image, video or sound, and the extension of its name, which decoders use."""
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source).removeprefix("file://")
        if name.startswith("data:"):
            return ["data", name]
        if "://" in name:
            raise UnknownContentError(name)
        return ["file", files.digest(name), os.path.splitext(name)[1].lower()]
    if isinstance(source, PillowImage.Image):
        palette = [source.getpalette(), repr(source.info.get("transparency"))]
        return ["pixels", source.mode, source.size, _bytes(source.tobytes()), palette]
    if isinstance(source, Mapping) and source.get("array") is not None:
        array = np.ascontiguousarray(source["array"])
        return ["array", str(array.dtype), array.shape, _bytes(array.tobytes()), source.get("sampling_rate")]
    if isinstance(source, Mapping) and isinstance(source.get("bytes"), bytes):
        return ["bytes", _bytes(source["bytes"]), os.path.splitext(str(source.get("path") or ""))[1].lower()]
    raise UnknownContentError(type(source).__name__)


def _bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest_of_code(folder: str, left_out: Collection[str] = ()) -> str:
    """Compute the digest of all source code that decides what a model is shown and what it answers.

    Args:
        folder: "local", "vllm" or "endpoint". Every module in it, in `media` and in `inputs` is read, at any depth.
        left_out: Modules to ignore, such as "local/families/qwen2_audio.py".

    Returns:
        SHA-256, as hexadecimal digits.
    """
    models = Path(__file__).parents[1]
    paths = {
        path.relative_to(models).as_posix(): path
        for deciding in (*_DECIDING, folder)
        for path in (models / deciding).rglob("*.py")
    }
    return digest_of([[name, sha256_of(paths[name])] for name in sorted(paths.keys() - set(left_out))])


def digest_of_folder(folder: Path, files: FileDigests | None = None) -> str:
    """SHA-256, as hexadecimal digits, over the names and contents of the files in a checkpoint's folder.

    Every byte is read, because training may change one layer only, which is a few percent of the bytes. Hidden files
    and subfolders are not read, because they are not part of the model.

    Args:
        folder: The folder.
        files: Computes the digests of its files, and remembers those that have not changed; None reads all of them.

    Returns:
        The digest.
    """
    known = files or FileDigests()
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    with ThreadPoolExecutor(_THREADS) as pool:  # hashing releases the GIL
        digests = pool.map(known.digest, map(str, paths))
        return digest_of([[path.name, digest] for path, digest in zip(paths, digests, strict=True)])
