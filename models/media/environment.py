"""What decoded media depend on besides their files: the code of this folder, libraries, and limits of theirs."""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from qwen_omni_utils.v2_5 import vision_process as qwen

_LIBRARIES = ("av", "decord", "numpy", "qwen-omni-utils", "soxr", "torch", "torchvision")
"""The libraries that decode, choose, resize and resample."""


def frame_limits() -> dict[str, float]:
    """The limits of qwen-omni-utils on number and size of frames. One of them comes from an environment variable."""
    return {name: value for name, value in vars(qwen).items() if name.isupper() and isinstance(value, (int, float))}


def versions_of(libraries: Iterable[str]) -> dict[str, str | None]:
    """The version of each library; None if it is not installed."""
    return {name: _version(name) for name in libraries}


def decoders() -> dict[str, Any]:
    """What decides which frames and samples are made of a file: code, versions and limits. JSON can represent it."""
    return {"code": _code(), "versions": _versions(), "limits": frame_limits()}


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def _versions() -> dict[str, str | None]:
    return versions_of(_LIBRARIES)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
