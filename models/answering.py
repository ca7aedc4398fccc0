"""From samples to responses: media are prepared ahead, like prompts share a batch, answers keep their order."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .asking import Asking, encoded_of
from .batches import Padding, take
from .conversation import Conversation
from .encoder import Outcome, bytes_of, failed, media_names, media_of, paths_of
from .engine import Engine, PromptTooLongError
from .pipeline import Ahead, neighbours
from .samples import Ledger, Sample
from .stall import StalledError, within
from .stopping import Halt
from .workers import MediaWorkers, cores_left

_WINDOW = 4
"""Batches from whose samples the next one is picked: more would save little padding and hold more memory."""

_MOST_TOGETHER = 32
"""Samples about one clip that are prepared in one go."""

_AHEAD_OF_WORKER = 2
"""Jobs of each worker that are done or run ahead of the model: enough to even out short and long clips."""

_LEFT_BEHIND = 1.0
"""Seconds that a thread gets to end after its worker has ended."""


@dataclass
class _Job:
    """Samples that are prepared in one go, each with its conversation, or with why it has none."""

    samples: list[Sample] = field(default_factory=list)
    asked: list[Conversation | Outcome] = field(default_factory=list)

    def outcomes(self, encode: Callable[[Sequence[Conversation]], list[Outcome]], ledger: Ledger) -> list[Outcome]:
        """What became of each sample, with `encode` for the conversations whose answer the ledger does not know."""
        known = [_recalled(ledger, *pair) for pair in zip(self.samples, self.asked, strict=True)]
        conversations = [asked for asked in known if not isinstance(asked, Outcome)]
        made = iter(encode(conversations) if conversations else [])
        return [asked if isinstance(asked, Outcome) else next(made) for asked in known]


_Prepared = tuple[_Job, list[Outcome]]


@dataclass
class _Held:
    """The memory of one job's samples, which is free again when all of them are answered."""

    size: int
    samples: int


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
        self._engine = engine
        self._workers = workers
        self._count = count
        self._ledger = ledger or Ledger()
        self._halt = halt or Halt()
        self._most_bytes = int(engine.settings.prefetch_gb * 1e9)
        self._ahead: Ahead[_Job, _Prepared] | None = None
        self.effort = Effort()
        self._asking = Asking(engine, self._ledger, self.effort.padding)

    @property
    def batch_size(self) -> int:
        """How many samples are asked at once: less than the settings say, if those did not fit into memory."""
        return self._asking.size

    def run(self, samples: Sequence[Sample], answered: Callable[[], Any] = lambda: None) -> Iterator[Sample]:
        """Yield every sample once it is done, in order; `answered` is called for each, as soon as it is, in any order.

        Which samples share a batch does not depend on how fast anything is. Errors that are not about one sample are
        raised. Where the run is left early, no worker goes on with it.
        """
        given = 0
        try:
            for finished in self._finished(samples):
                for _ in range(finished):
                    answered()
                while given < len(samples) and samples[given].done:
                    yield samples[given]
                    given += 1
        finally:
            self._end(complete=given == len(samples))

    def _finished(self, samples: Sequence[Sample]) -> Iterator[int]:
        """Work on the samples, and yield how many more are done."""
        prepared = self._prepared(samples)
        window: list[tuple[Sample, _Held]] = []
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
                    self._release(*window.pop(place))
                yield len(batch)

    def _is_full(self, window: list[tuple[Sample, _Held]], size: int) -> bool:
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

    def _release(self, sample: Sample, held: _Held) -> None:
        sample.encoded = None
        held.samples -= 1
        if not held.samples and self._ahead is not None:
            self._ahead.release(held.size)

    def _prepared(self, samples: Sequence[Sample]) -> Iterator[tuple[int, list[tuple[Sample, _Held]]]]:
        """For each job, how many of its samples failed, and the others with their memory."""
        for (job, outcomes), size in self._outcomes(self._jobs(samples)):
            for sample, outcome in zip(job.samples, outcomes, strict=True):
                self._take_over(sample, outcome)
            ready = [sample for sample in job.samples if not sample.done]
            held = _Held(size, len(ready))
            if not ready and self._ahead is not None:
                self._ahead.release(size)
            yield len(job.samples) - len(ready), [(sample, held) for sample in ready]

    def _take_over(self, sample: Sample, outcome: Outcome) -> None:
        if sample.done:  # by an answer of an earlier run
            return
        sample.shown, sample.remarks = outcome.shown, outcome.remarks
        if outcome.encoded is None:
            self._fail(sample, outcome)
            return
        sample.tokens = outcome.encoded.tokens
        try:
            sample.encoded = self._engine.fitting(outcome.encoded)
        except PromptTooLongError as error:
            self._fail(sample, failed(error))

    def _fail(self, sample: Sample, outcome: Outcome) -> None:
        sample.fail(outcome)
        self._ledger.failed(sample)

    def _outcomes(self, jobs: Iterator[_Job]) -> Iterator[tuple[_Prepared, int]]:
        """What became of each job, and how many bytes it holds."""
        if self._workers is None:
            return (_sized(job, job.outcomes(self._encode_here, self._ledger)) for job in jobs)
        hire = [partial(_hired, self._workers, self._ledger)] * self._count
        self._ahead = Ahead(jobs, hire, self._most_bytes, _AHEAD_OF_WORKER * self._count)
        return iter(self._ahead)

    def _encode_here(self, conversations: Sequence[Conversation]) -> list[Outcome]:
        encoder, limit = self._engine.encoder, self._engine.settings.media_timeout
        if not any(map(media_of, conversations)):
            return encoder.encode(conversations)
        try:
            return within(limit, lambda: encoder.encode(conversations), f"Decoding {media_names(conversations)}")
        except StalledError as error:
            return [failed(error)] * len(conversations)

    def _jobs(self, samples: Sequence[Sample]) -> Iterator[_Job]:
        """What is prepared in one go: samples about one clip, brought together, in the order of their first ones."""
        order = neighbours([sample.clip for sample in samples])
        job = _Job()
        about: list[str] = []
        for number, place in enumerate(order):
            sample = samples[place]
            asked = self._asked(sample)
            paths = [] if isinstance(asked, Outcome) else paths_of([asked])
            if job.samples and (paths != about or not paths or len(job.samples) == _MOST_TOGETHER):
                yield job
                job = _Job()
            about = paths
            sample.media = tuple(paths)
            job.samples.append(sample)
            job.asked.append(asked)
            following = [samples[later].clip for later in order[number + 1 : number + 2]]
            if sample.clip is not None and sample.clip not in following:  # no need to see what the next one is about
                yield job
                job = _Job()
        if job.samples:
            yield job

    def _asked(self, sample: Sample) -> Conversation | Outcome:
        try:
            return self._engine.encoder.read(sample.messages())
        except Exception as error:
            return failed(error)

    def _end(self, complete: bool) -> None:
        if self._ahead is None or self._workers is None:
            return
        self._ahead.close()
        if complete:
            self._ahead.join()
        else:
            self._workers.close()
            self._ahead.join(_LEFT_BEHIND)  # one may be fetching a clip, which nothing can end
        self._ahead = None


def _recalled(ledger: Ledger, sample: Sample, asked: Conversation | Outcome) -> Conversation | Outcome:
    """What is still to be prepared of a sample, or that it needs nothing any more."""
    if isinstance(asked, Outcome):
        return asked
    try:
        return Outcome() if ledger.recall(sample, asked) else asked
    except StalledError as error:
        return failed(error)


def _sized(job: _Job, outcomes: list[Outcome]) -> tuple[_Prepared, int]:
    return (job, outcomes), bytes_of(outcomes)


@contextmanager
def _hired(workers: MediaWorkers, ledger: Ledger) -> Iterator[Callable[[_Job], tuple[_Prepared, int]]]:
    """A worker, for as long as the block lasts."""
    worker = workers.worker()
    try:
        yield lambda job: _sized(job, job.outcomes(worker.encode, ledger))
    finally:
        worker.close()
