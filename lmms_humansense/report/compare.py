"""Compares two runs: by how much they differ in each task, and on which questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from ..results import statistics
from ..results.runs import Metric, Run
from ..results.statistics import Difference
from ..tasks.humansense.taxonomy import TASKS

_MOST = 15
"""How many pairs of runs are compared: as many as six runs have."""


@dataclass(frozen=True)
class Comparison:
    """The second run minus the first.

    Attributes:
        first: The name of the first run.
        second: The name of the second run.
        metric: The metric that is compared.
        tasks: The differences by task code.
    """

    first: str
    second: str
    metric: Metric
    tasks: dict[str, Difference]


def comparisons(runs: Sequence[Run], metric: Metric) -> list[Comparison]:
    """Compare each pair of runs on the same questions.

    Args:
        runs: The runs.
        metric: The metric to compare.

    Returns:
        A comparison for each of the first 15 pairs that share questions.
    """
    pairs = [(one, other) for one, other in combinations(runs, 2) if one.is_sample == other.is_sample]
    found = [_compare(one, other, metric) for one, other in islice(pairs, _MOST)]
    return [comparison for comparison in found if comparison.tasks]


def _compare(first: Run, second: Run, metric: Metric) -> Comparison:
    shared = [task.code for task in TASKS if task.code in first.leaves and task.code in second.leaves]
    found = {
        code: statistics.difference(first.leaves[code].samples, second.leaves[code].samples, metric) for code in shared
    }
    return Comparison(first.name, second.name, metric, {code: each for code, each in found.items() if each is not None})
