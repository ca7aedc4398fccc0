"""A time limit for work that may never end, such as reading a file from a network folder that hangs."""

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class StalledError(Exception):
    """Work took too long and was given up. The message is one sentence that names the work and the time limit."""


def stalled(what: str, seconds: float) -> StalledError:
    """Make the error for work that took too long.

    Args:
        what: The work, as the subject of a sentence, such as "Reading a.mp4".
        seconds: The time limit.

    Returns:
        The error, to be raised or reported.
    """
    return StalledError(f"{what} took more than {seconds:g} s and was given up; media_timeout= sets this limit.")


def within(seconds: float, work: Callable[[], Result], what: str) -> Result:
    """Do work within a time limit.

    The work runs in a thread of its own, because a system call in another thread can be abandoned, and one in this
    thread cannot. A thread that exceeds the limit is left behind. It does not keep the program from ending.

    Args:
        seconds: The time limit.
        work: The work. Its errors are raised unchanged.
        what: The work, as the subject of a sentence, for the message.

    Returns:
        The result of `work`.

    Raises:
        StalledError: The work took more than `seconds`.
    """
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # raised again in the thread of the caller
            failure.append(error)

    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    thread.join(min(seconds, threading.TIMEOUT_MAX))
    if failure:
        raise failure[0]
    if not outcome:
        raise stalled(what, seconds)
    return outcome[0]
