"""What a mean over questions is worth: intervals and comparisons that know that questions share clips.

Clips are drawn again, not questions (the cluster bootstrap; Field and Welsh 2007): answers about one clip go together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas
from numpy.typing import NDArray
from scipy import stats

from ..tasks.humansense.metrics.scoring import credit

CONFIDENCE = 0.95
RESAMPLES = 2000
_SEED = 0

Draws = NDArray[np.float64]
"""Means of as many resamples."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval, and the number of questions and clips that it is of."""

    mean: float
    low: float
    high: float
    questions: int
    clips: int
    draws: Draws | None = None


def estimate(samples: pandas.DataFrame, metric: str) -> Estimate | None:
    """The mean of a metric over the questions that have it, with its interval; None where none has."""
    have = samples[samples[metric].notna()]
    if have.empty:
        return None
    sums, counts = _by_clip(have, metric)
    mean = float(sums.sum() / counts.sum())
    if _is_constant(sums, counts):
        # All clips alike: drawn again they say nothing, so the interval is that of a share of independent clips.
        interval = stats.binomtest(round(mean * len(sums)), len(sums)).proportion_ci(CONFIDENCE, method="wilson")
        return Estimate(mean, min(mean, interval.low), max(mean, interval.high), len(have), len(sums))
    drawn = stats.bootstrap(
        (sums, counts),
        _mean_of_clips,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    )
    interval = drawn.confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high), len(have), len(sums), drawn.bootstrap_distribution)


def average(estimates: Sequence[Estimate]) -> Estimate:
    """The unweighted mean over tasks, as the paper's averages are, with its interval.

    Tasks have clips of their own, so they are drawn again independently. One whose clips are all alike adds the
    uncertainty of its own interval.
    """
    mean = math.fsum(each.mean for each in estimates) / len(estimates)
    generator = np.random.default_rng(_SEED)
    drawn = np.mean([_draws_of(each, generator) for each in estimates], axis=0)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.clip(np.quantile(drawn, [tail, 1 - tail]), 0, 1)
    questions, clips = (sum(getattr(each, name) for each in estimates) for name in ("questions", "clips"))
    return Estimate(mean, float(low), float(high), questions, clips, drawn)


@dataclass(frozen=True)
class Difference:
    """The second of two means minus the first, over the questions that both have.

    `p` is the chance of a difference at least as large if the two were exchangeable within each clip, and `gained` and
    `lost` are the ids of the questions that only the second, or only the first, has right.
    """

    mean: float
    low: float
    high: float
    p: float
    questions: int
    clips: int
    gained: list[str]
    lost: list[str]


def difference(first: pandas.DataFrame, second: pandas.DataFrame, metric: str) -> Difference | None:
    """Compare two runs' samples of one task, question by question; None where they share none.

    The interval is a cluster bootstrap's, and `p` a paired permutation test's over clips.
    """
    columns = ["doc_id", "id", "clip", metric]
    both = first[columns].merge(second[columns], on=["doc_id", "id", "clip"], suffixes=("_first", "_second")).dropna()
    if both.empty:
        return None
    both["change"] = both[f"{metric}_second"] - both[f"{metric}_first"]
    told = estimate(both, "change") if _varies(both) else None
    mean = float(both["change"].mean())
    return Difference(
        mean=mean,
        low=told.low if told else mean,
        high=told.high if told else mean,
        p=_permuted(both, metric),
        questions=len(both),
        clips=both["clip"].nunique(),
        gained=both.loc[both["change"] > 0, "id"].tolist(),
        lost=both.loc[both["change"] < 0, "id"].tolist(),
    )


def _permuted(both: pandas.DataFrame, metric: str) -> float:
    sums = both.groupby("clip")[[f"{metric}_first", f"{metric}_second"]].sum()
    first, second = sums[f"{metric}_first"].to_numpy(), sums[f"{metric}_second"].to_numpy()
    if np.array_equal(first, second):
        return 1.0
    tested = stats.permutation_test(
        (first, second),
        lambda one, other, axis: (other - one).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        rng=np.random.default_rng(_SEED),
    )
    return float(tested.pvalue)


def chance(samples: pandas.DataFrame) -> dict[str, float]:
    """What one gets without looking: from a uniform guess, and from always giving the commonest right answer.

    A multi-select guess is any set of letters that is not empty; a count is one of 0 to 10, as the prompt says.
    """
    guesses = [_uniform(row) for row in samples.itertuples()]
    commonest = samples["gold"].mode().iloc[0]
    same = [credit(commonest, row.gold, row.pattern) for row in samples.itertuples()]
    return {"uniform": float(np.mean(guesses)), "commonest": float(np.mean(same))}


def _uniform(row: Any) -> float:
    if row.pattern == "count":
        return 1 / 11 if int(row.gold) <= 10 else 0.0
    if row.pattern == "yesno":
        return 1 / 2
    options = max(int(row.option_count), 1)
    if row.pattern == "multi":
        parts = 2 ** len(row.gold) - 2  # neither empty nor all of it
        return (1 + 0.5 * parts) / (2**options - 1)
    return 1 / options


def _by_clip(samples: pandas.DataFrame, metric: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    grouped = samples.groupby("clip")[metric].agg(["sum", "count"])
    return grouped["sum"].to_numpy(dtype=float), grouped["count"].to_numpy(dtype=float)


def _mean_of_clips(sums: NDArray[np.float64], counts: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return sums.sum(axis=axis) / counts.sum(axis=axis)


def _is_constant(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> bool:
    return len(sums) == 1 or bool(np.ptp(sums / counts) == 0)


def _varies(both: pandas.DataFrame) -> bool:
    return not _is_constant(*_by_clip(both, "change"))


def _draws_of(each: Estimate, generator: np.random.Generator) -> Draws:
    if each.draws is not None:
        return generator.permutation(each.draws)
    return generator.normal(each.mean, deviation(each), RESAMPLES)


def deviation(each: Estimate) -> float:
    """The standard deviation of a mean: of its draws, else what the longer side of its interval is that of."""
    if each.draws is not None:
        return float(np.std(each.draws))
    return float(max(each.high - each.mean, each.mean - each.low) / stats.norm.ppf(0.5 + CONFIDENCE / 2))


def by(samples: pandas.DataFrame, key: "pandas.Series[Any]", metric: str) -> Mapping[str, Estimate]:
    """Estimates for each value of `key`, which has one for each sample; values that none has are left out."""
    found = {str(value): estimate(group, metric) for value, group in samples.groupby(key, observed=True)}
    return {value: each for value, each in found.items() if each is not None}
