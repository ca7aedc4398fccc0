"""How the score depends on the length of the reasoning."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas

from ..results import statistics
from ..results.runs import TRUNCATED, Metric, Run

GROUPS = ("shortest quarter", "second quarter", "third quarter", "longest quarter")
FEWEST = 20
"""Fewer reasoned responses than this are not divided into groups."""


@dataclass(frozen=True)
class LengthGroup:
    """The responses of a run whose reasoning has about the same length.

    Attributes:
        name: One of `GROUPS`, or "without reasoning".
        shortest: Characters of the shortest reasoning.
        longest: Characters of the longest reasoning.
        responses: How many responses there are. Those of failed requests are not counted.
        mean: Their mean score.
        low: The lower end of its 95 % interval, clustered by clip.
        high: The upper end of the interval.
        truncated: How many are cut off; None if the model says it of none of them.
    """

    name: str
    shortest: int
    longest: int
    responses: int
    mean: float
    low: float
    high: float
    truncated: int | None


def by_length(run: Run, metric: Metric = "acc") -> list[LengthGroup]:
    """Group the responses of a run by the length of their reasoning.

    Args:
        run: The run.
        metric: The score.

    Returns:
        Those without reasoning, if there are any, and the four quarters of those with reasoning, the shortest first.
        Nothing if fewer than `FEWEST` responses have reasoning.
    """
    samples = run.samples[run.samples["failed"] == 0]
    samples = samples.assign(length=samples["reasoning"].str.len())
    reasoned = samples[samples["length"] > 0]
    if len(reasoned) < FEWEST:
        return []
    # Ranks divide evenly where many responses have the same length.
    quarters = pandas.qcut(reasoned["length"].rank(method="first"), len(GROUPS), labels=list(GROUPS))
    parts = [("without reasoning", samples[samples["length"] == 0])]
    parts += [(name, reasoned[quarters == name]) for name in GROUPS]
    return [_group(name, part, metric) for name, part in parts if len(part)]


def _group(name: str, samples: pandas.DataFrame, metric: Metric) -> LengthGroup:
    found = statistics.estimate(samples, metric)
    assert found is not None, "each group has samples with this metric"
    lengths, cut_off = samples["length"], samples[TRUNCATED].dropna()
    return LengthGroup(
        name,
        int(lengths.min()),
        int(lengths.max()),
        len(samples),
        found.mean,
        found.low,
        found.high,
        int((cut_off == 1).sum()) if len(cut_off) else None,
    )


def by_run(runs: Sequence[Run]) -> dict[str, list[LengthGroup]]:
    """The groups of each run that has some, by the run's name."""
    return {run.name: groups for run in runs if (groups := by_length(run))}
