"""This package beside an lmms-eval that has the changes made from it: whose tasks count, and that none is found twice.

The lmms-eval is a copy of the installed one. The programs that these tests start find this copy first.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from exporter import benchmark
from exporter import entry_points as task_entry_points
from exporter.command import export_upstream

from lmms_humansense.plugin.entry_points import task_folder
from tests.helpers import checkouts
from tests.helpers.commands import QUICKLY, SCRIPTS, results_of, run

pytestmark = pytest.mark.slow  # lmms-eval starts in a process of its own, which takes 10 s

LOOK = """
import json, sys, lmms_eval
from lmms_eval import evaluator, models
from lmms_eval.caching.response_cache import ResponseCache
from lmms_eval.tasks import TaskManager

manager = TaskManager("ERROR", include_path=sys.argv[1:] or None)
print(json.dumps({
    "lmms_eval": lmms_eval.__file__,
    "search is wrapped": hasattr(TaskManager.initialize_tasks, "wrapped_by_humansense"),
    "runs are wrapped": hasattr(evaluator.simple_evaluate, "wrapped_by_humansense"),
    "cache is wrapped": hasattr(ResponseCache.create, "wrapped_by_humansense"),
    "tasks": {name: str(task["yaml_path"]) for name, task in manager.task_index.items() if "humansense" in name},
    "model": models.get_model_manifest("humansense_omni").chat_class_path,
}))
"""

WITHOUT_THIS_PACKAGE = "import sys; sys.modules['lmms_humansense'] = None; "


@pytest.fixture(scope="module")
def built_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An lmms-eval with HumanSense."""
    return patched(tmp_path_factory.mktemp("built-in") / "lmms-eval", benchmark.NAME)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An lmms-eval that asks packages for tasks."""
    return patched(tmp_path_factory.mktemp("asking") / "lmms-eval", task_entry_points.NAME)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An lmms-eval with HumanSense that asks packages for tasks."""
    return patched(tmp_path_factory.mktemp("both") / "lmms-eval", benchmark.NAME, task_entry_points.NAME)


def patched(folder: Path, *changes: str) -> Path:
    checkout = checkouts.write_checkout(folder)
    for change in changes:
        assert export_upstream(checkout, change, []) == 0
        checkouts.commit(checkout)
    return checkout


def run_with(checkout: Path, *command: str, cwd: Path, **environment: str) -> str:
    """What a program prints that finds a checkout's lmms-eval first."""
    found = {"PYTHONPATH": f"{checkout}:{QUICKLY}", **environment}
    return run(*command, cwd=cwd, check=True, only=None, **found).stdout


def look(checkout: Path, cwd: Path, *include: Path) -> dict[str, Any]:
    printed = run_with(checkout, sys.executable, "-c", LOOK, *map(str, include), cwd=cwd)
    seen: dict[str, Any] = json.loads(printed.splitlines()[-1])
    assert seen["lmms_eval"] == str(checkout / "lmms_eval" / "__init__.py")
    assert seen["runs are wrapped"] and seen["cache is wrapped"]
    return seen


def evaluate(checkout: Path, cwd: Path, task: str) -> dict[str, Any]:
    options = ("--model", "dummy", "--tasks", task, "--output_path", "out")
    run_with(checkout, sys.executable, "-m", "lmms_eval", *options, cwd=cwd)
    return results_of(cwd / "out")


def test_an_lmms_eval_that_asks_for_tasks_is_told_and_not_changed(asking: Path, tmp_path: Path) -> None:
    seen = look(asking, tmp_path)
    assert not seen["search is wrapped"]
    assert {"humansense", "humansense_ar", "humansense_sample"} <= set(seen["tasks"])
    assert all(path.startswith(str(task_folder())) for path in seen["tasks"].values())


def test_it_finds_the_tasks_for_its_other_commands_and_for_runs(asking: Path, tmp_path: Path) -> None:
    printed = run_with(asking, str(SCRIPTS / "lmms-eval"), "tasks", "list", cwd=tmp_path)
    assert "humansense_rr1" in printed.split()
    results = evaluate(asking, tmp_path, "humansense_sample_ar")
    assert results["results"]["humansense_sample_ar"]["failed,none"] == 0
    assert results["humansense_data"]


@pytest.mark.parametrize("which", ["built_in", "both"])
def test_this_packages_tasks_and_models_win_over_built_in_ones_and_included_tasks_over_both(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    checkout = request.getfixturevalue(which)
    own = tmp_path / "own" / "mine.yaml"
    own.parent.mkdir()
    own.write_text("task: humansense_ar\ndataset_path: json\n")
    seen = look(checkout, tmp_path, own.parent)
    assert seen["search is wrapped"] is (which == "built_in")
    assert seen["model"] == "lmms_humansense.models.omni.HumanSenseOmni"
    assert seen["tasks"].pop("humansense_ar") == str(own)
    assert all(path.startswith(str(task_folder())) for path in seen["tasks"].values())


def test_a_group_that_both_have_is_asked_once(built_in: Path, tmp_path: Path) -> None:
    results = evaluate(built_in, tmp_path, "humansense_sample")
    assert results["results"]["humansense_sample"]["failed,none"] == 0
    assert sum(leaf["effective"] for leaf in results["n-samples"].values()) == 39
    assert not [name for name in results["results"] if "-" in name], "lmms-eval numbers tasks that it finds twice"


def test_what_is_built_in_passes_its_tests_without_this_package(built_in: Path, tmp_path: Path) -> None:
    tests = [str(built_in / "test" / path) for path in ("eval/test_humansense.py", "models/test_humansense_omni.py")]
    code = f"{WITHOUT_THIS_PACKAGE}import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    printed = run_with(
        built_in, sys.executable, "-c", code, "-q", "-p", "no:cacheprovider", "--rootdir", str(built_in), *tests,
        cwd=built_in,
    )  # fmt: skip
    assert " passed" in printed and "skipped" not in printed


def test_the_tests_of_the_entry_points_pass(asking: Path, tmp_path: Path) -> None:
    printed = run_with(
        asking, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test/eval/test_task_plugins.py",
        cwd=asking,
    )  # fmt: skip
    assert " passed" in printed
