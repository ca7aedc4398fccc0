"""The score by the length of the reasoning, and what the report says about prompts that do not fit the model."""

import json
from pathlib import Path

import pytest

from lmms_humansense.report.command import report
from lmms_humansense.report.reasoning import GROUPS, by_length
from lmms_humansense.report.table import notes
from lmms_humansense.results.reading import read_runs
from lmms_humansense.results.runs import Run
from lmms_humansense.tasks.humansense.annotations import Doc
from tests.helpers import logged


def thinking(doc: Doc, chance: object) -> str:
    """Twenty reasoned responses of 10 to 200 characters, of which the short half is right, and others of each kind."""
    number = int(doc["id"].split("-")[1]) % 1000
    if number >= 22:
        return "[request failed] MediaError: it broke"
    if number >= 20:
        return f"[response complete] {doc['answer']}"
    mark, answer = ("complete", doc["answer"]) if number < 10 else ("truncated", "")
    return f"[response {mark}] <think>{'x' * (10 * (number + 1))}</think><answer>{answer}</answer>"


def run_of(folder: Path, variant: str = "think") -> Run:
    logged.write(folder, thinking, tasks="AR", count=24, variant=variant)
    (run,), problems = read_runs([folder])
    assert problems == []
    return run


def test_responses_are_grouped_by_the_length_of_their_reasoning(tmp_path: Path) -> None:
    groups = by_length(run_of(tmp_path))
    assert [group.name for group in groups] == ["without reasoning", *GROUPS]
    assert [group.shortest for group in groups] == [0, 10, 60, 110, 160]
    assert [group.longest for group in groups] == [0, 50, 100, 150, 200]
    assert [group.responses for group in groups] == [2, 5, 5, 5, 5]
    assert [group.mean for group in groups] == [1, 1, 1, 0, 0]
    assert [group.truncated for group in groups] == [0, 0, 0, 5, 5]
    assert all(group.low <= group.mean <= group.high for group in groups)


def test_a_run_without_reasoning_has_no_groups(tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(0.5), tasks="AR", count=30)
    (run,), _ = read_runs([tmp_path])
    assert by_length(run) == []


def test_reasoning_that_a_server_sends_beside_the_answer_counts(tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(1), tasks="AR", count=24)
    (file,) = tmp_path.glob("*_samples_*.jsonl")
    samples = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for sample in samples:
        sample["token_counts"][0]["reasoning"] = "y" * 30
    file.write_text("".join(json.dumps(sample) + "\n" for sample in samples), encoding="utf-8")
    (run,), _ = read_runs([tmp_path])
    assert {(group.shortest, group.longest, group.truncated) for group in by_length(run)} == {(30, 30, None)}


def test_the_report_has_the_groups(tmp_path: Path) -> None:
    run_of(tmp_path / "run")
    assert report([tmp_path / "run"], tmp_path / "out") == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert '<th scope="row">longest quarter</th><td>160–200</td><td>5</td><td>0.0</td>' in page
    (groups,) = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["reasoning"].values()
    assert [group["responses"] for group in groups] == [2, 5, 5, 5, 5]


@pytest.mark.parametrize(
    ("variant", "found"),
    [("", "20 of 22 responses have think or answer tags"), ("think", None), ("sample", "20 of 22 responses")],
)
def test_tags_on_plain_tasks_stand_in_the_notes(variant: str, found: str | None, tmp_path: Path) -> None:
    said = [note for note in notes(run_of(tmp_path, variant)) if "answer tags" in note]
    assert bool(said) == bool(found)
    assert not found or found in said[0]


def test_think_prompts_without_tags_stand_in_the_notes(tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(0.5), tasks="AR", count=4, variant="think")
    (run,), _ = read_runs([tmp_path])
    assert any(note.startswith("none of 4 responses has think or answer tags") for note in notes(run))
