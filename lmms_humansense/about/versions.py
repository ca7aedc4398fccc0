"""The versions that results depend on. Nothing is imported for them."""

import platform
from importlib import metadata

from .. import __version__

_SHOWN = ("lmms_eval", "transformers", "torch", "qwen-omni-utils", "av", "decord", "vllm")
"""Packages whose version results depend on."""


def installed(name: str) -> str | None:
    """The version of an installed package; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def lines() -> list[str]:
    """This package's version, and below it those of Python and of the packages that results depend on."""
    others = {"Python": platform.python_version(), **{name: installed(name) for name in _SHOWN}}
    shown = [f"{name.replace('_', '-')} {version}" for name, version in others.items() if version]
    return [f"lmms-humansense {__version__}", ", ".join(shown)]
