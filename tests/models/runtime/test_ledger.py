"""When failures end a run, and what the last message says."""

import dataclasses
from typing import Any

import pytest

from lmms_humansense.models.inputs.conversation import Conversation
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.runtime.ledger import KeepingError, Ledger, Recalled
from lmms_humansense.models.runtime.request import Request, Response, error_result, failed_response
from lmms_humansense.models.runtime.signals import RunStopped
from tests.helpers.responses import text_and_tokens


@dataclasses.dataclass
class InMemory:
    """Keeps answers in memory, at most `room` of them."""

    folder: str = "/results/cache"
    recalled: int = 0
    kept: int = 0
    room: int = 100
    known: dict[int, Response] = dataclasses.field(default_factory=dict)

    def recall(self, request: Request, conversation: Conversation) -> Recalled:
        response = self.known.get(request.doc_id)
        self.recalled += response is not None
        return Recalled(f"key {request.doc_id}", response)

    def keep(self, response: Response) -> None:
        if self.kept == self.room:
            raise KeepingError(f"Answers can no longer be written to {self.folder}: the disk is full.")
        assert response.text is not None
        self.known[response.request.doc_id] = response
        self.kept += 1


def unasked(number: int) -> Response:
    request = Request("task", number, {}, lambda: [])
    return failed_response(request, error_result(RuntimeError("the budget is spent")), ())


def test_requests_that_were_not_asked_are_listed_and_do_not_stop_a_run() -> None:
    limited = ledger(asked=100, max_failures=1)
    for number in range(50):
        limited.not_asked(unasked(number))
    limited.failed(unasked(50))
    assert len(limited.failures) == 51
    with pytest.raises(RunStopped, match="2 of 100 requests failed, and max_failures=1 allows 1"):
        limited.failed(unasked(51))


def ledger(asked: int = 100, answers: InMemory | None = None, **arguments: Any) -> Ledger:
    return Ledger(read_local_settings({"pretrained": "x", **arguments}), asked, answers)


def sample(number: int, reason: str = "") -> Response:
    request, media = Request("task", number, {}, list), (f"/{number}.mp4",)
    if reason:
        return failed_response(request, error_result(ValueError(reason.format(*media))), media)
    return Response(request, f"answer {number}", output_tokens=1, media=media)


def why_stopped(ledger: Ledger, *samples: Response) -> str:
    """The last message of a run that ends with the last of the failed samples."""
    for one in samples[:-1]:
        ledger.failed(one)
    with pytest.raises(RunStopped) as stopped:
        ledger.failed(samples[-1])
    return stopped.value.reason


@pytest.mark.parametrize(
    ("limit", "asked", "most"), [(0, 100, 0), (2, 100, 2), (0.01, 100, 1), ("2.5%", 100, 3), (1.0, 3, 3), (0.01, 1, 1)]
)
def test_as_many_requests_may_fail_as_are_allowed_and_no_more(limit: Any, asked: int, most: int) -> None:
    run = ledger(asked, max_failures=limit)
    failing = [sample(number, "no") for number in range(most + 1)]
    assert why_stopped(run, *failing)
    assert [one.doc_id for one in run.failures] == list(range(most + 1)), "the last one is listed too"


def test_if_all_requests_may_fail_no_failure_ends_the_run() -> None:
    run = ledger(5, max_failures="100%")
    for number in range(5):
        run.failed(sample(number, "no"))
    assert len(run.failures) == 5


def test_the_message_has_counts_the_most_frequent_reason_and_how_to_continue() -> None:
    answers = InMemory(recalled=3)
    run = ledger(60, answers, max_failures=2)
    run.keep(sample(9))
    assert why_stopped(run, sample(0, "{} is odd"), sample(1, "{} is empty"), sample(2, "{} is empty")) == (
        "The run was stopped: 3 of 60 requests failed, and max_failures=2 allows 2. "
        "Most often: 2 × ValueError: <file> is empty (task doc 1: /1.mp4; task doc 2: /2.mp4). "
        "Answers kept by this process in /results/cache: 4. The same command continues from there "
        "and asks the failed requests again."
    )


def test_the_message_has_a_share_and_the_number_that_it_allows() -> None:
    reason = why_stopped(ledger(40, max_failures="5%"), *(sample(number, "no") for number in range(3)))
    assert "3 of 40 requests failed, and max_failures=0.05 allows 2." in reason


def test_with_on_error_raise_the_first_failure_ends_the_run() -> None:
    run = ledger(100, InMemory(), on_error="raise", max_failures=50)
    reason = why_stopped(run, sample(7, "{} is empty"))
    assert reason.startswith(
        "The run was stopped because of on_error=raise: task doc 7 failed (ValueError: /7.mp4 is empty). "
        "Answers kept by this process in /results/cache: 0. "
    )
    assert [one.doc_id for one in run.failures] == [7]


def test_without_a_cache_the_message_says_what_to_do_next_time() -> None:
    reason = why_stopped(ledger(100, max_failures=0), sample(0, "no"))
    assert reason.endswith(
        "Answers are not kept. With --use_cache FOLDER, the same command would continue where it stopped "
        "and ask the failed requests again."
    )


def test_answers_that_cannot_be_kept_end_the_run() -> None:
    run = ledger(100, InMemory(room=1))
    run.keep(sample(0))
    with pytest.raises(RunStopped) as stopped:
        run.keep(sample(1))
    assert stopped.value.reason == (
        "The run was stopped. Answers can no longer be written to /results/cache: the disk is full. "
        "Answers kept by this process in /results/cache: 1. The same command continues from there."
    )
    assert isinstance(stopped.value.__cause__, KeepingError)
    assert run.failures == []


def test_answers_are_kept_and_recalled() -> None:
    answers = InMemory()
    run = ledger(100, answers)
    run.keep(sample(3))
    again, unknown = (run.recall(Request("task", number, {}, list), ()).response for number in (3, 4))
    assert [again is not None, unknown is not None] == [True, False]
    assert again is not None and text_and_tokens(again) == ("answer 3", 1)
    assert (answers.kept, run.recalled) == (1, 1)


def test_without_a_cache_nothing_is_recalled() -> None:
    run = ledger()
    run.keep(sample(3))
    assert run.recall(Request("task", 3, {}, list), ()) == Recalled(None, None)
    assert run.recalled == 0
