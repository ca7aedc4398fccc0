"""The command `lmms-humansense parity`: compares a run with a row of the paper's table, in scores and settings."""

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
from ..results.text import one_line
from ..tasks.humansense.taxonomy import BY_CODE, TASKS, VIDEO
from .differences import differences
from .feeding import feedings
from .published import INCONSISTENT, ON_A_SUBSET, Published, published

USUAL = "Qwen2.5-Omni-7B"
"""The row for a model that has no row of its own: the release's omni model."""


class ParityError(ValueError):
    """The paper has no such row."""


@dataclass(frozen=True)
class Line:
    """The scores of a task, or of Avg., by the release's scorer.

    The interval adds the uncertainty of our score (resampled clips) to that of the paper's score (a proportion of
    independent questions), as if the two were on different questions. They are on the same questions, so the true
    interval is narrower, and a difference whose interval does not contain 0 is significant.

    Attributes:
        name: The code of the task, or "Avg.".
        ours: Our score, between 0 and 1.
        theirs: The paper's score.
        low: The lower end of the 95 % interval of the difference.
        high: The upper end of this interval.
        questions: How many questions our score is over.
    """

    name: str
    ours: float
    theirs: float
    low: float
    high: float
    questions: int

    @property
    def difference(self) -> float:
        """Our score minus the paper's."""
        return self.ours - self.theirs

    @property
    def is_outside(self) -> bool:
        """Whether the interval does not contain 0."""
        return self.low > 0 or self.high < 0


def parity(results: Sequence[Path], against: str | None) -> int:
    """Print each run in these results beside a row of the paper.

    Args:
        results: Folders and results files of lmms-eval.
        against: The model of the row; None for the run's own model, or the release's omni model if it has no row.

    Returns:
        The exit status: 0, or 1 if there is no run or no such row.
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
    """Find the paper's row to compare a run with.

    Args:
        run: The run.
        against: The model of the row; None for the run's own model, or the release's omni model if it has no row.

    Returns:
        The row of the model; of two, the row on all questions.

    Raises:
        ParityError: The paper has no row of the model `against`.
    """
    rows = sorted((row for row in published() if not row.is_human), key=lambda row: row.is_subset)
    named = [row for row in rows if _plain(row.model) == _plain(against or run.model)]
    if named:
        return named[0]
    if against:
        known = ", ".join(dict.fromkeys(row.model for row in rows))
        raise ParityError(f"The paper has no row {against!r}; it has {known}.")
    return next(row for row in rows if row.model == USUAL)


def lines(run: Run, row: Published) -> list[Line]:
    """Compare the scores of a run with a row of the paper.

    Args:
        run: The run.
        row: The row of the paper.

    Returns:
        A line for each task that both have, in the benchmark's order, and one for Avg. if both have all its tasks.
    """
    ours = {code: leaf.estimates["paper"] for code, leaf in run.leaves.items()}
    found = {}
    for task in TASKS:
        mine = ours.get(task.code)
        if mine is not None and task.code in row.scores:
            found[task.code] = _line(task.code, mine, row.scores[task.code], _variance(row, [task.code]))
    if row.average is not None and all(task.code in found for task in VIDEO):
        whole = statistics.average([each for task in VIDEO if (each := ours[task.code]) is not None])
        found["Avg."] = _line("Avg.", whole, row.average, _variance(row, [task.code for task in VIDEO]))
    return list(found.values())


def _variance(row: Published, codes: Sequence[str]) -> float:
    """The variance of the paper's mean over tasks, each score being a proportion of the task's questions."""
    return sum(row.scores[code] * (1 - row.scores[code]) / BY_CODE[code].count for code in codes) / len(codes) ** 2


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
    for alarm in run.alarms:
        console.print(alarm, style="bold red", markup=False)
    listed = Grid(title="Settings that differ from the release", title_justify="left")
    for heading in ("setting", "here", "release"):
        listed.add_column(heading, overflow="fold")
    for setting in differences(run):
        listed.add_row(*(Text(one_line(part, longest=None)) for part in setting))
    console.print(listed)
    _show_feeding(row, console)


def _show_feeding(row: Published, console: Console) -> None:
    """Print how the release fed the model of the row, if it is another one than the release's omni model."""
    fed = feedings().get(row.model)
    if fed is None:
        return
    grid = Grid(title=f"How the release fed {row.model}", title_justify="left", show_header=False)
    grid.add_column()
    grid.add_column(overflow="fold")
    near = fed.lmms_eval or "not possible: lmms-eval has no such model, or nothing is published"
    for name, text in (
        ("frames", fed.frames),
        ("max_new_tokens", fed.max_new_tokens),
        ("decoding", fed.decoding),
        ("near it in lmms-eval", near),
    ):
        grid.add_row(name, Text(text))
    console.print(grid)


def _explanation(run: Run, row: Published, found: Sequence[Line]) -> str:
    said = []
    if _plain(row.model) != _plain(run.model):
        said.append(f"The paper has no row of this model; {row.model} is another model (choose a row with --against).")
    if row.is_subset:
        said.append(f"The paper's numbers are on {ON_A_SUBSET}, whose questions are not public.")
    if row.model in INCONSISTENT:
        said.append("The paper's Avg. is as printed and does not follow from its row.")
    skipped = [code for code in run.leaves if code not in {line.name for line in found}]
    if skipped:
        said.append(f"Not compared, because one side has no score: {', '.join(skipped)}.")
    said.append(
        f"{sum(line.is_outside for line in found)} of {len(found)} differ by more than their interval. The intervals "
        "add the uncertainty of ours (resampled clips) to that of the paper's, as if they were on different questions; "
        "because the questions are the same, the intervals are, if anything, too wide."
    )
    return " ".join(said)


def _plain(name: str) -> str:
    """The name of a model without the parts that authors write differently."""
    return "".join(character for character in name.casefold() if character.isalnum()).removesuffix("instruct")
