"""The two credits of a response, side by side."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lmms_humansense.tasks.humansense.metrics.scoring import FAILURE_MARK, credit, gold, score
from lmms_humansense.tasks.humansense.prompts import Pattern

OPTIONS = ["A. Happy", "B. Afraid", "C. Angry", "D. Sad"]
LETTERS = st.sampled_from("ABCDE")
MANY = settings(max_examples=200, deadline=None)


# The release can score only text; a model that failed has given none.


@pytest.mark.parametrize("reason", ["", " out of memory", "\nB", " B"])
@pytest.mark.parametrize(
    ("pattern", "answer", "options"),
    [("single", "B", OPTIONS), ("multi", "BD", OPTIONS), ("count", "4", []), ("yesno", "No", [])],
)
def test_failure_is_left_out_of_paper_and_wrong_in_acc(
    reason: str, pattern: Pattern, answer: str, options: list[str]
) -> None:
    result = score(FAILURE_MARK + reason, pattern, answer, options)
    assert (result.failed, result.paper, result.acc, result.parsed, result.answered) == (True, None, 0, None, False)


def test_failure_mark_within_a_response_is_no_failure() -> None:
    result = score(f"B. {FAILURE_MARK}", "single", "B", OPTIONS)
    assert (result.failed, result.paper) == (False, 1)


@pytest.mark.parametrize(
    ("response", "pattern", "answer", "paper", "acc"),
    [
        pytest.param("B", "single", "B", 1, 1, id="both right"),
        pytest.param("A", "single", "B", 0, 0, id="both wrong"),
        pytest.param("The correct answer is (B)", "single", "B", 0, 1, id="letter not first"),
        pytest.param("Answer: B", "single", "A", 1, 0, id="the A of Answer"),
        pytest.param("", "single", "B", None, 0, id="empty: no item in paper, wrong in acc"),
        pytest.param("I cannot tell.", "single", "B", 0, 0, id="refusal"),
        pytest.param("B", "single", "B. Afraid", 1, 1, id="answer annotated with its text"),
        pytest.param("10", "count", "10", 0, 1, id="10 can be right in acc"),
        pytest.param("ten", "count", "10", 0, 1, id="number word"),
        pytest.param("4 or 5", "count", "4", 1, 0, id="two numbers"),
        pytest.param("", "count", "4", None, 0, id="empty count"),
        pytest.param("A, C", "multi", "A,C", 0, 1, id="separators do not matter in acc"),
        pytest.param("A,C", "multi", "AC", 1, 1, id="commas"),
        pytest.param("A", "multi", "A,C", 0.5, 0.5, id="a letter missing"),
        pytest.param("A, B", "multi", "ABD", 0, 0.5, id="a letter missing, with a space"),
        pytest.param("ABC", "multi", "ABD", 0, 0, id="a wrong letter"),
        pytest.param("", "multi", "ABD", None, 0, id="empty multi-select"),
        pytest.param("., ", "multi", "ABD", 0, 0, id="only marks"),
        pytest.param("Yes", "yesno", "Yes", 1, 1, id="yes"),
        pytest.param(".", "yesno", "Yes", None, 0, id="only a full stop"),
    ],
)
def test_score_puts_the_releases_credit_beside_ours(
    response: str, pattern: Pattern, answer: str, paper: float | None, acc: float
) -> None:
    result = score(response, pattern, answer, OPTIONS if pattern in ("single", "multi") else [])
    assert (result.paper, result.acc, result.failed) == (paper, acc, False)


@MANY
@given(st.text(max_size=30), st.sampled_from(["single", "count", "yesno", "multi"]))
@example("", "single")
def test_every_response_counts_in_acc(response: str, pattern: Pattern) -> None:
    answer = {"single": "B", "count": "4", "yesno": "No", "multi": "BD"}[pattern]
    result = score(response, pattern, answer, OPTIONS if pattern in ("single", "multi") else [])
    assert result.acc in (0, 0.5, 1)
    assert result.answered == (result.parsed is not None)
    assert result.answered or result.acc == 0


@pytest.mark.parametrize(
    ("parsed", "right", "expected"),
    [
        pytest.param("ABD", "ABD", 1, id="equal"),
        pytest.param("A", "A", 1, id="equal, one letter"),
        pytest.param("AB", "ABD", 0.5, id="proper subset"),
        pytest.param("D", "ABD", 0.5, id="proper subset, one letter"),
        pytest.param("ABCD", "ABD", 0, id="superset"),
        pytest.param("AC", "ABD", 0, id="a wrong letter"),
        pytest.param("C", "ABD", 0, id="only a wrong letter"),
        pytest.param("", "ABD", 0, id="empty set"),
        pytest.param(None, "ABD", 0, id="unparsed"),
    ],
)
def test_multi_select_credit_is_1_for_equal_and_half_for_a_proper_nonempty_subset(
    parsed: str | None, right: str, expected: float
) -> None:
    assert credit(parsed, right, "multi") == expected


@pytest.mark.parametrize(
    ("parsed", "right", "pattern", "expected"),
    [
        ("B", "B", "single", 1),
        ("A", "B", "single", 0),
        (None, "B", "single", 0),
        ("10", "10", "count", 1),
        ("1", "10", "count", 0),
        (None, "0", "count", 0),
        ("yes", "yes", "yesno", 1),
        ("no", "yes", "yesno", 0),
    ],
)
def test_other_credit_is_all_or_nothing(parsed: str | None, right: str, pattern: Pattern, expected: float) -> None:
    assert credit(parsed, right, pattern) == expected


@given(st.sets(LETTERS, min_size=1), st.sets(LETTERS, min_size=1))
def test_multi_select_credit_follows_the_sets(said: set[str], right: set[str]) -> None:
    expected = 1 if said == right else 0.5 if said.issubset(right) else 0
    assert credit("".join(sorted(said)), "".join(sorted(right)), "multi") == expected


@pytest.mark.parametrize(
    ("answer", "pattern", "expected"),
    [
        ("B", "single", "B"),
        ("b", "single", "B"),
        (" B. Afraid", "single", "B"),
        ("4", "count", "4"),
        ("10", "count", "10"),
        ("04", "count", "4"),
        ("ABD", "multi", "ABD"),
        ("A,B,D", "multi", "ABD"),
        ("A, B, D", "multi", "ABD"),
        ("D B A", "multi", "ABD"),
        ("abd", "multi", "ABD"),
        ("DAB", "multi", "ABD"),
        ("dab", "multi", "ABD"),
        ("Yes", "yesno", "yes"),
        ("No.", "yesno", "no"),
    ],
)
def test_annotated_answer_has_the_form_of_a_parsed_one(answer: str, pattern: Pattern, expected: str) -> None:
    assert gold(answer, pattern, OPTIONS if pattern in ("single", "multi") else []) == expected
