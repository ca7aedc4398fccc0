"""Answers requests: prepares media ahead, batches prompts of similar length, and keeps the order of the responses."""

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
"""The next batch is chosen from the requests for this many batches. More would save little padding and need more
memory."""

_Waiting = list[tuple[EncodedRequest, MemoryShare]]


@dataclass
class Effort:
    """How long a run spent on what, and how much padding its batches had.

    Attributes:
        model: Seconds in which the model worked.
        waiting: Seconds in which the model waited for media.
        padding: The padding of all batches.
    """

    model: float = 0.0
    waiting: float = 0.0
    padding: Padding = field(default_factory=Padding)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Add the time that the block takes to the attribute `what`, which is "model" or "waiting"."""
        started = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, what, getattr(self, what) + time.perf_counter() - started)

    @property
    def busy(self) -> float:
        """The share of the time in which the model worked, from 0 to 1; 0 if it never worked."""
        return self.model / (self.model + self.waiting) if self.model else 0.0


class LocalRunner:
    """Answers requests with an engine.

    Args:
        engine: The loaded checkpoint.
        workers: Processes that prepare media ahead of the model; None to prepare them in this process.
        ledger: Keeps answers and counts failures.
        guard: Ends the run after SIGTERM, between two batches or while it waits for media.

    Attributes:
        effort: The time and the padding of the run so far.
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
        """How many requests a batch may have: as the settings say, or less if that many did not fit into memory."""
        return self._batches.size

    def run(self, requests: Sequence[Request], on_response: Callable[[], Any] = lambda: None) -> Generator[Response]:
        """Answer requests. Which of them share a batch does not depend on how fast anything is.

        Errors that do not concern a single request are raised. If the caller closes the generator early, the workers
        end too.

        Args:
            requests: The requests of the run.
            on_response: Called once for each response as soon as it exists, in any order.

        Yields:
            The response to each request, in the order of the requests.

        Raises:
            RunStopped: The ledger ended the run.
            Terminated: The process received SIGTERM.
        """
        try:
            yield from in_order(requests, self._responses(requests), on_response)
        finally:
            self._pipeline.end()

    def _responses(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Yield the responses in the order in which they are made."""
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
        """Answer the next batch, and remove its requests from the window."""
        chosen = self._next_batch([request for request, _ in window], self.batch_size)
        with self.effort.timed("model"), cores_left(self._engine.device, self._workers):
            responses = self._batches.ask([window[index][0] for index in chosen])
        for index in reversed(chosen):
            _, share = window.pop(index)
            self._pipeline.release(share)
        return responses

    def _is_full(self, window: _Waiting, size: int) -> bool:
        """Whether the next batch can be chosen. Half of the memory is left for media that are prepared meanwhile."""
        shares = {id(share): share.size for _, share in window}
        if len(window) >= size and sum(shares.values()) >= self._engine.settings.prefetch_bytes // 2:
            return True
        return len(window) >= (size * _WINDOW if size > 1 else 1)

    def _next_batch(self, requests: Sequence[EncodedRequest], size: int) -> list[int]:
        """Choose the requests of the next batch, with equal arguments of generation. Returns their indices."""
        arguments = [repr(sorted(request.request.generation_kwargs.items(), key=str)) for request in requests]
        equal = [index for index, of_request in enumerate(arguments) if of_request == arguments[0]]
        return [equal[number] for number in pick_batch([prompt_of(requests[index]) for index in equal], size)]
