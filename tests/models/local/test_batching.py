"""Batches that do not fit into memory, with the tiny model: which requests are tried again, kept or failed."""

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from lmms_humansense.models.endpoint.payload import Payload
from lmms_humansense.models.local.batching import BatchRunner, Padding, prompt_of
from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.runtime.ledger import Ledger
from lmms_humansense.models.runtime.request import EncodedRequest, Request, Response
from lmms_humansense.models.runtime.settings import RunSettings
from lmms_humansense.models.runtime.signals import RunStopped
from tests.helpers.engines import encoded
from tests.helpers.responses import text_and_tokens

SIZE = 4
TOO_MUCH = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB."
Error = Callable[[], Exception]
Fits = Callable[[Sequence[EncodedPrompt]], bool]


def memory() -> Exception:
    return torch.OutOfMemoryError(TOO_MUCH)


def other() -> Exception:
    return ValueError("no such token")


class Noted(Ledger):
    """Notes, in order, how many requests each call of the model has, and which are kept or failed."""

    def __init__(self) -> None:
        super().__init__(RunSettings(), asked=0)
        self.events: list[tuple[str, int]] = []

    def keep(self, response: Response) -> None:
        assert response.text is not None
        self.events.append(("kept", response.request.doc_id))

    def failed(self, response: Response) -> None:
        assert response.error
        self.events.append(("failed", response.request.doc_id))

    def of(self, what: str) -> list[int]:
        return [number for event, number in self.events if event == what]


