"""Nothing heavy is loaded before it is needed, and nothing twice."""

import subprocess
import sys
import time
from pathlib import Path

COMMAND = Path(sys.executable).with_name("lmms-humansense")


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def seconds(*command: str) -> float:
    """The least of three, as other programs run beside the tests."""
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        run(*command)
        taken.append(time.perf_counter() - started)
    return min(taken)


def test_help_comes_in_half_a_second() -> None:
    assert seconds(str(COMMAND), "--help") < 0.5


def test_the_command_loads_nothing_heavy() -> None:
    check = (
        "import sys, lmms_humansense.cli; "
        "print(sorted({'torch', 'transformers', 'lmms_eval', 'datasets', 'numpy', 'av'} & set(sys.modules)))"
    )
    assert run(sys.executable, "-c", check).strip() == "[]"


PLUGIN = """
import sys, time
import lmms_humansense.plugin.entry_points as plugin

spent, inside = 0.0, 0

def timed(function):
    def call(*arguments):
        global spent, inside
        started, inside = time.perf_counter(), inside + 1
        try:
            return function(*arguments)
        finally:
            inside -= 1
            spent += 0 if inside else time.perf_counter() - started
    return call

for name in ("_adapt", "_install_source", "_our_tasks"):
    setattr(plugin, name, timed(getattr(plugin, name)))
# What lmms-eval itself loads in any case, before it asks the plugin.
import lmms_eval.evaluator
import lmms_eval.models
from lmms_eval.tasks import TaskManager

assert "humansense_ar" in TaskManager("ERROR").all_tasks
ours = [name for name in sys.modules if name.startswith("lmms_humansense.models")]
print(spent, ours)
"""


def test_the_plugin_adds_little_to_a_list_of_tasks_and_loads_no_model() -> None:
    spent, _, ours = run(sys.executable, "-c", PLUGIN).splitlines()[-1].partition(" ")
    assert float(spent) < 0.3
    assert ours == "[]"


HOOKS = """
import sys
from lmms_eval.utils import load_yaml_config
from lmms_humansense.plugin.entry_points import task_folder

leaves = [load_yaml_config(str(path)) for path in sorted(task_folder().rglob("humansense_??*.yaml"))]
hooks = [config["process_results"] for config in leaves if "process_results" in config]
print(len(hooks), len(set(map(id, hooks))), hooks[0].__globals__ is vars(sys.modules[hooks[0].__module__]))
"""


def test_hook_modules_are_executed_once_for_all_tasks() -> None:
    assert run(sys.executable, "-c", HOOKS).splitlines()[-1] == "150 1 True"
