"""The paper's table with the runs in it: rows, columns and what a reader has to know of each cell."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ..paper.published import INCONSISTENT, ON_A_SUBSET, Published, Which, human, rows
from ..results import statistics
from ..results.runs import Leaf, Metric, Run
from ..results.statistics import Estimate
from ..tasks.humansense.taxonomy import LEVELS, TASKS, VIDEO, Task

COLUMNS: dict[str, tuple[Task, ...]] = {
    "Avg.": VIDEO,
    **{level: tuple(task for task in TASKS if task.level == level) for level in LEVELS},
    **{task.code: (task,) for task in TASKS},
}
"""The columns, and the tasks that each is the unweighted mean of; Avg. is of the 13 video tasks, as in the paper."""


@dataclass(frozen=True)
class Cell:
    """A score between 0 and 1, with its interval and number of questions where it is ours, and `marks` for the reader.

    `rank` is 1 for the best and 2 for the second best of the column.
    """

    score: float
    low: float | None = None
    high: float | None = None
    questions: int | None = None
    marks: tuple[str, ...] = ()
    rank: int | None = None


@dataclass
class Row:
    """One row: `kind` is "run", "paper", "human" or "chance", `notes` what it cannot be compared without knowing.

    `is_ranked` says whether its scores can be the best of a column: not those of random weights, other questions or a
    part of them.
    """

    name: str
    kind: Literal["run", "paper", "human", "chance"]
    cells: dict[str, Cell]
    notes: list[str] = field(default_factory=list)
    is_ranked: bool = True


@dataclass(frozen=True)
class Table:
    """The rows for one metric."""

    metric: Metric
    rows: list[Row]


def table(runs: Sequence[Run], metric: Metric, which: Which) -> Table:
    """The table of these runs, the paper's rows (by default `which` of them), people and chance."""
    ours = [Row(run.name, "run", _cells(run, metric), notes(run), _is_whole(run)) for run in runs]
    theirs = [_published_row(row) for row in rows(which) if not row.is_human]
    people = [_published_row(human())] if which != "none" else []
    return Table(metric, [*_ranked([*ours, *theirs]), *people, *_chance_rows(runs)])


def notes(run: Run) -> list[str]:
    """Why a run's numbers are not simply comparable with the paper's, as short sentences."""
    found = []
    if run.settings.get("random_weights"):
        found.append("random weights")
    if run.variant:
        found.append(f"tasks humansense_{run.variant}" + (", not the benchmark" if run.is_sample else ""))
    if run.settings.get("limit") is not None or run.settings.get("offset"):
        found.append(f"made with --limit {run.settings.get('limit')}")
    absent = [task.code for task in TASKS if task.code not in run.leaves]
    if absent:
        found.append(f"no {', '.join(absent)}")
    short = [leaf.code for leaf in run.leaves.values() if len(leaf.samples) < leaf.asked]
    if short:
        found.append(f"samples missing in {', '.join(short)}")
    failed = sum(leaf.failed for leaf in run.leaves.values())
    if failed:
        found.append(f"{failed:,} failed")
    stopped = sum(leaf.stopped for leaf in run.leaves.values())
    if stopped:
        found.append(f"at {stopped:,} responses the release's scorer would have stopped (counted 0)")
    return [*found, *_protocol_notes(run)]


def _is_whole(run: Run) -> bool:
    """Whether its scores are a model's, on all questions of the benchmark's tasks that it has."""
    is_part = run.settings.get("limit") is not None or bool(run.settings.get("offset"))
    return not (is_part or run.is_sample or run.settings.get("random_weights"))


