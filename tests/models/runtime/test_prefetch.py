"""Work ahead of its consumer: in order, within limits, and with errors in the place of results."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmms_humansense.models.runtime.prefetch import Prefetch, grouped
from tests.helpers.waits import until

Work = Callable[[int], tuple[int, int]]


def hired(work: Work, count: int) -> list[Any]:
    @contextmanager
    def hire() -> Iterator[Work]:
        yield work

    return [hire] * count


@given(st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=30))
def test_the_items_of_each_kind_follow_its_first_item(kinds: list[int | None]) -> None:
    order = [place for group in grouped(kinds, range(len(kinds))) for place in group]
    assert sorted(order) == list(range(len(kinds)))
    placed = [kinds[place] for place in order]
    for kind in set(kinds) - {None}:
        first, last = placed.index(kind), len(placed) - placed[::-1].index(kind)
        assert set(placed[first:last]) == {kind}
    firsts = [
        place for number, place in enumerate(order) if kinds[place] is None or kinds[place] not in placed[:number]
    ]
    assert firsts == sorted(firsts)


def test_results_keep_the_order_of_their_jobs() -> None:
    def work(job: int) -> tuple[int, int]:
        time.sleep(0.003 * (job % 4))
        return job * 10, 1

    ahead = Prefetch(range(50), hired(work, 4), most_bytes=1000, most_jobs=8)
    assert [result for result, _ in ahead] == [job * 10 for job in range(50)]
    ahead.join()


def test_no_job_is_done_twice_and_none_is_left_out() -> None:
    done: list[int] = []

    def work(job: int) -> tuple[int, int]:
        done.append(job)
        return job, 0

    ahead: Prefetch[int, int] = Prefetch(iter(range(200)), hired(work, 6), 1, 12)
    assert [result for result, _ in ahead] == list(range(200))
    assert sorted(done) == list(range(200))


def test_the_limit_of_jobs_runs_ahead_and_no_more() -> None:
    done: list[int] = []

    def work(job: int) -> tuple[int, int]:
        done.append(job)
        return job, 1

    ahead: Prefetch[int, int] = Prefetch(range(100), hired(work, 3), 10**6, 5)
    results = iter(ahead)
    next(results)
    until(lambda: ahead._state.waiting == 5 and not ahead._state.running)  # there is no room for more
    assert sorted(done) == [0, 1, 2, 3, 4, 5]
    ahead.close()
    ahead.join()


def test_the_limit_of_bytes_is_not_exceeded() -> None:
    held, most = [0], [0]
    lock = threading.Lock()

    def work(job: int) -> tuple[int, int]:
        with lock:
            held[0] += 10
            most[0] = max(most[0], held[0])
        return job, 10

    ahead = Prefetch(range(60), hired(work, 3), most_bytes=55, most_jobs=100)
    for _, size in ahead:
        time.sleep(0.001)
        with lock:
            held[0] -= size
        ahead.release(size)
    # The first jobs run before the size of a result is known.
    assert most[0] <= 60


def test_a_result_larger_than_the_limit_is_returned() -> None:
    ahead: Prefetch[int, int] = Prefetch(range(5), hired(lambda job: (job, 1000), 2), most_bytes=10, most_jobs=4)
    assert [result for result, _ in ahead] == [0, 1, 2, 3, 4]  # although the consumer never releases one


def test_an_error_of_a_job_comes_in_the_place_of_its_result() -> None:
    def work(job: int) -> tuple[int, int]:
        if job == 3:
            raise ZeroDivisionError
        return job, 0

    ahead = Prefetch(range(10), hired(work, 2), 100, 4)
    seen: list[int] = []
    with pytest.raises(ZeroDivisionError):
        seen.extend(result for result, _ in iter_into(ahead, seen))
    assert seen == [0, 1, 2]
    ahead.close()
    ahead.join()


def iter_into(ahead: Prefetch[int, int], seen: list[int]) -> Iterator[tuple[int, int]]:
    """Keeps the results that come before an error."""
    for result, _ in ahead:
        seen.append(result)
    yield from ()


def test_an_exit_in_the_iterator_comes_after_the_jobs_before_it() -> None:
    def jobs() -> Iterator[int]:
        yield from range(3)
        raise SystemExit("no such file")

    ahead = Prefetch(jobs(), hired(lambda job: (job, 0), 2), 100, 4)
    seen: list[int] = []
    with pytest.raises(SystemExit, match="no such file"):
        list(iter_into(ahead, seen))
    assert seen == [0, 1, 2]


def test_without_a_worker_the_consumer_gets_the_error() -> None:
    @contextmanager
    def hire() -> Iterator[Work]:
        raise OSError("no more processes")
        yield

    with pytest.raises(OSError, match="no more processes"):
        list(Prefetch(range(3), [hire], 100, 4))


def test_workers_are_ended_when_there_is_no_more_work() -> None:
    ended: list[int] = []

    @contextmanager
    def hire() -> Iterator[Work]:
        yield lambda job: (job, 0)
        ended.append(1)

    ahead: Prefetch[int, int] = Prefetch(range(3), [hire, hire], 100, 4)
    assert len(list(ahead)) == 3
    ahead.join()
    assert len(ended) == 2
