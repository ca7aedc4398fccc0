"""The table and its forms, and that no number looks more comparable than it is."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lmms_humansense.report.compare import comparisons
from lmms_humansense.report.table import COLUMNS, Table, notes, table
from lmms_humansense.report.terminal import show, show_run
from lmms_humansense.report.write import as_json, comma_separated, latex, markdown
from lmms_humansense.results.reading import read_runs
from lmms_humansense.results.runs import Run
from lmms_humansense.tasks.humansense.annotations import Doc
from lmms_humansense.tasks.humansense.taxonomy import TASKS
from tests.helpers import logged


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


def failing(doc: Doc, chance: object) -> str:
    return "[request failed] MediaError: it broke" if doc["id"].endswith("1") else doc["answer"]


def test_what_makes_a_run_incomparable_stands_in_its_row(tmp_path: Path) -> None:
    info = {"random_weights": True, "time_axis": "true", "frames": "model", "fps": 2.0}
    logged.write(tmp_path / "a", failing, count=12, limit=2, model_info=info, variant="sample")
    (run,) = runs_of(tmp_path)
    found = notes(run)
    for note in (
        "random weights", "made with --limit 2", "time axis true", "frames model", "fps 2.0", "15 failed",
        "tasks humansense_sample, not the benchmark", "greedy (the paper sampled)",
    ):  # fmt: skip
        assert note in found
    cell = table([run], "acc", "none").rows[0].cells["AR"]
    assert cell.marks == ("10 missing", "1 failed")


def test_how_responses_ended_stands_in_every_table_and_is_never_zero_where_it_is_not_known(tmp_path: Path) -> None:
    def ended(doc: Doc, chance: object) -> str:
        if doc["code"] in ("HC", "FR2"):
            return doc["answer"]  # the model does not say
        cut_off = doc["code"] == "AR" and doc["id"].endswith("0")
        return f"[response truncated] {doc['answer']}" if cut_off else f"[response complete] {doc['answer']}"

    logged.write(tmp_path, ended, count=4)
    (run,) = runs_of(tmp_path)
    assert (run.leaves["AR"].truncated, run.leaves["HC"].truncated) == (1, 0)
    assert set(run.leaves["AR"].samples["response"]) <= {"A", "B", "C", "D", "E"}
    assert run.leaves["AR"].estimates["acc"].mean == 1  # type: ignore[union-attr]
    made = table([run], "truncated", "all")
    (row,) = made.rows
    assert (row.cells["AR"].score, row.cells["ER"].score) == (0.25, 0)
    assert {"HC", "FR2", "L2", "Avg."}.isdisjoint(row.cells)
    assert row.cells["L1"].score == pytest.approx(0.25 / sum(task.level == "L1" for task in TASKS))
    assert "1 truncated at max_new_tokens" in notes(run)
    assert table([run], "acc", "none").rows[0].cells["AR"].marks == ("1 truncated",)
    (line,) = [line for line in markdown([made]).splitlines() if line.startswith("| Model")]
    shown = dict(zip(["", *COLUMNS], [cell.strip() for cell in line.split("|")[1:-1]], strict=True))
    assert (shown["HC"], shown["Avg."], shown["ER"][:3], shown["AR"][:4]) == ("–", "–", "0.0", "25.0")
    scores = json.loads(as_json([made], [run], [], {}))["scores"]["Model"]["truncated"]
    assert (scores["AR"], scores["ER"], "HC" in scores) == (0.25, 0, False)
    assert " & -- & " in latex(made)
    console = Console(file=io.StringIO(), width=200)
    show([made], [run], console)
    show_run(run, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "HumanSense, truncated, %" in text
    of_run = {cells[1].strip(): cells[-4].strip() for line in text.splitlines() if len(cells := line.split("│")) > 8}
    assert (of_run["AR"], of_run["ER"], of_run["HC"]) == ("25.0", "0.0", "–")


NOTHING = "lmms-eval's wrappers turn errors into empty answers; read the log."


def silent(doc: Doc, chance: object) -> str:
    """Nothing about TR, and half of FR2; two of three questions of PC fail."""
    number = int(doc["id"].partition("-")[2]) % 4
    failed = ("[SAFETY_BLOCKED:unknown]", "[LMMS_EVAL_BUDGET_EXCEEDED]", doc["answer"], doc["answer"])
    return {"TR": "", "FR2": "" if number < 2 else doc["answer"], "PC": failed[number]}.get(doc["code"], doc["answer"])


def test_empty_responses_stand_in_every_table_and_are_said_aloud(tmp_path: Path) -> None:
    logged.write(tmp_path, silent, count=4, wrapper="qwen2_5_omni", variant="sample")
    (run,) = runs_of(tmp_path)
    assert [run.leaves[code].empty for code in ("TR", "FR2", "PC", "AR")] == [4, 2, 0, 0]
    alarms = [
        f"{run.name}: 2 of 4 requests of humansense_sample_pc failed: the samples say why.",
        f"{run.name}: 4 of 4 responses of humansense_sample_tr, 2 of 4 responses of humansense_sample_fr2 are empty: "
        f"{NOTHING}",
    ]
    assert run.alarms == alarms
    made = table([run], "empty", "all")
    (row,) = made.rows
    assert (row.cells["TR"].score, row.cells["FR2"].score, row.cells["AR"].score) == (1, 0.5, 0)
    assert row.cells["L2"].score == pytest.approx(1 / sum(task.level == "L2" for task in TASKS))
    assert table([run], "acc", "none").rows[0].cells["TR"].marks == ("4 empty",)
    assert "6 of 60 responses are empty" in notes(run)
    failed = "2 failed (1 not asked, because the budget of tokens was spent, 1 blocked by a safety filter)"
    assert failed in notes(run)
    text = markdown([made], [run])
    assert all(f"**{alarm}**" in text for alarm in alarms)
    (line,) = [line for line in text.splitlines() if line.startswith("| Model")]
    assert dict(zip(["", *COLUMNS], [cell.strip() for cell in line.split("|")[1:-1]], strict=True))["TR"][:5] == "100.0"
    assert json.loads(as_json([made], [run], [], {}))["scores"][run.name]["empty"]["FR2"] == 0.5
    assert ["empty", "0.5"] in [
        [line["metric"], line["score"]]
        for line in csv.DictReader(io.StringIO(comma_separated([made])))
        if line["column"] == "FR2"
    ]
    assert " & 100.0 & " in latex(made)
    console = Console(file=io.StringIO(), width=200, soft_wrap=True)
    show([made], [run], console)
    show_run(run, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "HumanSense, empty, %" in printed
    assert all(alarm in printed for alarm in alarms)
    of_run = {cells[1].strip(): cells[-3].strip() for line in printed.splitlines() if len(cells := line.split("│")) > 8}
    assert (of_run["TR"], of_run["FR2"], of_run["AR"]) == ("100.0", "50.0", "0.0")


def test_empty_responses_of_this_packages_models_are_counted_and_no_wrapper_is_blamed(tmp_path: Path) -> None:
    logged.write(tmp_path, silent, count=4)
    (run,) = runs_of(tmp_path)
    assert run.alarms == []
    assert "6 of 60 responses are empty" in notes(run)


def test_results_that_do_not_say_what_is_empty_are_read(tmp_path: Path) -> None:
    logged.write(tmp_path, silent, count=4, wrapper="qwen2_5_omni")
    for file in tmp_path.glob("*_samples_*"):
        samples = [json.loads(line) for line in file.read_text().splitlines()]
        for sample in samples:
            del sample["empty"]
            sample["failed"].pop("kind", None)
        file.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    (run,) = runs_of(tmp_path)
    assert len(run.samples) == 60
    made = table([run], "empty", "none")
    assert made.rows[0].cells == {}
    assert markdown([made]).count("–") >= len(COLUMNS)
    assert not [note for note in notes(run) if "are empty" in note]
    assert "2 failed" in notes(run)


def test_of_results_that_do_not_say_how_responses_ended_nothing_is_said(two: list[Run]) -> None:
    made = table(two, "truncated", "none")
    assert [row.cells for row in made.rows] == [{}, {}]
    assert markdown([made]).count("–") >= 2 * len(COLUMNS)
    assert not [note for run in two for note in notes(run) if "truncated" in note]


def test_a_plain_complete_run_has_one_note(two: list[Run]) -> None:
    assert notes(two[0]) == ["greedy (the paper sampled)"]


def test_the_forms_hold_the_same_numbers(two: list[Run]) -> None:
    tables = [table(two, metric, "all") for metric in ("paper", "acc")]
    written = list(csv.DictReader(io.StringIO(comma_separated(tables))))
    content = json.loads(as_json(tables, two, comparisons(two, "acc"), {}))
    for made in tables:
        for place, row in enumerate(made.rows):
            for column, cell in row.cells.items():
                (line,) = (
                    each
                    for each in written
                    if (each["metric"], each["row"], each["column"]) == (made.metric, row.name, column)
                )
                assert float(line["score"]) == cell.score
                assert content["tables"][made.metric][place]["scores"][column]["score"] == cell.score
    assert content["runs"][0]["tasks"]["AR"] == {"samples": 30, "of": 30}
    assert set(content["comparisons"][0]["tasks"]) == {task.code for task in TASKS}


def test_markdown_and_latex_are_well_formed_whatever_models_are_called(two: list[Run]) -> None:
    made: Table = table(two, "acc", "all")
    lines = [line for line in markdown([made]).splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in lines} == {len(COLUMNS) + 2}
    body = [line for line in latex(made).splitlines() if line.endswith("\\\\")]
    assert {line.replace("\\&", "").count("&") for line in body} == {len(COLUMNS)}
    assert "C\\_D" in latex(made)
    assert "A|B" in latex(made)


# Names and settings come from files of others.

HOSTILE = "a\n\\input{/etc/passwd}\r\u2028\\write18{x}$x$"


def test_a_comment_of_latex_is_one_line_and_a_cell_has_no_command(tmp_path: Path) -> None:
    info = {"fps": "1\n\\input{b}", "random_weights": True}
    logged.write(tmp_path, logged.mostly_right(1), model=HOSTILE.replace("/", "|"), count=4, model_info=info)
    for line in latex(table(runs_of(tmp_path), "acc", "none")).splitlines():
        assert line.startswith(
            ("% ", "\\begin{tabular}", "\\end{tabular}", "\\toprule", "\\midrule", "\\bottomrule")
        ) or (line.endswith(r" \\") and r"\input" not in line and r"\write" not in line)
    assert "% a " in latex(table(runs_of(tmp_path), "acc", "none"))


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "x;=1+1", "x,-2", 'x"=1', "x\t=1"])
def test_no_cell_of_the_csv_is_a_formula(name: str, tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(1), model=name, tasks="AR", count=4, model_info={"fps": name})
    text = comma_separated([table(runs_of(tmp_path), "acc", "none")])
    (line,) = [row for row in csv.DictReader(io.StringIO(text)) if row["kind"] == "run" and row["column"] == "AR"]
    assert line["score"] == "1.0"
    for separator in ",;\t|":
        cells = [cell for row in csv.reader(io.StringIO(text), delimiter=separator) for cell in row]
        assert not [cell for cell in cells if cell.strip().startswith(("=", "+", "-", "@"))]


def test_a_name_is_no_link_and_no_markup_in_markdown(tmp_path: Path) -> None:
    name = r"[x](javascript:y)\|<b>`"
    logged.write(tmp_path, logged.mostly_right(1), model=name, tasks="AR", count=4)
    line = next(
        line for line in markdown([table(runs_of(tmp_path), "acc", "none")]).splitlines() if "javascript" in line
    )
    assert r"[x]\(javascript:y)&#92;\|&lt;b>\`" in line


def test_a_task_without_any_score_is_shown_as_such(tmp_path: Path) -> None:
    def answer(doc: Doc, chance: Any) -> str:
        return {"AR": "[request failed] gone", "ER": ""}.get(doc["code"], doc["answer"])

    logged.write(tmp_path, answer, count=4)
    made = table(runs_of(tmp_path), "paper", "none")
    row = made.rows[0]
    assert row.unscored == ("Avg.", "L1", "AR", "ER")
    assert "no paper in AR, ER, where every response failed or is empty" in row.notes
    assert table(runs_of(tmp_path), "acc", "none").rows[0].unscored == ()
    (shown,) = [line for line in markdown([made]).splitlines() if line.startswith("| Model |")]
    assert [cell.strip() == "–" for cell in shown.split("|")[2:-1]] == [column in row.unscored for column in COLUMNS]
    said = [row for row in csv.DictReader(io.StringIO(comma_separated([made]))) if row["column"] == "AR"]
    assert [(row["score"], row["marks"]) for row in said if row["kind"] == "run"] == [("", "no score")]
    console = Console(record=True, width=200, file=io.StringIO())
    show([made], runs_of(tmp_path), console)
    show_run(runs_of(tmp_path)[0], console)
    printed = console.export_text()
    assert printed.count("no paper in AR, ER") == 2
    assert "–" in printed
