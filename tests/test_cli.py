"""The commands work, and their errors are sentences."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lmms_humansense
from lmms_humansense.cli import app

runner = CliRunner()


def test_path_prints_the_task_folder() -> None:
    printed = Path(runner.invoke(app, ["path"]).stdout.strip())
    assert (printed / "humansense_sample" / "HumanSense_VQA.json").is_file()


def test_version() -> None:
    assert runner.invoke(app, ["--version"]).stdout.strip() == lmms_humansense.__version__


def test_help_names_the_commands() -> None:
    help_text = runner.invoke(app, ["--help"]).stdout
    assert all(command in help_text for command in ("demo", "path", "tiny-model"))


def test_tiny_model_writes_a_checkpoint(tmp_path: Path) -> None:
    result = runner.invoke(app, ["tiny-model", str(tmp_path / "tiny")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "tiny" / "model.safetensors").is_file()


def test_tiny_model_refuses_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    result = runner.invoke(app, ["tiny-model", str(tmp_path)])
    assert result.exit_code == 1
    assert str(tmp_path) in result.output.replace("\n", "")


def test_a_demo_that_writes_no_results_fails_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lmms_humansense.demo import command

    # Like lmms-eval when something is wrong: status 0, and no results.
    monkeypatch.setattr(command, "command_of", lambda output: [sys.executable, "-c", "pass"])
    result = runner.invoke(app, ["demo", "--output", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "lmms-eval wrote no results" in result.output


@pytest.mark.parametrize(
    "command", [["report", "results", "--out"], ["rescore", "file", "--out"], ["export-release", "r", "--model", "M"]]
)
def test_a_place_that_is_no_folder_is_refused_before_any_work(command: list[str], tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    for place in (taken, taken / "below"):
        done = CliRunner().invoke(app, [*command, str(place)])
        assert done.exit_code == 1
        assert f"{place} cannot be written (" in done.output
        assert "nothing" not in done.output
    assert taken.read_text() == "a file"