def _protocol_notes(run: Run) -> list[str]:
    if run.is_rescored:
        return ["responses from the release's result files"]
    found = []
    # Answers that were kept from an earlier run do not tell what was shown; the setting does.
    axes = {axis for leaf in run.leaves.values() for axis in leaf.samples["time_axis"].dropna()}
    axes = {*map(str, axes), str(run.settings.get("time_axis") or "release")} - {"release", "auto"}
    if axes:
        found.append(f"time axis {', '.join(sorted(axes))}")
    for name in ("fps", "nframes", "max_pixels", "quantization"):
        if run.settings.get(name) not in (None, "", "None"):
            found.append(f"{name} {run.settings[name]}")
    if run.settings.get("frames") not in (None, "release"):
        found.append(f"frames {run.settings['frames']}")
    if run.settings.get("use_audio_in_video") not in (None, "auto"):
        found.append(f"sound {run.settings['use_audio_in_video']}")
    generation = run.settings.get("generation") or {}
    found.append("sampled" if generation.get("do_sample") else "greedy (the paper sampled)")
    return found


def _cells(run: Run, metric: Metric) -> dict[str, Cell]:
    known = {code: each for code, leaf in run.leaves.items() if (each := leaf.estimates[metric]) is not None}
    cells = {}
    for column, tasks in COLUMNS.items():
        parts = [known[task.code] for task in tasks if task.code in known]
        if len(parts) < len(tasks):
            continue  # an average over some of its tasks would look like one over all
        whole = parts[0] if len(parts) == 1 else statistics.average(parts)
        leaves = [run.leaves[task.code] for task in tasks]
        cells[column] = _cell(whole, leaves)
    return cells


def _cell(whole: Estimate, leaves: Sequence[Leaf]) -> Cell:
    missing = sum(leaf.missing for leaf in leaves)
    failed = sum(leaf.failed for leaf in leaves)
    marks = (*([f"{missing:,} missing"] if missing else []), *([f"{failed:,} failed"] if failed else []))
    return Cell(whole.mean, whole.low, whole.high, whole.questions, marks)


def _published_row(row: Published) -> Row:
    cells = {code: Cell(score) for code, score in row.scores.items()}
    for level in LEVELS:
        scores = [row.scores.get(task.code) for task in COLUMNS[level]]
        if None not in scores:
            cells[level] = Cell(sum(filter(None, scores)) / len(scores))
    if row.average is not None:
        marks = ("as printed; does not follow from its row",) if row.model in INCONSISTENT else ()
        cells["Avg."] = Cell(row.average, marks=marks)
    kind: Literal["human", "paper"] = "human" if row.is_human else "paper"
    return Row(row.model, kind, cells, [f"on {ON_A_SUBSET}"] if row.is_subset else [])


def _chance_rows(runs: Sequence[Run]) -> list[Row]:
    """Chance on the questions of the benchmark where a run has them, else on those of the first run."""
    if not runs:
        return []
    of = min(runs, key=lambda run: (run.is_sample, bool(run.variant)))
    return [
        _chance_row("Chance: uniform guess", "uniform", of),
        _chance_row("Chance: commonest answer", "commonest", of),
    ]


def _chance_row(name: str, how: str, of: Run) -> Row:
    scores = {code: leaf.chance[how] for code, leaf in of.leaves.items()}
    cells = {}
    for column, tasks in COLUMNS.items():
        if all(task.code in scores for task in tasks):
            cells[column] = Cell(sum(scores[task.code] for task in tasks) / len(tasks))
    return Row(name, "chance", cells, [f"from the questions of {of.name}"])


def _ranked(found: Sequence[Row]) -> list[Row]:
    """The rows with the best and second best score of each column marked."""
    ranked = [row for row in found if row.is_ranked]
    for column in COLUMNS:
        best = sorted({round(row.cells[column].score, 3) for row in ranked if column in row.cells}, reverse=True)[:2]
        for row in ranked:
            cell = row.cells.get(column)
            if cell is not None and round(cell.score, 3) in best and len(ranked) > 1:
                rank = best.index(round(cell.score, 3)) + 1
                row.cells[column] = replace(cell, rank=rank)
    return list(found)
