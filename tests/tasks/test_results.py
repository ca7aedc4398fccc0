"""The items that lmms-eval averages: their names and order, and that they add up like plain numbers."""

import copy
import itertools
import json
import pickle
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmms_humansense.tasks.humansense import results
from lmms_humansense.tasks.humansense.annotations import Doc
from lmms_humansense.tasks.humansense.metrics.scoring import COMPLETE_MARK, FAILURE_MARK, TRUNCATED_MARK
from lmms_humansense.tasks.humansense.results import Credit

SINGLE: Doc = {
    "id": "VQA-7",
    "code": "ER",
    "level": "L1",
    "task_type": "Emotion_Recognition",
    "question": "Which emotion does the person show",
    "pattern": "single",
    "options": ["A. Happy", "B. Afraid", "C. Angry", "D. Sad"],
    "answer": "B",
    "gold": "B",
    "media": "data/videos/emotion/gift.mp4",
    "frame_count": 96,
    "fps": 24.0,
    "transcript": "",
}
MULTI: Doc = {
    **SINGLE,
    "code": "PA",
    "pattern": "multi",
    "options": ["A. Glasses", "B. A scarf", "C. A red hat", "D. A blue shirt"],
    "answer": "ABD",
    "gold": "ABD",
}
COUNT: Doc = {**SINGLE, "code": "HC", "level": "L2", "pattern": "count", "options": [], "answer": "4", "gold": "4"}
SOUND: Doc = {
    **SINGLE,
    "id": "AQA-3",
    "code": "PC",
    "level": "L4",
    "media": "data/audios/chat/exam.wav",
    "frame_count": 0,
    "fps": 0.0,
}
KEYS = ["paper", "acc", "answered", "failed", "empty"]


def scores(doc: Doc, response: str) -> dict[str, float]:
    return {name: credit["score"] for name, credit in results.metrics(doc, response).items()}


@pytest.mark.parametrize(
    ("doc", "response", "expected"),
    [
        pytest.param(SINGLE, "B", [1, 1, 1, 0, 0], id="right"),
        pytest.param(SINGLE, "A", [0, 0, 1, 0, 0], id="wrong"),
        pytest.param(SINGLE, "The correct answer is (B)", [0, 1, 1, 0, 0], id="right in acc only"),
        pytest.param(SINGLE, "Because he smiles.", [1, 0, 0, 0, 0], id="right in paper only"),
        pytest.param(SINGLE, "I cannot tell.", [0, 0, 0, 0, 0], id="no answer"),
        pytest.param(MULTI, "A,B,D", [1, 1, 1, 0, 0], id="all letters"),
        pytest.param(MULTI, "AD", [0.5, 0.5, 1, 0, 0], id="a letter missing"),
        pytest.param(MULTI, "A, D", [0, 0.5, 1, 0, 0], id="a space, which the paper's scorer does not remove"),
        pytest.param(COUNT, "four", [0, 1, 1, 0, 0], id="number word"),
        pytest.param(SOUND, "b", [1, 1, 1, 0, 0], id="audio"),
    ],
)
def test_every_doc_has_the_five_metrics_in_their_order(doc: Doc, response: str, expected: list[float]) -> None:
    assert list(scores(doc, response).items()) == list(zip(KEYS, expected, strict=True))


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        ("", 0), (FAILURE_MARK, 1), (f"{FAILURE_MARK} out of memory", 1), (f"{FAILURE_MARK} B", 1),
        ("[LMMS_EVAL_REQUEST_FAILED after 5 retries] Connection error.", 1), ("[LMMS_EVAL_BUDGET_EXCEEDED]", 1),
        ("[SAFETY_BLOCKED:finish_reason=2]", 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("doc", [SINGLE, MULTI, COUNT, SOUND], ids=["single", "multi", "count", "audio"])
def test_paper_is_absent_where_the_item_is_left_out(doc: Doc, response: str, failed: float) -> None:
    assert list(scores(doc, response).items()) == [
        ("acc", 0), ("answered", 0), ("failed", failed), ("empty", 1 - failed)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (f"{FAILURE_MARK} out of memory", "error"),
        ("[LMMS_EVAL_REQUEST_FAILED after 5 retries] B", "error"),
        ("[LMMS_EVAL_BUDGET_EXCEEDED]", "budget"),
        ("[SAFETY_BLOCKED:unknown]", "blocked"),
        ("B [SAFETY_BLOCKED:unknown]", None),
        ("", None),
    ],
)
def test_a_failure_says_of_which_kind_it_is(response: str, kind: str | None) -> None:
    assert results.metrics(SINGLE, response)["failed"].get("kind") == kind


@pytest.mark.parametrize(
    ("response", "empty"),
    [("", 1), (" \n", 1), (COMPLETE_MARK, 1), (f"{TRUNCATED_MARK} \n", 1), (".", 0), (f"{COMPLETE_MARK} B", 0)],
)
def test_a_response_of_white_space_is_empty_also_behind_a_mark(response: str, empty: float) -> None:
    assert scores(SINGLE, response)["empty"] == empty


