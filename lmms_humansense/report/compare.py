"""Two runs side by side: by how much they differ in each task, and on which questions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, islice
from typing import Any

from ..results import statistics
from ..results.runs import Metric, Run
from ..results.statistics import Difference
from ..tasks.humansense.taxonomy import TASKS

_MOST = 15
"""Pairs of runs that are compared: those of six runs."""


@dataclass(frozen=True)
class Comparison:
    """The second run minus the first, by task code."""

    first: str
    second: str
    metric: Metric
    tasks: dict[str, Difference]

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return asdict(self)


def comparisons(runs: Sequence[Run], metric: Metric) -> list[Comparison]:
    """Each pair of runs on the same questions (the first 15 pairs)."""
    pairs = [(one, other) for one, other in combinations(runs, 2) if one.is_sample == other.is_sample]
    found = [_compare(one, other, metric) for one, other in islice(pairs, _MOST)]
    return [comparison for comparison in found if comparison.tasks]


def _compare(first: Run, second: Run, metric: Metric) -> Comparison:
    shared = [task.code for task in TASKS if task.code in first.leaves and task.code in second.leaves]
    told = {
        code: statistics.difference(first.leaves[code].samples, second.leaves[code].samples, metric) for code in shared
    }
    return Comparison(first.name, second.name, metric, {code: each for code, each in told.items() if each is not None})
