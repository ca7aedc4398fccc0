"""The tests of the models under the oldest, a middle and the newest transformers, each laid over this environment."""

import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
TESTS = ("tests/models", "tests/demo/test_tiny_model.py")


def overlay(folder: Path, requirement: str) -> Path:
    """Makes a virtual environment over this one, with what `requirement` needs in addition; returns its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    (own,) = folder.glob("lib/python*/site-packages")
    # A site directory and not a bare path, so that editable installs are found too.
    (own / "parent.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    # With datasets, because its newest releases do not work with the huggingface_hub of the oldest transformers.
    command = [str(python), "-m", "pip", "install", "-q", requirement, "datasets"]
    subprocess.run(command, check=True, capture_output=True, timeout=1200)
    return python


@pytest.mark.slow
@pytest.mark.parametrize("version", ["==4.57.6", "==5.10.4", ">=5.23"], ids=["oldest", "middle", "newest"])
def test_transformers(version: str, tmp_path: Path) -> None:
    python = overlay(tmp_path / "venv", f"transformers{version}")
    which = "import transformers; print(transformers.__version__)"
    found = subprocess.run([str(python), "-c", which], capture_output=True, text=True, check=True).stdout.strip()
    assert found in SpecifierSet(version)
    run = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    tests = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    print("transformers", found, tests.stdout.strip().splitlines()[-1])
    assert tests.returncode == 0, tests.stdout[-4000:] + tests.stderr[-2000:]
