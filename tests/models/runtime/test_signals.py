"""A run that is told to end does so where nothing is lost by it, and with a status of its own."""

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


def ask_to_end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def heard() -> Iterator[list[int]]:
    """The signals that reached whoever listened before, so that none ends the tests."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, before)


def test_nothing_is_raised_until_the_process_is_asked_to_end() -> None:
    with SigtermGuard() as halt:
        halt.check()
        with halt.waiting():
            pass


def test_sigterm_is_raised_by_the_next_check_only(heard: list[int]) -> None:
    with SigtermGuard() as halt:
        ask_to_end()
        time.sleep(0)  # a signal is handled between two steps of Python
        with pytest.raises(Terminated):
            halt.check()
        with pytest.raises(Terminated):
            halt.check()
    assert heard == []


def test_a_wait_is_ended_at_once() -> None:
    began, never = threading.Event(), threading.Event()
    waited: list[bool] = []

    def end_it() -> None:
        began.wait(LIMIT)
        ask_to_end()

    thread = threading.Thread(target=end_it)
    with SigtermGuard() as halt:
        thread.start()
        with pytest.raises(Terminated), halt.waiting():
            began.set()
            waited.append(never.wait(LIMIT))
    thread.join()
    assert waited == []  # the wait did not come to its own end


def test_no_wait_begins_after_sigterm() -> None:
    with SigtermGuard() as halt:
        ask_to_end()
        waited = False
        with pytest.raises(Terminated), halt.waiting():
            waited = True
        assert not waited


def test_after_a_wait_sigterm_is_left_to_the_next_check() -> None:
    with SigtermGuard() as halt:
        with halt.waiting():
            pass
        with pytest.raises(ZeroDivisionError), halt.waiting():
            raise ZeroDivisionError
        ask_to_end()
        time.sleep(0)
        with pytest.raises(Terminated):
            halt.check()


def test_the_end_is_not_taken_for_the_failure_of_what_was_waited_for() -> None:
    assert not issubclass(Terminated, Exception)


def test_sigterm_just_before_a_wait_is_not_missed() -> None:
    class Slow(SigtermGuard):
        def check(self) -> None:
            super().check()
            ask_to_end()

    with Slow() as halt, pytest.raises(Terminated), halt.waiting():
        threading.Event().wait(0.05)


def test_who_listened_before_listens_again(heard: list[int]) -> None:
    listening = signal.getsignal(signal.SIGTERM)
    with SigtermGuard():
        assert signal.getsignal(signal.SIGTERM) != listening
    assert signal.getsignal(signal.SIGTERM) is listening
    with pytest.raises(ZeroDivisionError), SigtermGuard():
        raise ZeroDivisionError
    ask_to_end()
    assert heard == [signal.SIGTERM]


def test_halts_may_be_nested() -> None:
    with SigtermGuard() as outer:
        with SigtermGuard() as inner:
            ask_to_end()
            with pytest.raises(Terminated):
                inner.check()
        outer.check()
        ask_to_end()
        with pytest.raises(Terminated):
            outer.check()


def test_in_another_thread_it_changes_nothing() -> None:
    listening = signal.getsignal(signal.SIGTERM)
    found: list[Any] = []

    def run() -> None:
        with SigtermGuard() as halt, halt.waiting():
            halt.check()
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [listening]
    assert signal.getsignal(signal.SIGTERM) is listening


def test_a_stopped_run_is_no_exception_that_is_reported_and_passed_over() -> None:
    stopped = RunStopped("The disk is full.")
    assert (stopped.code, stopped.reason) == (EXIT_INCOMPLETE, "The disk is full.")
    assert EXIT_INCOMPLETE == 3
    assert isinstance(stopped, SystemExit)
    assert not isinstance(stopped, Exception)


def test_a_stopped_run_ends_the_program_with_its_status() -> None:
    code = "from lmms_humansense.models.runtime.signals import RunStopped; raise RunStopped('The disk is full.')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (3, "")
