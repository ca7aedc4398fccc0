"""Requests without an answer: how many the results say there are, and the sentences about them."""

from typing import Any

import pytest

from lmms_humansense.plugin.unanswered import WHY_EMPTY, Unanswered, sentences, unanswered


def results(**tasks: tuple[int, dict[str, float]]) -> dict[str, Any]:
    """Results of tasks, by their number of questions and their metrics."""
    rows = {name: {f"{metric},none": value for metric, value in row.items()} for name, (_, row) in tasks.items()}
    return {
        "results": {**rows, "humansense_l1": {"failed,none": 1.0, "empty,none": 1.0}},  # a group
        "n-samples": {name: {"original": 900, "effective": asked} for name, (asked, _) in tasks.items()},
    }


def test_the_counts_of_our_tasks_come_from_their_shares() -> None:
    found = unanswered(
        results(
            humansense_tr=(300, {"failed": 7 / 300, "empty": 293 / 300}),
            humansense_think_ar=(3, {"failed": 0.0, "empty": 1 / 3}),
            mmmu_val=(5, {"failed": 1.0, "empty": 1.0}),
            humansense_of_others=(5, {"accuracy": 1.0}),
        )
    )
    assert found == [Unanswered("humansense_tr", 300, 7, 293), Unanswered("humansense_think_ar", 3, 0, 1)]


def test_results_that_do_not_say_what_is_empty_have_nothing_empty() -> None:
    assert unanswered(results(humansense_tr=(12, {"failed": 0.5}))) == [Unanswered("humansense_tr", 12, 6, 0)]


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([Unanswered("a", 12, 0, 0)], []),
        ([Unanswered("a", 12, 0, 12)], [f"12 of 12 responses of a are empty: {WHY_EMPTY}."]),
        (
            [Unanswered("a", 1200, 1000, 2), Unanswered("b", 12, 0, 0), Unanswered("c", 3, 1, 2)],
            [
                "1,000 of 1,200 requests of a, 1 of 3 requests of c failed: the samples say why.",
                f"2 of 1,200 responses of a, 2 of 3 responses of c are empty: {WHY_EMPTY}.",
            ],
        ),
    ],
)
def test_there_is_a_sentence_about_what_failed_and_one_about_what_is_empty(
    tasks: list[Unanswered], said: list[str]
) -> None:
    assert sentences(tasks) == said
