"""Tries a request again: how often, and after which pauses."""

from collections.abc import Callable
from threading import Event
from typing import Any, TypeVar

import tenacity

from .reply import TroubleError

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""The first and the longest pause between tries, in seconds. Each pause is twice the one before; of it, a random part
from a half to all is waited."""

MOST_TRIES = 7
"""Tries of a request before a run. They take half a minute, if the server answers at once with an error."""

T = TypeVar("T")


def until_answered(
    one_try: Callable[[], T],
    deadline: float,
    ended: Event,
    hopeless: Event,
    before_pause: Callable[[tenacity.RetryCallState], Any] | None = None,
) -> T:
    """Try until there is a reply.

    Args:
        one_try: Sends the request.
        deadline: Seconds after which no try begins.
        ended: Set when the run ends. It ends a pause, too.
        hopeless: Set when another try cannot help.
        before_pause: Called before each pause.

    Returns:
        What `one_try` returned.

    Raises:
        TroubleError: The last try failed.
    """
    stop = (
        tenacity.stop_before_delay(deadline)
        | tenacity.stop_when_event_set(ended)
        | tenacity.stop_when_event_set(hopeless)
    )
    return _retrying(stop, sleep=tenacity.sleep_using_event(ended), before_sleep=before_pause)(one_try)


def some_tries(one_try: Callable[[], T]) -> T:
    """Try up to `MOST_TRIES` times.

    Args:
        one_try: Sends the request.

    Returns:
        What `one_try` returned.

    Raises:
        TroubleError: The last try failed.
    """
    return _retrying(tenacity.stop_after_attempt(MOST_TRIES))(one_try)


def _retrying(stop: Any, **how: Any) -> tenacity.Retrying:
    """Tries again after trouble until `stop` says otherwise, and then raises the last trouble."""
    again = tenacity.retry_if_exception_type(TroubleError)
    return tenacity.Retrying(retry=again, wait=pause, stop=stop, reraise=True, **how)


def pause(state: tenacity.RetryCallState) -> float:
    """Compute the seconds before the next try: exponential with jitter, plus the time that the server asks for."""
    error = state.outcome.exception() if state.outcome else None
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (state.attempt_number - 1))
    drawn = tenacity.wait_random(longest / 2, longest)(state)
    asked_for = error.wait if isinstance(error, TroubleError) else None
    return drawn if asked_for is None else asked_for + drawn
