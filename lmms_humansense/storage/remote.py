"""Reads ranges of bytes from files in any file system, and retries after temporary errors of networks and servers."""

import email.utils
import errno
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
"""Bytes per range request."""

ATTEMPTS = 6
FIRST_WAIT = 1.0
"""Seconds before the second attempt. Each further wait is twice as long, and up to half as long again at random."""

_LONGEST_WAIT = 600.0
"""Seconds. Servers that limit the rate of requests count them over some minutes."""

_WORTH_ANOTHER_TRY = {408, 425, 429}
_FINAL = (StorageError, ImportError, MemoryError, NotImplementedError, ValueError, OfflineModeIsEnabled)
_FINAL_OF_SYSTEM = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError)
_FINAL_NUMBERS = (errno.ELOOP, errno.ENAMETOOLONG)
"""Errors of the system that have no exceptions of their own: links in a circle, and names that are too long."""


class ShortAnswer(OSError):
    """Fewer or more bytes arrived than were requested."""


class RangedFile:
    """A file of which ranges can be read, also by several threads at once.

    Attributes:
        fs: The file system.
        path: The path in it.
        size: The size in bytes.

    The argument `identity` is the name of the content (see `identity`); None if the content at this path never changes,
    or need not be checked for changes.
    """

    def __init__(self, fs: fsspec.AbstractFileSystem, path: str, size: int, identity: str | None = None) -> None:
        self.fs, self.path, self.size = fs, path, size
        self._identity = identity

    def read(self, start: int, end: int) -> bytes:
        """Read a range of bytes, with retries if the file is remote.

        Args:
            start: The offset of the first byte.
            end: The offset after the last byte.

        Returns:
            Exactly `end - start` bytes.

        Raises:
            ShortAnswer: The range has another length, after all retries.
            Exception: Any other error of the file system that is permanent, or remains after all retries.
        """
        if isinstance(self.fs, LocalFileSystem):
            return self._whole(self._read_local(start, end), start, end)
        return retrying(lambda: self._whole(self._read(start, end), start, end))

    def opened(self) -> io.BufferedReader:
        """The file as a buffered binary stream that supports seeking."""
        return io.BufferedReader(_Reader(self), buffer_size=1 << 16)

    def was_replaced(self) -> bool:
        """Whether the content at the path has changed since the identity was taken."""
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
            # Their `cat_file` would request the size each time, or the whole file from a server without ranges.
            with self.fs.open(self.path, "rb", size=self.size, cache_type="none") as file:
                file.seek(start)
                return file.read(end - start)
        return self.fs.cat_file(self.path, start=start, end=end)

    def _whole(self, content: bytes, start: int, end: int) -> bytes:
        if len(content) != end - start:
            raise ShortAnswer(f"{len(content):,} bytes arrived instead of {end - start:,}")
        return content


class _Reader(io.RawIOBase):
    def __init__(self, file: RangedFile) -> None:
        self._file, self._place = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file.size}[whence]
        if base + offset < 0:
            raise OSError("before the start of the file")  # as for files on disk; zipfile relies on it
        self._place = base + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        end = min(self._file.size, self._place + len(buffer))
        content = self._file.read(self._place, end) if end > self._place else b""
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)


def identity(path: str, info: Mapping[str, Any]) -> str:
    """Derive a name for the content of a file, which changes when the file is replaced.

    For a large file on the Hub this is the checksum of its content, which is the same in every revision.

    Args:
        path: The path of the file.
        info: The file system's metadata of it, from `fs.info`.

    Returns:
        16 hexadecimal digits.
    """
    content = (info.get("lfs") or {}).get("sha256")
    if content:
        return str(content)[:16]
    marks = (str(info.get(key)) for key in ("size", "mtime", "ETag", "etag", "LastModified", "blob_id"))
    return sha256("\n".join([path, *marks]).encode()).hexdigest()[:16]


def retrying(call: Callable[[], T]) -> T:
    """Call a function, again with growing pauses while it fails with temporary errors.

    Args:
        call: A function without arguments that may safely be called several times.

    Returns:
        What `call` returns.

    Raises:
        Exception: The error of `call` that is permanent, or the last one after `ATTEMPTS` attempts.
    """
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(_passes),
        wait=_wait,
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        before_sleep=_say,
        reraise=True,
    )(call)


def _passes(error: BaseException) -> bool:
    """Whether an error is temporary."""
    status = status_of(error)
    if status is not None:
        return status in _WORTH_ANOTHER_TRY or status >= 500
    if isinstance(error, OSError) and error.errno in _FINAL_NUMBERS:
        return False
    return isinstance(error, Exception) and not isinstance(error, _FINAL + _FINAL_OF_SYSTEM)


def status_of(error: BaseException) -> int | None:
    """The HTTP status in an error of aiohttp, httpx or requests, or in its cause; None if there is none."""
    response = _response_of(error)
    status = getattr(response, "status", None) or getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _response_of(error: BaseException | None) -> Any:
    """The object with the status and headers of a response: the error, its cause, or the `response` of either."""
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
    """The seconds in the Retry-After header (RFC 9110, 10.2.3: a number, or a date)."""
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
