"""Samples are made ready to be asked: those about one clip together, ahead of whoever asks. Knows no harness."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .conversation import Conversation
from .encoder import Outcome, Preparer, PromptTooLongError, bytes_of, failed, media_names, media_of, paths_of
from .pipeline import Ahead, neighbours
from .samples import Ledger, Sample
from .stall import StalledError, within
from .workers import MediaWorkers

_MOST_TOGETHER = 32
"""Samples about one clip that are prepared in one go."""

_AHEAD_OF_WORKER = 2
"""Jobs of each worker that are done or run ahead of who asks: enough to even out short and long clips."""

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
class Held:
    """The memory of one job's samples, which is free again when all of them are answered."""

    size: int
    samples: int


class Jobs:
    """Samples made ready by so many of the `workers`, or by none, one job after another.

    `limit` is the most seconds that decoding the media of one clip may take, `most_bytes` what may be held ahead. The
    `ledger` is asked for known answers and told of samples that can not be asked; `fitting` may refuse one by raising
    PromptTooLongError.
    """

    def __init__(
        self,
        encoder: Preparer,
        workers: MediaWorkers | None,
        count: int,
        ledger: Ledger,
        *,
        limit: float,
        most_bytes: int,
        fitting: Callable[[Any], Any] = lambda encoded: encoded,
    ) -> None:
        self._encoder = encoder
        self._workers = workers
        self._count = count
        self._ledger = ledger
        self._limit = limit
        self._most_bytes = most_bytes
        self._fitting = fitting
        self._ahead: Ahead[_Job, _Prepared] | None = None

    def ready(self, samples: Sequence[Sample]) -> Iterator[tuple[int, list[tuple[Sample, Held]]]]:
        """For each job, how many of its samples are known or have failed, and the others with their memory."""
        for (job, outcomes), size in self._outcomes(self._jobs(samples)):
            for sample, outcome in zip(job.samples, outcomes, strict=True):
                self._take_over(sample, outcome)
            ready = [sample for sample in job.samples if not sample.done]
            held = Held(size, len(ready))
            if not ready and self._ahead is not None:
                self._ahead.release(size)
            yield len(job.samples) - len(ready), [(sample, held) for sample in ready]

    def release(self, sample: Sample, held: Held) -> None:
        """Drop what a sample was asked with."""
        sample.encoded = None
        held.samples -= 1
        if not held.samples and self._ahead is not None:
            self._ahead.release(held.size)

    def end(self, complete: bool) -> None:
        """End what works ahead; where the run is left before its end, whatever the workers are doing."""
        if self._ahead is None or self._workers is None:
            return
        self._ahead.close()
        if complete:
            self._ahead.join()
        else:
            self._workers.close()
            self._ahead.join(_LEFT_BEHIND)  # one may be fetching a clip, which nothing can end
        self._ahead = None

    def _take_over(self, sample: Sample, outcome: Outcome) -> None:
        if sample.done:  # by an answer of an earlier run
            return
        sample.shown, sample.remarks = outcome.shown, outcome.remarks
        if outcome.encoded is None:
            self._fail(sample, outcome)
            return
        sample.tokens = outcome.encoded.tokens
        try:
            sample.encoded = self._fitting(outcome.encoded)
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
        if not any(map(media_of, conversations)):
            return self._encoder.encode(conversations)
        try:
            work = f"Decoding {media_names(conversations)}"
            return within(self._limit, lambda: self._encoder.encode(conversations), work)
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
            return self._encoder.read(sample.messages())
        except Exception as error:
            return failed(error)


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
