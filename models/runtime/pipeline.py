"""Prepares requests ahead of the model, requests about the same clip together. Does not depend on lmms-eval."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..inputs.conversation import Conversation, media_names, media_of
from .fetching import Fetched, Fetching, ReadRequest, recalled
from .ledger import Ledger
from .prefetch import Prefetch
from .request import (
    EncodedRequest,
    EncodingResult,
    PromptTooLongError,
    Request,
    RequestEncoder,
    Response,
    bytes_of,
    error_result,
    failed_response,
)
from .settings import RunSettings
from .timeouts import StalledError, within
from .worker_pool import WorkerPool

_MAX_TOGETHER = 32
"""Requests about one clip that are encoded in one job, at most."""

_AHEAD_OF_WORKER = 2
"""How many jobs of each worker may run, or wait for the model. Enough to even out short and long clips."""

_JOIN_TIMEOUT = 1.0
"""Seconds that a thread gets to end after its worker has ended."""

_Encode = Callable[[Sequence[Conversation]], list[EncodingResult]]


_Results = list[EncodedRequest | Response]


@dataclass
class MemoryShare:
    """The memory of one job's requests, which is freed when all of them are answered.

    Attributes:
        size: Bytes of the memory.
        requests: How many requests still use it.
    """

    size: int
    requests: int


@dataclass(frozen=True)
class PreparedJob:
    """The requests of one job, after encoding.

    Attributes:
        responses: Responses of requests that need not be asked: they failed, or an earlier run has their answer.
        ready: Requests to ask the model, each with the memory that it shares with others of the job.
    """

    responses: list[Response] = field(default_factory=list)
    ready: list[tuple[EncodedRequest, MemoryShare]] = field(default_factory=list)


class Pipeline:
    """Prepares requests for the model, ahead of it.

    Args:
        encoder: Reads messages, and encodes conversations if there are no workers.
        workers: Processes that encode ahead of the model; None to encode in this process, while the model waits.
        ledger: Knows answers of earlier runs, and counts requests that cannot be asked.
        settings: How long decoding may take, and how many bytes may be prepared ahead.
        fitting: Takes an encoded prompt and returns it; raises PromptTooLongError if it is too long for the model.
    """

    def __init__(
        self,
        encoder: RequestEncoder,
        workers: WorkerPool | None,
        ledger: Ledger,
        settings: RunSettings,
        fitting: Callable[[Any], Any] = lambda encoded: encoded,
    ) -> None:
        self._encoder = encoder
        self._workers = workers
        self._ledger = ledger
        self._settings = settings
        self._fitting = fitting
        self._fetching = Fetching(encoder)
        self._prefetch: Prefetch[Fetched, _Results] | None = None
        self._open = 0
        self._counting = threading.Lock()

    def ready(self, requests: Sequence[Request]) -> Generator[PreparedJob]:
        """Prepare requests, ahead of the caller if there are workers.

        When a request of `PreparedJob.ready` is answered, the caller has to pass its memory to `release`.

        Yields:
            The jobs, ordered by the first request of each.

        Raises:
            RunStopped: The settings do not allow this many failed requests.
            RuntimeError: The workers cannot start.
        """
        self._open = len(requests)
        for results, size in self._results(self._jobs(requests)):
            job = PreparedJob()
            share = MemoryShare(size, 0)
            for result in results:
                checked = self._checked(result)
                if isinstance(checked, Response):
                    job.responses.append(checked)
                else:
                    share.requests += 1
                    job.ready.append((checked, share))
            if not job.ready and self._prefetch is not None:
                self._prefetch.release(size)
            with self._counting:
                self._open -= len(job.responses)
            yield job

    def release(self, share: MemoryShare) -> None:
        """Record that one of the requests with this memory was answered and dropped."""
        share.requests -= 1
        with self._counting:
            self._open -= 1
        if not share.requests and self._prefetch is not None:
            self._prefetch.release(share.size)

    def end(self) -> None:
        """End all work ahead. If some requests have no response yet, the workers are ended at once."""
        stages = [stage for stage in (self._fetching, self._prefetch) if stage is not None]
        for stage in stages:
            stage.close()
        if self._open and self._workers is not None:
            self._workers.close()
        for stage in stages:
            stage.join(_JOIN_TIMEOUT if self._open else None)  # a thread that fetches a clip cannot be ended
        self._prefetch = None

    def _checked(self, result: Response | EncodedRequest) -> Response | EncodedRequest:
        """The result, or a failed response if its prompt is too long. Counts failures in the ledger."""
        if isinstance(result, EncodedRequest):
            try:
                return replace(result, encoded=self._fitting(result.encoded))
            except PromptTooLongError as error:
                result = result.failed(error_result(error))
        if result.error:
            self._ledger.failed(result)
        return result

    def _results(self, jobs: Iterator[Fetched]) -> Iterator[tuple[_Results, int]]:
        """The results of each job, and how many bytes they hold."""
        if self._workers is None:
            return (_sized(_encode_job(job, self._encode_here, self._ledger)) for job in jobs)
        count = self._workers.count
        hire = [partial(_hire, self._workers, self._ledger)] * count
        self._prefetch = Prefetch(jobs, hire, self._settings.prefetch_bytes, _AHEAD_OF_WORKER * count)
        return iter(self._prefetch)

    def _encode_here(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        if not any(map(media_of, conversations)):
            return self._encoder.encode(conversations)
        try:
            work = f"Decoding {media_names(conversations)}"
            return within(self._settings.media_timeout, lambda: self._encoder.encode(conversations), work)
        except StalledError as error:
            return [error_result(error)] * len(conversations)

    def _jobs(self, requests: Sequence[Request]) -> Iterator[Fetched]:
        """Group requests about one clip into jobs, ordered by the first request of each."""
        job: Fetched = []
        shown: tuple[str, ...] = ()
        for fetched in self._fetching.read(requests):
            for read in fetched:
                if job and (read.media != shown or not shown or len(job) == _MAX_TOGETHER):
                    yield job
                    job = []
                shown = read.media
                job.append(read)
            if job[-1].request.clip is not None:  # all requests about this clip have come
                yield job
                job = []
        if job:
            yield job


def _encode_job(job: Fetched, encode: _Encode, ledger: Ledger) -> _Results:
    """Encode the requests of a job whose answer the ledger does not know.

    Returns:
        For each request of the job, in order, its response or the encoded request.
    """
    known = [one if isinstance(one, Response) else recalled(ledger, one) for one in job]
    unknown = [one.conversation for one in known if isinstance(one, ReadRequest)]
    results = iter(encode(unknown) if unknown else [])
    return [one if isinstance(one, Response) else _result(one, next(results)) for one in known]


def _result(read: ReadRequest, result: EncodingResult) -> EncodedRequest | Response:
    if result.encoded is None:
        return failed_response(read.request, result, read.media)
    return EncodedRequest(read.request, result.encoded, result.stats, result.remarks, read.media, read.key)


def _sized(results: _Results) -> tuple[_Results, int]:
    return results, bytes_of([result.encoded for result in results if isinstance(result, EncodedRequest)])


@contextmanager
def _hire(workers: WorkerPool, ledger: Ledger) -> Iterator[Callable[[Fetched], tuple[_Results, int]]]:
    """Start a worker that does jobs, and end it after the block."""
    worker = workers.worker()
    try:
        yield lambda job: _sized(_encode_job(job, worker.encode, ledger))
    finally:
        worker.close()


def put_until(events: "queue.Queue[Any]", event: Any, ended: threading.Event) -> bool:
    """Put something into a queue as soon as there is room.

    Args:
        events: The queue.
        event: What to put.
        ended: Is set when nothing is taken from the queue any more.

    Returns:
        Whether it was put; False if the run has ended.
    """
    while not ended.is_set():
        try:
            events.put(event, timeout=_LOOKED_AGAIN)
            return True
        except queue.Full:
            continue
    return False


_LOOKED_AGAIN = 0.2
"""Seconds after which a thread that waits for room looks whether the run has ended."""