@pytest.mark.parametrize(("mark", "truncated"), [(COMPLETE_MARK, 0), (TRUNCATED_MARK, 1)])
@pytest.mark.parametrize(
    ("doc", "response"),
    [(SINGLE, "B"), (SINGLE, " \n B"), (SINGLE, "But I cannot tell."), (SINGLE, ""), (MULTI, "A, D"), (COUNT, "four")],
)
def test_a_mark_says_how_a_response_ended_and_no_scorer_reads_it(
    doc: Doc, response: str, mark: str, truncated: float
) -> None:
    found = scores(doc, f"{mark} {response}".strip())  # lmms-eval strips what it passes on
    assert found.pop("truncated") == truncated
    assert found == scores(doc, response.strip())


def test_a_mark_must_stand_at_the_start() -> None:
    assert "truncated" not in scores(SINGLE, f"B {TRUNCATED_MARK}")


@pytest.mark.parametrize("response", [COMPLETE_MARK + " B", TRUNCATED_MARK, FAILURE_MARK])
def test_the_last_metric_is_also_one_that_every_doc_has_where_a_response_has_a_mark(response: str) -> None:
    assert list(results.metrics(SINGLE, response))[-4:] == ["acc", "answered", "failed", "empty"]


def test_paper_is_absent_where_nothing_is_left_of_a_multi_select_response() -> None:
    assert "paper" not in results.metrics(MULTI, ".,.")


@pytest.mark.parametrize("response", ["B", "", "I cannot tell.", FAILURE_MARK])
def test_last_metric_is_one_that_every_doc_has(response: str) -> None:
    assert list(results.metrics(SINGLE, response))[-4:] == ["acc", "answered", "failed", "empty"]


def test_no_metric_name_contains_another() -> None:
    names = list(results.metrics(SINGLE, "B"))
    assert not [pair for pair in itertools.permutations(names, 2) if pair[0] in pair[1]]


@pytest.mark.parametrize("response", ["B", "", FAILURE_MARK])
def test_every_metric_has_a_number_and_names_its_clip(response: str) -> None:
    for credit in results.metrics(SINGLE, response).values():
        assert type(credit["score"]) is float
        assert credit["clip"] == "data/videos/emotion/gift.mp4"


def test_acc_carries_what_a_report_needs() -> None:
    acc = results.metrics(MULTI, "D, A", file="/data/videos/emotion/gift.mp4")["acc"]
    expected = {
        "score": 0.5,
        "clip": "data/videos/emotion/gift.mp4",
        "id": "VQA-7",
        "code": "PA",
        "level": "L1",
        "pattern": "multi",
        "question": "Which emotion does the person show",
        "options": ["A. Glasses", "B. A scarf", "C. A red hat", "D. A blue shirt"],
        "parsed": "AD",
        "gold": "ABD",
        "media": "data/videos/emotion/gift.mp4",
        "file": "/data/videos/emotion/gift.mp4",
        "duration": 4.0,
    }
    assert dict(acc) == expected


def test_acc_says_that_nothing_was_parsed() -> None:
    assert results.metrics(SINGLE, "A or B")["acc"]["parsed"] is None


def test_duration_of_a_video_is_its_annotations() -> None:
    assert results.metrics(SINGLE, "B", duration=99.0)["acc"]["duration"] == 96 / 24


@pytest.mark.parametrize("duration", [61.5, None])
def test_duration_of_an_audio_file_is_the_given_one(duration: float | None) -> None:
    assert results.metrics(SOUND, "B", duration)["acc"]["duration"] == duration


@pytest.mark.parametrize("response", ["B", "D", "", FAILURE_MARK])
def test_metrics_survive_json(response: str) -> None:
    metrics = results.metrics(SINGLE, response)
    assert json.loads(json.dumps(metrics)) == {name: dict(credit) for name, credit in metrics.items()}


def total(credits: Iterable[Any]) -> Any:
    """Their sum, as lmms-eval's mean computes it."""
    return sum(credits)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_metrics_survive_pickle(protocol: int) -> None:
    metrics = results.metrics(SINGLE, "B")
    copied = pickle.loads(pickle.dumps(metrics, protocol))
    assert copied == metrics
    assert [type(credit) for credit in copied.values()] == [Credit] * 5
    assert total(copied.values()) == total(metrics.values()) == 3.0


def test_metrics_survive_a_deep_copy() -> None:
    metrics = results.metrics(SINGLE, "B")
    copied = copy.deepcopy(metrics)
    assert copied == metrics
    assert all(type(credit) is Credit for credit in copied.values())


def test_credits_sum_to_a_plain_number() -> None:
    came_to = total([Credit(score=1.0), Credit(score=0.5), Credit(score=0.0)])
    assert type(came_to) is float
    assert came_to == 1.5


# lmms-eval's own averages come last: importing them takes seconds.


@pytest.fixture(scope="module")
def averages() -> ModuleType:
    return pytest.importorskip("lmms_eval.api.metrics")


NUMBERS = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=30)


@settings(deadline=None)
@given(numbers=NUMBERS)
def test_mean_of_lmms_eval_is_that_of_plain_numbers(averages: ModuleType, numbers: list[float]) -> None:
    assert averages.mean([Credit(score=number, clip="x") for number in numbers]) == averages.mean(numbers)


@settings(deadline=None)
@given(numbers=NUMBERS)
def test_standard_error_of_lmms_eval_is_that_of_plain_numbers(averages: ModuleType, numbers: list[float]) -> None:
    credits = [Credit(score=number, clip="x") for number in numbers]
    assert averages.mean_stderr(credits) == averages.mean_stderr(numbers)
