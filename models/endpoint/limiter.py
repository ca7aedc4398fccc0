"""Limits the number of open requests to what the server can handle, and to what the user allows."""

import threading


class Limiter:
    """A limit of open requests that adapts to the server. Several threads may use it.

    The limit starts at the largest allowed number. When a request finds the server crowded, the limit is halved, but
    only once for all requests that were open at that time. When as many requests as the limit have succeeded, it grows
    by one (additive increase, multiplicative decrease: Chiu and Jain 1989).

    Args:
        most: The largest allowed number of open requests.

    Attributes:
        open: How many requests are open.
        narrowest: The lowest limit so far.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self.open = 0
        self._narrowings = 0
        self._ended = False
        self._changed = threading.Condition()
        self.narrowest = most

    @property
    def limit(self) -> int:
        """How many requests may be open now."""
        return int(self._limit)

    def enter(self) -> int:
        """Wait until one more request may be open. Returns the number that `leave` takes as `entered`."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self.open < self.limit)
            self.open += 1
            return self._narrowings

    def leave(self, entered: int, crowded: bool) -> None:
        """Note that a request is no longer open.

        Args:
            entered: What `enter` returned for the request.
            crowded: Whether the server had too much to do.
        """
        with self._changed:
            self.open -= 1
            if not crowded:
                self._limit = min(self._most, self._limit + 1 / self._limit)
            elif entered == self._narrowings:
                self._narrowings += 1
                self._limit = max(1.0, self._limit / 2)
                self.narrowest = min(self.narrowest, self.limit)
            self._changed.notify_all()

    def end(self) -> None:
        """End all waits in `enter`, as the run ends."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
