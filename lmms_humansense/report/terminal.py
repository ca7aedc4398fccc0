"""The table in a terminal: the levels, and the paper's average."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from ..results.runs import METRICS, TRUNCATED, Run
from ..tasks.humansense.taxonomy import LEVELS
from .table import COLUMNS, Cell, Table, table

_SHOWN = ("Avg.", *LEVELS, "FR2", "PC")
_STYLES = {"run": "bold", "paper": "", "human": "dim", "chance": "dim"}


def show(tables: Sequence[Table], console: Console) -> None:
    """Print the tables, and the notes of the runs below them.

    Args:
        tables: A table for each metric.
        console: Where to print.
    """
    for each in tables:
        grid = Grid(title=f"HumanSense, {each.metric}, %", title_justify="left")
        grid.add_column("")
        for column in _SHOWN:
            grid.add_column(column, justify="right")
        for row in each.rows:
            grid.add_row(
                Text(row.name),
                *(_shown(row.cells.get(column), each.blank) for column in _SHOWN),
                style=_STYLES[row.kind],
            )
        console.print(grid)
    for row in tables[0].rows if tables else ():
        if row.kind == "run" and row.notes:
            console.print(f"{row.name}: {'; '.join(row.notes)}", markup=False)


def show_run(run: Run, console: Console) -> None:
    """Print one run in full: all tasks, levels and the average, with intervals and counts, and how much is truncated.

    Args:
        run: The run.
        console: Where to print.
    """
    rows = {metric: table([run], metric, "none").rows[0] for metric in METRICS}
    truncated = table([run], TRUNCATED, "none")
    grid = Grid(title=Text(f"HumanSense, {run.name}, %"), title_justify="left")
    for heading in ("", *(part for metric in METRICS for part in (metric, "95 %", "of")), TRUNCATED, ""):
        grid.add_column(heading, justify="right" if heading else "left")
    for column in COLUMNS:
        cells = [row.cells.get(column) for row in rows.values()]
        if any(cells):
            marks = ", ".join(dict.fromkeys(mark for cell in cells if cell for mark in cell.marks))
            share = _shown(truncated.rows[0].cells.get(column), truncated.blank).rstrip("!")
            grid.add_row(column, *(part for cell in cells for part in _in_full(cell)), share, marks)
    console.print(grid)
    notes = rows["acc"].notes
    console.print(f"{run.name}: {'; '.join(notes)}" if notes else "", markup=False)


def _in_full(cell: Cell | None) -> tuple[str, str, str]:
    if cell is None:
        return "", "", ""
    interval = "" if cell.low is None or cell.high is None else f"{100 * cell.low:.1f}–{100 * cell.high:.1f}"
    return f"{100 * cell.score:.2f}", interval, f"{cell.questions:,}"


def _shown(cell: Cell | None, blank: str) -> str:
    if cell is None:
        return blank
    return f"{100 * cell.score:.1f}" + ("!" if cell.marks else "")
