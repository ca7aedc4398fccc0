"""From requests to responses: media are prepared ahead, like prompts share a batch, answers keep their order."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..runtime.ledger import Ledger
from ..runtime.pipeline import MemoryShare, Pipeline
from ..runtime.request import EncodedRequest, Request, Response, in_order
from ..runtime.signals import SigtermGuard
from ..runtime.worker_pool import WorkerPool, cores_left
from .batching import BatchRunner, Padding, pick_batch, prompt_of
from .engine import Engine

_WINDOW = 4
"""Batches from whose requests the next one is picked: more would save little padding and hold more memory."""

_Waiting = list[tuple[EncodedRequest, MemoryShare]]


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


class LocalRunner:
    """Answers requests with an engine.

    Args:
        engine: The loaded checkpoint.
        workers: Processes that prepare media ahead of the model; None to prepare them in this process.
        ledger: Notes what becomes of each request.
        guard: Ends the run between two batches, or while it waits for media.
    """

    def __init__(self, engine: Engine, workers: WorkerPool | None, ledger: Ledger, guard: SigtermGuard) -> None:
        self._engine = engine
        self._workers = workers
        self._guard = guard
        self._pipeline = Pipeline(engine.encoder, workers, ledger, engine.settings, engine.fitting)
        self.effort = Effort()
        self._batches = BatchRunner(engine, ledger, self.effort.padding)

    @property
    def batch_size(self) -> int:
        """How many requests are asked at once: less than the settings say, if those did not fit into memory."""
        return self._batches.size

    def run(self, requests: Sequence[Request], on_response: Callable[[], Any] = lambda: None) -> Generator[Response]:
        """Yield the response to every request, in order; `on_response` is called for each, as it comes, in any order.

        Which requests share a batch does not depend on how fast anything is. Errors that are not about one request are
        raised. Where the run is left early, no worker goes on with it.
        """
        try:
            yield from in_order(requests, self._responses(requests), on_response)
        finally:
            self._pipeline.end()

    def _responses(self, requests: Sequence[Request]) -> Iterator[Response]:
        """The responses, in the order in which they come."""
        jobs = self._pipeline.ready(requests)
        window: _Waiting = []
        more = True
        while more or window:
            self._guard.check()
            while more and not self._is_full(window, self.batch_size):
                with self.effort.timed("waiting"), self._guard.waiting():
                    job = next(jobs, None)
                more = job is not None
                if job is not None:
                    window += job.ready
                    yield from job.responses
            if window:
                yield from self._ask_batch(window)

    def _ask_batch(self, window: _Waiting) -> list[Response]:
        """The responses to the next batch, which leaves the window."""
        chosen = self._chosen([request for request, _ in window], self.batch_size)
        with self.effort.timed("model"), cores_left(self._engine.device, self._workers):
            responses = self._batches.ask([window[place][0] for place in chosen])
        for place in reversed(chosen):
            _, share = window.pop(place)
            self._pipeline.release(share)
        return responses

    def _is_full(self, window: _Waiting, size: int) -> bool:
        """Whether the next batch may be picked. Half of the memory is for what is prepared meanwhile."""
        shares = {id(share): share.size for _, share in window}
        if len(window) >= size and sum(shares.values()) >= self._engine.settings.prefetch_bytes // 2:
            return True
        return len(window) >= (size * _WINDOW if size > 1 else 1)

    def _chosen(self, requests: Sequence[EncodedRequest], size: int) -> list[int]:
        """The places of the requests that make the next batch."""
        asked = [repr(sorted(request.request.generation_kwargs.items(), key=str)) for request in requests]
        alike = [place for place, one in enumerate(asked) if one == asked[0]]
        return [alike[number] for number in pick_batch([prompt_of(requests[place]) for place in alike], size)]
