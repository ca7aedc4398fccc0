"""Reading results: parts become runs, runs of one model get different names, and bad files are named."""

import json
import os
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


@pytest.mark.parametrize(("sampled", "count"), [(True, 2), (False, 1)])
def test_sampled_runs_are_told_apart_by_their_seeds(sampled: bool, count: int, tmp_path: Path) -> None:
    for seed in (1, 2):
        file = logged.write(tmp_path / str(seed), logged.mostly_right(0.5), tasks="AR", count=4)
        content = json.loads(file.read_text())
        content["config"]["torch_seed"] = seed
        content["model_info"]["generation_of_tasks"] = {"humansense_ar": {"do_sample": sampled}}
        file.write_text(json.dumps(content))
    runs, _ = read_runs([tmp_path])
    assert len(runs) == count
    assert all("seed=" in run.name for run in runs) is sampled


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


# Results of others may hold anything: one bad sample or file costs itself, by name.


def change_sample(folder: Path, task: str, place: int, path: str, value: Any) -> Path:
    """Set a field of a logged sample, such as "acc.gold"; `delete` removes it. Return the samples file."""
    (samples,) = folder.glob(f"*_humansense_{task}.jsonl")
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    *parents, name = path.split(".")
    holder = lines[place]
    for parent in parents:
        holder = holder[int(parent)] if isinstance(holder, list) else holder[parent]
    if value is DELETE:
        del holder[name]
    else:
        holder[name] = value
    samples.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return samples


DELETE = object()

HOSTILE: list[tuple[str, Any, str]] = [
    ("doc_id", float("inf"), "doc_id is inf, not a whole number from 0 on"),
    ("doc_id", -1, "doc_id is -1, not a whole number from 0 on"),
    ("doc_id", True, "doc_id is True"),
    ("acc", DELETE, "it has no acc"),
    ("acc", [], "acc is [], not an object"),
    ("acc.code", "ZZ", "acc.code is 'ZZ', not of AR"),
    ("acc.gold", None, "acc.gold is None, not a text"),
    ("acc.gold", "", "acc.gold is '', not an answer"),
    ("acc.parsed", ["A"], "acc.parsed is ['A'], not a text"),
    ("acc.options", "ABC", "acc.options is 'ABC', not a list of texts"),
    ("acc.options", ["A"] * 27, "not 1 to 26 options"),
    ("acc.pattern", "other", "acc.pattern is 'other', not one of single, multi, count, yesno"),
    ("acc.id", "VQA--1", "acc.id is 'VQA--1', not the place of a question (VQA-12)"),
    ("acc.id", "AQA-1", "acc.id is 'AQA-1', not the place of a question (VQA-12)"),
    ("acc.clip", [], "acc.clip is [], not a text"),
    ("acc.duration", "long", "acc.duration is 'long', not a number from 0 on"),
    ("acc.duration", float("nan"), "acc.duration is nan, not a number from 0 on"),
    ("acc.score", 2, "acc.score is 2, not a number from 0 to 1"),
    ("paper.score", None, "paper.score is None, not a number from 0 to 1"),
    ("failed.score", "no", "failed.score is 'no', not a number from 0 to 1"),
    ("filtered_resps", {}, "filtered_resps is {}, not a text"),
    ("token_counts", "many", "token_counts is 'many', not a list"),
    ("token_counts.0.frames", "many", "token_counts.frames is 'many', not a number from 0 on"),
    ("token_counts.0.seconds_heard", 1e308, "token_counts.seconds_heard is 1e+308, not a number from 0 on"),
    ("token_counts.0.time_axis", 2, "token_counts.time_axis is 2, not a text"),
]


@pytest.mark.parametrize(("path", "value", "said"), HOSTILE, ids=[said for *_, said in HOSTILE])
def test_a_sample_that_cannot_be_is_named_and_the_others_stay(path: str, value: Any, said: str, tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(1), tasks="AR,HC", count=4)
    samples = change_sample(tmp_path, "ar", 1, path, value)
    (run,), (problem,) = read_runs([tmp_path])
    assert (len(run.leaves["AR"].samples), run.leaves["AR"].missing, len(run.leaves["HC"].samples)) == (3, 1, 4)
    assert problem.startswith(f"{samples}, line 2 is not a sample of HumanSense, or it is cut off (")
    assert said in problem


def test_one_half_character_costs_only_itself(tmp_path: Path) -> None:
    results = logged.write(tmp_path, logged.mostly_right(1), tasks="AR", count=4)
    results.write_text(results.read_text().replace("org/Model", "org/Mo\\ud800del"))
    samples = change_sample(tmp_path, "ar", 2, "filtered_resps", "A\udfff")
    (run,), problems = read_runs([tmp_path])
    assert (run.name, len(run.samples), run.samples["response"][2]) == ("Mo?del", 4, "A?")
    assert problems == [
        f"{results}: characters that cannot be stored are replaced by question marks.",
        f"{samples}, line 3: characters that cannot be stored are replaced by question marks.",
    ]


