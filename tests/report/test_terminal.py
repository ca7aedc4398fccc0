"""The table at the end of a run: both metrics of the run, and every row of the paper once."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from lmms_humansense.report.table import table
from lmms_humansense.report.terminal import show_short
from lmms_humansense.results.reading import read_runs
from lmms_humansense.results.runs import METRICS, SHARES
from tests.helpers import logged


def test_every_row_is_there_once_and_shares_that_are_0_are_not(tmp_path: Path) -> None:
    runs, _ = read_runs([logged.write(tmp_path, logged.mostly_right(0.7), count=4)])
    printed = io.StringIO()
    tables = [table(runs, metric, "omni") for metric in (*METRICS, *SHARES)]
    show_short(tables, runs, Console(file=printed, width=100))
    lines = [line.strip() for line in printed.getvalue().splitlines()]
    (name,) = [run.name for run in runs]
    assert [sum(line.startswith(f"{name}, {metric} ") for line in lines) for metric in METRICS] == [1, 1]
    for row in tables[0].rows:
        if row.kind != "run":
            assert sum(line.startswith(row.name) for line in lines) == 1
    shown = {metric for metric in SHARES if any(line.startswith(f"{name}, {metric} ") for line in lines)}
    assert shown == {
        each.metric
        for each in tables
        if each.metric in SHARES and any(cell.score for row in each.rows for cell in row.cells.values())
    }


def printed_for(tmp_path: Path, tasks: str, width: int = 80) -> list[str]:
    runs, _ = read_runs(
        [logged.write(tmp_path, logged.mostly_right(1), model="org/A_model_with_a_long_name", tasks=tasks, count=4)]
    )
    printed = io.StringIO()
    show_short(
        [table(runs, metric, "omni") for metric in (*METRICS, *SHARES)], runs, Console(file=printed, width=width)
    )
    return printed.getvalue().splitlines()


@pytest.mark.parametrize(
    ("tasks", "columns"),
    [
        ("AR", ["AR"]),
        ("TR,FR1,FR2", ["TR", "FR1", "FR2"]),
        ("AR,ER,GR,PA,AC,LD", ["L1", "AC", "LD"]),
        ("", ["Avg.", "L1", "L2", "L3", "L4", "FR2", "PC"]),
    ],
)
def test_the_columns_are_those_in_which_the_run_has_scores(tmp_path: Path, tasks: str, columns: list[str]) -> None:
    lines = printed_for(tmp_path, tasks)
    assert lines[2].split() == columns
    (scores,) = [line.split()[-len(columns) :] for line in lines if line.strip().startswith("Qwen2.5-Omni-7B ")]
    assert len(scores) == len(columns)
    assert any(line.split()[-len(columns) :] == ["100.0"] * len(columns) for line in lines)
    assert any("Qwen2-Audio-7B" in line for line in lines) == ("FR2" in columns)  # it has no other scores


def test_scores_are_never_cut_and_columns_that_do_not_fit_follow_below(tmp_path: Path) -> None:
    lines = printed_for(tmp_path, "AR,ER,GR,PA,AC,CM,TR,FR1,FR2,LD,RR1", width=80)
    assert not any("…" in line for line in lines)
    headings = [line.split() for line in lines if set(line.split()) & {"L1", "RR1"}]
    assert headings == [["L1", "AC", "CM", "TR", "FR1", "FR2", "LD"], ["RR1"]]
