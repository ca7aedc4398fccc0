"""The command `lmms-humansense parity`: a run beside a row of the paper's table, and what was done otherwise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text
from scipy import stats

from ..results import statistics
from ..results.reading import load_runs
from ..results.runs import Run
from ..results.statistics import CONFIDENCE, Estimate
from ..tasks.humansense.taxonomy import TASKS, VIDEO
from .differences import differences
from .published import INCONSISTENT, ON_A_SUBSET, Published, published

USUAL = "Qwen2.5-Omni-7B"
"""The row that a model without one of its own is put beside: the release's omni model."""


class ParityError(ValueError):
    """There is no such row."""


@dataclass(frozen=True)
class Line:
    """A task, or Avg.: our score by the release's scorer, the paper's, and the first minus the second.

    `low` and `high` are of the difference's 95 % interval: ours by clips drawn again, the paper's as that of a share
    of independent questions, both as if they were of different questions. Questions in common make the true one
    narrower, so that a difference outside of it is one.
    """

    name: str
    ours: float
    theirs: float
    low: float
    high: float
    questions: int

    @property
    def difference(self) -> float:
        """Ours minus the paper's."""
        return self.ours - self.theirs

    @property
    def is_outside(self) -> bool:
        """Whether no difference lies outside of the interval."""
        return self.low > 0 or self.high < 0


def parity(results: Sequence[Path], against: str | None) -> int:
    """Print each run in these results beside a row of the paper; returns the exit status: 0, or 1.

    `against` names the row; else it is that of the run's model, or of the release's omni model.
    """
    console = Console(highlight=False, soft_wrap=True)
    runs, _ = load_runs(results, console)
    try:
        chosen = [(run, row_for(run, against)) for run in runs]
    except ParityError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    if not runs:
        console.print("There is nothing to compare.", style="red")
        return 1
    for run, row in chosen:
        _show(run, row, console)
    return 0


def row_for(run: Run, against: str | None) -> Published:
    """The paper's row to put a run beside: of those on all questions where the paper has one. Raises ParityError."""
    rows = sorted((row for row in published() if not row.is_human), key=lambda row: row.is_subset)
    named = [row for row in rows if _plain(row.model) == _plain(against or run.model)]
    if named:
        return named[0]
    if against:
        known = ", ".join(dict.fromkeys(row.model for row in rows))
        raise ParityError(f"The paper has no row {against!r}; it has {known}.")
    return next(row for row in rows if row.model == USUAL)


def lines(run: Run, row: Published) -> list[Line]:
    """The tasks that both have, in the benchmark's order, and Avg. where both have all of its tasks."""
    ours = {code: leaf.estimates["paper"] for code, leaf in run.leaves.items()}
    told = {}
    for task in TASKS:
        mine = ours.get(task.code)
        if mine is not None and task.code in row.scores:
            told[task.code] = _line(task.code, mine, row.scores[task.code], _variance(row, [task.code]))
    if row.average is not None and all(task.code in told for task in VIDEO):
        whole = statistics.average([each for task in VIDEO if (each := ours[task.code]) is not None])
        told["Avg."] = _line("Avg.", whole, row.average, _variance(row, [task.code for task in VIDEO]))
    return list(told.values())


def _variance(row: Published, codes: Sequence[str]) -> float:
    """Of the paper's mean over tasks: each a share of its number of questions."""
    counts = {task.code: task.count for task in TASKS}
    return sum(row.scores[code] * (1 - row.scores[code]) / counts[code] for code in codes) / len(codes) ** 2


def _line(name: str, ours: Estimate, theirs: float, variance: float) -> Line:
    half = float(stats.norm.ppf(0.5 + CONFIDENCE / 2)) * math.sqrt(statistics.deviation(ours) ** 2 + variance)
    difference = ours.mean - theirs
    return Line(name, ours.mean, theirs, max(difference - half, -1), min(difference + half, 1), ours.questions)


def _show(run: Run, row: Published, console: Console) -> None:
    found = lines(run, row)
    grid = Grid(title=Text(f"{run.name} beside {row.model} of the paper, metric paper, %"), title_justify="left")
    for heading in ("", "here", "paper", "difference", "95 %", "of", ""):
        grid.add_column(heading, justify="right" if heading else "left")
    for line in found:
        grid.add_row(
            line.name,
            f"{100 * line.ours:.1f}",
            f"{100 * line.theirs:.1f}",
            f"{100 * line.difference:+.1f}",
            f"{100 * line.low:+.1f} to {100 * line.high:+.1f}",
            f"{line.questions:,}",
            "differs" if line.is_outside else "",
        )
    console.print(grid)
    console.print(_explanation(run, row, found), markup=False)
    listed = Grid(title="What was done otherwise than in the release", title_justify="left")
    for heading in ("setting", "here", "release"):
        listed.add_column(heading, overflow="fold")
    for setting in differences(run):
        listed.add_row(*map(Text, setting))
    console.print(listed)


def _explanation(run: Run, row: Published, found: Sequence[Line]) -> str:
    said = []
    if _plain(row.model) != _plain(run.model):
        said.append(f"The paper has no row of this model; {row.model} is another (choose one with --against).")
    if row.is_subset:
        said.append(f"The paper's numbers are on {ON_A_SUBSET}, whose questions are not public.")
    if row.model in INCONSISTENT:
        said.append("The paper's Avg. is as printed and does not follow from its row.")
    skipped = [code for code in run.leaves if code not in {line.name for line in found}]
    if skipped:
        said.append(f"No number on both sides for {', '.join(skipped)}.")
    said.append(
        f"{sum(line.is_outside for line in found)} of {len(found)} differ beyond their interval. Intervals add the "
        "uncertainty of ours (clips drawn again) to that of the paper's share, as if the questions were others; as "
        "they are the same, they are rather too wide."
    )
    return " ".join(said)


def _plain(name: str) -> str:
    """A model's name without what authors write differently."""
    return "".join(character for character in name.casefold() if character.isalnum()).removesuffix("instruct")
