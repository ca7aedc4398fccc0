"""Batches that are too much for the memory, with the tiny model: what is asked again, and who is told what of it."""

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
from tests.helpers.responses import said

SIZE = 4
TOO_MUCH = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB."
Error = Callable[[], Exception]
Fits = Callable[[Sequence[EncodedPrompt]], bool]


def memory() -> Exception:
    return torch.OutOfMemoryError(TOO_MUCH)


def other() -> Exception:
    return ValueError("no such token")


class Noted(Ledger):
    """Notes, in order, how many samples are asked and which of them are kept or failed."""

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
    """Garbage is collected before a batch is tried again; what was loaded before is not searched for it."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine(read_local_settings({"pretrained": str(tiny_model), "device": "cpu", "batch_size": SIZE}))


def sample(engine: Engine, number: int) -> EncodedRequest:
    messages = [{"role": "user", "content": "Who? " * (number + 1)}]
    request = Request("task", number, {"max_new_tokens": 3}, lambda: messages)
    return EncodedRequest(request, encoded(engine, messages))


@pytest.fixture
def batch(engine: Engine) -> list[EncodedRequest]:
    return [sample(engine, number) for number in range(SIZE)]


@pytest.fixture
def alone(engine: Engine, batch: list[EncodedRequest]) -> list[tuple[str, int]]:
    """The response to each sample of the batch when it is asked on its own."""
    return [engine.respond([prompt_of(one)], one.request.generation_kwargs)[0] for one in batch]


@pytest.fixture
def ledger() -> Noted:
    return Noted()


@pytest.fixture
def padding() -> Padding:
    return Padding()


@pytest.fixture
def asking(engine: Engine, ledger: Noted, padding: Padding) -> BatchRunner:
    return BatchRunner(engine, ledger, padding)


@pytest.fixture
def limit(engine: Engine, ledger: Noted, monkeypatch: pytest.MonkeyPatch) -> Callable[[Fits, Error], None]:
    """Lets the model answer only batches that fit."""
    respond = engine.respond

    def limit_to(fits: Fits, error: Error = memory) -> None:
        def limited(samples: Sequence[EncodedPrompt], generation_kwargs: Any) -> Any:
            ledger.events.append(("asked", len(samples)))
            if not fits(samples):
                raise error()
            return respond(samples, generation_kwargs)

        monkeypatch.setattr(engine, "respond", limited)

    return limit_to


def at_most(size: int) -> Fits:
    return lambda samples: len(samples) <= size


def without(sample: EncodedRequest) -> Fits:
    return lambda samples: all(one is not sample.encoded for one in samples)


def test_a_batch_that_fits_is_asked_at_once(
    asking: BatchRunner, batch: list[EncodedRequest], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(at_most(SIZE))
    assert [said(one) for one in asking.ask(batch)] == alone
    assert ledger.events == [("asked", 4), *(("kept", number) for number in range(4))]
    assert asking.size == SIZE


@pytest.mark.parametrize("error", [memory, MemoryError], ids=["device", "host"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_batch_that_does_not_fit_is_split_until_it_does(
    asking: BatchRunner, batch: list[EncodedRequest], alone: Any, ledger: Noted, limit: Any, size: int, error: Error
) -> None:
    limit(at_most(size), error)
    assert [said(one) for one in asking.ask(batch)] == alone
    assert sorted(ledger.of("kept")) == [0, 1, 2, 3]
    assert ledger.of("failed") == []
    assert asking.size == {1: 1, 2: 2, 3: 2}[size], "the largest number that was answered at once"


def test_an_odd_number_is_split_as_evenly_as_it_can_be(
    engine: Engine, asking: BatchRunner, ledger: Noted, limit: Any
) -> None:
    limit(at_most(3))
    asking.ask([sample(engine, number) for number in range(5)])
    assert ledger.of("asked") == [5, 3, 2]
    assert asking.size == 3


def test_answers_are_kept_before_the_next_part_is_asked(
    asking: BatchRunner, batch: list[EncodedRequest], ledger: Noted, limit: Any
) -> None:
    limit(at_most(2))
    asking.ask(batch)
    first, second = [("asked", 2), ("kept", 0), ("kept", 1)], [("asked", 2), ("kept", 2), ("kept", 3)]
    assert ledger.events == [("asked", 4), *first, *second]


def test_the_size_that_fits_is_remembered(
    engine: Engine, asking: BatchRunner, batch: list[EncodedRequest], ledger: Noted, limit: Any
) -> None:
    limit(at_most(2))
    asking.ask(batch)
    ledger.events.clear()
    asking.ask([sample(engine, number) for number in range(asking.size)])
    assert ledger.of("asked") == [2], "nothing is tried in vain"
    asking.ask([sample(engine, 9)])
    assert asking.size == 2, "a smaller batch that fits does not make it smaller"


def test_one_sample_that_fits_at_the_second_try_is_answered(
    asking: BatchRunner, batch: list[EncodedRequest], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(lambda samples: len(ledger.of("asked")) > 1)
    (response,) = asking.ask(batch[:1])
    assert said(response) == alone[0]
    assert ledger.events == [("asked", 1), ("asked", 1), ("kept", 0)]
    assert asking.size == SIZE


def test_one_sample_that_never_fits_fails_and_costs_no_other(
    asking: BatchRunner, batch: list[EncodedRequest], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(without(batch[2]))
    responses = asking.ask(batch)
    assert (responses[2].text, responses[2].error) == (None, f"OutOfMemoryError: {TOO_MUCH}")
    assert [said(responses[place]) for place in (0, 1, 3)] == [alone[place] for place in (0, 1, 3)]
    assert ledger.events == [
        *(("asked", 4), ("asked", 2), ("kept", 0), ("kept", 1)),
        *(("asked", 2), ("asked", 1), ("asked", 1), ("failed", 2), ("asked", 1), ("kept", 3)),
    ]
    assert asking.size == 2


def test_where_not_even_one_fits_one_is_asked_at_a_time(
    asking: BatchRunner, batch: list[EncodedRequest], ledger: Noted, limit: Any
) -> None:
    limit(at_most(0))
    asking.ask(batch)
    assert ledger.of("failed") == [0, 1, 2, 3]
    assert asking.size == 1


def test_after_another_error_the_samples_are_asked_one_by_one(
    asking: BatchRunner, batch: list[EncodedRequest], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(at_most(1), other)
    assert [said(one) for one in asking.ask(batch)] == alone
    assert ledger.of("asked") == [4, 1, 1, 1, 1]
    assert asking.size == SIZE, "memory was not short"


def test_the_sample_that_is_to_blame_fails_alone_and_is_not_asked_again(
    asking: BatchRunner, batch: list[EncodedRequest], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(without(batch[1]), other)
    responses = asking.ask(batch)
    assert responses[1].error == "ValueError: no such token"
    assert [said(responses[place]) for place in (0, 2, 3)] == [alone[place] for place in (0, 2, 3)]
    assert ledger.of("asked") == [4, 1, 1, 1, 1]
    assert ledger.of("failed") == [1]
    assert asking.size == SIZE


def test_another_error_of_a_batch_of_one_does_not_change_the_size(
    asking: BatchRunner, batch: list[EncodedRequest], limit: Any
) -> None:
    limit(at_most(0), other)
    asking.ask(batch[:1])
    assert asking.size == SIZE


def test_only_what_is_answered_counts_as_padding(
    asking: BatchRunner, batch: list[EncodedRequest], padding: Padding, limit: Any
) -> None:
    limit(at_most(2))
    asking.ask(batch)
    assert padding.batches == 2
    assert padding.tokens == sum(prompt_of(one).tokens for one in batch)


@pytest.mark.parametrize("size", [1, SIZE])
def test_what_a_failed_try_held_is_free_before_the_next(
    engine: Engine, asking: BatchRunner, batch: list[EncodedRequest], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    respond = engine.respond
    held: list[weakref.ref[torch.Tensor]] = []

    def failing_once(samples: Sequence[EncodedPrompt], generation_kwargs: Any) -> Any:
        assert all(one() is None for one in held)
        if not held:
            tensor = torch.zeros(1000)
            held.append(weakref.ref(tensor))
            raise memory()
        return respond(samples, generation_kwargs)

    monkeypatch.setattr(engine, "respond", failing_once)
    responses = asking.ask(batch[:size])
    assert held
    assert [one.error for one in responses] == [""] * size


class Full(Ledger):
    """Can keep nothing, and takes no failure."""

    def keep(self, response: Response) -> None:
        raise RunStopped("The disk is full.")

    def failed(self, response: Response) -> None:
        raise RunStopped("Too many failed.")


@pytest.mark.parametrize(("most", "reason"), [(SIZE, "The disk is full."), (0, "Too many failed.")])
def test_what_ends_the_run_is_no_failure_of_a_sample(
    engine: Engine, batch: list[EncodedRequest], ledger: Noted, limit: Any, most: int, reason: str
) -> None:
    limit(at_most(most), other)
    with pytest.raises(RunStopped) as stopped:
        BatchRunner(engine, Full(RunSettings(), asked=0), Padding()).ask(batch)
    assert stopped.value.reason == reason
    assert ledger.of("asked") == ([4] if most else [4, 1])


def test_a_request_that_was_encoded_for_another_model_can_not_be_asked() -> None:
    with pytest.raises(AssertionError, match="task doc 7 was encoded for another model"):
        prompt_of(EncodedRequest(Request("task", 7, {}, list), Payload(())))
