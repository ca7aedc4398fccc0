"""Answers requests from earlier runs, up to the first one that a model has to be asked. Until then, none is needed."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from .fetching import Fetched, Fetching, MessageReader, recalled
from .ledger import Ledger
from .request import Request, Response
from .signals import SigtermGuard

_JOIN_TIMEOUT = 1.0
"""Seconds that threads get to end what they are reading, after the first question that has to be asked was found."""


class KnownAnswers:
    """The answers that earlier runs gave to the first requests of a run.

    Args:
        reader: Reads messages.
        ledger: Knows answers of earlier runs, and counts requests whose messages cannot be read.
        guard: Ends the run after SIGTERM.

    Attributes:
        left: After `responses`, the requests without a response, in order. They have to be asked.
    """

    def __init__(self, reader: MessageReader, ledger: Ledger, guard: SigtermGuard) -> None:
        self._ledger = ledger
        self._guard = guard
        self._fetching = Fetching(reader, partial(recalled, ledger))
        self.left: list[Request] = []

    def responses(
        self, requests: Sequence[Request], on_response: Callable[[], Any] = lambda: None
    ) -> Iterator[Response]:
        """Look requests up, until one has to be asked.

        Args:
            requests: The requests of the run.
            on_response: Called for each response.

        Yields:
            Responses, the requests about one clip together.

        Raises:
            RunStopped: The settings do not allow this many failed requests.
            Terminated: The process received SIGTERM.
        """
        self.left = list(requests)
        if not self._ledger.keeps_answers:
            return
        # The first one alone, so that a run that begins with a new question reads nothing ahead.
        for some in (requests[:1], requests[1:]):
            for fetched in self._each(some):
                found = [one for one in fetched if isinstance(one, Response)]
                if len(found) < len(fetched):
                    return
                for response in found:
                    self.left.remove(response.request)
                    if response.error:
                        self._ledger.failed(response)
                    on_response()
                    yield response

    def _each(self, requests: Sequence[Request]) -> Iterator[Fetched]:
        read = self._fetching.read(requests)
        try:
            while True:
                self._guard.check()
                with self._guard.waiting():
                    fetched = next(read, None)
                if fetched is None:
                    return
                yield fetched
        finally:
            self._fetching.close()
            self._fetching.join(_JOIN_TIMEOUT)
