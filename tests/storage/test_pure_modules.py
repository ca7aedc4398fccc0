"""Pure modules stay light: lists of archives and of prepared folders need only the standard library."""

import subprocess
import sys

import pytest

PURE = ("archive", "errors", "folders", "prepared")
HEAVY = ("torch", "lmms_eval", "datasets", "transformers", "numpy", "PIL", "av", "huggingface_hub", "fsspec")


@pytest.mark.parametrize("name", PURE)
def test_pure_module_imports_nothing_heavy(name: str) -> None:
    program = f"import sys, lmms_humansense.storage.{name}; print(*sorted(set({HEAVY!r}).intersection(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


@pytest.mark.parametrize(
    "name", ["archive", "cache", "errors", "folders", "hub", "prepared", "remote", "stores", "transfer"]
)
def test_no_module_knows_the_benchmark(name: str) -> None:
    program = (
        f"import sys, lmms_humansense.storage.{name}; "
        "print(*(each for each in sys.modules if each.startswith('lmms_humansense.') and '.storage' not in each))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
