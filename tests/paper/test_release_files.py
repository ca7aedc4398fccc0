"""The release's result files: scored as its own scripts do, written as it does, and no information is lost."""

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lmms_humansense.cli import app
from lmms_humansense.results.reading import read_runs
from lmms_humansense.results.runs import Run
from lmms_humansense.tasks.humansense.annotations import FILES
from tests.helpers import release_files, releases
from tests.helpers.release_files import changed, items, read, some, write

RESPONSES: list[tuple[dict[str, Any], list[str | None]]] = [
    ({}, ["B", "b. Reading", " B", "", None, "<answer>B</answer>"]),
    ({"task_type": "Human_Counting", "question_pattern": releases.COUNT, "options": ..., "answer": 4},
     ["4", "4 people", "four", "14"]),
    ({"task_type": "Person_Appearance", "question_pattern": releases.MULTI, "answer": "AC"},
     ["AC", "A, C", "A", "AB"]),
    ({"task_type": "Lie_Detection", "question_pattern": releases.YESNO, "options": ..., "answer": "Yes"},
     ["Yes.", ".", "no"]),
    ({"task_type": "Abnormal_Recognition"}, ["B"]),
]  # fmt: skip
"""Questions, and responses to copies of each; None means that it was not asked."""

COUNTED: dict[str, dict[str, tuple[int, float]]] = {
    "plain": {
        "Action_Recognition": (4, 2), "Human_Counting": (4, 2), "Person_Appearance": (4, 1.5), "Lie_Detection": (2, 1),
        "all": (14, 6.5),
    },
    "think": {
        "Action_Recognition": (4, 3), "Human_Counting": (4, 2), "Person_Appearance": (4, 2.5),
        "Abnormal_Recognition": (1, 1), "all": (13, 8.5),
    },
}  # fmt: skip
"""Totals and right answers, counted by hand by the rules of the release's two scorers."""


def by_hand() -> release_files.Items:
    return [
        releases.item(**fields, **({} if response is None else {"Some-Model": response}))
        for fields, responses in RESPONSES
        for response in responses
    ]


def command(*arguments: Any, status: int = 0) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], terminal_width=200)
    assert done.exit_code == status, done.output
    return done.output


def the_run(folder: Path) -> Run:
    (run,), problems = read_runs([folder])
    assert problems == []
    return run


@pytest.mark.parametrize("style", COUNTED)
def test_the_counts_are_those_of_the_release(style: str, tmp_path: Path) -> None:
    path = write(tmp_path / "HumanSense_VQA_Some-Model_audio.json", by_hand())
    command("rescore", path, "--out", tmp_path / "out", *(["--think"] if style == "think" else []))
    counted = json.loads((tmp_path / "out" / f"scores_{path.name}").read_text())
    assert list(counted) == list(COUNTED[style])
    assert {name: (each["total"], each["correct"]) for name, each in counted.items()} == COUNTED[style]
    assert all(each["accuracy"] == each["correct"] / each["total"] for each in counted.values())


def test_the_tables_hold_what_the_counts_say(tmp_path: Path) -> None:
    path = write(tmp_path / "HumanSense_VQA_Some-Model.json", by_hand())
    said = command("rescore", path, "--out", tmp_path / "out")
    first, *_ = json.loads((tmp_path / "out" / "results.json").read_text()).items()
    assert first[0] == "scores"
    assert first[1]["Some-Model"]["paper"] == {"AR": 0.5, "PA": 0.375, "HC": 0.5, "LD": 0.5}
    # Every question that was asked counts, also those with an empty response or one in another form.
    assert first[1]["Some-Model"]["acc"] == {"AR": 4 / 5, "PA": 2.5 / 4, "HC": 3 / 4, "LD": 1 / 3}
    assert "1 of task_type Abnormal_Recognition are not part of the benchmark's tables" in said
    assert "other numbers of questions than in the paper: AR 6, HC 4, PA 4, LD 3." in said


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "HumanSense_VQA_Some-Model.json", by_hand())
    monkeypatch.chdir(tmp_path)
    said = command("rescore", path)
    assert "50.00" in said
    assert "37.50" in said
    assert list(tmp_path.iterdir()) == [path]


