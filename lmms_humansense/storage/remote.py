"""Parts of files that lie anywhere, read by range requests that are tried again when a network or server falters."""

import email.utils
import io
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, TypeVar

import fsspec
import huggingface_hub
import tenacity
from fsspec.implementations.local import LocalFileSystem
from huggingface_hub.errors import OfflineModeIsEnabled
from loguru import logger

from .errors import LOGGED_AS, StorageError, one_line

T = TypeVar("T")

CHUNK = 8 << 20
"""Bytes that are asked for at once."""

ATTEMPTS = 6
FIRST_WAIT = 1.0
"""Seconds before the second attempt; each further wait is twice as long, and some of it chance."""

_LONGEST_WAIT = 600.0
"""Seconds; servers that count requests do so over some minutes."""

_WORTH_ANOTHER_TRY = {408, 425, 429}
_FINAL = (StorageError, ImportError, NotImplementedError, ValueError, OfflineModeIsEnabled)
_FINAL_OF_SYSTEM = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError)


class ShortAnswer(OSError):
    """Fewer or more bytes came than were asked for."""


class RangedFile:
    """A file of `size` bytes at `path` of a file system, of which parts can be read, also by several threads.

    `identity` is the name of its content if another can take its place.
    """

    def __init__(self, fs: fsspec.AbstractFileSystem, path: str, size: int, identity: str | None = None) -> None:
        self.fs, self.path, self.size = fs, path, size
        self._identity = identity

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`. Raises what the file system raises when trying again is no use."""
        if isinstance(self.fs, LocalFileSystem):
            return self._whole(self._read_local(start, end), start, end)
        return retrying(lambda: self._whole(self._read(start, end), start, end))

    def opened(self) -> io.BufferedReader:
        """The whole as a file that can be read and sought in."""
        return io.BufferedReader(_Reader(self), buffer_size=1 << 16)

    def was_replaced(self) -> bool:
        """Whether there is another file at its path by now."""
        if self._identity is None:
            return False
        self.fs.invalidate_cache()
        return self._identity != identity(self.path, retrying(lambda: self.fs.info(self.path)))

    def _read_local(self, start: int, end: int) -> bytes:
        with open(self.path, "rb") as file:
            file.seek(start)
            return file.read(end - start)

    def _read(self, start: int, end: int) -> bytes:
        if isinstance(self.fs, huggingface_hub.HfFileSystem) or "http" in self.fs.protocol:
            # Their `cat_file` would ask for the size each time, or take the whole where a server knows no ranges.
            with self.fs.open(self.path, "rb", size=self.size, cache_type="none") as file:
                file.seek(start)
                return file.read(end - start)
        return self.fs.cat_file(self.path, start=start, end=end)

    def _whole(self, content: bytes, start: int, end: int) -> bytes:
        if len(content) != end - start:
            raise ShortAnswer(f"{len(content):,} bytes came instead of {end - start:,}")
        return content


class _Reader(io.RawIOBase):
    def __init__(self, file: RangedFile) -> None:
        self._file, self._place = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file.size}[whence]
        if base + offset < 0:
            raise OSError("before the start of the file")  # as files on disk do, which zipfile counts on
        self._place = base + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        end = min(self._file.size, self._place + len(buffer))
        content = self._file.read(self._place, end) if end > self._place else b""
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)


def identity(path: str, info: Mapping[str, Any]) -> str:
    """A name for the content at `path` that changes when it is replaced, from what the file system says of it.

    What the Hub keeps has the checksum of its content for a name, which is the same in each revision that has it.
    """
    content = (info.get("lfs") or {}).get("sha256")
    if content:
        return str(content)[:16]
    marks = (str(info.get(key)) for key in ("size", "mtime", "ETag", "etag", "LastModified", "blob_id"))
    return sha256("\n".join([path, *marks]).encode()).hexdigest()[:16]


def retrying(call: Callable[[], T]) -> T:
    """What `call` returns, called again with growing pauses while it fails for reasons that pass."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(_passes),
        wait=_wait,
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        before_sleep=_say,
        reraise=True,
    )(call)


def _passes(error: BaseException) -> bool:
    """Whether the same call may succeed later."""
    status = status_of(error)
    if status is not None:
        return status in _WORTH_ANOTHER_TRY or status >= 500
    return isinstance(error, Exception) and not isinstance(error, _FINAL + _FINAL_OF_SYSTEM)


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error of aiohttp, httpx or requests tells of, if it tells of one."""
    response = _response_of(error)
    status = getattr(response, "status", None) or getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _response_of(error: BaseException | None) -> Any:
    """The part of an error, or of its cause, that has the status and headers of a response."""
    for each in (error, getattr(error, "__cause__", None)):
        response = getattr(each, "response", None) or each
        if hasattr(response, "headers"):
            return response
    return None


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = _retry_after(error)
    if asked is not None:
        return min(asked, _LONGEST_WAIT)
    pause = FIRST_WAIT * 2.0 ** (state.attempt_number - 1)
    return pause + tenacity.wait_random(0, pause / 2)(state)


def _retry_after(error: BaseException | None) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3: a number, or a date)."""
    value = (getattr(_response_of(error), "headers", None) or {}).get("Retry-After") or ""
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _say(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    pause = state.next_action.sleep if state.next_action else 0
    name, reason = type(error).__name__, one_line(error)
    logger.warning("{}: {}: {}; trying again in {:.0f} s.", LOGGED_AS, name, reason, pause)
