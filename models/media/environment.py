"""What decoded media depend on besides their files: the code of this folder, libraries, limits of theirs, processor."""

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import av
import torch
from qwen_omni_utils.v2_5 import vision_process as qwen

_LIBRARIES = ("av", "decord", "numpy", "qwen-omni-utils", "soxr", "torch", "torchvision")
"""The libraries that decode, choose, resize and resample."""

_ALIKE = ("AVX2", "AVX512")
"""What torch calls processors on which it resizes alike, bit by bit. Without these, a few pixels differ by 1."""


def frame_limits() -> dict[str, float]:
    """The limits of qwen-omni-utils on number and size of frames. One of them comes from an environment variable."""
    return {name: value for name, value in vars(qwen).items() if name.isupper() and isinstance(value, (int, float))}


def versions_of(libraries: Iterable[str]) -> dict[str, str | None]:
    """The version of each library; None if it is not installed."""
    return {name: _version(name) for name in libraries}


def decoders() -> dict[str, Any]:
    """What decides which frames and samples are made of a file. JSON can represent it, and gives back an equal value.

    Returns:
        The code of this folder, the versions of libraries and of those of FFmpeg that PyAV uses, the limits of
        qwen-omni-utils, and the kind of processor.
    """
    return {
        "code": _code(),
        "versions": _versions(),
        "ffmpeg": _ffmpeg(),
        "limits": frame_limits(),
        "processor": processor(),
    }


@cache
def processor() -> list[str]:
    """The kind of processor, as far as frames depend on it: its architecture, and which instructions torch uses."""
    capability = torch.backends.cpu.get_cpu_capability()
    return [platform.machine(), " or ".join(_ALIKE) if capability in _ALIKE else capability]


@cache
def _ffmpeg() -> dict[str, str]:
    return {name: ".".join(map(str, numbers)) for name, numbers in sorted(av.library_versions.items())}


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
