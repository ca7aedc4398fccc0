"""Limits the number of open requests to what the server can handle, and to what the user allows."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_PATIENCE = 10.0
"""A request that is open for at least so many seconds may hang, if others usually take much less."""

_FIRST_PATIENCE = 30.0
"""The same number of seconds as long as no request has succeeded."""

_USUAL = 5.0
"""A request that takes so many times as long as usual hangs."""

_WEIGHT = 0.1
"""How much the last request counts in the moving average of what is usual."""


@dataclass(frozen=True, eq=False)
class Entry:
    """An open request.

    Attributes:
        narrowings: How often the limit had been halved when it was sent.
        began: When it was sent.
    """

    narrowings: int
    began: float


class Limiter:
    """A limit of open requests that adapts to the server. Several threads may use it.

    The limit starts at the largest allowed number. When a request finds the server crowded, the limit is halved, but
    only once for all requests that were open at that time. When as many requests as the limit have succeeded, it grows
    by one (additive increase, multiplicative decrease: Chiu and Jain 1989).

    A request that hangs no longer counts as open, so that it does not hold the others, whatever the limit is.

    Args:
        most: The largest allowed number of open requests.
        clock: Returns the time in seconds.

    Attributes:
        narrowest: The lowest limit so far.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._limit = float(most)
        self._clock = clock
        self._open: set[Entry] = set()
        self._usual: float | None = None
        self._narrowings = 0
        self._ended = False
        self._changed = threading.Condition()
        self.narrowest = most

    @property
    def limit(self) -> int:
        """How many requests may be open now."""
        return int(self._limit)

    @property
    def open(self) -> int:
        """How many requests are open, with those that hang."""
        return len(self._open)

    def enter(self) -> Entry:
        """Wait until one more request may be open. Returns what `leave` takes."""
        with self._changed:
            while not self._ended and len(counted := self._counted()) >= self.limit:
                oldest = min(entry.began for entry in counted)
                self._changed.wait(max(0.0, oldest + self._patience - self._clock()) + _STEP)
            entry = Entry(self._narrowings, self._clock())
            self._open.add(entry)
            return entry

    def leave(self, entry: Entry, crowded: bool) -> None:
        """Note that a request is no longer open.

        Args:
            entry: What `enter` returned for the request.
            crowded: Whether the server had too much to do.
        """
        with self._changed:
            self._open.remove(entry)
            if not crowded:
                self._limit = min(self._most, self._limit + 1 / self._limit)
                took = self._clock() - entry.began
                self._usual = took if self._usual is None else self._usual + _WEIGHT * (took - self._usual)
            elif entry.narrowings == self._narrowings:
                self._narrowings += 1
                self._limit = max(1.0, self._limit / 2)
                self.narrowest = min(self.narrowest, self.limit)
            self._changed.notify_all()

    def end(self) -> None:
        """End all waits in `enter`, as the run ends."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def _patience(self) -> float:
        """The seconds after which an open request hangs."""
        return _FIRST_PATIENCE if self._usual is None else max(_PATIENCE, _USUAL * self._usual)

    def _counted(self) -> list[Entry]:
        """The open requests that do not hang."""
        now = self._clock()
        return [entry for entry in self._open if now - entry.began < self._patience]


_STEP = 0.01
"""Seconds that a wait for a request to hang lasts longer than computed, so that it does not end a little too early."""
