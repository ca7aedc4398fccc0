"""Heavy modules are loaded only when they are needed, and only once. `benchmarks/startup.py` measures the effect."""

import json
import subprocess
import sys
from importlib import metadata
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SHOWING = {"typer", "rich"}
"""The requirements that the help needs."""


def modules_for(*command: str) -> set[str]:
    """The modules that a Python program loads."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], check=True, capture_output=True, text=True
    )  # prints a line for each module: "import time:       170 |        170 |   zipimport"
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def modules_of_requirements() -> set[str]:
    """The top-level modules of the package's requirements, except those that the help needs."""
    required = map(Requirement, metadata.requires("lmms-humansense") or [])
    needed = {canonicalize_name(one.name) for one in required if "extra" not in str(one.marker)} - SHOWING
    installed = metadata.packages_distributions().items()
    return {module for module, names in installed if not needed.isdisjoint(map(canonicalize_name, names))}


def test_help_loads_nothing_but_what_shows_it() -> None:
    loaded = modules_for("-m", "lmms_humansense", "--help")
    assert {"lmms_humansense.cli", *SHOWING} <= loaded
    heavy = modules_of_requirements()
    assert {"torch", "transformers", "lmms_eval", "datasets", "numpy", "av"} <= heavy
    assert sorted(heavy & {name.partition(".")[0] for name in loaded}) == []
    ours = {name.split(".")[1] for name in loaded if name.startswith("lmms_humansense.")}
    assert ours <= {"__main__", "about", "cli", "demo", "plugin", "run"}
    assert len(loaded) < 600  # 390 with typer 0.29; torch alone has 1,100


LISTING = """
import json, os, sys
from collections import Counter

# lmms-eval itself loads these in any case, before it calls the plugin.
import lmms_eval.evaluator
import lmms_eval.models
from lmms_eval.tasks import TaskManager
from lmms_eval.utils import load_yaml_config
from lmms_humansense.plugin.entry_points import task_folder

before, folder, opened = set(sys.modules), str(task_folder()), Counter()

def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(folder):
        opened[os.path.realpath(arguments[0])] += 1

sys.addaudithook(watch)
assert "humansense_ar" in TaskManager("ERROR").all_tasks
listed = dict(opened)
loaded = sorted(set(sys.modules) - before)

leaves = [load_yaml_config(str(path)) for path in sorted(task_folder().rglob("humansense_??*.yaml"))]
hooks = [config["process_results"] for config in leaves if "process_results" in config]
executed_here = hooks[0].__globals__ is vars(sys.modules[hooks[0].__module__])
print(json.dumps([folder, listed, loaded, len(hooks), len(set(map(id, hooks))), executed_here]))
"""


@pytest.fixture(scope="module")
def listing() -> Any:
    """The output of a process that lists all tasks, and then reads the configuration of each of ours."""
    done = subprocess.run([sys.executable, "-c", LISTING], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_to_list_the_tasks_loads_no_model_and_nothing_of_others(listing: Any) -> None:
    loaded = listing[2]
    assert "lmms_humansense.dataset.anywhere" in loaded
    assert [name for name in loaded if name.startswith("lmms_humansense.models")] == []
    known = {"lmms_humansense", "lmms_eval", *sys.stdlib_module_names}
    assert [name for name in loaded if name.partition(".")[0] not in known] == []


@pytest.mark.slow
def test_to_list_the_tasks_reads_each_file_once_and_a_template_once_for_each_folder(listing: Any) -> None:
    folder, listed = listing[:2]
    assert all(name.endswith("yaml") for name in listed)
    tasks = {name: count for name, count in listed.items() if name.endswith(".yaml")}
    assert len(tasks) > 150
    assert set(tasks.values()) == {1}
    folders = {name.rpartition("/")[0] for name in tasks}
    assert all(name.startswith(folder) and count <= len(folders) for name, count in listed.items())


@pytest.mark.slow
def test_hook_modules_are_executed_once_for_all_tasks(listing: Any) -> None:
    assert listing[3:] == [150, 1, True]
