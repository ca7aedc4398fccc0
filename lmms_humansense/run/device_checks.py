"""Names of devices and of implementations of attention, checked without importing torch or transformers."""

import ctypes
import difflib
import re
import sys
from importlib import metadata

from .sources import source_of

_USUAL = ("auto", "cpu", "cuda", "mps")
_DEVICES = frozenset({*_USUAL, "gcu", "hpu", "ipu", "maia", "meta", "mlu", "mtia", "musa", "npu", "sdaa", "xla", "xpu"})
"""Kinds of devices that torch has, or that packages add to it."""

_ATTENTION = ("auto", "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention")

_NO_DRIVER = "there is no NVIDIA driver on this machine"


def check_device(device: str) -> None:
    """Refuse a device that there is not.

    Args:
        device: The name, as torch has it.

    Raises:
        ValueError: The name is a mistyped one, or it is a CUDA GPU and this machine or the installed torch has none.
    """
    kind = device.partition(":")[0]
    if kind not in _DEVICES:
        close = ["cuda"] if kind == "gpu" else difflib.get_close_matches(kind, _USUAL, 1, 0.75)
        if close:
            raise ValueError(f"device={device}: there is no such device; did you mean {close[0]}?")
    reason = _why_no_cuda() if kind == "cuda" else None
    if reason is not None:
        raise ValueError(f"device={device}: {reason}; leave device out to use what is there.")


def _why_no_cuda() -> str | None:
    """Why torch can use no CUDA GPU, if that is certain."""
    build = metadata.version("torch").partition("+")[2]
    if build == "cpu":
        return "the installed torch is one for the CPU"
    if sys.platform != "linux" or build.startswith("rocm"):  # torch calls AMD's GPUs cuda, too
        return None
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return _NO_DRIVER
    return None


def check_attention(name: str) -> None:
    """Refuse a mistyped name of an implementation of attention.

    Args:
        name: The name, as transformers has it. It may also be that of a kernel on the Hub.

    Raises:
        ValueError: The name is similar to one that there is, and the installed transformers does not name it.
    """
    if name in _ATTENTION or not re.fullmatch(r"\w+", name):
        return
    source = source_of("transformers", "modeling_utils.py")
    close = difflib.get_close_matches(name, _ATTENTION, 1, 0.75)
    if close and source and f'"{name}"' not in source:
        raise ValueError(f"attn_implementation={name}: there is no such implementation; did you mean {close[0]}?")