def test_lines_about_one_question_count_once_and_are_named(tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(1), tasks="AR", count=4)
    (samples,) = tmp_path.glob("*_humansense_ar.jsonl")
    samples.write_text(samples.read_text() * 2)
    (run,), problems = read_runs([tmp_path])
    assert len(run.samples) == 4
    assert problems == [f"{samples}, line {n} is about the same question as a line before it." for n in (5, 6, 7, 8)]


def test_of_many_bad_lines_the_first_are_named_and_the_others_counted(tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(1), tasks="AR", count=4)
    (samples,) = tmp_path.glob("*_humansense_ar.jsonl")
    samples.write_text(samples.read_text() + "{}\n" * 1234)
    (run,), problems = read_runs([tmp_path])
    assert (len(run.samples), len(problems)) == (4, 11)
    assert problems[-1] == f"{samples}: 1,224 more lines are left out for such reasons."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"versions": [1]}, "see its versions"),
        ({"model_info": "tiny"}, "see its model_info"),
        ({"model_info": {"versions": "new"}}, "see its model_info.versions"),
        ({"model_info": {"refused_arguments": 5}}, "see its model_info.refused_arguments"),
        ({"model_info": {"generation_of_tasks": [1]}}, "see its model_info.generation_of_tasks"),
        ({"model_info": {"generation_of_tasks": {"a": {"until": 5}}}}, "see its model_info.generation_of_tasks"),
        ({"humansense_data": [{"commit": "abc"}]}, "see its humansense_data"),
        ({"humansense_data": [{"source": "x", "annotations": {"HumanSense_VQA.json": []}}]}, "see its humansense_data"),
        ({"n-samples": {"humansense_ar": {"original": None, "effective": 4}}}, "its n-samples of humansense_ar"),
        ({"n-samples": {"humansense_ar": {"original": 3, "effective": 3}}}, "do not fit its 4 samples"),
        ({"configs": {"humansense_ar": {"generation_kwargs": {"until": 5}}}}, "its configs.humansense_ar has another"),
        ({"configs": {"humansense_ar": []}, "model_info": {"x": [[]] * 3}}, None),
    ],
)
def test_results_of_another_form_are_named(change: dict[str, Any], said: str | None, tmp_path: Path) -> None:
    logged.write(tmp_path / "good", logged.mostly_right(1), tasks="AR", count=4)
    path = logged.write(tmp_path / "bad", logged.mostly_right(1), model="org/Other", tasks="AR", count=4)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    runs, problems = read_runs([tmp_path])
    assert "Model" in [run.name for run in runs]
    if said is not None:
        (problem,) = problems
        assert str(path) in problem
        assert said in problem


def test_a_results_file_that_is_nested_too_deep_is_named(tmp_path: Path) -> None:
    path = logged.write(tmp_path, logged.mostly_right(1), tasks="AR", count=4)
    deep = "[" * 200_000 + "]" * 200_000
    path.write_text(path.read_text()[:-1] + f', "deep": {deep}}}')
    assert read_runs([tmp_path])[0] == []
    assert "nested more than 100 levels deep" in read_runs([tmp_path])[1][0]


def test_a_task_whose_settings_are_lost_is_named(tmp_path: Path) -> None:
    path = logged.write(tmp_path, logged.mostly_right(1), tasks="AR,HC", count=4)
    results = json.loads(path.read_text())
    for part in ("configs", "results", "n-samples"):
        del results[part]["humansense_hc"]
    path.write_text(json.dumps(results))
    (run,), (problem,) = read_runs([tmp_path])
    assert set(run.leaves) == {"AR"}
    assert "its configs have no humansense_hc" in problem


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(1), tasks="AR", count=4)
    os.mkfifo(tmp_path / "a_results.json")
    (run,), problems = read_runs([tmp_path])
    assert (len(run.samples), problems) == (4, [])


def test_names_are_on_one_line_and_obey_no_terminal(tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(1), model="org/A\n\x1b[2J\u202eB" + "c" * 200, tasks="AR", count=4)
    (run,), _ = read_runs([tmp_path])
    assert run.name == "A [2J B" + "c" * 112 + "…"


def test_responses_without_scores_are_named_with_the_flag_that_made_them(tmp_path: Path) -> None:
    file = logged.write(tmp_path, logged.mostly_right(1), tasks="AR", count=2)
    content = json.loads(file.read_text(encoding="utf-8"))
    content["results"]["humansense_ar"] = {"alias": "humansense_ar", "bypass,none": 999}
    file.write_text(json.dumps(content), encoding="utf-8")
    runs, problems = read_runs([tmp_path])
    assert runs == []
    assert problems == [
        f"{file}: humansense_ar was made with --predict_only, so its responses have no scores; run it again without it."
    ]


def test_how_responses_were_generated_is_what_the_model_says_it_did(tmp_path: Path) -> None:
    done = {"humansense_ar": {"do_sample": True, "temperature": 1.0}}
    logged.write(tmp_path, logged.mostly_right(1), tasks="AR", count=2, model_info={"generation_of_tasks": done})
    (run,), _ = read_runs([tmp_path])
    assert run.settings["generation"] == {"do_sample": True, "temperature": 1.0, "until": []}
    assert "sampled" in table.notes(run)
