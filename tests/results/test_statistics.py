"""The uncertainty of a mean over questions, and the comparison of two runs."""

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmms_humansense.results import statistics


def samples(credits: dict[str, list[float]]) -> pandas.DataFrame:
    """A sample for each credit, by clip."""
    listed = [(clip, credit) for clip, found in credits.items() for credit in found]
    return pandas.DataFrame(
        {
            "doc_id": range(len(listed)),
            "id": [f"VQA-{number}" for number in range(len(listed))],
            "clip": [clip for clip, _ in listed],
            "acc": [credit for _, credit in listed],
        }
    )


def test_an_interval_knows_that_questions_share_clips() -> None:
    chance = np.random.default_rng(0)
    clips = {f"clip {number}": [float(chance.random() < 0.5)] * 4 for number in range(50)}
    shared = statistics.estimate(samples(clips), "acc")
    alone = statistics.estimate(
        samples({f"{clip}-{n}": [credit] for clip, found in clips.items() for n, credit in enumerate(found)}), "acc"
    )
    assert shared is not None
    assert alone is not None
    assert shared.mean == alone.mean
    assert (shared.questions, shared.clips, alone.clips) == (200, 50, 200)
    # Four answers that always agree are worth one: the interval is twice as wide.
    assert 1.7 < (shared.high - shared.low) / (alone.high - alone.low) < 2.3


def test_a_bootstrapped_interval_is_that_of_the_formula() -> None:
    chance = np.random.default_rng(1)
    credits = [float(chance.random() < 0.6) for _ in range(400)]
    found = statistics.estimate(samples({str(number): [credit] for number, credit in enumerate(credits)}), "acc")
    assert found is not None
    half = 1.96 * np.std(credits) / 20
    assert found.low == pytest.approx(found.mean - half, abs=0.01)
    assert found.high == pytest.approx(found.mean + half, abs=0.01)


@pytest.mark.parametrize("credit", [0.0, 1.0])
def test_answers_that_are_all_alike_do_not_make_a_score_certain(credit: float) -> None:
    found = statistics.estimate(samples({str(number): [credit] for number in range(10)}), "acc")
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.0, 0.278) if credit == 0 else (0.722, 1.0), abs=0.001)


@given(st.dictionaries(st.text(min_size=1), st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1), min_size=1))
def test_a_mean_is_within_its_interval(credits: dict[str, list[float]]) -> None:
    found = statistics.estimate(samples(credits), "acc")
    assert found is not None
    assert 0 <= found.low <= found.mean + 1e-9
    assert found.mean - 1e-9 <= found.high <= 1


def test_items_without_a_credit_are_not_counted() -> None:
    frame = samples({"a": [1.0, 0.0], "b": [1.0]})
    frame["paper"] = [1.0, None, None]
    found = statistics.estimate(frame, "paper")
    assert found is not None
    assert (found.mean, found.questions) == (1.0, 1)
    assert statistics.estimate(frame.assign(paper=None), "paper") is None


def test_an_average_is_narrower_than_what_it_is_of() -> None:
    parts = [
        statistics.estimate(samples({str(n): [float((n + shift) % 2)] for n in range(40)}), "acc") for shift in range(4)
    ]
    whole = statistics.average([part for part in parts if part is not None])
    widths = [part.high - part.low for part in parts if part is not None]
    assert whole.mean == 0.5
    assert (whole.high - whole.low) == pytest.approx(np.mean(widths) / 2, rel=0.2)


@pytest.mark.parametrize("credit", [0.0, 1.0])
def test_an_average_of_tasks_that_are_all_alike_is_within_its_interval(credit: float) -> None:
    part = statistics.estimate(samples({str(number): [credit] for number in range(10)}), "acc")
    assert part is not None
    whole = statistics.average([part] * 13)
    assert whole.mean == credit
    assert 0.02 < whole.high - whole.low < 0.28
    assert whole.low <= credit <= whole.high


def test_chance_follows_from_the_questions() -> None:
    frame = pandas.DataFrame(
        {
            "pattern": ["single", "single", "count", "multi", "yesno"],
            "gold": ["A", "A", "4", "AC", "yes"],
            "option_count": [2, 4, 0, 4, 0],
        }
    )
    found = statistics.chance(frame)
    multi = (1 + 0.5 * 2) / 15  # AC, and A or C alone, of the 15 sets of four letters
    assert found["uniform"] == pytest.approx(np.mean([1 / 2, 1 / 4, 1 / 11, multi, 1 / 2]))
    assert found["commonest"] == pytest.approx(np.mean([1, 1, 0, 0.5, 0]))


def test_a_difference_is_paired_by_question() -> None:
    first = samples({str(number): [float(number % 2)] for number in range(100)})
    better = first.assign(acc=[1.0 if number < 20 else float(number % 2) for number in range(100)])
    found = statistics.difference(first, better, "acc")
    assert found is not None
    assert found.mean == pytest.approx(0.1)
    assert 0 < found.low < 0.1 < found.high
    assert found.p < 0.01
    assert found.gained == [f"VQA-{number}" for number in range(0, 20, 2)]
    assert found.lost == []
    same = statistics.difference(first, first, "acc")
    assert same is not None
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_runs_that_share_no_question_are_not_compared() -> None:
    first = samples({"a": [1.0]})
    assert statistics.difference(first, first.assign(id=["VQA-9"]), "acc") is None
