"""Requests become ready to be asked: those about one clip together, ahead of whoever asks. Knows no harness."""

import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..inputs.conversation import Conversation, media_names, media_of, paths_of
from .ledger import Ledger
from .prefetch import Prefetch, grouped
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

_MOST_TOGETHER = 32
"""Requests about one clip that are encoded in one go."""

_AHEAD_OF_WORKER = 2
"""Jobs of each worker that are done or run ahead of who asks: enough to even out short and long clips."""

_FETCHED_AT_ONCE = 12
"""Clips that are fetched side by side, from where each takes most of its time to answer."""

_MOST_FETCHED, _MOST_FETCHED_BYTES = 16, 4 << 30
"""Clips, and bytes of their files, that are fetched ahead of being decoded."""

_LEFT_BEHIND = 1.0
"""Seconds that a thread gets to end after its worker has ended."""

_Encode = Callable[[Sequence[Conversation]], list[EncodingResult]]


@dataclass(frozen=True)
class _ReadRequest:
    """A request with its conversation; `media` and `key` are those of `Response`."""

    request: Request
    conversation: Conversation
    media: tuple[str, ...]
    key: str | None = None


_Job = list[_ReadRequest | Response]
"""Requests that are encoded in one go; those whose messages cannot be read have their response already."""

_Results = list[EncodedRequest | Response]


@dataclass
class MemoryShare:
    """The memory of one job's requests, which is free again when all of them are answered."""

    size: int
    requests: int


@dataclass(frozen=True)
class PreparedJob:
    """What became of requests that were worked on in one go: responses that are there, and what is to be asked."""

    responses: list[Response] = field(default_factory=list)
    ready: list[tuple[EncodedRequest, MemoryShare]] = field(default_factory=list)


class Pipeline:
    """Makes requests ready for the model, ahead of it.

    Args:
        encoder: Reads messages, and encodes conversations where there are no workers.
        workers: Processes that encode ahead of the model; None to encode in this process, when the model waits.
        ledger: Knows answers of earlier runs, and counts requests that cannot be asked.
        settings: How long decoding may take, and how many bytes may be held ahead.
        fitting: Takes an encoded prompt and returns it; raises PromptTooLongError if the model cannot take it.
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
        self._fetching: Prefetch[list[Request], _Job] | None = None
        self._prefetch: Prefetch[_Job, _Results] | None = None
        self._open = 0
        self._one_at_a_time = threading.Lock()
        self._counting = threading.Lock()

    def ready(self, requests: Sequence[Request]) -> Generator[PreparedJob]:
        """For each job, the responses that are known or failed, and the other requests with their memory."""
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
        """Say that one of the requests with this memory is no longer held."""
        share.requests -= 1
        with self._counting:
            self._open -= 1
        if not share.requests and self._prefetch is not None:
            self._prefetch.release(share.size)

    def end(self) -> None:
        """End what works ahead; where some requests have no response yet, whatever the workers are doing."""
        stages = [stage for stage in (self._fetching, self._prefetch) if stage is not None]
        for stage in stages:
            stage.close()
        if self._open and self._workers is not None:
            self._workers.close()
        for stage in stages:
            stage.join(_LEFT_BEHIND if self._open else None)  # one may be fetching a clip, which nothing can end
        self._fetching = self._prefetch = None

    def _checked(self, result: Response | EncodedRequest) -> Response | EncodedRequest:
        """The result, or the response of one that does not fit; the ledger is told of failures."""
        if isinstance(result, EncodedRequest):
            try:
                return replace(result, encoded=self._fitting(result.encoded))
            except PromptTooLongError as error:
                result = result.failed(error_result(error))
        if result.error:
            self._ledger.failed(result)
        return result

    def _results(self, jobs: Iterator[_Job]) -> Iterator[tuple[_Results, int]]:
        """What became of the requests of each job, and how many bytes they hold."""
        if self._workers is None:
            return (_sized(_encode_job(job, self._encode_here, self._ledger)) for job in jobs)
        count = self._workers.count
        hire = [partial(_hired, self._workers, self._ledger)] * count
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

    def _jobs(self, requests: Sequence[Request]) -> Iterator[_Job]:
        """What is encoded in one go: requests about one clip, brought together, in the order of their first ones."""
        job: _Job = []
        about: tuple[str, ...] = ()
        for fetched in self._fetched(requests):
            for read in fetched:
                if job and (read.media != about or not about or len(job) == _MOST_TOGETHER):
                    yield job
                    job = []
                about = read.media
                job.append(read)
            if job[-1].request.clip is not None:  # no need to see what the next one is about
                yield job
                job = []
        if job:
            yield job

    def _fetched(self, requests: Sequence[Request]) -> Iterator[_Job]:
        """The requests about one clip, or a single one whose clip is not known, with their media fetched ahead."""
        groups = grouped([request.clip for request in requests], requests)
        threads = [lambda: nullcontext(self._fetch)] * max(1, min(_FETCHED_AT_ONCE, len(groups)))
        self._fetching = Prefetch(groups, threads, _MOST_FETCHED_BYTES, _MOST_FETCHED)
        for fetched, size in self._fetching:
            yield fetched
            self._fetching.release(size)

    def _fetch(self, requests: list[Request]) -> tuple[_Job, int]:
        """Read messages, for which media are fetched; returns also the bytes of their files."""
        # Tasks that do not name their clips are not ours, and their code may not be safe in several threads.
        with nullcontext() if requests[0].clip is not None else self._one_at_a_time:
            fetched = [self._read(request) for request in requests]
        return fetched, sum(map(_bytes_of_file, {path for read in fetched for path in read.media}))

    def _read(self, request: Request) -> _ReadRequest | Response:
        try:
            conversation = self._encoder.read(request.messages())
        except Exception as error:
            return failed_response(request, error_result(error), ())
        return _ReadRequest(request, conversation, tuple(paths_of([conversation])))


def _bytes_of_file(path: str) -> int:
    try:
        return os.path.getsize(path)
    except (OSError, ValueError):  # decoding it will show what is wrong
        return 0


def _encode_job(job: _Job, encode: _Encode, ledger: Ledger) -> _Results:
    """What became of each request, with `encode` for the conversations whose answer the ledger does not know."""
    known = [one if isinstance(one, Response) else _recalled(ledger, one) for one in job]
    unknown = [one.conversation for one in known if isinstance(one, _ReadRequest)]
    results = iter(encode(unknown) if unknown else [])
    return [one if isinstance(one, Response) else _result(one, next(results)) for one in known]


def _recalled(ledger: Ledger, read: _ReadRequest) -> _ReadRequest | Response:
    """The response of an earlier run, or the request with the key of its answer."""
    try:
        key, response = ledger.recall(read.request, read.conversation)
    except StalledError as error:
        return failed_response(read.request, error_result(error), read.media)
    return response or replace(read, key=key)


def _result(read: _ReadRequest, result: EncodingResult) -> EncodedRequest | Response:
    if result.encoded is None:
        return failed_response(read.request, result, read.media)
    return EncodedRequest(read.request, result.encoded, result.stats, result.remarks, read.media, read.key)


def _sized(results: _Results) -> tuple[_Results, int]:
    return results, bytes_of([result.encoded for result in results if isinstance(result, EncodedRequest)])


@contextmanager
def _hired(workers: WorkerPool, ledger: Ledger) -> Iterator[Callable[[_Job], tuple[_Results, int]]]:
    """A worker, for as long as the block lasts."""
    worker = workers.worker()
    try:
        yield lambda job: _sized(_encode_job(job, worker.encode, ledger))
    finally:
        worker.close()