def test_without_a_folder_for_temporary_files_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "HumanSense_VQA_Some-Model.json", by_hand())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert "set TMPDIR to a folder that can be written, or give --out" in command("rescore", path, status=1)
    command("rescore", path, "--out", tmp_path / "out")


def test_where_the_releases_scorer_would_stop_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "HumanSense_VQA_Some-Model_audio_think.json", by_hand())
    assert "1 responses would have stopped the release's scorer with an error (counted 0)" in command(
        "rescore", path, "--think"
    )
    assert "score it with --think" in command("rescore", path)


def test_the_two_files_of_a_model_are_one_run_with_the_papers_averages(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / f"HumanSense_{key}_M_audio.json", items(key, 20, lambda doc: doc["answer"])) for key in FILES
    ]
    command("rescore", *paths, "--out", tmp_path / "out")
    scores = json.loads((tmp_path / "out" / "results.json").read_text())["scores"]
    right = dict.fromkeys(scores["M"]["acc"], 1.0)
    assert scores == {"M": {"paper": right, "acc": right, "truncated": {}, "empty": dict.fromkeys(right, 0.0)}}
    assert len(scores["M"]["acc"]) == 15
    assert "no FR2" not in (tmp_path / "out" / "table.md").read_text()


def test_questions_that_were_not_asked_are_missing_and_empty_responses_are_not(tmp_path: Path) -> None:
    content = items("AQA", 10, lambda doc: None if doc["id"].endswith("3") else "" if doc["id"].endswith("4") else "A")
    content = changed(content, 5, M=None)
    command("rescore", write(tmp_path / "AQA of M.json", content), "--out", tmp_path / "out")
    leaf = the_run(tmp_path / "out").leaves["FR2"]
    assert (len(leaf.samples), leaf.asked, leaf.total) == (9, 9, 10)
    assert leaf.samples["paper"].isna().sum() == 2
    assert leaf.samples["acc"].notna().all()


# Choosing the model.


def test_of_several_models_one_has_to_be_named(tmp_path: Path) -> None:
    both = changed(by_hand(), 0, Other="C")
    path = write(tmp_path / "VQA.json", both)
    assert "choose one: --model Some-Model|Other" in command("rescore", path, status=1)
    assert "100.00" not in command("rescore", path, "--model", "Other")
    assert "it has those of Some-Model, Other" in command("rescore", path, "--model", "Third", status=1)
    named = write(tmp_path / "HumanSense_VQA_Other_audio.json", both)
    assert "HumanSense, Other, %" in command("rescore", named)


def test_fields_of_the_annotations_are_no_models(tmp_path: Path) -> None:
    asked = [changed([item], 0, asr_en="Hello.", time_stamp="1", **{"Some-Model": ...})[0] for item in by_hand()]
    path = write(tmp_path / "VQA.json", asked)
    assert f"{path} has no responses" in command("rescore", path, status=1)
    assert "has no responses of asr_en" in command("rescore", path, "--model", "asr_en", status=1)


