"""Runs work ahead of its consumer, within limits, and returns results in order. Standard library only."""

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .signals import WAKE_INTERVAL

Job = TypeVar("Job")
Result = TypeVar("Result")

DoJob = Callable[[Job], tuple[Result, int]]
"""Does one job, and returns its result and how many bytes that holds."""


def grouped(kinds: Sequence[Hashable | None], items: Sequence[Job]) -> list[list[Job]]:
    """Group items by their kinds.

    Args:
        kinds: The kind of each item. None means that the kind is not known.
        items: As many items as there are kinds.

    Returns:
        The groups, ordered by the first item of each. An item of the kind None is a group of its own.
    """
    groups: dict[Hashable, list[Job]] = {}
    for place, (kind, item) in enumerate(zip(kinds, items, strict=True)):
        groups.setdefault((place,) if kind is None else ("kind", kind), []).append(item)
    return list(groups.values())


@dataclass
class _Failed:
    """The error of a job, in the place of its result."""

    error: BaseException


@dataclass
class _State(Generic[Result]):
    """What the threads of one run share. All fields are accessed under the lock of `changed`."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    results: dict[int, tuple[Result, int] | _Failed] = field(default_factory=dict)
    no_worker: BaseException | None = None
    taken: int = 0
    consumed: int = 0
    held: int = 0
    largest: int = 0
    all_taken: bool = False
    closed: bool = False

    @property
    def waiting(self) -> int:
        """Jobs that run or are done, and whose results were not consumed yet."""
        return self.taken - self.consumed

    @property
    def running(self) -> int:
        return self.waiting - len(self.results)


class Prefetch(Generic[Job, Result]):
    """Yields the results of jobs in the order of the jobs, and works on several jobs ahead.

    Jobs are taken from their iterator one by one, in the threads of the workers. An error of a job, of a worker or of
    the iterator is raised in the place of the result.

    Args:
        jobs: Consumed while the work goes on, by one thread at a time.
        hire: One function for each worker. In a thread of its own, it is called once, and the context manager that it
            returns is entered. That gives the function that does jobs. The context is left after the last job.
        most_bytes: No further job is taken while results hold this many bytes. A running job is expected to need as
            many as the largest result so far.
        most_jobs: No further job is taken while this many run or are done, and were not consumed yet. Regardless of
            both limits, one job may run if no other runs and no result waits for the consumer.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        hire: Sequence[Callable[[], AbstractContextManager[DoJob[Job, Result]]]],
        most_bytes: int,
        most_jobs: int,
    ) -> None:
        self._jobs = iter(jobs)
        self._state: _State[Result] = _State()
        self._most_bytes, self._most_jobs = most_bytes, most_jobs
        self._taking = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, args=[one], name=f"media {number}", daemon=True)
            for number, one in enumerate(hire)
        ]
        for thread in self._threads:
            thread.start()

    def __iter__(self) -> Iterator[tuple[Result, int]]:
        """Each result, and the bytes to pass to `release` when it is dropped."""
        while (result := self._next()) is not None:
            if isinstance(result, _Failed):
                raise result.error
            yield result

    def _next(self) -> tuple[Result, int] | _Failed | None:
        """The next result. None after the last one, or after `close` if the next result is not there yet."""
        state = self._state
        with state.changed:
            while not state.changed.wait_for(
                lambda: state.consumed in state.results or state.no_worker or state.closed
                or (state.all_taken and not state.waiting),
                WAKE_INTERVAL,
            ):  # fmt: skip
                pass
            if state.consumed in state.results:
                result = state.results.pop(state.consumed)
                state.consumed += 1
                state.changed.notify_all()
                return result
            return _Failed(state.no_worker) if state.no_worker else None

    def release(self, size: int) -> None:
        """Record that a result of `size` bytes was dropped."""
        with self._state.changed:
            self._state.held -= size
            self._state.changed.notify_all()

    def close(self) -> None:
        """Take no further job. Running jobs go on until they are done or the caller ends their workers."""
        with self._state.changed:
            self._state.closed = True
            self._state.changed.notify_all()

    def join(self, seconds: float | None = None) -> None:
        """Wait until all threads have ended, for at most this many seconds in total; None means without limit."""
        deadline = None if seconds is None else time.monotonic() + seconds
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))

    def _work(self, hire: Callable[[], AbstractContextManager[DoJob[Job, Result]]]) -> None:
        try:
            with hire() as worker:
                while (taken := self._take()) is not None:
                    self._do(*taken, worker)
        except BaseException as error:  # raised again in the thread of the consumer
            with self._state.changed:
                self._state.no_worker = error
                self._state.changed.notify_all()

    def _do(self, number: int, job: Job, worker: DoJob[Job, Result]) -> None:
        try:
            self._store(number, worker(job))
        except BaseException as error:
            self._store(number, _Failed(error))

    def _take(self) -> tuple[int, Job] | None:
        """Wait for room, then take the next job and its number. None if no further job is to be done."""
        state = self._state
        with self._taking:
            with state.changed:
                state.changed.wait_for(lambda: state.closed or state.all_taken or self._has_room())
                if state.closed or state.all_taken:
                    return None
                number = state.taken
            try:
                job = next(self._jobs)
            except BaseException as error:
                with state.changed:
                    if not isinstance(error, StopIteration):
                        state.taken += 1
                        state.results[number] = _Failed(error)
                    state.all_taken = True
                    state.changed.notify_all()
                return None
            with state.changed:
                state.taken += 1
            return number, job

    def _has_room(self) -> bool:
        state = self._state
        if not state.waiting:  # or the consumer would wait forever
            return True
        expected = state.held + (state.running + 1) * state.largest
        return state.waiting < self._most_jobs and expected <= self._most_bytes

    def _store(self, number: int, result: tuple[Result, int] | _Failed) -> None:
        state = self._state
        with state.changed:
            state.results[number] = result
            if not isinstance(result, _Failed):
                state.held += result[1]
                state.largest = max(state.largest, result[1])
            state.changed.notify_all()
