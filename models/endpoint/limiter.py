"""How many requests are open at once: as many as a server can bear, and no more than the user allows."""

import threading


class Limiter:
    """A number of requests that may be open, which follows how the server does. For several threads.

    It starts at the `most` that are allowed. It is halved when the server says that it has too much to do, or comes
    near its time limit; once for all requests that were open then. It grows by one each time that a whole window of
    requests went well (additive increase, multiplicative decrease: Chiu and Jain 1989). `open` is how many are, and
    `narrowest` the fewest that could be so far.
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
        """How many may be open now."""
        return int(self._limit)

    def enter(self) -> int:
        """Wait until one more may be open; returns what to give to `leave`."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self.open < self.limit)
            self.open += 1
            return self._narrowings

    def leave(self, entered: int, crowded: bool) -> None:
        """One is no longer open. `crowded` says whether the server had too much to do."""
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
        """Let all who wait enter: there is nothing more to be asked."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
