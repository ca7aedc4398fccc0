"""The table at the end of a run: both metrics of the run, and every row of the paper once."""

import io
from pathlib import Path

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