@pytest.fixture(scope="module", autouse=True)
def _quick_collections() -> Iterator[None]:
    """Garbage is collected before a batch is tried again. Exclude all objects that exist before, to save time."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine(read_local_settings({"pretrained": str(tiny_model), "device": "cpu", "batch_size": SIZE}))


def encoded_request(engine: Engine, number: int) -> EncodedRequest:
    messages = [{"role": "user", "content": "Who? " * (number + 1)}]
    request = Request("task", number, {"max_new_tokens": 3}, lambda: messages)
    return EncodedRequest(request, encoded(engine, messages))


@pytest.fixture
def batch(engine: Engine) -> list[EncodedRequest]:
    return [encoded_request(engine, number) for number in range(SIZE)]


@pytest.fixture
def alone(engine: Engine, batch: list[EncodedRequest]) -> list[tuple[str, int]]:
    """The response to each request of the batch, in a batch of its own."""
    answers = [engine.respond([prompt_of(one)], one.request.generation_kwargs)[0] for one in batch]
    return [(answer.text, answer.tokens) for answer in answers]


@pytest.fixture
def ledger() -> Noted:
    return Noted()


@pytest.fixture
def padding() -> Padding:
    return Padding()


@pytest.fixture
def runner(engine: Engine, ledger: Noted, padding: Padding) -> BatchRunner:
    return BatchRunner(engine, ledger, padding)


@pytest.fixture
def limit(engine: Engine, ledger: Noted, monkeypatch: pytest.MonkeyPatch) -> Callable[[Fits, Error], None]:
    """Makes the model fail with batches that do not fit."""
    respond = engine.respond

    def limit_to(fits: Fits, error: Error = memory) -> None:
        def limited(prompts: Sequence[EncodedPrompt], generation_kwargs: Any) -> Any:
            ledger.events.append(("asked", len(prompts)))
            if not fits(prompts):
                raise error()
            return respond(prompts, generation_kwargs)

        monkeypatch.setattr(engine, "respond", limited)

    return limit_to


def at_most(size: int) -> Fits:
    return lambda prompts: len(prompts) <= size


def without(request: EncodedRequest) -> Fits:
    return lambda prompts: all(prompt is not request.encoded for prompt in prompts)


def test_a_batch_that_fits_is_asked_at_once(
    runner: BatchRunner, batch: list[EncodedRequest], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(at_most(SIZE))
    assert [text_and_tokens(one) for one in runner.ask(batch)] == alone
    assert ledger.events == [("asked", 4), *(("kept", number) for number in range(4))]
    assert runner.size == SIZE


@pytest.mark.parametrize("error", [memory, MemoryError], ids=["device", "host"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_batch_that_does_not_fit_is_split_until_it_does(
    runner: BatchRunner, batch: list[EncodedRequest], alone: Any, ledger: Noted, limit: Any, size: int, error: Error
) -> None:
    limit(at_most(size), error)
    assert [text_and_tokens(one) for one in runner.ask(batch)] == alone
    assert sorted(ledger.of("kept")) == [0, 1, 2, 3]
    assert ledger.of("failed") == []
    assert runner.size == {1: 1, 2: 2, 3: 2}[size], "the largest number that was answered at once"


def test_an_odd_number_is_split_as_evenly_as_possible(
    engine: Engine, runner: BatchRunner, ledger: Noted, limit: Any
) -> None:
    limit(at_most(3))
    runner.ask([encoded_request(engine, number) for number in range(5)])
    assert ledger.of("asked") == [5, 3, 2]
    assert runner.size == 3


def test_answers_are_kept_before_the_next_part_is_asked(
    runner: BatchRunner, batch: list[EncodedRequest], ledger: Noted, limit: Any
) -> None:
    limit(at_most(2))
    runner.ask(batch)
    first, second = [("asked", 2), ("kept", 0), ("kept", 1)], [("asked", 2), ("kept", 2), ("kept", 3)]
    assert ledger.events == [("asked", 4), *first, *second]


def test_the_size_that_fits_is_remembered(
    engine: Engine, runner: BatchRunner, batch: list[EncodedRequest], ledger: Noted, limit: Any
) -> None:
    limit(at_most(2))
    runner.ask(batch)
    ledger.events.clear()
    runner.ask([encoded_request(engine, number) for number in range(runner.size)])
    assert ledger.of("asked") == [2], "no larger batch is tried again"
    runner.ask([encoded_request(engine, 9)])
    assert runner.size == 2, "a smaller batch that fits does not make it smaller"


def test_one_request_that_fits_at_the_second_try_is_answered(
    runner: BatchRunner, batch: list[EncodedRequest], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(lambda prompts: len(ledger.of("asked")) > 1)
    (response,) = runner.ask(batch[:1])
    assert text_and_tokens(response) == alone[0]
    assert ledger.events == [("asked", 1), ("asked", 1), ("kept", 0)]
    assert runner.size == SIZE


def test_one_request_that_never_fits_fails_alone(
    runner: BatchRunner, batch: list[EncodedRequest], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(without(batch[2]))
    responses = runner.ask(batch)
    assert (responses[2].text, responses[2].error) == (None, f"OutOfMemoryError: {TOO_MUCH}")
    assert [text_and_tokens(responses[place]) for place in (0, 1, 3)] == [alone[place] for place in (0, 1, 3)]
    assert ledger.events == [
        *(("asked", 4), ("asked", 2), ("kept", 0), ("kept", 1)),
        *(("asked", 2), ("asked", 1), ("asked", 1), ("failed", 2), ("asked", 1), ("kept", 3)),
    ]
    assert runner.size == 2


def test_if_not_even_one_request_fits_the_size_is_one(
    runner: BatchRunner, batch: list[EncodedRequest], ledger: Noted, limit: Any
) -> None:
    limit(at_most(0))
    runner.ask(batch)
    assert ledger.of("failed") == [0, 1, 2, 3]
    assert runner.size == 1


def test_after_another_error_the_requests_are_asked_one_by_one(
    runner: BatchRunner, batch: list[EncodedRequest], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(at_most(1), other)
    assert [text_and_tokens(one) for one in runner.ask(batch)] == alone
    assert ledger.of("asked") == [4, 1, 1, 1, 1]
    assert runner.size == SIZE, "memory was not short"


def test_the_request_that_causes_the_error_fails_alone_and_is_not_asked_again(
    runner: BatchRunner, batch: list[EncodedRequest], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(without(batch[1]), other)
    responses = runner.ask(batch)
    assert responses[1].error == "ValueError: no such token"
    assert [text_and_tokens(responses[place]) for place in (0, 2, 3)] == [alone[place] for place in (0, 2, 3)]
    assert ledger.of("asked") == [4, 1, 1, 1, 1]
    assert ledger.of("failed") == [1]
    assert runner.size == SIZE


def test_another_error_of_a_batch_of_one_does_not_change_the_size(
    runner: BatchRunner, batch: list[EncodedRequest], limit: Any
) -> None:
    limit(at_most(0), other)
    runner.ask(batch[:1])
    assert runner.size == SIZE


def test_only_batches_that_are_answered_count_as_padding(
    runner: BatchRunner, batch: list[EncodedRequest], padding: Padding, limit: Any
) -> None:
    limit(at_most(2))
    runner.ask(batch)
    assert padding.batches == 2
    assert padding.tokens == sum(prompt_of(one).tokens for one in batch)


@pytest.mark.parametrize("size", [1, SIZE])
def test_memory_of_a_failed_try_is_free_before_the_next(
    engine: Engine, runner: BatchRunner, batch: list[EncodedRequest], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    respond = engine.respond
    held: list[weakref.ref[torch.Tensor]] = []

    def failing_once(prompts: Sequence[EncodedPrompt], generation_kwargs: Any) -> Any:
        assert all(one() is None for one in held)
        if not held:
            tensor = torch.zeros(1000)
            held.append(weakref.ref(tensor))
            raise memory()
        return respond(prompts, generation_kwargs)

    monkeypatch.setattr(engine, "respond", failing_once)
    responses = runner.ask(batch[:size])
    assert held
    assert [one.error for one in responses] == [""] * size


class Full(Ledger):
    """Ends the run at every answer and at every failure."""

    def keep(self, response: Response) -> None:
        raise RunStopped("The disk is full.")

    def failed(self, response: Response) -> None:
        raise RunStopped("Too many failed.")


@pytest.mark.parametrize(("most", "reason"), [(SIZE, "The disk is full."), (0, "Too many failed.")])
def test_an_error_that_ends_the_run_is_not_counted_as_a_failure(
    engine: Engine, batch: list[EncodedRequest], ledger: Noted, limit: Any, most: int, reason: str
) -> None:
    limit(at_most(most), other)
    with pytest.raises(RunStopped) as stopped:
        BatchRunner(engine, Full(RunSettings(), asked=0), Padding()).ask(batch)
    assert stopped.value.reason == reason
    assert ledger.of("asked") == ([4] if most else [4, 1])


def test_a_request_that_was_encoded_for_another_model_is_refused() -> None:
    with pytest.raises(AssertionError, match="task doc 7 was encoded for another model"):
        prompt_of(EncodedRequest(Request("task", 7, {}, list), Payload(())))
