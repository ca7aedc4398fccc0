"""After SIGTERM, a run ends where no answer is lost by it, and with a status of its own."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lmms_humansense.models.runtime.signals import EXIT_INCOMPLETE, RunStopped, SigtermGuard, Terminated
from tests.helpers.waits import LIMIT


def send_sigterm() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def received() -> Iterator[list[int]]:
    """The signals that reached the handler from before the guard. It keeps them from ending the tests."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, before)


def test_without_sigterm_the_guard_raises_no_exception() -> None:
    with SigtermGuard() as guard:
        guard.check()
        with guard.waiting():
            pass


def test_sigterm_is_raised_by_the_next_check_only(received: list[int]) -> None:
    with SigtermGuard() as guard:
        send_sigterm()
        time.sleep(0)  # a signal is handled between two steps of Python
        with pytest.raises(Terminated):
            guard.check()
        with pytest.raises(Terminated):
            guard.check()
    assert received == []


def test_sigterm_that_comes_soon_is_raised_by_a_late_check() -> None:
    with SigtermGuard() as guard:
        guard.check_late()
        timer = threading.Timer(0.1, send_sigterm)
        timer.start()
        with pytest.raises(Terminated):
            guard.check_late()
        timer.join()
        with pytest.raises(Terminated):
            guard.check_late()


def test_a_wait_is_ended_at_once() -> None:
    began, never = threading.Event(), threading.Event()
    waited: list[bool] = []

    def end_it() -> None:
        began.wait(LIMIT)
        send_sigterm()

    thread = threading.Thread(target=end_it)
    with SigtermGuard() as guard:
        thread.start()
        with pytest.raises(Terminated), guard.waiting():
            began.set()
            waited.append(any(never.wait(0.01) for _ in range(int(100 * LIMIT))))
    thread.join()
    assert waited == []  # the wait was interrupted


def test_no_wait_begins_after_sigterm() -> None:
    with SigtermGuard() as guard:
        send_sigterm()
        waited = False
        with pytest.raises(Terminated), guard.waiting():
            waited = True
        assert not waited


def test_after_a_wait_sigterm_is_raised_by_the_next_check() -> None:
    with SigtermGuard() as guard:
        with guard.waiting():
            pass
        with pytest.raises(ZeroDivisionError), guard.waiting():
            raise ZeroDivisionError
        send_sigterm()
        time.sleep(0)
        with pytest.raises(Terminated):
            guard.check()


def test_terminated_is_not_caught_as_the_failure_of_a_request() -> None:
    assert not issubclass(Terminated, Exception)


def test_sigterm_just_before_a_wait_is_not_missed() -> None:
    class Slow(SigtermGuard):
        def check(self) -> None:
            super().check()
            send_sigterm()

    with Slow() as guard, pytest.raises(Terminated), guard.waiting():
        threading.Event().wait(0.05)


def test_the_handler_from_before_is_restored(received: list[int]) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with SigtermGuard():
        assert signal.getsignal(signal.SIGTERM) != handler
    assert signal.getsignal(signal.SIGTERM) is handler
    with pytest.raises(ZeroDivisionError), SigtermGuard():
        raise ZeroDivisionError
    send_sigterm()
    assert received == [signal.SIGTERM]


def test_guards_may_be_nested() -> None:
    with SigtermGuard() as outer:
        with SigtermGuard() as inner:
            send_sigterm()
            with pytest.raises(Terminated):
                inner.check()
        outer.check()
        send_sigterm()
        with pytest.raises(Terminated):
            outer.check()


def test_in_another_thread_the_guard_has_no_effect() -> None:
    handler = signal.getsignal(signal.SIGTERM)
    found: list[Any] = []

    def run() -> None:
        with SigtermGuard() as guard, guard.waiting():
            guard.check()
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [handler]
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_stopped_run_is_not_an_ordinary_exception() -> None:
    stopped = RunStopped("The disk is full.")
    assert (stopped.code, stopped.reason) == (EXIT_INCOMPLETE, "The disk is full.")
    assert EXIT_INCOMPLETE == 3
    assert isinstance(stopped, SystemExit)
    assert not isinstance(stopped, Exception)


def test_a_stopped_run_ends_the_program_with_its_status() -> None:
    code = "from lmms_humansense.models.runtime.signals import RunStopped; raise RunStopped('The disk is full.')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (3, "")
