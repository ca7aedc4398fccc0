"""Reads the messages of requests ahead, which fetches their media, and looks up what earlier runs have answered."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..inputs.conversation import Conversation, paths_of
from .ledger import Ledger
from .prefetch import Prefetch, grouped
from .request import Request, Response, error_result, failed_response
from .timeouts import StalledError

_FETCHED_AT_ONCE = 12
"""Clips that are fetched in parallel, because most of a download's time is the wait for the server."""

_MOST_FETCHED, _MOST_FETCHED_BYTES = 16, 4 << 30
"""Limits for clips that are fetched and not decoded yet: their number, and the bytes of their files."""


class MessageReader(Protocol):
    """Reads raw messages into a conversation: an encoder, or the part of one that needs no processor."""

    def read(self, messages: Sequence[Mapping[str, Any]]) -> Conversation:
        """Read raw messages into a conversation.

        Raises:
            ValueError: The messages cannot be read or shown.
        """


@dataclass(frozen=True)
class ReadRequest:
    """A request with its conversation. `media` and `key` mean the same as in `Response`."""

    request: Request
    conversation: Conversation
    media: tuple[str, ...]
    key: str | None = None


Fetched = list[ReadRequest | Response]
"""Requests about one clip, whose media are fetched. Those whose messages cannot be read have their response."""


class Fetching:
    """Reads requests ahead of its consumer, several clips at a time.

    Args:
        reader: Reads messages.
        then: Called in the same thread for each request that was read.
    """

    def __init__(
        self, reader: MessageReader, then: Callable[[ReadRequest], ReadRequest | Response] = lambda read: read
    ) -> None:
        self._reader = reader
        self._then = then
        self._prefetch: Prefetch[list[Request], Fetched] | None = None
        self._one_at_a_time = threading.Lock()

    def read(self, requests: Sequence[Request]) -> Iterator[Fetched]:
        """Yield all requests about one clip, or one request whose clip is not known, ordered by the first of each."""
        groups = grouped([request.clip for request in requests], requests)
        threads = [lambda: nullcontext(self._fetch)] * max(1, min(_FETCHED_AT_ONCE, len(groups)))
        self._prefetch = Prefetch(groups, threads, _MOST_FETCHED_BYTES, _MOST_FETCHED)
        for fetched, size in self._prefetch:
            yield fetched
            self._prefetch.release(size)

    def close(self) -> None:
        """Begin to read no further request."""
        if self._prefetch is not None:
            self._prefetch.close()

    def join(self, seconds: float | None) -> None:
        """Wait until all threads have ended, for at most this many seconds; None means without limit."""
        if self._prefetch is not None:
            self._prefetch.join(seconds)

    def _fetch(self, requests: list[Request]) -> tuple[Fetched, int]:
        """Read the messages of requests, which fetches their media. Also return the bytes of the media files."""
        # Tasks of other packages do not name their clips. Perhaps they are not thread-safe, so they run one at a time.
        with nullcontext() if requests[0].clip is not None else self._one_at_a_time:
            fetched = [self._read(request) for request in requests]
        return fetched, sum(map(_bytes_of_file, {path for read in fetched for path in read.media}))

    def _read(self, request: Request) -> ReadRequest | Response:
        try:
            conversation = self._reader.read(request.messages())
        except Exception as error:
            return failed_response(request, error_result(error), ())
        return self._then(ReadRequest(request, conversation, tuple(paths_of([conversation]))))


def recalled(ledger: Ledger, read: ReadRequest) -> ReadRequest | Response:
    """Look a request up.

    Args:
        ledger: Knows answers of earlier runs.
        read: The request, with its conversation.

    Returns:
        The response of an earlier run, or the request with the key of its answer.
    """
    try:
        key, response = ledger.recall(read.request, read.conversation)
    except StalledError as error:
        return failed_response(read.request, error_result(error), read.media)
    return response or replace(read, key=key)


def _bytes_of_file(path: str) -> int:
    try:
        return os.path.getsize(path)
    except (OSError, ValueError):  # decoding reports what is wrong
        return 0
