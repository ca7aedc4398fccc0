"""Statistics, the table and its forms, and that no number looks more comparable than it is."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import logged
import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lmms_humansense.tasks.humansense.taxonomy import TASKS

from lmms_humansense.report import statistics
from lmms_humansense.report.compare import comparisons
from lmms_humansense.report.published import INCONSISTENT, human, published, rows
from lmms_humansense.report.runs import Run, read_runs
from lmms_humansense.report.table import COLUMNS, VIDEO, Table, notes, table
from lmms_humansense.report.write import as_json, comma_separated, latex, markdown


def samples(credits: dict[str, list[float]]) -> pandas.DataFrame:
    """A sample for each credit, by clip."""
    listed = [(clip, credit) for clip, found in credits.items() for credit in found]
    return pandas.DataFrame(
        {
            "doc_id": range(len(listed)),
            "id": [f"VQA-{number}" for number in range(len(listed))],
            "clip": [clip for clip, _ in listed],
            "acc": [credit for _, credit in listed],
        }
    )


# The paper's rows.


def test_each_average_of_the_paper_is_that_of_its_row_but_for_two_that_are_marked() -> None:
    checked = 0
    for row in published():
        scores = [row.scores.get(task.code) for task in VIDEO]
        if row.average is None or None in scores:
            continue
        error = abs(float(np.mean(scores)) - row.average)  # type: ignore[arg-type]
        assert (error > 0.0015) == (row.model in INCONSISTENT and not row.is_subset), (row.model, error)
        checked += 1
    assert checked == 14


def test_the_rows_that_are_shown_can_be_chosen() -> None:
    assert rows("none") == []
    assert {row.family for row in rows("omni")} == {"omni", "audio", "human"}
    assert len(rows("all")) == 12
    assert human().scores["LD"] == 0.533


# Statistics.


def test_an_interval_knows_that_questions_share_clips() -> None:
    chance = np.random.default_rng(0)
    clips = {f"clip {number}": [float(chance.random() < 0.5)] * 4 for number in range(50)}
    shared = statistics.estimate(samples(clips), "acc")
    alone = statistics.estimate(
        samples({f"{clip}-{n}": [credit] for clip, found in clips.items() for n, credit in enumerate(found)}), "acc"
    )
    assert shared is not None
    assert alone is not None
    assert shared.mean == alone.mean
    assert (shared.questions, shared.clips, alone.clips) == (200, 50, 200)
    # Four answers that always agree are worth one: the interval is twice as wide.
    assert 1.7 < (shared.high - shared.low) / (alone.high - alone.low) < 2.3


def test_a_bootstrapped_interval_is_that_of_the_formula() -> None:
    chance = np.random.default_rng(1)
    credits = [float(chance.random() < 0.6) for _ in range(400)]
    told = statistics.estimate(samples({str(number): [credit] for number, credit in enumerate(credits)}), "acc")
    assert told is not None
    half = 1.96 * np.std(credits) / 20
    assert told.low == pytest.approx(told.mean - half, abs=0.01)
    assert told.high == pytest.approx(told.mean + half, abs=0.01)


@pytest.mark.parametrize("credit", [0.0, 1.0])
def test_answers_that_are_all_alike_do_not_make_a_score_certain(credit: float) -> None:
    told = statistics.estimate(samples({str(number): [credit] for number in range(10)}), "acc")
    assert told is not None
    assert (told.low, told.high) == pytest.approx((0.0, 0.278) if credit == 0 else (0.722, 1.0), abs=0.001)


@given(st.dictionaries(st.text(min_size=1), st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1), min_size=1))
def test_a_mean_is_within_its_interval(credits: dict[str, list[float]]) -> None:
    told = statistics.estimate(samples(credits), "acc")
    assert told is not None
    assert 0 <= told.low <= told.mean + 1e-9
    assert told.mean - 1e-9 <= told.high <= 1


def test_items_without_a_credit_are_not_counted() -> None:
    frame = samples({"a": [1.0, 0.0], "b": [1.0]})
    frame["paper"] = [1.0, None, None]
    told = statistics.estimate(frame, "paper")
    assert told is not None
    assert (told.mean, told.questions) == (1.0, 1)
    assert statistics.estimate(frame.assign(paper=None), "paper") is None


def test_an_average_is_narrower_than_what_it_is_of() -> None:
    parts = [
        statistics.estimate(samples({str(n): [float((n + shift) % 2)] for n in range(40)}), "acc") for shift in range(4)
    ]
    whole = statistics.average([part for part in parts if part is not None])
    widths = [part.high - part.low for part in parts if part is not None]
    assert whole.mean == 0.5
    assert (whole.high - whole.low) == pytest.approx(np.mean(widths) / 2, rel=0.2)


@pytest.mark.parametrize("credit", [0.0, 1.0])
def test_an_average_of_tasks_that_are_all_alike_is_within_its_interval(credit: float) -> None:
    part = statistics.estimate(samples({str(number): [credit] for number in range(10)}), "acc")
    assert part is not None
    whole = statistics.average([part] * 13)
    assert whole.mean == credit
    assert 0.02 < whole.high - whole.low < 0.28
    assert whole.low <= credit <= whole.high


def test_chance_follows_from_the_questions() -> None:
    frame = pandas.DataFrame(
        {
            "pattern": ["single", "single", "count", "multi", "yesno"],
            "gold": ["A", "A", "4", "AC", "yes"],
            "option_count": [2, 4, 0, 4, 0],
        }
    )
    told = statistics.chance(frame)
    multi = (1 + 0.5 * 2) / 15  # AC, and A or C alone, of the 15 sets of four letters
    assert told["uniform"] == pytest.approx(np.mean([1 / 2, 1 / 4, 1 / 11, multi, 1 / 2]))
    assert told["commonest"] == pytest.approx(np.mean([1, 1, 0, 0.5, 0]))


def test_a_difference_is_paired_by_question() -> None:
    first = samples({str(number): [float(number % 2)] for number in range(100)})
    better = first.assign(acc=[1.0 if number < 20 else float(number % 2) for number in range(100)])
    told = statistics.difference(first, better, "acc")
    assert told is not None
    assert told.mean == pytest.approx(0.1)
    assert 0 < told.low < 0.1 < told.high
    assert told.p < 0.01
    assert told.gained == [f"VQA-{number}" for number in range(0, 20, 2)]
    assert told.lost == []
    same = statistics.difference(first, first, "acc")
    assert same is not None
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_runs_that_share_no_question_are_not_compared() -> None:
    first = samples({"a": [1.0]})
    assert statistics.difference(first, first.assign(id=["VQA-9"]), "acc") is None


# The table.


def runs_of(folder: Path) -> list[Run]:
    runs, problems = read_runs([folder])
    assert problems == []
    return runs


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("results")
    logged.write(folder / "a", logged.mostly_right(0.7), model="org/A|B", count=30)
    logged.write(folder / "b", logged.mostly_right(0.4), model="org/C_D", count=30)
    return runs_of(folder)


def test_a_cell_is_the_mean_of_its_questions_and_an_average_the_mean_of_its_tasks(two: list[Run]) -> None:
    row = table(two, "acc", "none").rows[0]
    means = {code: leaf.samples["acc"].mean() for code, leaf in two[0].leaves.items()}
    for column, tasks in COLUMNS.items():
        assert row.cells[column].score == pytest.approx(np.mean([means[task.code] for task in tasks]))
    assert row.cells["AR"].questions == 30


def test_best_and_second_best_are_among_models_only(two: list[Run]) -> None:
    made = table(two, "acc", "all")
    for column in COLUMNS:
        ranked = {row.name: row.cells[column].rank for row in made.rows if column in row.cells}
        assert all(ranked.get(row.name) is None for row in made.rows if row.kind in ("human", "chance"))
        models = [row for row in made.rows if row.kind in ("run", "paper") and column in row.cells]
        best = max(models, key=lambda row: row.cells[column].score)
        assert ranked[best.name] == 1


@pytest.mark.parametrize(
    "changes", [{"variant": "sample"}, {"limit": 3}, {"model_info": {"random_weights": True}}], ids=str
)
def test_a_run_that_is_no_models_on_all_questions_is_never_the_best(changes: dict[str, Any], tmp_path: Path) -> None:
    logged.write(tmp_path, lambda doc, chance: doc["answer"], count=6, **changes)
    (ours, *theirs) = table(runs_of(tmp_path), "acc", "all").rows
    assert ours.cells["AR"].score == 1
    assert {cell.rank for cell in ours.cells.values()} == {None}
    assert any(row.cells["AR"].rank == 1 for row in theirs if "AR" in row.cells)


def test_means_are_given_only_where_all_of_their_tasks_are_there(tmp_path: Path) -> None:
    codes = ",".join(task.code for task in TASKS if task.code not in ("LD", "PC"))
    logged.write(tmp_path, logged.mostly_right(0.5), tasks=codes, count=4)
    (run,) = runs_of(tmp_path)
    cells = table([run], "acc", "none").rows[0].cells
    assert {"Avg.", "L3", "L4", "LD", "PC"}.isdisjoint(cells)
    assert {"L1", "L2", "AR", "ES"} <= set(cells)
    assert "no LD, PC" in notes(run)


def failing(doc: logged.Doc, chance: object) -> str:
    return "[request failed] MediaError: it broke" if doc["id"].endswith("1") else doc["answer"]


def test_what_makes_a_run_incomparable_stands_in_its_row(tmp_path: Path) -> None:
    info = {"random_weights": True, "time_axis": "true", "frames": "model", "fps": 2.0}
    logged.write(tmp_path / "a", failing, count=12, limit=2, model_info=info, variant="sample")
    (run,) = runs_of(tmp_path)
    told = notes(run)
    for note in (
        "random weights", "made with --limit 2", "time axis true", "frames model", "fps 2.0", "15 failed",
        "tasks humansense_sample, not the benchmark", "greedy (the paper sampled)",
    ):  # fmt: skip
        assert note in told
    cell = table([run], "acc", "none").rows[0].cells["AR"]
    assert cell.marks == ("10 missing", "1 failed")


def test_a_plain_complete_run_has_one_note(two: list[Run]) -> None:
    assert notes(two[0]) == ["greedy (the paper sampled)"]


def test_the_forms_hold_the_same_numbers(two: list[Run]) -> None:
    tables = [table(two, metric, "all") for metric in ("paper", "acc")]
    written = list(csv.DictReader(io.StringIO(comma_separated(tables))))
    told = json.loads(as_json(tables, two, comparisons(two, "acc")))
    for made in tables:
        for place, row in enumerate(made.rows):
            for column, cell in row.cells.items():
                (line,) = (
                    each
                    for each in written
                    if (each["metric"], each["row"], each["column"]) == (made.metric, row.name, column)
                )
                assert float(line["score"]) == cell.score
                assert told["tables"][made.metric][place]["scores"][column]["score"] == cell.score
    assert told["runs"][0]["tasks"]["AR"] == {"samples": 30, "of": 30}
    assert set(told["comparisons"][0]["tasks"]) == {task.code for task in TASKS}


def test_markdown_and_latex_are_well_formed_whatever_models_are_called(two: list[Run]) -> None:
    made: Table = table(two, "acc", "all")
    lines = [line for line in markdown([made]).splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in lines} == {len(COLUMNS) + 2}
    body = [line for line in latex(made).splitlines() if line.endswith("\\\\")]
    assert {line.replace("\\&", "").count("&") for line in body} == {len(COLUMNS)}
    assert "C\\_D" in latex(made)
    assert "A|B" in latex(made)
