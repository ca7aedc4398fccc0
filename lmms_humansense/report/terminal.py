"""The table in a terminal: the levels, and the paper's average."""

from collections.abc import Iterable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from ..results.runs import METRICS, SHARES, Run
from ..tasks.humansense.taxonomy import LEVELS, TASKS
from .table import COLUMNS, Row, Table, table

SHOWN = ("Avg.", *LEVELS, "FR2", "PC")
"""The columns of a table in a terminal."""
_OF_A_NAME, _OF_A_SCORE = 26, 7
"""The widths that a row's name and each of its scores may take, in characters."""
_STYLES = {"run": "bold", "paper": "", "human": "dim", "chance": "dim"}


def show(tables: Sequence[Table], runs: Sequence[Run], console: Console, shown: Sequence[str] = SHOWN) -> None:
    """Print the tables, and below them the notes of the runs and what went wrong in them.

    Args:
        tables: A table for each metric.
        runs: The runs of the tables.
        console: Where to print.
        shown: The columns.
    """
    for each in tables:
        grid = _grid(f"HumanSense, {each.metric}, %", shown)
        for row in each.rows:
            grid.add_row(
                Text(row.name), *(_shown(row, column, each.blank) for column in shown), style=_STYLES[row.kind]
            )
        console.print(grid)
    _say(tables, runs, console)


def show_short(tables: Sequence[Table], runs: Sequence[Run], console: Console) -> None:
    """Print one table for the end of a run: both metrics of the runs, shares that are not 0, and the paper's rows once.

    Args:
        tables: A table for each metric.
        runs: The runs of the tables.
        console: Where to print.
    """
    for number, columns in enumerate(_in_parts(_columns(tables), console.width)):
        grid = _grid(None if number else "HumanSense, %", columns)
        for each, row in _told(tables, columns):
            name = f"{row.name}, {each.metric}" if row.kind == "run" else row.name
            grid.add_row(Text(name), *(_shown(row, column, each.blank) for column in columns), style=_STYLES[row.kind])
        console.print(grid)
    marked = any(cell.marks for each in tables for row in each.rows for cell in row.cells.values())
    if marked:
        console.print("!: not comparable with other rows; the report says why.")
    _say(tables, runs, console)


def _grid(title: str | None, columns: Iterable[str]) -> Grid:
    """A table without rows. Names are folded where there is little room, and scores are never cut."""
    grid = Grid(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    grid.add_column("", overflow="fold")
    for column in columns:
        grid.add_column(column, justify="right", no_wrap=True)
    return grid


def _columns(tables: Sequence[Table]) -> list[str]:
    """The columns in which a run has a score or was asked: the usual ones, and the tasks of levels that none has."""
    rows = [row for each in tables for row in each.rows if row.kind == "run"]
    told = {column for row in rows for column in (*row.cells, *row.unscored)}
    alone = {task.code for task in TASKS if task.level not in told}
    return [column for column in COLUMNS if column in told and (column in SHOWN or column in alone)]


def _in_parts(columns: Sequence[str], width: int) -> Iterator[Sequence[str]]:
    """The columns that fit beside each other, for a width in characters."""
    count = max(4, (width - _OF_A_NAME) // _OF_A_SCORE)
    yield from (columns[start : start + count] for start in range(0, max(1, len(columns)), count))


def _told(tables: Sequence[Table], columns: Sequence[str]) -> Iterator[tuple[Table, Row]]:
    """The rows of the short table, each with the table from which it comes; of others only those with a score there."""
    for kind in ("run", "paper", "human", "chance"):
        for each in tables:
            for row in (row for row in each.rows if row.kind == kind and _is_told(each, row)):
                if kind == "run" or not row.cells.keys().isdisjoint(columns):
                    yield each, row


def _is_told(each: Table, row: Row) -> bool:
    """Whether a row belongs into the short table: those that are no run only once, and shares only if one is not 0."""
    if row.kind != "run":
        return each.metric == METRICS[0]
    return each.metric in METRICS or any(cell.score > 0 for cell in row.cells.values())


def _say(tables: Sequence[Table], runs: Sequence[Run], console: Console) -> None:
    for name, notes in _notes(row for each in tables for row in each.rows if row.kind == "run").items():
        console.print(f"{name}: {'; '.join(notes)}", markup=False)
    for alarm in (alarm for run in runs for alarm in run.alarms):
        console.print(alarm, style="bold red", markup=False)


def _notes(rows: Iterable[Row]) -> dict[str, list[str]]:
    """The notes of each run, those of all metrics together."""
    found: dict[str, list[str]] = {}
    for row in rows:
        known = found.setdefault(row.name, [])
        known += [note for note in row.notes if note not in known]
    return {name: notes for name, notes in found.items() if notes}


def show_run(run: Run, console: Console) -> None:
    """Print one run in full: all tasks, levels and the average, with intervals, counts, and the shares of `SHARES`.

    Args:
        run: The run.
        console: Where to print.
    """
    rows = {metric: table([run], metric, "none").rows[0] for metric in METRICS}
    shares = [table([run], metric, "none") for metric in SHARES]
    grid = Grid(title=Text(f"HumanSense, {run.name}, %"), title_justify="left")
    for heading in ("", *(part for metric in METRICS for part in (metric, "95 %", "of")), *SHARES, ""):
        grid.add_column(heading, justify="right" if heading else "left")
    for column in COLUMNS:
        cells = [row.cells.get(column) for row in rows.values()]
        if any(cells):
            marks = ", ".join(dict.fromkeys(mark for cell in cells if cell for mark in cell.marks))
            shown = [_shown(share.rows[0], column, share.blank).rstrip("!") for share in shares]
            grid.add_row(column, *(part for row in rows.values() for part in _in_full(row, column)), *shown, marks)
    console.print(grid)
    notes = _notes(rows.values())
    console.print(f"{run.name}: {'; '.join(notes[run.name])}" if notes else "", markup=False)


def _in_full(row: Row, column: str) -> tuple[str, str, str]:
    cell = row.cells.get(column)
    if cell is None:
        return "–" if column in row.unscored else "", "", ""
    interval = "" if cell.low is None or cell.high is None else f"{100 * cell.low:.1f}–{100 * cell.high:.1f}"
    return f"{100 * cell.score:.2f}", interval, f"{cell.questions:,}"


def _shown(row: Row, column: str, blank: str) -> str:
    cell = row.cells.get(column)
    if cell is None:
        return "–" if column in row.unscored else blank
    return f"{100 * cell.score:.1f}" + ("!" if cell.marks else "")
