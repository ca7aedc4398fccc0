"""Formats Python files by the formatter that the checkout's own settings name."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from .checkout import Checkout
from .errors import UpstreamError, missing

_BLACK = (("isort", "--quiet", "--profile", "black", "."), ("black", "--quiet", "."))
_RUFF = (("ruff", "check", "--quiet", "--select", "I", "--fix", "."), ("ruff", "format", "--quiet", "."))


def formatted(files: Mapping[str, bytes], checkout: Checkout) -> dict[str, bytes]:
    """Format Python files as the checkout's `pyproject.toml` says.

    Args:
        files: The content of files by their paths in the checkout.
        checkout: The checkout whose settings count.

    Returns:
        All files; only Python files are changed.

    Raises:
        UpstreamError: The formatter is not installed, or cannot read a file.
    """
    settings = checkout.committed("pyproject.toml")
    if not has_ruff(settings) and "[tool.black" not in settings:
        raise missing("pyproject.toml", "neither [tool.ruff] nor [tool.black]")
    commands = _RUFF if has_ruff(settings) else _BLACK
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
        python = [path for path in files if path.endswith(".py")]
        for package in {path.partition("/")[0] for path in python}:  # so that isort recognises it as first-party
            (folder / package).mkdir()
            (folder / package / "__init__.py").touch()
        for path in python:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(files[path])
        for command in commands:
            _run(command, folder)
        return {**files, **{path: (folder / path).read_bytes() for path in python}}


def has_ruff(settings: str) -> bool:
    """Whether the text of a `pyproject.toml` has settings of ruff, which then formats instead of black and isort."""
    return "[tool.ruff" in settings


def _run(command: tuple[str, ...], folder: Path) -> None:
    if find_spec(command[0]) is None:
        raise UpstreamError(
            f"The checkout is formatted with {command[0]}, which is not installed: pip install {command[0]}."
        )
    ended = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)
    if ended.returncode:
        raise UpstreamError(f"{command[0]} does not format the change: {(ended.stderr or ended.stdout).strip()}")
