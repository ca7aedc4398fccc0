"""Processes that prepare media beside the one of the model; `worker_process` is what runs in them."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import joblib
import torch

from ..inputs.conversation import Conversation, media_names
from . import worker_process
from .ipc import ClosedError, receive, send
from .request import EncodingResult, RequestEncoder, error_result
from .settings import RunSettings
from .timeouts import StalledError, stalled
from .worker_process import ORDER

_MOST = 8
"""Workers of one process by default: one prepares about a clip of 100 s per second."""

_MOST_BESIDE_CPU = 2
"""The same for a model on the CPU: it needs the cores more, and longer for a clip than a worker, unless it is tiny."""

_START_LIMIT = 300.0
"""Seconds that the first process gets to import its libraries, which may lie on a slow network folder."""

_END_LIMIT = 5.0
"""Seconds that it gets to end its copies."""

_LONGEST_TIMEOUT = 1e6
"""Sockets take no longer ones than 24 days."""

_NO_START = "The workers for media cannot start; media_workers=0 does without them"

_QUIET = {
    # One thread each, as there is a worker for every core; and a GPU is the model's alone.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "CUDA_VISIBLE_DEVICES": "",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",  # the process of the model has said it, and each worker would say it again
    # glibc would give large blocks back to the system and ask for them again with every clip.
    **dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(1 << 30)),
}


class WorkerError(Exception):
    """A worker ended in the midst of its work. The message is one sentence that names what it worked on."""


def worker_count(settings: RunSettings, device: torch.device | None) -> int:
    """How many workers this process has: what the settings say, or one for each core that the model leaves free.

    `device` is where the model is, None for one that is not on this machine.

    Raises ValueError where the settings ask for some and the system does not offer what they need.
    """
    possible = hasattr(socket, "send_fds")  # not on Windows
    if settings.media_workers and not possible:
        raise ValueError(f"media_workers={settings.media_workers} cannot be on this system; use media_workers=0.")
    if settings.media_workers is not None or not possible:
        return settings.media_workers or 0
    if device is not None and device.type == "cpu":
        return min(_MOST_BESIDE_CPU, _cores())
    return min(_MOST, max(1, _cores() - 1))  # the thread that feeds a GPU, or asks a server, needs one


def _cores() -> int:
    """The cores that are this process's share.

    They are those that it may use (affinity, container limits), divided by the processes of its launcher here.
    """
    return max(1, joblib.cpu_count() // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))


@contextlib.contextmanager
def cores_left(device: torch.device, workers: "WorkerPool | None") -> Iterator[None]:
    """Within the context, a model on the CPU computes on the cores that its workers leave free, at least one.

    A thread that shares a core with a worker would make all other threads wait for it at every step.
    """
    before = torch.get_num_threads()
    if device.type == "cpu" and workers is not None:
        torch.set_num_threads(min(before, max(1, _cores() - workers.count)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class WorkerPool:
    """Processes that encode requests, each with a copy of one encoder.

    The first process starts to load at once, in the background. All of them end with `close`, or when the process of
    the model ends, however it ends.

    Args:
        make: Makes the encoder. It is sent to the first process by pickle, so it is a class with its arguments, as a
            `functools.partial`.
        count: How many workers are used at once.
        limit: Seconds that one call of the encoder may take.
    """

    def __init__(self, make: Callable[[], RequestEncoder], count: int, limit: float) -> None:
        self.count = count
        self._make = make
        self._limit = min(limit, _LONGEST_TIMEOUT)
        self._lock = threading.Lock()
        self.closed = False
        self._start()

    def worker(self) -> "Worker":
        """A new worker. Raises RuntimeError when it could not be started."""
        try:
            return Worker(self, self._limit)
        except (ClosedError, OSError) as error:
            raise RuntimeError(f"{_NO_START} ({type(error).__name__} {error})") from error

    def close(self) -> None:
        """End all processes at once, whatever they are doing."""
        self.closed = True
        if not self._ready:  # it does not listen yet, and has no copies; who waits for it holds the lock
            self._first.kill()
        with self._lock:
            self._control.close()
            try:
                self._first.wait(_END_LIMIT)
            except subprocess.TimeoutExpired:
                self._first.kill()
                self._first.wait()

    def connect(self) -> socket.socket:
        """A connection to a new process. Raises ClosedError after `close`."""
        with self._lock:
            if self.closed:
                raise ClosedError
            if self._first.poll() is not None:  # killed, perhaps for the memory it had
                self._control.close()
                self._start()
            self._wait_until_ready()
            ours, theirs = socket.socketpair()
            with theirs:
                socket.send_fds(self._control, [ORDER.pack(0)], [theirs.fileno()])
            return ours

    def end(self, pid: int) -> None:
        """End one of the processes. (A signal from here could meet another process that got its number.)"""
        with self._lock, contextlib.suppress(OSError):
            self._control.sendall(ORDER.pack(pid))

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._first = _started(theirs)
        self._ready = False
        send(self._control, self._make)

    def _wait_until_ready(self) -> None:
        if self._ready:
            return
        self._control.settimeout(_START_LIMIT)
        trouble = receive(self._control)
        if trouble is not None:
            raise RuntimeError(f"{_NO_START}: {trouble}")
        self._control.settimeout(None)
        self._ready = True


class Worker:
    """One process that encodes conversations; it is replaced when it ends or stalls. For one thread at a time."""

    def __init__(self, pool: WorkerPool, limit: float) -> None:
        self._pool = pool
        self._limit = limit
        self._connect()

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        """The result for each conversation.

        Where the process ends in the midst of it, the conversations are tried one by one, so that only the culprit
        fails.
        """
        try:
            send(self._connection, conversations)
            results: list[EncodingResult] = receive(self._connection)
            return results
        except TimeoutError:
            trouble: Exception = stalled(f"Decoding {media_names(conversations)}", self._limit)
        except ClosedError:
            reason = "(a fault in a decoder, or no memory left)"
            trouble = WorkerError(f"The process that decoded {media_names(conversations)} ended {reason}.")
        except Exception as error:  # what is in memory, such as a picture of an odd kind, may refuse to be sent
            return [error_result(error)] * len(conversations)
        self.close()
        self._connect()
        if isinstance(trouble, StalledError) or len(conversations) == 1:
            return [error_result(trouble)] * len(conversations)
        return [result for conversation in conversations for result in self.encode([conversation])]

    def close(self) -> None:
        """End the process at once, whatever it is doing."""
        self._pool.end(self._pid)
        self._connection.close()

    def _connect(self) -> None:
        self._connection = self._pool.connect()
        self._connection.settimeout(_START_LIMIT)
        self._pid: int = receive(self._connection)
        self._connection.settimeout(self._limit)


def _started(connection: socket.socket) -> "subprocess.Popen[bytes]":
    """A process that runs `worker_process.main` on the socket, and finds modules where this one does."""
    # Not by multiprocessing, which would run the user's own main module again.
    code = f"import sys; sys.path[:] = sys.argv[2:]; from {worker_process.__name__} import main; main(int(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(connection.fileno()), *sys.path]
    return subprocess.Popen(
        command, pass_fds=[connection.fileno()], env={**os.environ, **_QUIET}, stdin=subprocess.DEVNULL
    )
