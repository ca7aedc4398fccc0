"""The pure modules stay light: the standard library is enough to build a prompt and to score a response."""

import subprocess
import sys

import pytest

PURE = (
    "metrics.choices",
    "metrics.cleaning",
    "metrics.counting",
    "metrics.languages",
    "metrics.lists",
    "metrics.mentions",
    "metrics.parsing",
    "metrics.tokens",
    "metrics.verdicts",
    "metrics.paper",
    "metrics.scoring",
    "variants",
    "prompts",
    "taxonomy",
    "results",
    "messages",
    "wrappers",
    "annotations",
    "wording",
    "folders",
    "json_text",
    "lookup",
    "source",
    "local_source",
)
HEAVY = ("torch", "lmms_eval", "datasets", "transformers", "numpy", "PIL", "av", "huggingface_hub", "fsspec")


@pytest.mark.parametrize("name", PURE)
def test_pure_module_imports_nothing_heavy(name: str) -> None:
    program = (
        f"import sys, lmms_humansense.tasks.humansense.{name}; print(*sorted(set({HEAVY!r}).intersection(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
