"""What is pure stays light: the standard library is enough to build a prompt and to score a response."""

from __future__ import annotations

import subprocess
import sys

import pytest

PURE = (
    "scoring",
    "release_scoring",
    "variants",
    "prompts",
    "taxonomy",
    "parsing",
    "results",
    "messages",
    "annotations",
    "lookup",
    "archive",
    "prepared",
)
HEAVY = ("torch", "lmms_eval", "datasets", "transformers", "numpy", "PIL", "av", "huggingface_hub", "fsspec")


@pytest.mark.parametrize("name", PURE)
def test_pure_module_imports_nothing_heavy(name: str) -> None:
    program = (
        f"import sys, lmms_humansense.tasks.humansense.{name}; print(*sorted(set({HEAVY!r}).intersection(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
