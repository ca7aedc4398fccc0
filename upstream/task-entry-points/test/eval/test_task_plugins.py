"""Task folders of plugins: how they are found, which of several tasks of one name counts, and who sees them."""

import argparse
import importlib.metadata
import sys

import pytest

from lmms_eval import __main__ as main
from lmms_eval.cli import power_cmd, power_utils, tasks_cmd
from lmms_eval.tasks import TaskManager, plugins

BUILT_IN = "mme"


def write_task(folder, name, version=1.0):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(
        f"task: {name}\ndataset_path: json\noutput_type: generate_until\nmetadata:\n  version: {version}\n"
    )
    return str(folder)


def entry_point(value, name="demo"):
    return importlib.metadata.EntryPoint(name=name, value=value, group=plugins.ENTRY_POINT_GROUP)


@pytest.fixture
def declare(monkeypatch):
    """Declares entry points; without them no test sees those of the packages that happen to be installed."""
    declared = []
    monkeypatch.setattr(
        plugins, "entry_points", lambda group: list(declared) if group == plugins.ENTRY_POINT_GROUP else []
    )
    monkeypatch.delenv("LMMS_EVAL_PLUGINS", raising=False)
    return declared.append


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package `demo_plugin` whose `tasks` hold one task."""
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "demo_plugin"
    write_task(folder / "tasks", "demo_task")
    (folder / "__init__.py").write_text("")
    (folder / "tasks" / "__init__.py").write_text("")
    (folder / "hooks.py").write_text(
        "from pathlib import Path\n\nFOLDER = Path(__file__).parent / 'tasks'\n\n\ndef folders():\n    return [FOLDER, str(FOLDER)]\n\n\nNUMBER = 1\nABSENT = str(FOLDER / 'absent')\n"
    )
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "demo_plugin"]:
        del sys.modules[name]


def yaml_of(manager, task):
    return str(manager.task_index[task]["yaml_path"])


@pytest.mark.parametrize("value", ["demo_plugin.tasks", "demo_plugin.hooks:FOLDER", "demo_plugin.hooks:folders"])
def test_what_an_entry_point_may_name(declare, package, value):
    declare(entry_point(value))
    assert plugins.plugin_task_folders() == [str((package / "tasks").resolve())]


@pytest.mark.parametrize(
    "value", ["demo_plugin.absent", "demo_plugin.hooks:absent", "demo_plugin.hooks:NUMBER", "demo_plugin.hooks:ABSENT"]
)
def test_a_plugin_that_cannot_be_used_costs_its_own_tasks_only(declare, package, value):
    declare(entry_point(value, name="broken"))
    declare(entry_point("demo_plugin.tasks"))
    warnings = []
    sink = plugins.eval_logger.add(lambda message: warnings.append(str(message)), level="WARNING")
    try:
        assert plugins.plugin_task_folders() == [str((package / "tasks").resolve())]
    finally:
        plugins.eval_logger.remove(sink)
    assert len(warnings) == 1 and "broken" in warnings[0]


def test_the_environment_variable_is_read_before_tasks_are_looked_up(declare, package, monkeypatch):
    monkeypatch.setenv("LMMS_EVAL_PLUGINS", "demo_plugin")
    assert "demo_task" in TaskManager("ERROR").all_tasks


def test_a_package_of_models_alone_is_no_error(declare, package, monkeypatch):
    (package.parent / "demo_plugin_models.py").write_text("")
    monkeypatch.setenv("LMMS_EVAL_PLUGINS", "json,demo_plugin")
    assert "demo_task" in TaskManager("ERROR").all_tasks


def test_a_plugins_task_wins_over_a_built_in_one_and_include_path_over_both(declare, package, tmp_path):
    write_task(package / "tasks", BUILT_IN)
    declare(entry_point("demo_plugin.tasks"))
    manager = TaskManager("ERROR")
    assert yaml_of(manager, BUILT_IN) == str((package / "tasks" / f"{BUILT_IN}.yaml").resolve())
    first, second = write_task(tmp_path / "first", BUILT_IN), write_task(tmp_path / "second", "demo_task")
    manager = TaskManager("ERROR", include_path=[first, second])
    assert yaml_of(manager, BUILT_IN).startswith(first)
    assert yaml_of(manager, "demo_task").startswith(second)


def test_a_broken_file_of_a_plugin_costs_its_own_tasks_only(declare, package):
    (package / "tasks" / "broken.yaml").write_text("task: [")
    declare(entry_point("demo_plugin.tasks"))
    tasks = TaskManager("ERROR").all_tasks
    assert BUILT_IN in tasks and "demo_task" not in tasks


def test_without_the_defaults_there_are_no_tasks_of_plugins(declare, package, tmp_path):
    declare(entry_point("demo_plugin.tasks"))
    assert TaskManager("ERROR", include_path=write_task(tmp_path / "own", "own"), include_defaults=False).all_tasks == [
        "own"
    ]


def test_include_path_may_be_given_several_times(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["lmms_eval", "--include_path", "a", "--include_path", "b", "--tasks", BUILT_IN])
    assert main.parse_eval_args()[1].include_path == ["a", "b"]


def included(paths):
    return [option for path in paths for option in ("--include-path", path)]


def parsed(add_parser, *arguments):
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return parser.parse_args(arguments)


def test_the_tasks_command_sees_plugins_and_several_paths(declare, package, tmp_path, capsys):
    declare(entry_point("demo_plugin.tasks"))
    paths = [write_task(tmp_path / name, f"{name}_task") for name in ("first", "second")]
    tasks_cmd.run_tasks(parsed(tasks_cmd.add_tasks_parser, "tasks", *included(paths), "list"))
    shown = capsys.readouterr().out.split()
    assert {"demo_task", "first_task", "second_task", BUILT_IN} <= set(shown)


def test_the_power_command_sees_plugins_and_several_paths(declare, package, tmp_path, monkeypatch):
    declare(entry_point("demo_plugin.tasks"))
    paths = [write_task(tmp_path / name, f"{name}_task") for name in ("first", "second")]
    loaded = []
    monkeypatch.setattr(power_utils.lmms_eval.tasks, "get_task_dict", lambda names, manager: loaded.extend(names) or {})
    power_cmd.run_power(
        parsed(power_cmd.add_power_parser, "power", "--tasks", "demo_task,first_task,second_task", *included(paths))
    )
    assert sorted(loaded) == ["demo_task", "first_task", "second_task"]
