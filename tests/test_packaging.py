"""A wheel, and a wheel built from the source distribution, contain all files and work from another folder."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
WHEEL_LIMIT = 7_000_000  # bytes
SUFFIXES = (".mp4", ".wav", ".m4a")
FOLDERS = {"tasks": "lmms_humansense/tasks", "models": "lmms_humansense/models", "lmms_humansense": "lmms_humansense"}


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Built from a copy of the tracked files, without leftovers of other builds in the checkout.
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=CHECKOUT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, source / name, follow_symlinks=False)
    # Without an option, build makes the source distribution first and the wheel from it.
    choice = ["--wheel"] if request.param == "wheel" else []
    build = [sys.executable, "-m", "build", "--no-isolation", *choice, "--outdir", str(dist), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    return next(dist.glob("*.whl"))


def test_every_file_is_in_it(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder, place in FOLDERS.items():
        for path in (CHECKOUT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"{place}/{path.relative_to(CHECKOUT / folder)}" in inside


def test_nothing_of_tests_or_scripts_is_in_it(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"lmms_humansense"}


def test_it_is_small(wheel: Path) -> None:
    # The sample has 2.4 MB, the demo's model 2.9 MB and its data 1.5 MB.
    assert wheel.stat().st_size < WHEEL_LIMIT


def test_the_media_in_it_are_small() -> None:
    sizes = {
        folder: sum(path.stat().st_size for path in (CHECKOUT / folder).rglob("*") if path.suffix in SUFFIXES)
        for folder in ("tasks/humansense_sample", "lmms_humansense/demo/world")
    }
    assert min(sizes.values()) > 1_000_000
    assert sum(sizes.values()) < 4_000_000, sizes


def test_installed_it_answers(wheel: Path, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(tmp_path / "site"), str(wheel)], check=True)
    code = (
        "import lmms_humansense.plugin.entry_points as p, lmms_humansense.models.inputs.conversation;"
        "from lmms_humansense.tasks.humansense_sample.utils import ROOT;"
        "from lmms_humansense.tasks.humansense.utils import docs;"
        "print(p.task_folder()); print(len(docs('hc', str(ROOT), False)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    folder, count = done.stdout.split()
    assert folder == str(tmp_path / "site" / "lmms_humansense" / "tasks")
    assert int(count) >= 2
