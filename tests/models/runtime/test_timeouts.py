"""Work with a time limit."""

import threading

import pytest

from lmms_humansense.models.runtime.timeouts import StalledError, within
from tests.helpers.waits import LIMIT


def test_the_result_is_returned() -> None:
    assert within(10, lambda: 7, "Counting") == 7


def test_an_error_is_raised_unchanged() -> None:
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 // 0, "Dividing")


def test_work_that_does_not_end_is_given_up() -> None:
    release, over = threading.Event(), threading.Event()

    def work() -> None:
        release.wait(LIMIT)
        over.set()

    with pytest.raises(StalledError, match=r"Waiting took more than 0.05 s and was given up; media_timeout="):
        within(0.05, work, "Waiting")
    assert not over.is_set()
    release.set()
    assert over.wait(LIMIT)


def test_work_that_was_given_up_does_not_keep_the_program_from_ending() -> None:
    release = threading.Event()
    with pytest.raises(StalledError):
        within(0.01, lambda: release.wait(LIMIT), "Waiting forever")
    (left,) = [thread for thread in threading.enumerate() if thread.name == "Waiting forever"]
    assert left.daemon
    release.set()
