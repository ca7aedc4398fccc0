"""Reading results: parts become runs, runs of one model get different names, and bad files are named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lmms_humansense.report import table
from lmms_humansense.results.reading import read_runs
from tests.helpers import logged


def test_a_folder_is_one_run_with_all_its_questions(tmp_path: Path) -> None:
    logged.write(tmp_path / "a", logged.mostly_right(0.5), count=6)
    (run,), problems = read_runs([tmp_path])
    assert problems == []
    assert (run.name, run.variant, len(run.leaves), len(run.samples)) == ("Model", "", 15, 90)
    sample = run.samples.iloc[0]
    assert sample["question"] == "Question 0 of Action Recognition"
    assert sample["options"][0].startswith("A. ")
    assert (sample["frames"], sample["seconds_heard"], sample["time_axis"]) == (12, 0.0, "release")


def test_parts_of_one_configuration_are_one_run(tmp_path: Path) -> None:
    logged.write(tmp_path / "one", logged.mostly_right(0.5), tasks="AR,ER", count=4)
    logged.write(tmp_path / "two", logged.mostly_right(0.5), tasks="PC", count=4, date="20261126_120000")
    (run,), _ = read_runs([tmp_path / "one", tmp_path / "two"])
    assert set(run.leaves) == {"AR", "ER", "PC"}


def test_of_two_results_for_a_task_the_later_counts(tmp_path: Path) -> None:
    logged.write(tmp_path / "new", lambda doc, chance: doc["answer"], tasks="AR", count=4, date="20261126_120000")
    logged.write(tmp_path / "old", lambda doc, chance: "no idea", tasks="AR", count=4, date="20261125_120000")
    (run,), _ = read_runs([tmp_path])
    assert run.leaves["AR"].samples["acc"].mean() == 1


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"model_info": {"time_axis": "true"}}, "time_axis=true"),
        ({"limit": 2}, "limit=2"),
        ({"model_info": {"dtype": "bfloat16"}}, "dtype=bfloat16"),
    ],
)
def test_runs_of_one_model_are_named_by_what_they_differ_in(
    changes: dict[str, Any], difference: str, tmp_path: Path
) -> None:
    logged.write(tmp_path / "a", logged.mostly_right(0.5), tasks="AR", count=4)
    logged.write(tmp_path / "b", logged.mostly_right(0.5), tasks="AR", count=4, **changes)
    runs, _ = read_runs([tmp_path])
    assert len({run.name for run in runs}) == 2
    assert any(difference in run.name for run in runs)


def test_variants_are_runs_of_their_own(tmp_path: Path) -> None:
    of_tr = {"": False, "sample": True, "think": False, "asr": False, "asr_silent": False, "sample_asr_silent": True}
    for variant in of_tr:
        logged.write(tmp_path / f"of {variant}", logged.mostly_right(0.5), tasks="TR", count=4, variant=variant)
    runs, problems = read_runs([tmp_path])
    assert problems == []
    assert {run.variant: run.is_sample for run in runs} == of_tr
    assert {run.name for run in runs} == {f"Model ({variant})" if variant else "Model" for variant in of_tr}
    assert {run.variant: run.setting.name for run in runs}["sample_asr_silent"] == "asr_silent"


def test_tasks_of_others_with_like_names_are_none_of_ours(tmp_path: Path) -> None:
    path = logged.write(tmp_path, logged.mostly_right(0.5), tasks="AR", count=4)
    results = json.loads(path.read_text())
    results["configs"] |= {name: {} for name in ("humansense_other_ar", "humansense_think_zz", "human_ar", "mmmu_val")}
    path.write_text(json.dumps(results))
    (run,), problems = read_runs([tmp_path])
    assert (set(run.leaves), problems) == ({"AR"}, [])


def test_responses_at_which_the_releases_scorer_would_stop_are_noted(tmp_path: Path) -> None:
    logged.write(tmp_path, lambda doc, chance: "<answer></answer>", tasks="HC", count=4, variant="think")
    (run,), _ = read_runs([tmp_path])
    assert set(run.samples["crash"]) == {"the answer tag is empty"}
    assert "4 responses would have stopped the release's scorer with an error (counted 0)" in table.notes(run)


def test_a_failure_is_no_answer(tmp_path: Path) -> None:
    logged.write(tmp_path, lambda doc, chance: "[request failed] MediaError: it broke", tasks="AR", count=4)
    (run,), _ = read_runs([tmp_path])
    assert run.samples["failed"].sum() == 4
    assert run.samples["paper"].isna().all()


BROKEN: dict[str, tuple[Callable[[str], str], str]] = {
    "cut off": (lambda text: text[:100], "is not valid JSON"),
    "empty": (lambda text: "", "is not valid JSON"),
    "a list": (lambda text: "[1]", "is not a results file of lmms-eval: it has no results, configs"),
    "without samples": (lambda text: json.dumps({**json.loads(text), "n-samples": None}), "it has no n-samples"),
    "of other tasks": (
        lambda text: json.dumps({**json.loads(text), "configs": {"mmmu_val": {}}}),
        "has no task of HumanSense",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_bad_file_is_named_and_the_good_ones_are_reported(how: str, tmp_path: Path) -> None:
    spoil, reason = BROKEN[how]
    logged.write(tmp_path / "good", logged.mostly_right(0.5), tasks="AR", count=4)
    bad = logged.write(tmp_path / "bad", logged.mostly_right(0.5), model="x/Other", tasks="AR", count=4)
    bad.write_text(spoil(bad.read_text()))
    runs, (problem,) = read_runs([tmp_path])
    assert [run.name for run in runs] == ["Model"]
    assert str(bad) in problem
    assert reason in problem


def test_samples_that_are_not_there_are_named(tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(0.5), tasks="AR,ER", count=4)
    (samples,) = tmp_path.glob("*_humansense_ar.jsonl")
    samples.unlink()
    (run,), (problem,) = read_runs([tmp_path])
    assert set(run.leaves) == {"ER"}
    assert problem.startswith(f"{samples} is missing: humansense_ar of")


def test_a_half_written_sample_is_named_and_counted_as_missing(tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(0.5), tasks="AR", count=4)
    (samples,) = tmp_path.glob("*_humansense_ar.jsonl")
    samples.write_text(samples.read_text()[:-300])
    (run,), (problem,) = read_runs([tmp_path])
    assert (len(run.samples), run.leaves["AR"].missing) == (3, 1)
    assert f"{samples}, line 4" in problem


@pytest.mark.parametrize("line", ["{}", "[]", "null", '{"doc_id": 0}', '{"acc": []}', "\x00"])
def test_a_line_that_is_no_sample_is_named(line: str, tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(0.5), tasks="AR", count=4)
    (samples,) = tmp_path.glob("*_humansense_ar.jsonl")
    samples.write_text(samples.read_text() + line + "\n")
    (run,), (problem,) = read_runs([tmp_path])
    assert len(run.samples) == 4
    assert "line 5 is not a sample of HumanSense" in problem


def test_places_without_results_are_named(tmp_path: Path) -> None:
    runs, problems = read_runs([tmp_path, tmp_path / "nowhere"])
    assert runs == []
    assert problems == [
        f"{tmp_path} contains no *_results.json of lmms-eval.",
        f"{tmp_path / 'nowhere'} does not exist.",
    ]
