"""The table for a terminal: levels, and the average that the paper has."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as Grid

from ..tasks.humansense.taxonomy import LEVELS
from .table import Cell, Table

_SHOWN = ("Avg.", *LEVELS, "FR2", "PC")
_STYLES = {"run": "bold", "paper": "", "human": "dim", "chance": "dim"}


def show(tables: Sequence[Table], console: Console) -> None:
    """Print a table for each metric, with the notes of the runs below."""
    for table in tables:
        grid = Grid(title=f"HumanSense, {table.metric}, %", title_justify="left")
        grid.add_column("")
        for column in _SHOWN:
            grid.add_column(column, justify="right")
        for row in table.rows:
            grid.add_row(row.name, *(_shown(row.cells.get(column)) for column in _SHOWN), style=_STYLES[row.kind])
        console.print(grid)
    for row in tables[0].rows if tables else ():
        if row.kind == "run" and row.notes:
            console.print(f"{row.name}: {'; '.join(row.notes)}", markup=False)


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ""
    return f"{100 * cell.score:.1f}" + ("!" if cell.marks else "")