BAD: dict[str, tuple[str, str]] = {
    "cut off": ("[{", "is not valid JSON"),
    "an object": ("{}", "must be one JSON array"),
    "items of something else": ('[{"a": 1}]', "item 0 (the first is 0): the field questions is missing"),
    "a number for a response": (json.dumps(changed(by_hand(), 3, **{"Some-Model": 4})), "item 3"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_of_another_form_is_refused_with_its_name(what: str, tmp_path: Path) -> None:
    path = tmp_path / "HumanSense_VQA_Some-Model.json"
    path.write_text(BAD[what][0])
    said = command("rescore", path, "--model", "Some-Model", status=1)
    assert said.startswith(str(path))
    assert BAD[what][1] in said


def test_files_of_unknown_kind_and_missing_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "answers.json", by_hand())
    assert "give it a name with VQA or AQA" in command("rescore", path, status=1)
    assert f"no file or folder {tmp_path / 'VQA.json'}" in command("rescore", tmp_path / "VQA.json", status=2)
    first, second = (write(tmp_path / name, by_hand()) for name in ("VQA-1.json", "VQA-2.json"))
    assert "both contain responses of Some-Model" in command("rescore", first, second, status=1)


# Rescored, exported, and rescored again.


@pytest.mark.parametrize("suffix", ["_audio", "", "_audio_think", "_audio_asr", "_asr"])
def test_in_out_and_in_again_loses_nothing(suffix: str, tmp_path: Path) -> None:
    think = ["--think"] if "think" in suffix else []
    content = {key: items(key, 12, some(seed, 0.9)) for seed, key in enumerate(FILES)}
    content["VQA"] = changed(content["VQA"], 3, task_type="Abnormal_Recognition", M="B")
    content["VQA"] = changed(changed(content["VQA"], 5, M=None), 6, Other="C", M=" B\n")
    if "asr" in suffix:
        del content["AQA"]
    paths = [write(tmp_path / f"HumanSense_{key}_M{suffix}.json", each) for key, each in content.items()]
    before = copy.deepcopy(content)
    command("rescore", *paths, "--model", "M", *think, "--out", tmp_path / "in")
    said = command("export-release", tmp_path / "in", tmp_path / "out", "--model", "M")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in paths}
    for path in paths:
        assert (tmp_path / "out" / path.name).read_text() == path.read_text()
        assert f"{path.name}: " in said
    assert "responses have white space around them" in said
    command("rescore", *(tmp_path / "out").iterdir(), "--model", "M", *think, "--out", tmp_path / "again")
    first, again = (json.loads((tmp_path / name / "results.json").read_text())["scores"] for name in ("in", "again"))
    assert first == again
    assert content == before


@pytest.fixture
def rescored(tmp_path: Path) -> Path:
    """The folder with the results of a run about audio."""
    path = write(tmp_path / "HumanSense_AQA_M_audio.json", items("AQA", 4, lambda doc: doc["answer"]))
    command("rescore", path, "--out", tmp_path / "in")
    return tmp_path / "in"


def test_failed_requests_are_left_out_and_counted(rescored: Path) -> None:
    file = next(rescored.glob("M/*_pc.jsonl"))
    first, *others = map(json.loads, file.read_text().splitlines())
    first |= {"filtered_resps": "[request failed] it broke", "failed": {"score": 1.0, "clip": "c"}}
    file.write_text("\n".join(map(json.dumps, [first, *others])))
    said = command("export-release", rescored, rescored.parent / "out", "--model", "M")
    assert "7 of 8 items answered; 1 failed requests are left out" in said
    (path,) = (rescored.parent / "out").iterdir()
    assert sum("M" in item["questions"] for item in read(path)) == 7


def test_another_model_comes_beside_those_that_are_there(rescored: Path) -> None:
    command("export-release", rescored, rescored.parent / "out", "--model", "N")
    items_out = read(rescored.parent / "out" / "HumanSense_AQA_N_audio.json")
    assert all(item["questions"]["M"] == item["questions"]["N"] for item in items_out)


def test_the_questions_are_found_again_or_asked_for(
    rescored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "HumanSense_AQA_M_audio.json"
    content = read(asked)
    asked.rename(tmp_path / "moved.json")
    said = command("export-release", rescored, tmp_path / "out", "--model", "M", status=1)
    assert "Set HUMANSENSE_DATA to the folder or URL that has them" in said
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path / "data"))
    write(tmp_path / "data" / FILES["AQA"], changed(content, 0, question="Another"))
    said = command("export-release", rescored, tmp_path / "out", "--model", "M", status=1)
    assert f"{FILES['AQA']} in {tmp_path / 'data'} is not the file that was asked" in said
    write(tmp_path / "data" / FILES["AQA"], content)
    command("export-release", rescored, tmp_path / "out", "--model", "M")
    assert read(tmp_path / "out" / "HumanSense_AQA_M_audio.json") == content


def test_other_questions_are_never_given_the_answers(rescored: Path, tmp_path: Path) -> None:
    (results,) = rescored.glob("M/*_results.json")
    content = json.loads(results.read_text())
    changed_file = write(
        tmp_path / "AQA.json", changed(read(tmp_path / "HumanSense_AQA_M_audio.json"), 2, question="?")
    )
    content["humansense_data"] = [{"source": str(changed_file), "annotations": {}}]
    results.write_text(json.dumps(content))
    said = command("export-release", rescored, tmp_path / "out", "--model", "M", status=1)
    assert "cannot be read" in said


