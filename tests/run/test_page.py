"""What is shown while a run is watched."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lmms_humansense.plugin import run_events
from lmms_humansense.run import page
from lmms_humansense.run.page import Output, Page


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A page that has not been entered, with a function that reports an event to it, and its console."""
    events, printed = tmp_path / "events", io.StringIO()
    events.touch()
    monkeypatch.setenv(run_events.FILE, str(events))
    made = Page(events, Console(file=printed, soft_wrap=True), Output(tmp_path / "logs" / "log"))

    def report(what: str, **more: Any) -> None:
        run_events._append(what, **more)
        made._look()

    return made, report, printed


def state(done: int, **more: Any) -> dict[str, Any]:
    return {"done": done, "total": 40, "failed": 0, "truncated": 3, "recalled": 0, "kept": 0, "busy": 0.25, **more}


def test_a_line_says_how_far_the_run_is(shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made, report, _ = shown
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    report("begun")
    assert made.line() == "Loading lmms-eval, the model and the questions …"
    report("asking")
    report("progress", **state(10, recalled=10))
    clock[0] += 20
    report("progress", **state(20, recalled=10, failed=1))
    assert made.line() == (
        "Asking: 20 of 40, 0.5 questions/s, about 40 s left, model busy 25% of the time, 1 failed, 3 truncated"
    )
    clock[0] += 20
    report("progress", **state(40, recalled=10))
    assert made.line().startswith("Scoring: 40 of 40, 0.75 questions/s, model busy")
    assert made.summary() == (
        "40 of 40 questions were answered (10 of them by earlier runs) in 40 s, 0.75 questions/s, model busy 25% of "
        "the time, 0 failed, 3 truncated."
    )


def test_a_run_that_asked_nothing_says_so(shown: Any) -> None:
    made, report, _ = shown
    report("begun")
    report("asking")
    report("progress", **state(40, recalled=40, busy=None))
    assert made.summary() == "Nothing was asked: earlier runs have all 40 answers, 0 failed, 3 truncated."


def test_the_bar_of_other_models_is_read_from_what_they_print(shown: Any) -> None:
    made, report, _ = shown
    report("begun")
    report("asking")
    made._output.take("\rModel Responding:   5%|▌  | 2/40 [00:01<00:19]\rModel Responding:  18%|█▊ | 7/40 [00".encode())
    made._look()
    assert re.match(r"Asking: 7 of 40, .* questions/s", made.line())
    assert "failed" not in made.line()


def test_warnings_are_shown_once_or_not_at_all(shown: Any, tmp_path: Path) -> None:
    made, report, printed = shown
    quiet = Page(tmp_path / "events", made._console, made._output, warns=False)
    report("warning", text="Look here.")
    report("warning", text="Look here.")
    quiet._look()
    assert printed.getvalue() == "Warning: Look here.\n"


def test_an_event_that_is_only_half_written_is_read_later(shown: Any) -> None:
    made, _, _ = shown
    with made._events.open("a") as file:
        file.write('{"what": "ask')
    made._look()
    with made._events.open("a") as file:
        file.write('ing"}\n')
    made._look()
    assert made.line() == "Asking …"


def test_output_that_cannot_be_written_is_dropped_except_for_its_end(tmp_path: Path) -> None:
    output = Output(tmp_path / "logs" / "log")
    output.take(b"first\n")
    output.file.unlink()
    output.file.mkdir()
    output.take("bar 1\rbar 2\n\n\x1b[31;1ml\u00e4st\x1b[0m\r\n".encode())
    assert output.last_lines(3) == ["first", "bar 2", "l\u00e4st"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (91, "2 min"), (5300, "88 min"), (7300, "2 h 2 min")]
)
def test_a_duration_is_short(seconds: float, text: str) -> None:
    assert page._duration(seconds) == text


def test_what_a_console_cannot_show_does_not_end_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events, printed = tmp_path / "events", io.BytesIO()
    events.touch()
    monkeypatch.setenv(run_events.FILE, str(events))
    console = Console(file=io.TextIOWrapper(printed, encoding="ascii"), soft_wrap=True)
    with Page(events, console, Output(tmp_path / "logs" / "log")):
        run_events._append("of another version")
        run_events._append("warning")
        run_events.warned("\u4eba.mp4 is odd \udcff")
        run_events._append("progress", **state(40))
    console.file.flush()
    said = printed.getvalue().decode().splitlines()
    assert said[0] == "Warning: ?.mp4 is odd ?"
    assert said[1].startswith("40 of 40 questions were answered")


def test_a_console_that_is_closed_does_not_end_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events, printed = tmp_path / "events", io.StringIO()
    events.touch()
    monkeypatch.setenv(run_events.FILE, str(events))
    printed.close()
    with Page(events, Console(file=printed), Output(tmp_path / "logs" / "log")) as made:
        run_events.warned("a clip is odd")
        run_events._append("progress", **state(40))
    assert made.line().startswith("Scoring: 40 of 40")


def test_the_summary_says_whose_questions_it_counts(shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made, report, _ = shown
    monkeypatch.setenv("WORLD_SIZE", "2")
    report("progress", **state(20))
    assert made.summary().startswith("20 of this process's 40 questions were answered in ")


def test_a_log_gets_fewer_lines_with_time_and_none_twice(shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made, report, printed = shown
    clock = [made._last]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    report("begun")
    for _ in range(400):  # loading takes an hour and a half
        clock[0] += 15
        made._look()
    assert printed.getvalue().splitlines() == ["Loading lmms-eval, the model and the questions …"]
    report("asking")
    for number in range(36_000 // 15):
        clock[0] += 15
        report("progress", **{**state(number), "total": 4000})
    lines = printed.getvalue().splitlines()
    assert 40 <= len(lines) <= 50
    assert len(set(lines)) == len(lines)


def test_one_question_is_one_question(shown: Any) -> None:
    made, report, _ = shown
    report("progress", **{**state(1), "total": 1})
    assert made.summary().startswith("1 of 1 question was answered in ")
