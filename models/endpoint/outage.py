"""Notices that a server answers no request at all, says so, and ends the waiting for it."""

import threading
from dataclasses import dataclass

from loguru import logger

from .reply import TroubleError

_NAMED_AFTER = (3, 30, 300)
"""After so many tries that failed in a row, the log says so."""

_SAME_FAULTS = 7
"""A request that failed so many times in the same way is given up if the server answered no other one meanwhile. With
the pauses between tries, that is after about half a minute."""


@dataclass
class Tries:
    """The tries of one request that failed in the same way, in a row.

    Attributes:
        count: How many they are.
        kind: The kind of error.
        answered: How many requests the server had answered before them.
    """

    count: int = 0
    kind: str = ""
    answered: int = -1


class Outage:
    """What went wrong since the server last answered a request. Several threads may use it.

    A server that is away (no connection, too much to do, a proxy without its server) may come back, so each request is
    tried until its deadline. One that is there and only repeats an error will not help by being asked again: after some
    requests were tried in vain for a while, the next ones are tried once, until one is answered.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answered = 0
        self._in_a_row = 0
        self._hopeless: set[str] = set()

    def answered(self) -> None:
        """Note that the server answered a request."""
        with self._lock:
            self._answered += 1
            self._in_a_row = 0
            self._hopeless.clear()

    def failed(self, error: TroubleError, tries: Tries) -> bool:
        """Note that a try failed.

        Args:
            error: The error.
            tries: The earlier tries of the same request. This try is added to them.

        Returns:
            Whether there is no hope that another try will succeed.
        """
        with self._lock:
            self._in_a_row += 1
            in_a_row, answered = self._in_a_row, self._answered
            if (tries.kind, tries.answered) != (error.kind, answered):
                tries.count, tries.kind, tries.answered = 0, error.kind, answered
            tries.count += 1
            if error.faulty and tries.count >= _SAME_FAULTS:
                self._hopeless.add(error.kind)
            hopeless = error.faulty and error.kind in self._hopeless
        if in_a_row in _NAMED_AFTER:
            so_far = f"since it answered the last of {answered}" if answered else "and it has answered none so far"
            logger.warning("The server failed {} times in a row, {}: {}", in_a_row, so_far, error)
        return hopeless
