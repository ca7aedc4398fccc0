"""Work that runs ahead of its consumer, in order and within bounds. Standard library only."""

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

DoJob = Callable[[Job], tuple[Result, int]]
"""Does one job, and says how many bytes the result holds."""


def grouped(kinds: Sequence[Hashable | None], items: Sequence[Job]) -> list[list[Job]]:
    """The items of each kind together, in the order of their first ones; one of the kind None is alone."""
    groups: dict[Hashable, list[Job]] = {}
    for place, (kind, item) in enumerate(zip(kinds, items, strict=True)):
        groups.setdefault((place,) if kind is None else ("kind", kind), []).append(item)
    return list(groups.values())


@dataclass
class _Failed:
    """Stands where the result of a job would have stood."""

    error: BaseException


@dataclass
class _State(Generic[Result]):
    """What the threads of one run share; everything in it is touched under its lock."""

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
        """Jobs that run or are done, and whose results were not consumed."""
        return self.taken - self.consumed

    @property
    def running(self) -> int:
        return self.waiting - len(self.results)


class Prefetch(Generic[Job, Result]):
    """The results of jobs in their order, of which several are worked on before they are asked for.

    Each of `hire` is called in a thread of its own and gives a worker for as long as there is work. Jobs are taken from
    their iterator one by one, also in those threads. No further one is taken while results hold `most_bytes` (those
    that run are expected to be as large as the largest so far) or `most_jobs` are done or run and not yet consumed;
    except that one may always run when the consumer would otherwise wait for nothing.

    An error of a job, of a worker or of the iterator is raised where the result would have come.
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
        """Each result, and the bytes to hand to `release` once it is dropped."""
        while (result := self._next()) is not None:
            if isinstance(result, _Failed):
                raise result.error
            yield result

    def _next(self) -> tuple[Result, int] | _Failed | None:
        """The next result; None when there are no more, or when it is not there yet and none are made any more."""
        state = self._state
        with state.changed:
            state.changed.wait_for(
                lambda: state.consumed in state.results or state.no_worker or state.closed
                or (state.all_taken and not state.waiting)
            )  # fmt: skip
            if state.consumed in state.results:
                result = state.results.pop(state.consumed)
                state.consumed += 1
                state.changed.notify_all()
                return result
            return _Failed(state.no_worker) if state.no_worker else None

    def release(self, size: int) -> None:
        """Say that a result of `size` bytes is no longer held."""
        with self._state.changed:
            self._state.held -= size
            self._state.changed.notify_all()

    def close(self) -> None:
        """Take no further job. What runs is ended by whoever ends the workers; their threads then end, too."""
        with self._state.changed:
            self._state.closed = True
            self._state.changed.notify_all()

    def join(self, seconds: float | None = None) -> None:
        """Wait until the threads have ended, for all of them together so many seconds at most."""
        until = None if seconds is None else time.monotonic() + seconds
        for thread in self._threads:
            thread.join(None if until is None else max(0.0, until - time.monotonic()))

    def _work(self, hire: Callable[[], AbstractContextManager[DoJob[Job, Result]]]) -> None:
        try:
            with hire() as worker:
                while (taken := self._take()) is not None:
                    self._do(*taken, worker)
        except BaseException as error:  # raised again where the consumer waits
            with self._state.changed:
                self._state.no_worker = error
                self._state.changed.notify_all()

    def _do(self, number: int, job: Job, worker: DoJob[Job, Result]) -> None:
        try:
            self._done(number, worker(job))
        except BaseException as error:
            self._done(number, _Failed(error))

    def _take(self) -> tuple[int, Job] | None:
        """The next job and its number, once there is room for its result; None when no further one is to be done."""
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
        if not state.waiting:  # the consumer would wait for nothing
            return True
        expected = state.held + (state.running + 1) * state.largest
        return state.waiting < self._most_jobs and expected <= self._most_bytes

    def _done(self, number: int, result: tuple[Result, int] | _Failed) -> None:
        state = self._state
        with state.changed:
            state.results[number] = result
            if not isinstance(result, _Failed):
                state.held += result[1]
                state.largest = max(state.largest, result[1])
            state.changed.notify_all()
