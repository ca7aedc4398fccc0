"""`lmms-humansense run`: its defaults, how it judges the end of a run, and its signals."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lmms_humansense.plugin import run_events
from lmms_humansense.plugin.run_events import RunEvents
from lmms_humansense.run import arguments as run_arguments
from lmms_humansense.run import command
from tests.helpers.waits import LIMIT

LONG = 10 * LIMIT
"""Seconds that a process would take if the test did not end it."""


@pytest.fixture(autouse=True)
def _started_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", run_events.FILE):
        monkeypatch.delenv(name, raising=False)


# The arguments


def understood(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[str | None, str | None, bool]:
    """How lmms-eval understands arguments: the folders for results and answers, and whether samples are written."""
    from lmms_eval.__main__ import parse_eval_args

    monkeypatch.setattr(sys, "argv", ["lmms-eval", *arguments])
    _, parsed = parse_eval_args()
    return parsed.output_path, parsed.use_cache, parsed.log_samples


@pytest.mark.parametrize(
    ("given", "output", "cache"),
    [
        ([], "humansense_results", "humansense_results/cache"),
        (["--output_path", "out"], "out", "out/cache"),
        (["--output_path=out"], "out", "out/cache"),
        (["--output", "out"], "out", "out/cache"),
        (["--output_path", "first", "--output_path", "out"], "out", "out/cache"),
        (["--use_cache", "answers"], "humansense_results", "answers"),
        (["--use_cache=answers", "--output_path", "out", "--log_samples"], "out", "answers"),
        (["--use_ca", "answers"], "humansense_results", "answers"),
        (["-c", "answers"], "humansense_results", "answers"),
        (["-canswers"], "humansense_results", "answers"),
        (
            ["--log_samples_suffix", "x", "--model_args", "output_path=x,use_cache=y"],
            "humansense_results",
            "humansense_results/cache",
        ),
    ],
)
def test_what_is_given_stays_and_what_is_missing_is_added(
    given: list[str], output: str, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = run_arguments.with_defaults(["--model", "humansense_omni", *given, "--tasks", "humansense"])
    assert understood(arguments, monkeypatch) == (output, cache, True)


@pytest.mark.parametrize(
    "given", [["--config", "run.yaml"], ["--config=run.yaml", "--output_path", "out"], ["--conf", "run.yaml", "-cx"]]
)
def test_nothing_is_added_to_a_file_of_arguments(given: list[str]) -> None:
    assert run_arguments.with_defaults(given) == given


def test_the_command_to_go_on_may_be_pasted_into_a_shell() -> None:
    asked = ["--model_args", "pretrained=/my models/tiny,system_prompt=it's", "--output_path", "a b", "--limit=$N"]
    typed = command.resume_command(asked)
    assert shlex.split(typed) == ["lmms-humansense", "run", *asked]
    echoed = subprocess.run(["bash", "-c", f"printf '%s\\n' {typed}"], capture_output=True, text=True, check=True)
    assert echoed.stdout.splitlines()[2:] == asked


def test_the_command_to_go_on_says_so_where_a_launcher_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert command.resume_command(["--limit", "3"]).startswith("lmms-humansense run --limit 3  # with the launcher ")
    assert shlex.split(command.resume_command(["--limit", "3"]), comments=True)[2:] == ["--limit", "3"]


@pytest.mark.parametrize("spelt", [["--max_failures", "5%"], ["--max_failures=5%"], ["--max-failures", "5%"]])
def test_the_limit_of_failures_does_not_go_to_lmms_eval(spelt: list[str]) -> None:
    others, own = run_arguments.own(["--model", "openai", *spelt, "--limit", "3"])
    assert (others, own.max_failures) == (["--model", "openai", "--limit", "3"], "5%")


def test_arguments_of_lmms_eval_that_begin_alike_stay() -> None:
    given = ["--max", "8", "--max_batch_size", "4", "--model_args", "max_failures=5%"]
    assert run_arguments.own(given) == (given, run_arguments.Own())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--max_failures", "few"], "max_failures=few is neither a number of requests (5) nor a share"),
        (["--max_failures"], "max_failures= is neither a number of requests (5) nor a share"),
        (
            ["--model=humansense_server", "--max_failures", "5"],
            "humansense_server takes the limit in its arguments: --model_args max_failures=5.",
        ),
    ],
)
def test_a_limit_that_cannot_be_used_is_refused(
    given: list[str], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command.run(given) == 2
    assert f"lmms-humansense run: {sentence}" in capfd.readouterr().err


# How it ended


def results(folder: Path, *tasks: str, samples: int = 2, offset: int = 0, logged: bool = True) -> Path:
    """Write what lmms-eval writes for tasks with this many samples."""
    written = {
        "results": {task: {"accuracy": 0.5} for task in tasks},
        "config": {"resolved_cli_args": {"log_samples": logged, "offset": offset}},
        "n-samples": {task: {"original": 9, "effective": samples} for task in tasks},
    }
    place = folder / "today_results.json"
    place.write_text(json.dumps(written))
    if logged:
        for task in tasks:
            (folder / f"today_samples_{task}.jsonl").write_text("{}\n" * samples)
    return place


def ended(place: Path | None, *tasks: str) -> RunEvents:
    """A complete evaluation of tasks."""
    return RunEvents(begun=1, ended=[(list(tasks), None if place is None else str(place))])


def test_a_run_whose_results_are_there_is_complete(tmp_path: Path) -> None:
    place = results(tmp_path, "a", "b", "c")
    assert command.judge(0, ended(place, "a", "b")) == (0, "")
    assert command.judge(0, RunEvents(begun=2, ended=[(["a"], str(place)), (["b"], str(place))])) == (0, "")


def test_what_lmms_eval_says_by_its_status_does_not_count_once_the_results_are_there(tmp_path: Path) -> None:
    assert command.judge(1, ended(results(tmp_path, "a"), "a")) == (0, "")


@pytest.mark.parametrize("content", ["", "{}\n", "{}\n{}", None], ids=repr)
def test_samples_that_were_cut_off_are_missing(tmp_path: Path, content: str | None) -> None:
    place, samples = results(tmp_path, "a", "b"), tmp_path / "today_samples_b.jsonl"
    samples.unlink() if content is None else samples.write_text(content)
    assert command.judge(0, ended(place, "a", "b")) == (3, f"The samples of b beside {place} are not complete.")


def test_a_budget_that_is_used_up_leaves_a_run_incomplete(tmp_path: Path) -> None:
    place = results(tmp_path, "a")
    place.write_text(json.dumps({**json.loads(place.read_text()), "usage": {"budget_exceeded": True}}))
    status, sentence = command.judge(0, ended(place, "a"))
    assert status == 3
    assert (
        sentence == f"The token budget (--max_tokens) was used up before all questions were asked: {place} is partial."
    )


def test_samples_that_were_not_requested_are_not_missing(tmp_path: Path) -> None:
    assert command.judge(0, ended(results(tmp_path, "a", logged=False), "a")) == (0, "")


def test_with_an_offset_the_number_of_samples_is_unknown_but_not_zero(tmp_path: Path) -> None:
    place, samples = results(tmp_path, "a", offset=1), tmp_path / "today_samples_a.jsonl"
    samples.write_text("{}\n")
    assert command.judge(0, ended(place, "a")) == (0, "")
    samples.write_text("")
    assert command.judge(0, ended(place, "a"))[0] == 3


@pytest.mark.parametrize(
    ("code", "events", "status", "sentence"),
    [
        (1, RunEvents(begun=1, refused="HumanSense: there is no such data."), 2, "there is no such data."),
        (0, RunEvents(refused="HumanSense: dtype=float8 is not known."), 2, "dtype=float8 is not known."),
        (0, RunEvents(), 2, "lmms-eval did not begin to evaluate; its last messages say why."),
        (2, RunEvents(), 2, "lmms-eval did not begin to evaluate; its last messages say why."),
        (-9, RunEvents(begun=1), 3, "lmms-eval was ended by signal 9 (Killed)."),
        (-2, RunEvents(begun=1), 3, "The run was interrupted (Ctrl-C)."),
        (-15, RunEvents(), 3, "The run was interrupted (SIGTERM)."),
        (
            0,
            RunEvents(begun=1, broken="ValueError: no"),
            2,
            "lmms-eval could not load the model or the tasks: ValueError: no",
        ),
        (
            0,
            RunEvents(begun=1, asking=True, broken="ValueError: no"),
            3,
            "lmms-eval ended in an error: ValueError: no",
        ),
        (3, RunEvents(begun=1, stopped="The disk is full."), 3, "The disk is full."),
        (-9, RunEvents(begun=1, stopped="The disk is full."), 3, "lmms-eval was ended by signal 9 (Killed)."),
        (3, RunEvents(begun=1), 3, "lmms-eval ended with status 3 before all answers were there."),
        (
            0,
            RunEvents(begun=2, ended=[(["a"], None)]),
            3,
            "lmms-eval ended with status 0 before all answers were there.",
        ),
        (
            0,
            RunEvents(begun=1, ended=[(["a"], None)]),
            3,
            "No results were written, because there was no --output_path.",
        ),
    ],
)
def test_the_end_of_a_run_gives_a_status_and_a_sentence(
    code: int, events: RunEvents, status: int, sentence: str
) -> None:
    assert command.judge(code, events) == (status, sentence)


def test_a_task_without_results_is_named(tmp_path: Path) -> None:
    place = results(tmp_path, "a")
    assert command.judge(0, ended(place, "b", "a", "c")) == (3, f"There are no results for b, c in {place}.")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ('{"results": {"a": {"accura', "JSONDecodeError"),
        ("", "JSONDecodeError"),
        ('{"config": {}}', "KeyError"),
        (None, "FileNotFoundError"),
    ],
)
def test_results_that_are_not_complete_are_none(tmp_path: Path, content: str | None, error: str) -> None:
    place = tmp_path / "results.json"
    if content is not None:
        place.write_text(content)
    expected = f"The results in {place} were not written, or not completely ({error})."
    assert command.judge(0, ended(place, "a")) == (3, expected)


def test_every_evaluation_needs_its_results(tmp_path: Path) -> None:
    place, missing = results(tmp_path, "a"), tmp_path / "no.json"
    status, sentence = command.judge(0, RunEvents(begun=2, ended=[(["a"], str(place)), (["b"], str(missing))]))
    assert (status, str(missing) in sentence, str(place) in sentence) == (3, True, False)


def test_other_processes_than_the_first_write_no_results(tmp_path: Path) -> None:
    events = ended(tmp_path / "results.json", "a")
    assert command.judge(0, events, first=False) == (0, "")
    assert command.judge(0, events, first=True)[0] == 3
    assert command.judge(0, RunEvents(begun=1), first=False)[0] == 3


# Requests without an answer


def unanswered(folder: Path, model: str, failed: float, empty: float, asked: int = 200) -> RunEvents:
    """A complete evaluation in which these shares of the requests of one of two tasks got no answer."""
    place = folder / f"{model}_results.json"
    content = {
        "results": {
            "humansense_tr": {"failed,none": failed, "empty,none": empty},
            "humansense_ar": {"failed,none": 0.0, "empty,none": 0.0},
        },
        "n-samples": {name: {"effective": asked // 2} for name in ("humansense_tr", "humansense_ar")},
        "config": {"model": model},
    }
    place.write_text(json.dumps(content))
    return ended(place, "humansense_tr", "humansense_ar")


@pytest.mark.parametrize(
    ("failed", "empty", "limit", "status"),
    [
        (0.0, 0.0, None, 0),
        (0.01, 0.01, None, 0),
        (0.02, 0.01, None, 3),
        (0.0, 0.03, None, 3),
        (0.02, 0.01, "3", 0),
        (0.02, 0.01, "2", 3),
        (0.5, 0.5, "50%", 0),
        (0.01, 0.0, "0", 3),
    ],
)
def test_failed_and_empty_responses_of_other_models_count_against_the_limit(
    failed: float, empty: float, limit: str | None, status: int, tmp_path: Path
) -> None:
    events = unanswered(tmp_path, "openai", failed, empty)
    assert command.judge(0, events) == (0, "")
    assert command.judge_failures(events, limit)[0] == status


def test_the_sentence_says_what_is_missing_where_and_how_much_is_allowed(tmp_path: Path) -> None:
    assert command.judge_failures(unanswered(tmp_path, "openai", 0.02, 0.9), None)[1] == (
        "2 of 100 requests of humansense_tr failed: the samples say why. 90 of 100 responses of humansense_tr are "
        "empty: lmms-eval's wrappers turn errors into empty answers; read the log. max_failures=0.01 allows 2 of 200."
    )


def test_models_of_this_package_have_their_own_limit(tmp_path: Path) -> None:
    events = unanswered(tmp_path, "humansense_omni", 0.5, 0.5)
    assert command.judge_failures(events, None) == (0, "")


# The process that is watched


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("code", "status"), [("pass", 0), ("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)]
)
def test_the_exit_status_is_returned(tmp_path: Path, code: str, status: int) -> None:
    assert command._run_watched(python(code), tmp_path / "events") == status


def test_the_process_gets_the_file_for_its_events(tmp_path: Path) -> None:
    code = f"import os; open(os.environ[{run_events.FILE!r}], 'w').write(os.environ['PATH'])"
    assert command._run_watched(python(code), tmp_path / "events") == 0
    assert (tmp_path / "events").read_text() == os.environ["PATH"]
    assert run_events.FILE not in os.environ


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C reaches this process, also where the tests were started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_signals_go_where_they_went_once_the_process_has_ended(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    command._run_watched(python("pass"), tmp_path / "events")
    with pytest.raises(FileNotFoundError):
        command._run_watched([str(tmp_path / "no such command")], tmp_path / "events")
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_the_process(tmp_path: Path) -> None:
    code = "import signal; signal.raise_signal(signal.SIGINT); raise SystemExit(7)"
    assert command._run_watched(python(code), tmp_path / "events") == -signal.SIGINT


WATCHING = """
import sys
from pathlib import Path
from lmms_humansense.run import arguments as run_arguments
from lmms_humansense.run import command
print("ended", command._run_watched([sys.executable, "-c", sys.argv[1]], Path("events")), flush=True)
"""


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Any]:
    """Starts a process that watches another one, and waits until the other has printed a line."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen([*python(WATCHING), code], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_sigterm_is_passed_on_and_waited_for(watching: Any) -> None:
    process = watching(
        "import os, signal, sys, time\n"  # and os.write, because SIGTERM may come while `begun` is still printed
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.1), os.write(1, b'kept\\n'), sys.exit(3)))\n"
        "print('begun', flush=True)\n"
        f"time.sleep({LONG})"
    )
    process.terminate()
    printed, _ = process.communicate(timeout=LIMIT)
    assert printed.splitlines() == ["kept", "ended -15"]
    assert process.returncode == 0


