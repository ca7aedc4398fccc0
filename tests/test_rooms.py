"""The rooms of the project: the type checker sees all of them, imports go in one direction, class names are unique."""

import ast
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
ROOMS = ("models", "tasks/humansense", "lmms_humansense")
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", "build", "*.egg-info", "*.mp4", "*.wav", "*.m4a"
)


@pytest.mark.parametrize("folder", ["models", "tasks"])
def test_the_package_links_to_what_is_installed_as_its_part(folder: str) -> None:
    assert (CHECKOUT / "lmms_humansense" / folder).resolve() == CHECKOUT / folder


def test_no_two_public_classes_have_one_name() -> None:
    places = defaultdict(list)
    for room in ROOMS:
        for path in (CHECKOUT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(path.relative_to(CHECKOUT)))
    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_few_modules_stand_outside_the_rooms_of_models() -> None:
    assert len(list((CHECKOUT / "models").glob("*.py"))) <= 9


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain copy of the tree."""
    folder = tmp_path_factory.mktemp("copy") / "tree"
    return Path(shutil.copytree(CHECKOUT, folder, symlinks=True, ignore=NOT_COPIED))


WRONG_CALLS = {
    "lmms_humansense/wrong.py": "from .tasks.humansense.taxonomy import tasks_named\n\ntasks_named(1, 2)\n",
    "lmms_humansense/run/wrong.py": "from ..models.media.video import read_clip\n\nread_clip()\n",
    "models/local/wrong.py": "from ..media.types import FrameRule\n\nFrameRule(frames=1)\n",
    "models/inputs/wrong.py": "from ..media.audio import read_waveform\n\nread_waveform('a', beginning=1)\n",
    "tests/storage/wrong.py": "from lmms_humansense.models.media.types import Waveform\n\nWaveform()\n",
    "tests/wrong.py": "from lmms_humansense.tasks.humansense.metrics.scoring import score\n\nscore('A', 'single')\n",
}
"""Calls with wrong arguments from one room into another."""


@pytest.mark.slow
def test_the_type_checker_sees_from_every_room_into_the_others(copied: Path) -> None:
    for name, text in WRONG_CALLS.items():
        (copied / name).write_text(f'"""Wrong."""\n\n{text}', encoding="utf-8")
    try:
        done = subprocess.run([sys.executable, "-m", "mypy"], cwd=copied, capture_output=True, text=True)
    finally:
        for name in WRONG_CALLS:
            (copied / name).unlink()
    found = {line.partition(":")[0] for line in done.stdout.splitlines() if ": error:" in line}
    names = {name.replace("models/", "lmms_humansense/models/", 1) if name.startswith("models/") else name
             for name in WRONG_CALLS}  # fmt: skip
    assert found == names, done.stdout[-2000:]


WRONG_WAYS = {
    "models/media/wrong.py": ("from ..inputs import conversation", "models"),
    "models/endpoint/wrong.py": ("from ..local import collation", "models"),
    "models/local/wrong.py": ("from ..vllm import prompts", "models"),
    "models/runtime/wrong.py": ("import transformers", "served"),
    "models/caching/wrong.py": ("from ..omni import HumanSenseOmni", "models"),
    "tasks/humansense/metrics/wrong.py": ("import torch", "pure"),
    "tasks/humansense/wrong.py": ("from ...storage import cache", "package"),
    "models/inputs/wrong.py": ("from ...tasks.humansense import taxonomy", "package"),
    "lmms_humansense/storage/wrong.py": ("from ..tasks.humansense import annotations", "package"),
    "lmms_humansense/results/wrong.py": ("from ..report import table", "package"),
}
"""Imports against the direction, and the contract that each breaks."""


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG_WAYS)
def test_an_import_against_the_direction_breaks_its_contract(name: str, copied: Path) -> None:
    statement, contract = WRONG_WAYS[name]
    (copied / name).write_text(f'"""Wrong."""\n\n{statement}\n', encoding="utf-8")
    command = ["lint-imports", "--no-cache", "--contract", contract]
    command[0] = str(Path(sys.executable).with_name("lint-imports"))
    try:
        done = subprocess.run(command, cwd=copied, capture_output=True, text=True)
    finally:
        (copied / name).unlink()
    assert done.returncode == 1, done.stdout
    assert "0 kept, 1 broken" in done.stdout
