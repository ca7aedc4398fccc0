"""The paper's table with the runs in it: rows, columns, and the notes that a reader needs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ..paper.published import INCONSISTENT, ON_A_SUBSET, Published, Which, rows
from ..results import statistics
from ..results.runs import SHARES, Leaf, Metric, Run
from ..results.statistics import Estimate
from ..results.text import one_line
from ..tasks.humansense.metrics.scoring import FailureKind
from ..tasks.humansense.taxonomy import LEVELS, TASKS, VIDEO, Task

COLUMNS: dict[str, tuple[Task, ...]] = {
    "Avg.": VIDEO,
    **{level: tuple(task for task in TASKS if task.level == level) for level in LEVELS},
    **{task.code: (task,) for task in TASKS},
}
"""The columns, each with the tasks that it averages; Avg. is over the 13 video tasks, as in the paper."""


@dataclass(frozen=True)
class Cell:
    """A score.

    Attributes:
        score: Between 0 and 1.
        low: The lower end of its 95 % interval; None if the score is not a run's.
        high: The upper end of the interval.
        questions: How many questions a run's score is over.
        marks: What a reader should know about the score, such as "3 missing".
        rank: 1 for the best and 2 for the second best score of the column.
    """

    score: float
    low: float | None = None
    high: float | None = None
    questions: int | None = None
    marks: tuple[str, ...] = ()
    rank: int | None = None


@dataclass
class Row:
    """A row.

    Attributes:
        name: The model, people, or kind of chance.
        kind: The kind of row.
        cells: The scores by column; a column without a score is left out.
        notes: Why the row is not simply comparable with others.
        is_ranked: Whether its scores can be the best of a column. Scores of random weights, of other questions or of a
            part of the questions cannot.
        unscored: The columns whose questions were asked, but that have no score by this metric: every response to the
            questions of one of their tasks failed or is empty.
    """

    name: str
    kind: Literal["run", "paper", "human", "chance"]
    cells: dict[str, Cell]
    notes: list[str] = field(default_factory=list)
    is_ranked: bool = True
    unscored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """The table for one metric.

    Attributes:
        metric: The metric.
        rows: The rows.
        blank: What stands in place of a score that is not there.
    """

    metric: Metric
    rows: list[Row]
    blank: str = ""


def table(runs: Sequence[Run], metric: Metric, which: Which) -> Table:
    """Make the table.

    Args:
        runs: The runs, which come first.
        metric: The metric of the runs' scores.
        which: Which rows of the paper follow.

    Returns:
        The table, with people and chance at its end. Those of `SHARES` have no other rows than those of the runs.
    """
    if metric in SHARES:
        found = [Row(run.name, "run", _cells(run, metric), notes(run), is_ranked=False) for run in runs]
        return Table(metric, found, blank="–")
    ours = [_row(run, metric) for run in runs]
    theirs = [_published_row(row) for row in rows(which)]
    models = [*ours, *(row for row in theirs if row.kind == "paper")]
    _rank(models)
    return Table(metric, [*models, *(row for row in theirs if row.kind == "human"), *_chance_rows(runs)])


def _row(run: Run, metric: Metric) -> Row:
    without = [
        task.code for task in TASKS if task.code in run.leaves and run.leaves[task.code].estimates[metric] is None
    ]
    said = [f"no {metric} in {', '.join(without)}, where every response failed or is empty"] if without else []
    asked = [column for column, tasks in COLUMNS.items() if all(task.code in run.leaves for task in tasks)]
    cells = _cells(run, metric)
    unscored = tuple(column for column in asked if column not in cells)
    return Row(run.name, "run", cells, [*notes(run), *said], _is_whole(run), unscored)


def notes(run: Run) -> list[str]:
    """Why the scores of a run are not simply comparable with the paper's, as short phrases."""
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
        kinds = [f"{count:,} {text}" for kind, text in _KINDS.items() if (count := _failed_as(run, kind))]
        found.append(f"{failed:,} failed" + (f" ({', '.join(kinds)})" if kinds else ""))
    empty = sum(leaf.empty for leaf in run.leaves.values())
    if empty:
        found.append(f"{empty:,} of {len(run.samples):,} responses are empty")
    truncated = sum(leaf.truncated for leaf in run.leaves.values())
    if truncated:
        found.append(f"{truncated:,} truncated at max_new_tokens")
    stopped = sum(leaf.stopped for leaf in run.leaves.values())
    if stopped:
        found.append(f"{stopped:,} responses would have stopped the release's scorer with an error (counted 0)")
    if run.misfit:
        found.append(run.misfit)
    return [one_line(note, longest=None) for note in [*found, *_protocol_notes(run)]]


