"""What a run reports to the process that watches it."""

from dataclasses import asdict
from pathlib import Path

import pytest
from loguru import logger
from tenacity import RetryError, retry, stop_after_attempt

from lmms_humansense.models.runtime.progress import Progress
from lmms_humansense.models.runtime.signals import RunStopped
from lmms_humansense.plugin import forwarding, run_events
from lmms_humansense.plugin.run_events import RunEvents


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a watched run."""
    path = tmp_path / "events.jsonl"
    path.touch()
    monkeypatch.setenv(run_events.FILE, str(path))
    return path


def test_a_run_reports_its_tasks_and_where_the_results_are(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    with run_events.reported(["a", "b"], lambda: Path("out", "results.json")):
        assert run_events.read(file) == RunEvents(begun=1)
    with run_events.reported(["c"], lambda: None):
        pass
    place = str(file.parent / "out" / "results.json")
    assert run_events.read(file) == RunEvents(begun=2, ended=[(["a", "b"], place), (["c"], None)])


def test_the_place_is_asked_for_once_the_run_is_over(file: Path) -> None:
    over = False
    with run_events.reported([], lambda: Path("after" if over else "before")):
        over = True
    ((_, place),) = run_events.read(file).ended
    assert Path(str(place)).name == "after"


@pytest.mark.parametrize(
    ("error", "events"),
    [
        (SystemExit("HumanSense: no such data"), RunEvents(begun=1, refused="HumanSense: no such data")),
        (RunStopped("The disk is full."), RunEvents(begun=1, stopped="The disk is full.")),
        (SystemExit(1), RunEvents(begun=1, stopped="It ended with status 1.")),
        (KeyboardInterrupt(), RunEvents(begun=1)),
        (ValueError("na\nnu"), RunEvents(begun=1, broken="ValueError: na\nnu")),
    ],
    ids=repr,
)
def test_a_run_reports_why_it_did_not_come_to_its_end(file: Path, error: BaseException, events: RunEvents) -> None:
    with pytest.raises(type(error)) as raised, run_events.reported(["a"], lambda: None):
        raise error
    assert raised.value is error
    assert run_events.read(file) == events


def test_a_run_that_is_not_watched_reports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with run_events.reported(["a"], lambda: Path("results.json")):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_gives_no_events(file: Path) -> None:
    assert run_events.read(file) == RunEvents()


def test_questions_that_were_asked_are_those_of_the_last_evaluation(file: Path) -> None:
    with run_events.reported(["a"], lambda: None):
        run_events.asking()
    assert run_events.read(file).asking
    with pytest.raises(ValueError, match="no"), run_events.reported(["b"], lambda: None):
        raise ValueError("no")
    assert not run_events.read(file).asking


def test_the_cause_of_repeated_attempts_is_reported_instead_of_their_number(file: Path) -> None:
    def fail() -> None:
        raise OSError(30, "Read-only file system", "/data")

    with pytest.raises(RetryError), run_events.reported(["a"], lambda: None):
        retry(stop=stop_after_attempt(2))(fail)()
    assert run_events.read(file).broken == "OSError: [Errno 30] Read-only file system: '/data'"


def state(done: int) -> Progress:
    return Progress(done, total=9, failed=1, truncated=2, recalled=3, kept=4, busy=None)


def test_the_progress_is_reported_now_and_then_and_at_both_ends(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10))
    monkeypatch.setattr("time.monotonic", lambda: next(clock) / 5)
    report = run_events.ProgressReporter()
    for done in range(10):
        report(state(done))
    reported = [event["done"] for event in run_events.events_in(file.read_text())]
    assert reported == [0, 3, 6, 9]
    assert run_events.read(file).progress == asdict(state(9))


def test_the_last_progress_is_reported_at_the_end_of_a_run(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    report = run_events.ProgressReporter()
    for done in range(3):
        report(state(done))
    report.flush()
    report.flush()
    assert [event["done"] for event in run_events.events_in(file.read_text())] == [0, 2]


def test_the_progress_of_the_last_evaluation_counts(file: Path) -> None:
    with run_events.reported(["a"], lambda: None):
        run_events.ProgressReporter()(state(9))
    with run_events.reported(["b"], lambda: None):
        assert run_events.read(file).progress == {}


def test_warnings_are_reported_and_are_no_reason(file: Path) -> None:
    run_events.warned("a clip is odd")
    assert list(run_events.events_in(file.read_text())) == [{"what": "warning", "text": "a clip is odd"}]
    assert run_events.read(file) == RunEvents()


@pytest.mark.parametrize(
    ("name", "extra", "is_new"),
    [
        ("lmms_humansense.models.chat", {}, True),
        ("lmms_humansense.models.chat", {"said_at_end": True}, False),
        ("lmms_eval.__main__", {}, False),
        ("lmms_eval.evaluator", {}, True),
    ],
)
def test_a_warning_that_the_end_or_the_report_repeats_is_not_shown_during_the_run(
    name: str, extra: dict[str, bool], is_new: bool
) -> None:
    assert forwarding.is_new({"name": name, "extra": extra, "message": "Look."}) is is_new


def test_that_generation_arguments_win_is_not_said_to_who_gave_them() -> None:
    said = "generation_kwargs specified through cli, these settings will be used over set parameters in yaml tasks."
    record = {"name": "lmms_eval.evaluator", "extra": {}, "message": said}
    assert not forwarding.is_new(record)


def test_warnings_of_a_watched_run_are_forwarded(file: Path) -> None:
    forwarding.forward_warnings.cache_clear()
    before = set(logger._core.handlers)  # type: ignore[attr-defined]
    try:
        forwarding.forward_warnings()
        logger.info("nothing new")
        logger.warning("a clip is odd: {}", "x.mp4")
    finally:
        for added in set(logger._core.handlers) - before:  # type: ignore[attr-defined]
            logger.remove(added)
        forwarding.forward_warnings.cache_clear()
    assert [event["text"] for event in run_events.events_in(file.read_text())] == ["a clip is odd: x.mp4"]


def test_only_what_informs_may_fail_to_be_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(run_events.FILE, str(tmp_path / "no such folder" / "events"))
    run_events.warned("a clip is odd")
    run_events.ProgressReporter()(state(9))
    with pytest.raises(FileNotFoundError):
        run_events.asking()
