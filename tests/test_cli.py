"""The commands work, and their errors are sentences."""

import json
import platform
import re
import shlex
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lmms_humansense
from lmms_humansense.cli import app
from lmms_humansense.plugin.harness_names import known_options
from lmms_humansense.run import command as run_command

runner = CliRunner()


def test_path_prints_the_task_folder() -> None:
    printed = Path(runner.invoke(app, ["path"]).stdout.strip())
    assert (printed / "humansense_sample" / "HumanSense_VQA.json").is_file()


def test_version() -> None:
    first, second = runner.invoke(app, ["--version"]).stdout.splitlines()
    assert first == f"lmms-humansense {lmms_humansense.__version__}"
    assert f"Python {platform.python_version()}, lmms-eval " in second
    assert f"transformers {metadata.version('transformers')}" in second


def test_help_names_the_commands() -> None:
    help_text = runner.invoke(app, ["--help"]).stdout
    assert all(command in help_text for command in ("demo", "path", "tiny-model", "list", "doctor"))


COMMANDS = """
check-media check-senses demo doctor export-release list parity path prepare report rescore run tiny-model
""".split()


def test_no_command_is_forgotten_here() -> None:
    assert len(COMMANDS) == len(app.registered_commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_ends_with_an_example(command: str) -> None:
    shown = runner.invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    end = shown.stdout.strip().splitlines()[-1].strip()
    assert end.startswith("Example: lmms-")


def test_the_help_of_run_shows_its_options_and_those_of_lmms_eval_that_exist() -> None:
    shown = runner.invoke(app, ["run", "--help"], env={"COLUMNS": "200"}).stdout
    own, theirs = (set(re.findall(r"│ (--\w+)", half)) for half in shown.split("lmms-eval that matter most"))
    assert {"--config", "--dry_run", "--price_in", "--price_out", "--max_failures"} <= own
    known = {name for option in known_options() for name in option.names}
    assert len(theirs) == 10
    assert theirs <= known
    assert shown.count("Example: ") == 2


def test_arguments_of_run_are_passed_on_as_they_were_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def ran(arguments: list[str]) -> int:
        seen.append(list(arguments))
        return 3

    monkeypatch.setattr(run_command, "run", ran)
    typed = ["--limit", "3", "--model=x", "--tasks", "list", "-h", "--dry_run", "-c", "a b", "--limit", "-1"]
    assert runner.invoke(app, ["run", *typed]).exit_code == 3
    assert seen == [typed]


def test_a_shell_completes_the_names_of_tasks_and_models() -> None:
    def completed(words: str) -> str:
        environment = {"_LMMS_HUMANSENSE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"}
        return runner.invoke(app, [], env=environment, prog_name="lmms-humansense").output

    assert "humansense_think_er" in completed("lmms-humansense run --tasks humansense_think_e").splitlines()
    assert "mmmu_val,humansense_l4" in completed("lmms-humansense run --tasks mmmu_val,humansense_l").splitlines()
    assert completed("lmms-humansense run --model humansense_s").split() == ["humansense_server"]


def test_tiny_model_writes_a_checkpoint(tmp_path: Path) -> None:
    result = runner.invoke(app, ["tiny-model", str(tmp_path / "tiny")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "tiny" / "model.safetensors").is_file()


def test_tiny_model_refuses_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    result = runner.invoke(app, ["tiny-model", str(tmp_path)])
    assert result.exit_code == 2
    assert str(tmp_path) in result.output.replace("\n", "")


def test_a_demo_that_writes_no_results_fails_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lmms_humansense.demo import command

    # Like lmms-eval when something is wrong: status 0, and no results.
    monkeypatch.setattr(command, "command_of", lambda output: [sys.executable, "-c", "print('the' + ' reason')"])
    result = runner.invoke(app, ["demo", "--output", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "lmms-eval wrote no results" in result.output
    assert "the reason" not in result.output
    (messages,) = (tmp_path / "out" / "logs").iterdir()
    assert str(messages) in result.output
    assert messages.read_text() == "the reason\n"


def test_a_demo_whose_folder_cannot_be_made_fails_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    result = runner.invoke(app, ["demo", "--output", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert f"{tmp_path / 'out'} cannot be written (File exists); name another folder." in result.output
    assert "small world" not in result.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    from lmms_humansense.demo import command

    ending = f"import os, signal; signal.signal({int(number)}, signal.SIG_DFL); os.kill(os.getpid(), {int(number)})"
    monkeypatch.setattr(command, "command_of", lambda output: [sys.executable, "-c", ending])
    result = runner.invoke(app, ["demo", "--output", str(tmp_path / "out")])
    assert result.exit_code == 3
    shown = {"SIGINT": "Ctrl-C"}.get(number.name, number.name)
    assert f"The demo was interrupted ({shown}). It keeps no answers: the same command begins anew." in result.output


def test_the_command_that_the_demo_prints_can_be_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lmms_humansense.demo import command

    monkeypatch.setattr(command, "run_shown", lambda *_, **__: 0)
    result = runner.invoke(app, ["demo", "--output", str(tmp_path / "a folder")])
    (line,) = [line for line in result.output.splitlines() if "-m lmms_eval" in line]
    variable, *words = shlex.split(line)
    assert variable == f"HUMANSENSE_DATA={command.WORLD}"
    assert words == command.command_of(tmp_path / "a folder")


def test_what_cannot_be_used_is_refused_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    nope = str(tmp_path / "resultss")
    commands = {
        ("report", nope): "did you mean",
        ("rescore", nope): "did you mean",
        ("parity", nope): "did you mean",
        ("check-media", nope): "There is no file or folder",
        ("export-release", nope, "out", "--model", "M"): "There is no file or folder",
        ("report", ".", "--out", "/proc/x"): "/proc/x cannot be written",
        ("demo", "--output", "/proc/x"): "/proc/x cannot be written",
        ("tiny-model", "/proc/x"): "/proc/x cannot be written",
        ("prepare", "--to", "/proc/x"): "/proc/x cannot be written",
        ("tiny-model", "x", "--family", "qwen2"): "did you mean qwen2_audio?",
        ("check-senses", "--model_args", "base_ur=x"): "no argument 'base_ur'. Did you mean base_url?",
    }
    code = (
        "import json, sys\nfrom lmms_humansense.cli import app\nfor command in json.loads(sys.argv[1]):\n"
        "    try:\n        app(command)\n    except SystemExit as ending:\n        print(ending.code)\n"
        "print({'torch', 'lmms_eval', 'transformers', 'numpy', 'pandas', 'rich.table'} & set(sys.modules))"
    )
    asked = json.dumps(list(commands))
    done = subprocess.run([sys.executable, "-c", code, asked], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["2"] * len(commands) + ["set()"]
    for said, expected in zip(done.stderr.splitlines(), commands.values(), strict=True):
        assert expected in said


@pytest.mark.parametrize(
    "command", [["report", ".", "--out"], ["rescore", ".", "--out"], ["export-release", ".", "--model", "M"]]
)
def test_a_place_that_is_no_folder_is_refused_before_any_work(command: list[str], tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    for place in (taken, taken / "below"):
        done = CliRunner().invoke(app, [*command, str(place)])
        assert done.exit_code == 2
        assert f"{place} cannot be written (" in done.output
        assert "nothing" not in done.output
    assert taken.read_text() == "a file"
