"""The command `lmms-humansense report`."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..paper.published import Which
from ..results.reading import load_runs
from ..results.runs import METRICS, Run
from .compare import comparisons
from .media import Media, Mode
from .table import Table, table
from .write import write


def report(
    paths: Sequence[Path],
    out: Path,
    which: Which = "all",
    mode: Mode = "link",
    terminal: bool = False,
) -> int:
    """Report the runs in these results; returns the exit status: 0, or 1 where no run could be read.

    With `terminal` only a table is printed; without, the report is written to the folder `out`.
    """
    shown = Console(highlight=False, soft_wrap=True)
    runs, problems = load_runs(paths, shown)
    if not runs:
        shown.print("There is nothing to report.", style="red")
        return 1
    if terminal:
        show_table(runs, which, shown)
        return 0
    media = Media(mode)
    shown.print(f"Report: {write_report(runs, out, which, media, problems)}", markup=False)
    if media.without_preview:
        shown.print(f"{media.without_preview:,} clips have no preview: they cannot be read, or the page is full.")
    return 0


def conclude(results: Sequence[Path], console: Console) -> None:
    """End a run: print the levels of what these results files hold, write the report beside them, and say where it is.

    What goes wrong is said, but is no reason to end a run otherwise: its results are there.
    """
    try:
        runs, problems = load_runs(results, console)
        if not runs:
            return
        show_table(runs, "omni", console)
        page = write_report(runs, results[0].parent / "report", "all", Media("link"), problems)
        console.print(f"Report: {page}", markup=False)
    except Exception as error:
        console.print(f"The report could not be written ({type(error).__name__}: {error}).", style="red", markup=False)


def show_table(runs: Sequence[Run], which: Which, console: Console) -> None:
    """Print the levels of these runs."""
    from .terminal import show

    show(_tables(runs, which), console)


def write_report(runs: Sequence[Run], out: Path, which: Which, media: Media, problems: Sequence[str]) -> Path:
    """Write report.html and the tables into the folder `out`; returns the page."""
    from .page import page
    from .pictures import pictures

    tables, compared = _tables(runs, which), comparisons(runs, "acc")
    write(out, tables, runs, compared)
    html = page(tables, runs, compared, pictures(runs, "acc"), media, problems)
    file = out / "report.html"
    file.write_text(html, encoding="utf-8")
    return file


def _tables(runs: Sequence[Run], which: Which) -> list[Table]:
    return [table(runs, metric, which) for metric in METRICS]