_KINDS: dict[FailureKind, str] = {
    "budget": "not asked, because the budget of tokens was spent",
    "blocked": "blocked by a safety filter",
}
"""The kinds of failures that notes name."""


def _failed_as(run: Run, kind: FailureKind) -> int:
    return sum(leaf.failed_as(kind) for leaf in run.leaves.values())


def _is_whole(run: Run) -> bool:
    """Whether the scores are those of a trained model, on all questions of each of its tasks."""
    is_part = run.settings.get("limit") is not None or bool(run.settings.get("offset"))
    return not (is_part or run.is_sample or run.settings.get("random_weights"))


def _protocol_notes(run: Run) -> list[str]:
    if run.is_rescored:
        return ["responses from the release's result files"]
    found = []
    # Cached answers of an earlier run do not say what was shown, but the setting does.
    axes = {axis for leaf in run.leaves.values() for axis in leaf.samples["time_axis"].dropna()}
    axes = {*map(str, axes), str(run.settings.get("time_axis") or "release")} - {"release", "auto"}
    if axes:
        found.append(f"time axis {', '.join(sorted(axes))}")
    for name in ("fps", "nframes", "max_pixels", "quantization"):
        if run.settings.get(name) not in (None, "", "None"):
            found.append(f"{name} {run.settings[name]}")
    usual_values = (
        ("frames", "release", "frames"),
        ("video_reader", "player", "clips read with"),
        ("use_audio_in_video", "auto", "sound"),
    )
    for name, usual, label in usual_values:
        if run.settings.get(name) not in (None, usual):
            found.append(f"{label} {run.settings[name]}")
    generation = run.settings.get("generation") or {}
    found.append("sampled" if generation.get("do_sample") else "greedy (the paper sampled)")
    return found


def _cells(run: Run, metric: Metric) -> dict[str, Cell]:
    known = {code: each for code, leaf in run.leaves.items() if (each := leaf.estimates[metric]) is not None}
    cells = {}
    for column, tasks in COLUMNS.items():
        parts = [known[task.code] for task in tasks if task.code in known]
        if len(parts) < len(tasks):
            continue  # an average over some of the tasks would look like one over all of them
        whole = parts[0] if len(parts) == 1 else statistics.average(parts)
        leaves = [run.leaves[task.code] for task in tasks]
        cells[column] = _cell(whole, leaves)
    return cells


def _cell(whole: Estimate, leaves: Sequence[Leaf]) -> Cell:
    counts = {
        "missing": sum(leaf.missing for leaf in leaves),
        "failed": sum(leaf.failed for leaf in leaves),
        "empty": sum(leaf.empty for leaf in leaves),
        "truncated": sum(leaf.truncated for leaf in leaves),
    }
    marks = tuple(f"{count:,} {what}" for what, count in counts.items() if count)
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
    """Chance on the questions of the benchmark if a run has them, or else on those of the first run."""
    if not runs:
        return []
    of = min(runs, key=lambda run: (run.is_sample, bool(run.variant)))
    found = []
    for name, how in (("Chance: uniform guess", "uniform"), ("Chance: commonest answer", "commonest")):
        scores = {code: leaf.chance[how] for code, leaf in of.leaves.items()}
        cells = {
            column: Cell(sum(scores[task.code] for task in tasks) / len(tasks))
            for column, tasks in COLUMNS.items()
            if all(task.code in scores for task in tasks)
        }
        found.append(Row(name, "chance", cells, [f"from the questions of {of.name}"]))
    return found


def _rank(rows: Sequence[Row]) -> None:
    """Mark the best and the second best score of each column, if there are several rows to rank."""
    ranked = [row for row in rows if row.is_ranked]
    if len(ranked) < 2:
        return
    for column in COLUMNS:
        cells = [(row, row.cells[column]) for row in ranked if column in row.cells]
        best = sorted({round(cell.score, 3) for _, cell in cells}, reverse=True)[:2]
        for row, cell in cells:
            if round(cell.score, 3) in best:
                row.cells[column] = replace(cell, rank=best.index(round(cell.score, 3)) + 1)
