"""The uncertainty of a mean over questions: intervals and comparisons that account for questions that share a clip.

Answers about one clip are correlated, so clips are resampled instead of questions (the cluster bootstrap; Field and
Welsh 2007).
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
"""The means of all resamples, of shape (RESAMPLES,)."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval.

    Attributes:
        mean: Between 0 and 1 for a score.
        low: The lower end of the interval.
        high: The upper end of the interval.
        questions: How many questions the mean is over.
        clips: How many clips these questions are about.
        draws: The means of the resamples; None if all clips have the same mean.
    """

    mean: float
    low: float
    high: float
    questions: int
    clips: int
    draws: Draws | None = None


def estimate(samples: pandas.DataFrame, metric: str) -> Estimate | None:
    """Compute the mean of a metric over the questions that have it, with its interval.

    Args:
        samples: A row for each question, with columns `clip` and `metric`.
        metric: The column to average; a missing value leaves its question out.

    Returns:
        The estimate; None if no question has the metric.
    """
    have = samples[samples[metric].notna()]
    if have.empty:
        return None
    sums, counts = _by_clip(have, metric)
    mean = float(sums.sum() / counts.sum())
    if _is_constant(sums, counts):
        # Resamples of equal clips are all equal, so use the interval of a proportion of independent clips.
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
    """Compute the unweighted mean over tasks, as the paper does, with its interval.

    Tasks share no clips, so their resamples are combined independently. A task without resamples, because its clips
    all have the same mean, adds the uncertainty of its own interval.
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

    Attributes:
        mean: The difference.
        low: The lower end of its 95 % interval.
        high: The upper end of its 95 % interval.
        p: The probability of a difference at least as large if the two runs were exchangeable within each clip.
        questions: How many questions both runs have.
        clips: How many clips these questions are about.
        gained: The ids of the questions that have a higher score in the second run.
        lost: The ids of the questions that have a lower score in the second run.
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
    """Compare the samples of two runs on one task, question by question.

    Args:
        first: The samples of the first run, with columns `doc_id`, `id`, `clip` and `metric`.
        second: The samples of the second run.
        metric: The column to compare.

    Returns:
        The difference, with the interval of a cluster bootstrap and the p of a paired permutation test over clips; None
        if the runs share no question.
    """
    columns = ["doc_id", "id", "clip", metric]
    both = first[columns].merge(second[columns], on=["doc_id", "id", "clip"], suffixes=("_first", "_second")).dropna()
    if both.empty:
        return None
    both["change"] = both[f"{metric}_second"] - both[f"{metric}_first"]
    # If all clips change alike, `estimate` would give the interval of a proportion, which is wrong for a difference.
    found = None if _is_constant(*_by_clip(both, "change")) else estimate(both, "change")
    mean = float(both["change"].mean())
    return Difference(
        mean=mean,
        low=found.low if found else mean,
        high=found.high if found else mean,
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
    """Compute the scores that one gets by chance, without looking at the clips.

    Args:
        samples: A row for each question, with columns `pattern`, `gold` and `option_count`.

    Returns:
        "uniform" is the mean score of a uniform guess: of any non-empty set of letters for a multi-select question, and
        of 0 to 10 for a count, as the prompt says. "commonest" is the mean score of always giving the most common right
        answer.
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
        right = min(len(row.gold), options)  # an annotation may name letters that are no options
        parts = 2**right - 2  # subsets of the right letters that are neither empty nor complete
        return (1 + 0.5 * parts) / (2**options - 1)
    return 1 / options


def _by_clip(samples: pandas.DataFrame, metric: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    grouped = samples.groupby("clip")[metric].agg(["sum", "count"])
    return grouped["sum"].to_numpy(dtype=float), grouped["count"].to_numpy(dtype=float)


def _mean_of_clips(sums: NDArray[np.float64], counts: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return sums.sum(axis=axis) / counts.sum(axis=axis)


def _is_constant(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> bool:
    return len(sums) == 1 or bool(np.ptp(sums / counts) == 0)


def _draws_of(each: Estimate, generator: np.random.Generator) -> Draws:
    if each.draws is not None:
        return generator.permutation(each.draws)
    return generator.normal(each.mean, deviation(each), RESAMPLES)


def deviation(each: Estimate) -> float:
    """The standard deviation of a mean, from its draws, or if it has none, from the longer side of its interval."""
    if each.draws is not None:
        return float(np.std(each.draws))
    return float(max(each.high - each.mean, each.mean - each.low) / stats.norm.ppf(0.5 + CONFIDENCE / 2))


def by(samples: pandas.DataFrame, key: "pandas.Series[Any]", metric: str) -> Mapping[str, Estimate]:
    """Estimate a metric in groups of samples.

    Args:
        samples: A row for each question.
        key: The name of the group of each sample.
        metric: The column to average.

    Returns:
        The estimates by group, without the groups that have none.
    """
    found = {str(value): estimate(group, metric) for value, group in samples.groupby(key, observed=True)}
    return {value: each for value, each in found.items() if each is not None}