def test_what_is_there_is_not_overwritten(rescored: Path) -> None:
    out = rescored.parent / "out"
    command("export-release", rescored, out, "--model", "M")
    command("export-release", rescored, out, "--model", "M")
    (path,) = out.iterdir()
    path.write_text("[]")
    assert "exists already" in command("export-release", rescored, out, "--model", "M", status=1)
    assert path.read_text() == "[]"


def test_two_runs_of_one_setting_are_not_mixed(rescored: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "HumanSense_AQA_N_audio.json", changed(items("AQA", 4, lambda doc: "A"), 0, M="B"))
    command("rescore", path, "--model", "M", "--out", rescored / "other")
    said = command("export-release", rescored, tmp_path / "out", "--model", "M", status=1)
    assert "would be written to one file" in said


@pytest.mark.parametrize("name", ["a/b", "question", " "])
def test_a_name_that_can_be_none_of_a_model_is_refused(name: str, rescored: Path) -> None:
    assert "choose another name" in command("export-release", rescored, rescored / "out", "--model", name, status=1)


def test_nothing_to_export_is_said(tmp_path: Path) -> None:
    said = command("export-release", tmp_path, tmp_path / "out", "--model", "M", status=1)
    assert f"{tmp_path} contains no *_results.json" in said
    assert "There is nothing to export." in said


# Files of others may hold anything.


def rescored_by_command(path: Path, out: Path, *more: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["rescore", str(path), "--out", str(out), *more])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_half_a_character_in_a_response_costs_only_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "HumanSense_VQA_M.json", items("VQA", 2, lambda doc: doc["answer"] + ". \ud83d"))
    status, said = rescored_by_command(path, tmp_path / "out")
    assert status == 0
    assert "characters that cannot be stored (half of a surrogate pair); they are replaced by question marks" in said
    (run,), problems = read_runs([tmp_path / "out"])
    assert problems == []
    assert all(response.endswith(". ?") for response in run.samples["response"])


def test_a_file_that_is_nested_too_deep_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "HumanSense_VQA_M.json"
    path.write_text("[" * 200_000 + "]" * 200_000)
    status, said = rescored_by_command(path, tmp_path / "out")
    assert status == 1
    assert f"{path} is not valid JSON (it is nested more than 100 levels deep)" in said


@pytest.mark.parametrize("field", ["question_pattern", "options", "answer"])
@pytest.mark.parametrize("value", [[1], {"a": 1}, 5, None], ids=repr)
def test_what_is_not_in_the_benchmark_may_have_any_form(field: str, value: Any, tmp_path: Path) -> None:
    found = items("VQA", 1, lambda doc: doc["answer"])
    extra = copy.deepcopy(found[0])
    extra["questions"] |= {"task_type": "Speaker_Distance", field: value}
    path = write(tmp_path / "HumanSense_VQA_M_think.json", [*found, extra])
    status, said = rescored_by_command(path, tmp_path / "out", "--think")
    assert status == 0 or "Speaker_Distance" in said


def test_models_whose_names_differ_only_in_marks_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for key, model in (("VQA", "a/b"), ("AQA", "a?b")):
        found = items(key, 1, lambda doc: doc["answer"])
        for item in found:
            item["questions"][model] = item["questions"].pop("M")
        write(tmp_path / f"HumanSense_{key}_M.json", found)
    status, _ = rescored_by_command(
        tmp_path / "HumanSense_VQA_M.json", tmp_path / "out", str(tmp_path / "HumanSense_AQA_M.json")
    )
    assert status == 0
    assert len(list((tmp_path / "out").glob("*/*_results.json"))) == 2


def test_a_name_of_any_length_is_a_folder(tmp_path: Path) -> None:
    found = items("VQA", 1, lambda doc: doc["answer"])
    for item in found:
        item["questions"]["é" * 5000] = item["questions"].pop("M")
    status, said = rescored_by_command(write(tmp_path / "HumanSense_VQA_M.json", found), tmp_path / "out")
    assert status == 0, said
    assert len(list((tmp_path / "out").glob("*/*_results.json"))) == 1
