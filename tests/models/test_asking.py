"""Batches that are too much for the memory, with the tiny model: what is asked again, and who is told what of it."""

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lmms_humansense.models.asking import Asking, encoded_of
from lmms_humansense.models.batches import Encoded, Padding
from lmms_humansense.models.engine import Engine
from lmms_humansense.models.samples import Ledger, Sample
from lmms_humansense.models.settings import read_settings
from lmms_humansense.models.stopping import RunStopped

SIZE = 4
TOO_MUCH = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB."
Error = Callable[[], Exception]
Fits = Callable[[Sequence[Encoded]], bool]


def memory() -> Exception:
    return torch.OutOfMemoryError(TOO_MUCH)


def other() -> Exception:
    return ValueError("no such token")


class Noted(Ledger):
    """Notes, in order, how many samples are asked and which of them are kept or failed."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def keep(self, sample: Sample) -> None:
        assert sample.response
        self.events.append(("kept", sample.doc_id))

    def failed(self, sample: Sample) -> None:
        assert sample.reason
        self.events.append(("failed", sample.doc_id))

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
    return Engine(read_settings({"pretrained": str(tiny_model), "device": "cpu", "batch_size": SIZE}))


def sample(engine: Engine, number: int) -> Sample:
    messages = [{"role": "user", "content": "Who? " * (number + 1)}]
    made = Sample("task", number, {"max_new_tokens": 3}, lambda: messages)
    made.encoded = engine.encode(engine.prepare(messages))
    return made


@pytest.fixture
def batch(engine: Engine) -> list[Sample]:
    return [sample(engine, number) for number in range(SIZE)]


@pytest.fixture
def alone(engine: Engine, batch: list[Sample]) -> list[tuple[str, int]]:
    """The response to each sample of the batch when it is asked on its own."""
    return [engine.respond([encoded_of(one)], one.generation_kwargs)[0] for one in batch]


@pytest.fixture
def ledger() -> Noted:
    return Noted()


@pytest.fixture
def padding() -> Padding:
    return Padding()


@pytest.fixture
def asking(engine: Engine, ledger: Noted, padding: Padding) -> Asking:
    return Asking(engine, ledger, padding)


@pytest.fixture
def limit(engine: Engine, ledger: Noted, monkeypatch: pytest.MonkeyPatch) -> Callable[[Fits, Error], None]:
    """Lets the model answer only batches that fit."""
    respond = engine.respond

    def limit_to(fits: Fits, error: Error = memory) -> None:
        def limited(samples: Sequence[Encoded], generation_kwargs: Any) -> Any:
            ledger.events.append(("asked", len(samples)))
            if not fits(samples):
                raise error()
            return respond(samples, generation_kwargs)

        monkeypatch.setattr(engine, "respond", limited)

    return limit_to


def at_most(size: int) -> Fits:
    return lambda samples: len(samples) <= size


def without(sample: Sample) -> Fits:
    return lambda samples: all(one is not sample.encoded for one in samples)


def test_a_batch_that_fits_is_asked_at_once(
    asking: Asking, batch: list[Sample], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(at_most(SIZE))
    asking.ask(batch)
    assert [one.response for one in batch] == alone
    assert ledger.events == [("asked", 4), *(("kept", number) for number in range(4))]
    assert asking.size == SIZE


@pytest.mark.parametrize("error", [memory, MemoryError], ids=["device", "host"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_batch_that_does_not_fit_is_split_until_it_does(
    asking: Asking, batch: list[Sample], alone: Any, ledger: Noted, limit: Any, size: int, error: Error
) -> None:
    limit(at_most(size), error)
    asking.ask(batch)
    assert [one.response for one in batch] == alone
    assert sorted(ledger.of("kept")) == [0, 1, 2, 3]
    assert ledger.of("failed") == []
    assert asking.size == {1: 1, 2: 2, 3: 2}[size], "the largest number that was answered at once"


def test_an_odd_number_is_split_as_evenly_as_it_can_be(
    engine: Engine, asking: Asking, ledger: Noted, limit: Any
) -> None:
    limit(at_most(3))
    asking.ask([sample(engine, number) for number in range(5)])
    assert ledger.of("asked") == [5, 3, 2]
    assert asking.size == 3


def test_answers_are_kept_before_the_next_part_is_asked(
    asking: Asking, batch: list[Sample], ledger: Noted, limit: Any
) -> None:
    limit(at_most(2))
    asking.ask(batch)
    first, second = [("asked", 2), ("kept", 0), ("kept", 1)], [("asked", 2), ("kept", 2), ("kept", 3)]
    assert ledger.events == [("asked", 4), *first, *second]


def test_the_size_that_fits_is_remembered(
    engine: Engine, asking: Asking, batch: list[Sample], ledger: Noted, limit: Any
) -> None:
    limit(at_most(2))
    asking.ask(batch)
    ledger.events.clear()
    asking.ask([sample(engine, number) for number in range(asking.size)])
    assert ledger.of("asked") == [2], "nothing is tried in vain"
    asking.ask([sample(engine, 9)])
    assert asking.size == 2, "a smaller batch that fits does not make it smaller"


def test_one_sample_that_fits_at_the_second_try_is_answered(
    asking: Asking, batch: list[Sample], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(lambda samples: len(ledger.of("asked")) > 1)
    asking.ask(batch[:1])
    assert batch[0].response == alone[0]
    assert ledger.events == [("asked", 1), ("asked", 1), ("kept", 0)]
    assert asking.size == SIZE


def test_one_sample_that_never_fits_fails_and_costs_no_other(
    asking: Asking, batch: list[Sample], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(without(batch[2]))
    asking.ask(batch)
    assert (batch[2].response, batch[2].reason) == (None, f"OutOfMemoryError: {TOO_MUCH}")
    assert [batch[place].response for place in (0, 1, 3)] == [alone[place] for place in (0, 1, 3)]
    assert ledger.events == [
        *(("asked", 4), ("asked", 2), ("kept", 0), ("kept", 1)),
        *(("asked", 2), ("asked", 1), ("asked", 1), ("failed", 2), ("asked", 1), ("kept", 3)),
    ]
    assert asking.size == 2


def test_where_not_even_one_fits_one_is_asked_at_a_time(
    asking: Asking, batch: list[Sample], ledger: Noted, limit: Any
) -> None:
    limit(at_most(0))
    asking.ask(batch)
    assert ledger.of("failed") == [0, 1, 2, 3]
    assert asking.size == 1


def test_after_another_error_the_samples_are_asked_one_by_one(
    asking: Asking, batch: list[Sample], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(at_most(1), other)
    asking.ask(batch)
    assert [one.response for one in batch] == alone
    assert ledger.of("asked") == [4, 1, 1, 1, 1]
    assert asking.size == SIZE, "memory was not short"


def test_the_sample_that_is_to_blame_fails_alone_and_is_not_asked_again(
    asking: Asking, batch: list[Sample], alone: Any, ledger: Noted, limit: Any
) -> None:
    limit(without(batch[1]), other)
    asking.ask(batch)
    assert batch[1].reason == "ValueError: no such token"
    assert [batch[place].response for place in (0, 2, 3)] == [alone[place] for place in (0, 2, 3)]
    assert ledger.of("asked") == [4, 1, 1, 1, 1]
    assert ledger.of("failed") == [1]
    assert asking.size == SIZE


def test_another_error_of_a_batch_of_one_does_not_change_the_size(
    asking: Asking, batch: list[Sample], limit: Any
) -> None:
    limit(at_most(0), other)
    asking.ask(batch[:1])
    assert asking.size == SIZE


def test_only_what_is_answered_counts_as_padding(
    asking: Asking, batch: list[Sample], padding: Padding, limit: Any
) -> None:
    limit(at_most(2))
    asking.ask(batch)
    assert padding.batches == 2
    assert padding.tokens == sum(encoded_of(one).tokens for one in batch)


@pytest.mark.parametrize("size", [1, SIZE])
def test_what_a_failed_try_held_is_free_before_the_next(
    engine: Engine, asking: Asking, batch: list[Sample], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    respond = engine.respond
    held: list[weakref.ref[torch.Tensor]] = []

    def failing_once(samples: Sequence[Encoded], generation_kwargs: Any) -> Any:
        assert all(one() is None for one in held)
        if not held:
            tensor = torch.zeros(1000)
            held.append(weakref.ref(tensor))
            raise memory()
        return respond(samples, generation_kwargs)

    monkeypatch.setattr(engine, "respond", failing_once)
    asking.ask(batch[:size])
    assert held
    assert [one.reason for one in batch[:size]] == [""] * size


class Full(Ledger):
    """Can keep nothing, and takes no failure."""

    def keep(self, sample: Sample) -> None:
        raise RunStopped("The disk is full.")

    def failed(self, sample: Sample) -> None:
        raise RunStopped("Too many failed.")


@pytest.mark.parametrize(("most", "reason"), [(SIZE, "The disk is full."), (0, "Too many failed.")])
def test_what_ends_the_run_is_no_failure_of_a_sample(
    engine: Engine, batch: list[Sample], ledger: Noted, limit: Any, most: int, reason: str
) -> None:
    limit(at_most(most), other)
    with pytest.raises(RunStopped) as stopped:
        Asking(engine, Full(), Padding()).ask(batch)
    assert stopped.value.reason == reason
    assert ledger.of("asked") == ([4] if most else [4, 1])


def test_a_sample_that_was_not_prepared_can_not_be_asked() -> None:
    with pytest.raises(AssertionError, match="task doc 7 was not prepared"):
        encoded_of(Sample("task", 7, {}, list))
