"""From samples to responses: media are prepared ahead, like prompts share a batch, answers keep their order."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .asking import Asking, encoded_of
from .batches import Padding, take
from .engine import Engine
from .jobs import Held, Jobs
from .samples import Ledger, Sample, in_order
from .stopping import Halt
from .workers import MediaWorkers, cores_left

_WINDOW = 4
"""Batches from whose samples the next one is picked: more would save little padding and hold more memory."""


@dataclass
class Effort:
    """Where the time of a run went, in seconds, and how much padding there was."""

    model: float = 0.0
    waiting: float = 0.0
    padding: Padding = field(default_factory=Padding)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Add the time that the block takes to "model" or "waiting"."""
        started = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, what, getattr(self, what) + time.perf_counter() - started)

    @property
    def busy(self) -> float:
        """The share of the time in which the model worked, from 0 to 1."""
        return self.model / (self.model + self.waiting) if self.model else 0.0


class Answering:
    """Answers samples with an engine; media are prepared by so many of the `workers`, or by none, one after another.

    The `ledger` is told what becomes of each sample. `halt` may end a run between two batches, or while it waits.
    """

    def __init__(
        self,
        engine: Engine,
        workers: MediaWorkers | None,
        count: int,
        ledger: Ledger | None = None,
        halt: Halt | None = None,
    ) -> None:
        ledger = ledger or Ledger()
        self._engine = engine
        self._count = count
        self._halt = halt or Halt()
        self._most_bytes = int(engine.settings.prefetch_gb * 1e9)
        self._jobs = Jobs(
            engine.encoder,
            workers,
            count,
            ledger,
            limit=engine.settings.media_timeout,
            most_bytes=self._most_bytes,
            fitting=engine.fitting,
        )
        self.effort = Effort()
        self._asking = Asking(engine, ledger, self.effort.padding)

    @property
    def batch_size(self) -> int:
        """How many samples are asked at once: less than the settings say, if those did not fit into memory."""
        return self._asking.size

    def run(self, samples: Sequence[Sample], answered: Callable[[], Any] = lambda: None) -> Iterator[Sample]:
        """Yield every sample once it is done, in order; `answered` is called for each, as soon as it is, in any order.

        Which samples share a batch does not depend on how fast anything is. Errors that are not about one sample are
        raised. Where the run is left early, no worker goes on with it.
        """
        try:
            yield from in_order(samples, self._finished(samples), answered)
        finally:
            self._jobs.end(complete=all(sample.done for sample in samples))

    def _finished(self, samples: Sequence[Sample]) -> Iterator[int]:
        """Work on the samples, and yield how many more are done."""
        prepared = self._jobs.ready(samples)
        window: list[tuple[Sample, Held]] = []
        more = True
        while more or window:
            self._halt.check()
            size = self._asking.size
            while more and not self._is_full(window, size):
                with self.effort.timed("waiting"), self._halt.waiting():
                    job = next(prepared, None)
                more = job is not None
                if job is not None:
                    window += job[1]
                    yield job[0]
            if window:
                chosen = self._chosen([sample for sample, _ in window], size)
                batch = [window[place][0] for place in chosen]
                with self.effort.timed("model"), cores_left(self._engine.device, self._count):
                    self._asking.ask(batch)
                for place in reversed(chosen):
                    self._jobs.release(*window.pop(place))
                yield len(batch)

    def _is_full(self, window: list[tuple[Sample, Held]], size: int) -> bool:
        """Whether the next batch may be picked. Half of the memory is for what is prepared meanwhile."""
        held = {id(held): held.size for _, held in window}
        if len(window) >= size and sum(held.values()) >= self._most_bytes // 2:
            return True
        return len(window) >= (size * _WINDOW if size > 1 else 1)

    def _chosen(self, samples: Sequence[Sample], size: int) -> list[int]:
        """The places of the samples that make the next batch."""
        asked = [repr(sorted(sample.generation_kwargs.items(), key=str)) for sample in samples]
        alike = [place for place, one in enumerate(asked) if one == asked[0]]
        return [alike[number] for number in take([encoded_of(samples[place]) for place in alike], size)]
