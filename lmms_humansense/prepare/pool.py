"""Decodes files with all cores, and sums up what came of each."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import joblib

from ..models.inputs.conversation import Conversation
from ..models.media.store import MissingEntryError, UnwritableStoreError
from ..models.runtime.request import EncodingResult
from ..models.runtime.worker_pool import Worker, WorkerPool
from ..tasks.humansense.annotations import DataError
from .decoder import ClipDecoder, Decoded


@dataclass(frozen=True)
class FileOutcome:
    """What came of one file, which may be shown in several ways.

    Attributes:
        size: Bytes of its entries.
        written: How many of them are new.
        seconds: How long it lasts; 0 if no way to show it could be decoded.
        is_missing: Whether an entry is missing that was only looked for.
        reasons: Why it cannot be shown in some ways, or in all; each reason once.
        is_decoded: Whether it can be shown in at least one way.
    """

    size: int
    written: int
    seconds: float
    is_missing: bool
    reasons: tuple[str, ...]
    is_decoded: bool

    @property
    def is_there(self) -> bool:
        """Whether all of it was there, so that nothing had to be decoded."""
        return not (self.written or self.is_missing or self.reasons)


def outcome_of(results: Sequence[EncodingResult]) -> FileOutcome:
    """Sum up what a `ClipDecoder` returned for one file.

    Raises:
        DataError: An entry cannot be written.
    """
    decoded = [result.encoded for result in results if isinstance(result.encoded, Decoded)]
    reasons = tuple(dict.fromkeys(result.reason for result in results if result.reason))
    for reason in reasons:
        if _is(UnwritableStoreError, reason):
            raise DataError(
                f"{reason.partition(': ')[2]}: free space, or choose another folder with --to. What was decoded is "
                "kept, and the same command continues from there."
            )
    return FileOutcome(
        sum(one.size for one in decoded), sum(one.written for one in decoded),
        max((one.seconds for one in decoded), default=0.0), any(_is(MissingEntryError, reason) for reason in reasons),
        tuple(reason for reason in reasons if not _is(MissingEntryError, reason)), bool(decoded),
    )  # fmt: skip


def _is(kind: type[Exception], reason: str) -> bool:
    return reason.startswith(f"{kind.__name__}:")


@contextmanager
def decoding(folder: Path, factor: int, timeout: float, checking: bool = False) -> Iterator["Decode"]:
    """Start a process for each core. The block gets a function that decodes files with all of them.

    Args:
        folder: The folder of the store.
        factor: As for `ClipDecoder`.
        timeout: Seconds that decoding one file may take.
        checking: As for `ClipDecoder`.
    """
    count = max(1, joblib.cpu_count())
    pool = WorkerPool(partial(ClipDecoder, folder, factor, checking), count, timeout)
    try:
        yield Decode(pool)
    finally:
        pool.close()


class Decode:
    """Decodes files with the processes of a pool."""

    def __init__(self, pool: WorkerPool) -> None:
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for _ in range(pool.count):
            self._idle.put(pool.worker())
        self._count = pool.count

    def __call__(self, jobs: Mapping[str, Sequence[Conversation]]) -> Iterator[tuple[str, FileOutcome]]:
        """Yield the names of files, each with its outcome, in the order in which they are done.

        Raises:
            DataError: An entry cannot be written.
        """
        with ThreadPoolExecutor(self._count) as threads:
            futures = {threads.submit(self._one, job): name for name, job in jobs.items()}
            try:
                for future in as_completed(futures):
                    yield futures[future], outcome_of(future.result())
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _one(self, job: Sequence[Conversation]) -> list[EncodingResult]:
        worker = self._idle.get()
        try:
            return worker.encode(job)
        finally:
            self._idle.put(worker)