def test_a_process_that_does_not_listen_is_ended_by_sigterm(watching: Any) -> None:
    process = watching(f"import time; print('begun', flush=True); time.sleep({LONG})")
    process.terminate()
    assert process.communicate(timeout=LIMIT)[0].splitlines() == ["ended -15"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can signal a process when its parent ends")
def test_no_process_is_left_behind_by_one_that_is_killed(watching: Any) -> None:
    process = watching(f"import time; print('begun', flush=True); time.sleep({LONG})")
    process.kill()
    process.communicate(timeout=LIMIT)  # returns when all processes that have the output open have ended
    assert process.returncode == -signal.SIGKILL


# The whole command, with a stand-in for lmms-eval that reports what lmms-eval would report


STAND_IN = """
import json, os, signal, sys
from pathlib import Path
from lmms_humansense.plugin import run_events

Path("arguments.json").write_text(json.dumps(sys.argv[1:]))
place = Path("today_results.json")
{before}
with run_events.reported(["a"], lambda: place):
    {within}
"""


GIVEN = ("--model", "dummy", "--tasks", "humansense_sample_ar")
"""Arguments that pass what is checked before lmms-eval starts."""


def ran(tmp_path: Path, before: str, within: str, arguments: Sequence[str] = GIVEN) -> int:
    (tmp_path / "lmms_eval").mkdir()
    (tmp_path / "lmms_eval" / "__init__.py").touch()
    (tmp_path / "lmms_eval" / "__main__.py").write_text(STAND_IN.format(before=before, within=within))
    return command.run(arguments)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_complete_run_says_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    written = results(folder, "a").rename(folder / "written.json")
    write = f"Path({str(written)!r}).rename(place)"
    assert ran(folder, "print('what lmms-eval says')", write) == 0
    (log,) = (folder / "humansense_results" / "logs").iterdir()
    said, end = capfd.readouterr()
    assert said == f"Results: {folder / 'today_results.json'}\n"
    assert end == f"All messages of lmms-eval: {Path(*log.parts[-3:])}\n"
    assert log.read_text() == "what lmms-eval says\n"
    assert json.loads((folder / "arguments.json").read_text()) == run_arguments.with_defaults(GIVEN)


def test_a_run_that_was_stopped_says_how_to_go_on(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stop = "from lmms_humansense.models.runtime.signals import RunStopped; raise RunStopped('The disk is full.')"
    assert ran(folder, "", stop, [*GIVEN, "--output_path", "my results"]) == 3
    (log,) = (folder / "my results" / "logs").iterdir()
    assert capfd.readouterr().err.splitlines() == [
        "",
        "lmms-humansense run: The disk is full.",
        f"All messages of lmms-eval: {Path(*log.parts[-3:])}",
        "To go on where it stopped:",
        "    lmms-humansense run --model dummy --tasks humansense_sample_ar --output_path 'my results'",
    ]


def test_a_run_that_was_killed_says_how_many_answers_are_kept_and_what_was_said_last(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = "done=5, total=9, failed=1, truncated=2, recalled=1, kept=3, busy=0.5"
    kill = f"run_events._append('progress', {state}); print('the end'); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    assert ran(folder, "", kill) == 3
    said, end = capfd.readouterr()
    assert "5 of 9 questions were answered (1 of them by earlier runs) in " in said
    assert said.rstrip().endswith("model busy 50% of the time, 1 failed, 2 truncated.")
    assert end.splitlines()[1:3] == ["lmms-humansense run: lmms-eval was ended by signal 9 (Killed).", "    the end"]
    assert "At least 4 answers are kept." in end


@pytest.mark.parametrize(
    ("progress", "asking", "said"),
    [
        ({"kept": 3, "recalled": 1}, True, ["At least 4 answers are kept."]),
        ({"kept": 1, "recalled": 0}, True, ["At least 1 answer is kept."]),
        ({"kept": 0, "recalled": 0}, True, ["No answer is kept yet."]),
        ({}, False, ["No question was asked yet."]),
        ({}, True, []),
    ],
)
def test_an_end_says_what_is_kept(progress: dict[str, int], asking: bool, said: list[str]) -> None:
    assert command.kept(RunEvents(begun=1, asking=asking, progress=progress)) == said


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_both_interruptions_are_told_in_the_same_way(
    folder: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    stop = (
        f"run_events.asking(); run_events._append('progress', done=0, total=9, kept=0, recalled=0); "
        f"run_events.warned('a clip is odd'); os.kill(os.getpid(), signal.{name})"
    )
    assert ran(folder, "signal.signal(signal.SIGINT, signal.SIG_DFL)", stop) == 3
    said, end = capfd.readouterr()
    shown = {"SIGINT": "Ctrl-C"}.get(name, name)
    assert end.splitlines()[1] == f"lmms-humansense run: The run was interrupted ({shown})."
    assert end.splitlines()[3] == "No answer is kept yet."
    assert said.count("a clip is odd") == 1


@pytest.mark.parametrize(
    "within", ["raise ValueError('no')", "os.kill(os.getpid(), signal.SIGINT)", "raise SystemExit('HumanSense: no')"]
)
def test_where_the_reason_is_known_no_traceback_is_shown(
    folder: Path, capfd: pytest.CaptureFixture[str], within: str
) -> None:
    restore = "signal.signal(signal.SIGINT, signal.SIG_DFL)"
    assert ran(folder, restore, f"print('Traceback', flush=True); {within}") in (2, 3)
    assert "Traceback" not in capfd.readouterr().err


def test_warnings_are_shown_once(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    written = results(folder, "a").rename(folder / "written.json")
    warn = "[run_events.warned(text) for text in ('a clip is odd', 'a clip is odd', 'another')]"
    assert ran(folder, warn, f"Path({str(written)!r}).rename(place)") == 0
    assert (
        capfd.readouterr().out
        == f"Warning: a clip is odd\nWarning: another\nResults: {folder / 'today_results.json'}\n"
    )


def test_with_a_verbosity_everything_is_shown_and_no_file_is_written(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written = results(folder, "a").rename(folder / "written.json")
    write = f"Path({str(written)!r}).rename(place)"
    assert ran(folder, "print('what lmms-eval says')", write, [*GIVEN, "--verbosity", "INFO"]) == 0
    assert capfd.readouterr() == (f"what lmms-eval says\nResults: {folder / 'today_results.json'}\n", "")
    assert not (folder / "humansense_results" / "logs").exists()


@pytest.mark.parametrize(
    ("before", "within", "status", "sentence"),
    [
        ("", "raise SystemExit('HumanSense: there is no such data.')", 2, "there is no such data."),
        ("raise SystemExit(1)", "pass", 2, "did not begin to evaluate"),
        ("", "os.kill(os.getpid(), signal.SIGKILL)", 3, "was ended by signal 9"),
        ("", "raise ValueError('no')", 2, "could not load the model or the tasks: ValueError: no"),
        ("", "run_events.asking(); raise ValueError('no')", 3, "ended in an error: ValueError: no"),
        ("", "os._exit(1)", 3, "ended with status 1 before all answers were there"),
        ("", "pass", 3, "results.json were not written, or not completely (FileNotFoundError)"),
    ],
)
def test_every_other_end_has_its_status_and_sentence(
    folder: Path, capfd: pytest.CaptureFixture[str], before: str, within: str, status: int, sentence: str
) -> None:
    assert ran(folder, before, within) == status
    said = capfd.readouterr().err
    assert said.count("lmms-humansense run: ") == 1
    assert sentence in said.partition("lmms-humansense run: ")[2].splitlines()[0]
    assert ("To go on where it stopped:" in said) == (status == 3)


def test_another_process_than_the_first_leaves_results_and_advice_to_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "1")
    assert ran(folder, "", "pass") == 0
    assert capfd.readouterr().err == ""
    shutil.rmtree(folder / "lmms_eval")
    assert ran(folder, "", "os.kill(os.getpid(), signal.SIGKILL)") == 3
    assert capfd.readouterr().err == "\nlmms-humansense run: lmms-eval was ended by signal 9 (Killed).\n"


@pytest.mark.parametrize(
    "given", [["--tasks", "list"], ["--tasks=list_groups"], ["--verbosity", "INFO", "--tasks", "list_tags"]]
)
def test_a_list_is_complete_once_it_is_printed(
    folder: Path, capfd: pytest.CaptureFixture[str], given: list[str]
) -> None:
    assert ran(folder, "print('a, b'); raise SystemExit", "pass", given) == 0
    assert capfd.readouterr() == ("a, b\n", "")
    assert json.loads((folder / "arguments.json").read_text()) == given
    assert not (folder / "humansense_results").exists()


@pytest.mark.parametrize("given", [["--tasks", "listen"], ["--power", "0.8"], []])
def test_a_run_that_evaluates_nothing_by_mistake_is_no_list(folder: Path, given: list[str]) -> None:
    assert ran(folder, "raise SystemExit", "pass", given) == 2


# A file of arguments


def test_the_arguments_of_a_file_come_before_those_that_are_typed(folder: Path) -> None:
    (folder / "run.yaml").write_text(
        "model: dummy\nlimit: 3\nlog_samples: true\nforce_simple: false\nseed: [0, 1]\n"
        "model_args: {pretrained: a b, fps: 0.5, system_prompt: 'Be kind, be brief'}\n"
    )
    expected = ["--model=dummy", "--limit=3", "--log_samples", "--seed=0,1"]
    expected += ['--model_args=pretrained=a b,fps=0.5,system_prompt="Be kind, be brief"', "--limit", "5"]
    assert run_arguments.with_file(["--config", "run.yaml", "--limit", "5"]) == expected


def test_a_file_of_several_evaluations_goes_to_lmms_eval(folder: Path) -> None:
    (folder / "run.yaml").write_text("- model: dummy\n- model: openai\n")
    assert run_arguments.with_file(["--config", "run.yaml"]) == ["--config", "run.yaml"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "cannot be read: No such file or directory"), ("a: [", "cannot be read: "), ("text", "is no list of arg")],
)
def test_a_file_that_cannot_be_used_is_refused(
    folder: Path, capfd: pytest.CaptureFixture[str], content: str | None, sentence: str
) -> None:
    if content is not None:
        (folder / "run.yaml").write_text(content)
    assert command.run(["--config", "run.yaml"]) == 2
    assert f"lmms-humansense run: --config run.yaml {sentence}" in capfd.readouterr().err


def test_the_file_that_is_written_repeats_the_run(folder: Path) -> None:
    typed = ["--model", "dummy", "--model_args=a=b,c='x, y'", "-c", "my cache", "--log_samples", "--limit", "-1", "-b8"]
    (folder / "run.yaml").write_text(run_arguments.as_file(typed))
    again = run_arguments.with_file(["--config", "run.yaml"])
    assert run_arguments.read(again) == run_arguments.read(typed)
    assert "--log_samples" in again


def test_a_file_is_written_beside_each_result(folder: Path) -> None:
    (folder / "out").mkdir()
    written = results(folder, "humansense_sample_ar", logged=False).rename(folder / "written.json")
    within = f"Path({str(written)!r}).rename(place)"
    before = "place = Path('out/today_results.json')"
    code = STAND_IN.replace('reported(["a"]', 'reported(["humansense_sample_ar"]')
    (folder / "lmms_eval").mkdir()
    (folder / "lmms_eval" / "__init__.py").touch()
    (folder / "lmms_eval" / "__main__.py").write_text(code.format(before=before, within=within))
    assert command.run([*GIVEN, "--max_failures", "5%"]) == 0
    assert (folder / "out" / "today_run.yaml").read_text() == (
        "model: dummy\ntasks: humansense_sample_ar\nmax_failures: 5%\n"
    )


def test_a_temporary_folder_that_cannot_be_written_is_refused_with_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(tempfile, "tempdir", str(folder / "no such folder"))
        assert ran(folder, "", "pass") == 2
    assert capfd.readouterr() == (
        "",
        "\nlmms-humansense run: No temporary folder can be written (No such file or directory): set TMPDIR to one.\n",
    )


# What is printed, and by which process


def test_the_scores_of_other_tasks_are_printed(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    written = results(folder, "a").rename(folder / "written.json")
    content = json.loads(written.read_text())
    content["results"]["a"] = {"alias": "a", "acc,none": 0.25, "acc_stderr,none": 0.125}
    written.write_text(json.dumps(content))
    assert ran(folder, "", f"Path({str(written)!r}).rename(place)") == 0
    said = capfd.readouterr().out.splitlines()
    assert said == ["a: acc 0.2500 (stderr 0.1250)", f"Results: {folder / 'today_results.json'}"]


@pytest.mark.parametrize("given", [["--tasks", "no_such_task"], ["--tasks", "list"], ["--max_failures", "few"]])
def test_only_the_first_process_refuses_and_lists(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], given: list[str]
) -> None:
    monkeypatch.setenv("RANK", "1")
    assert ran(folder, "print('no'); raise SystemExit(1)", "pass", ["--model", "humansense_server", *given]) == 2
    assert capfd.readouterr() == ("", "")


def test_the_first_process_of_another_machine_says_what_cannot_work_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "8")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert command.run(["--max_failures", "few"]) == 2
    assert "lmms-humansense run: max_failures=few" in capfd.readouterr().err


def test_the_process_is_started_before_the_page_and_finds_no_input(tmp_path: Path) -> None:
    entered = tmp_path / "entered"

    @contextlib.contextmanager
    def page() -> Iterator[None]:
        assert (tmp_path / "started").exists()
        entered.touch()
        yield

    popen = subprocess.Popen

    def start(*args: Any, **more: Any) -> Any:
        (tmp_path / "started").touch()
        assert not entered.exists()
        return popen(*args, **more)

    printed: list[bytes] = []
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(subprocess, "Popen", start)
        code = python("import sys; print(repr(sys.stdin.read()))")
        assert command._run_watched(code, tmp_path / "events", printed.append, page=page()) == 0
    assert b"".join(printed) == b"''\n"
    assert entered.exists()


@pytest.mark.slow
def test_help_shows_the_options_of_an_evaluation(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert command.run(["-h"]) == 0
    assert "--limit" in capfd.readouterr().out
