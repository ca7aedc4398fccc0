"""The command `lmms-humansense report`."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ..paper.published import Which
from ..results.reading import load_runs
from ..results.runs import METRICS, SHARES, Run
from .compare import comparisons
from .media import Media, Mode
from .progress import doing
from .reasoning import by_run
from .table import Table, table
from .terminal import show, show_short
from .write import write

if TYPE_CHECKING:
    from .pictures import Picture


def report(paths: Sequence[Path], out: Path, which: Which = "all", mode: Mode = "link", terminal: bool = False) -> int:
    """Report the runs in these results.

    Args:
        paths: Folders and results files of lmms-eval.
        out: The folder for the page and the tables.
        which: Which of the paper's rows stand beside the runs.
        mode: How clips come into the page.
        terminal: Only print a table, and write nothing.

    Returns:
        The exit status: 0, or 1 if no run could be read.
    """
    console = Console(highlight=False, soft_wrap=True)
    with doing("Reading the results", console):
        runs, problems = load_runs(paths, console)
    if not runs:
        console.print("There is nothing to report.", style="red")
        return 1
    if terminal:
        show(_tables(runs, which), runs, console)
        return 0
    media = Media(mode)
    with doing("Computing intervals, drawing charts and writing the page", console):
        page = write_report(runs, out, which, media, problems)
    console.print(f"Report: {page}", markup=False)
    _say_what_is_missing(console)
    if media.without_preview:
        console.print(f"{media.without_preview:,} clips have no preview: they cannot be read, or the page is full.")
    return 0


def conclude(results: Sequence[Path], console: Console) -> None:
    """Print a table of the levels at the end of a run, and write its report.

    An error is only printed, because the results of the run are there already.

    Args:
        results: The results files of the run. The report goes into a folder `report` beside the first of them.
        console: Where to print.
    """
    try:
        with doing("Reading the results", console):
            runs, problems = load_runs(results, console)
        if not runs:
            return
        show_short(_tables(runs, "omni"), runs, console)
        with doing("Writing the report", console):
            page = write_report(runs, results[0].parent / "report", "all", Media("link"), problems)
        console.print(f"Results: {results[0].parent}", markup=False)
        console.print(f"Report: {page}", markup=False)
        _say_what_is_missing(console)
    except Exception as error:
        console.print(f"The report could not be written ({type(error).__name__}: {error}).", style="red", markup=False)


def write_report(runs: Sequence[Run], out: Path, which: Which, media: Media, problems: Sequence[str]) -> Path:
    """Write the page and the tables.

    Args:
        runs: The runs to report.
        out: The folder to write into.
        which: Which of the paper's rows stand beside the runs.
        media: How clips come into the page.
        problems: Sentences about results that could not be used.

    Returns:
        The page, report.html.
    """
    from .page import page

    tables, compared, reasoning = _tables(runs, which), comparisons(runs, "acc"), by_run(runs)
    write(out, tables, runs, compared, reasoning)
    html = page(tables, runs, compared, reasoning, _pictures(runs), media, problems)
    file = out / "report.html"
    file.write_text(html, encoding="utf-8")
    return file


def _pictures(runs: Sequence[Run]) -> "list[Picture]":
    """The charts; none without the extra `report`."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    from .pictures import pictures

    return list(pictures(runs, "acc"))


def _say_what_is_missing(console: Console) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        console.print(
            "The page has no charts: pip install 'lmms-humansense[report]' brings what draws them.", markup=False
        )


def _tables(runs: Sequence[Run], which: Which) -> list[Table]:
    return [table(runs, metric, which) for metric in (*METRICS, *SHARES)]
