"""lmms-eval finds the tasks and models, and a failure of this package harms no others."""

import logging
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from lmms_humansense.plugin import entry_points


def new_manager(include_path: str | None = None, include_defaults: bool = True) -> Any:
    from lmms_eval.tasks import TaskManager

    return TaskManager("ERROR", include_path=include_path, include_defaults=include_defaults)


@pytest.mark.parametrize(("group", "function"), [("lmms_eval.models", "register"), ("lmms_eval.tasks", "tasks")])
def test_the_entry_points_are_declared(group: str, function: str) -> None:
    found = [entry.value for entry in metadata.entry_points(group=group) if entry.name == "humansense"]
    assert found == [f"lmms_humansense.plugin:{function}"]


def test_tasks_and_models_are_found(task_manager: Any) -> None:
    from lmms_eval.models import list_available_models

    assert {"humansense", "humansense_ar", "humansense_sample_pc"} <= set(task_manager.all_tasks)
    assert "humansense_omni" in list_available_models()


def test_the_table_of_lmms_eval_models_has_ours(capsys: pytest.CaptureFixture[str]) -> None:
    from argparse import Namespace

    from lmms_eval.cli.models_cmd import run_models

    run_models(Namespace(aliases=False))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["humansense_omni", "chat"] in rows
    assert ["humansense_server", "chat"] in rows


def test_the_server_of_lmms_eval_lists_ours_once_its_models_are_listed() -> None:
    """docs/serving.md says so: it imports the models, and with them the entry points, only then."""
    program = (
        "import asyncio, lmms_eval.entrypoints.http_server as server;"
        "models = asyncio.run(server.list_available_models())['models'];"
        "tasks = asyncio.run(server.list_available_tasks())['tasks'];"
        "print('humansense_omni' in models, 'humansense_sample_ar' in tasks)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_our_tasks_are_those_that_lmms_eval_finds_when_it_reads_every_file_anew(task_manager: Any) -> None:
    from lmms_eval import utils

    before = utils.load_yaml_config
    assert entry_points._our_tasks(task_manager) == task_manager._get_task_and_group(str(entry_points.task_folder()))
    assert utils.load_yaml_config is before


def test_registering_again_changes_nothing(task_manager: Any) -> None:
    from lmms_eval.tasks import TaskManager

    before = TaskManager.initialize_tasks
    first, second = entry_points.register(), entry_points.register()
    assert first == second
    assert TaskManager.initialize_tasks is before


def test_a_task_of_include_path_wins_over_ours(task_manager: Any, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("task: humansense_ar\ndataset_path: json\n")
    assert new_manager(str(tmp_path)).task_index["humansense_ar"]["yaml_path"] == str(own)


def test_ours_win_over_those_that_lmms_eval_has_itself(task_manager: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_points, "_our_tasks", lambda manager: {"mme": {"type": "task", "yaml_path": "ours"}})
    assert new_manager().task_index["mme"]["yaml_path"] == "ours"


def test_without_the_defaults_only_the_included_tasks_are_there(task_manager: Any, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("task: own\ndataset_path: json\n")
    assert new_manager(str(tmp_path), include_defaults=False).all_tasks == ["own"]


def test_broken_yaml_of_ours_costs_one_warning_and_our_tasks_only(
    task_manager: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.yaml").write_text("task: [")
    monkeypatch.setattr(entry_points, "task_folder", lambda: tmp_path)
    with caplog.at_level(logging.WARNING):
        tasks = new_manager().all_tasks
    assert "mme" in tasks
    assert "humansense" not in tasks
    assert len(caplog.records) == 1


def test_a_lmms_eval_that_cannot_be_wrapped_costs_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*change: Any) -> None:
        raise ImportError("no TaskManager here")

    monkeypatch.setattr(entry_points, "wrap_once", fail)
    with caplog.at_level(logging.WARNING):
        assert entry_points.register() == []
    assert [record.message for record in caplog.records] == [
        "lmms-humansense is installed but cannot be used, its tasks and models are missing: no TaskManager here"
    ]


def test_importing_the_plugin_imports_no_torch() -> None:
    code = "import sys, lmms_humansense.plugin.entry_points; assert not {'torch', 'lmms_eval'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_task_folder_holds_the_tasks() -> None:
    assert (entry_points.task_folder() / "humansense" / "humansense_ar.yaml").is_file()


def test_what_lmms_eval_is_changed_in_is_changed_once(task_manager: Any) -> None:
    from lmms_eval import evaluator
    from lmms_eval.caching.response_cache import ResponseCache

    def changed() -> tuple[Any, ...]:
        return evaluator.evaluate, evaluator.simple_evaluate, ResponseCache.create.__func__

    before = changed()
    new_manager()
    assert changed() == before


def test_only_our_models_get_our_cache(task_manager: Any, tmp_path: Path) -> None:
    from lmms_eval.caching.response_cache import ResponseCache

    from lmms_humansense.models.caching.response_cache import AnswerCache

    for model, kind in (("humansense_omni", AnswerCache), ("dummy", ResponseCache), ("", ResponseCache)):
        cache = ResponseCache.create(str(tmp_path / model), model=model, model_args="a=b")
        assert type(cache) is kind
        cache.close()


def test_an_lmms_eval_that_cannot_be_changed_costs_one_warning(
    task_manager: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from lmms_eval import evaluator

    monkeypatch.delattr(evaluator, "evaluate")
    with caplog.at_level(logging.WARNING):
        assert "humansense_ar" in new_manager().all_tasks
    (warning,) = [record.message for record in caplog.records if "lmms-humansense" in record.message]
    assert "cannot add what a model says about itself to the results with this lmms-eval" in warning


def test_the_tasks_get_their_files_from_anywhere(task_manager: Any) -> None:
    from lmms_humansense.dataset.anywhere import AnywhereSource
    from lmms_humansense.tasks.humansense import source

    assert isinstance(source.current(), AnywhereSource)


def test_a_source_that_cannot_be_installed_costs_one_warning(
    task_manager: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from lmms_humansense.dataset import anywhere

    monkeypatch.delattr(anywhere, "install")
    with caplog.at_level(logging.WARNING):
        assert "humansense_ar" in new_manager().all_tasks
    (warning,) = [record.message for record in caplog.records if "lmms-humansense" in record.message]
    assert "reads its data from a local folder or a snapshot of the Hub only" in warning


def test_the_plugin_is_imported_without_the_tasks_and_models() -> None:
    """So a broken installation of theirs is only noticed where it costs a warning."""
    check = (
        "import sys; sys.modules['lmms_humansense.tasks'] = sys.modules['lmms_humansense.models'] = None; "
        "import lmms_humansense.plugin.entry_points"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
