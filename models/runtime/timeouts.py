"""A limit for work that may never end, such as reading a file from a network folder that hangs."""

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class StalledError(Exception):
    """The work was given up. The message is one sentence that says after how long."""


def stalled(what: str, seconds: float) -> StalledError:
    """The error for work, called `what` in a sentence, that was given up after so long."""
    return StalledError(f"{what} took more than {seconds:g} s and was given up; media_timeout= sets this limit.")


def within(seconds: float, work: Callable[[], Result], what: str) -> Result:
    """The result of `work`, which gets `seconds` to finish. `what` names it in the message.

    The work runs in a thread of its own, since nothing else can be given up in the midst of a system call. The thread
    is left behind when its time is over, and does not keep the program from ending.

    Raises:
        StalledError: the time is over. What `work` itself raises is raised as it is.
    """
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # raised again where it belongs
            failure.append(error)

    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    thread.join(min(seconds, threading.TIMEOUT_MAX))
    if failure:
        raise failure[0]
    if not outcome:
        raise stalled(what, seconds)
    return outcome[0]
