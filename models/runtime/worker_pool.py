"""Starts and uses worker processes, which prepare media beside the model. They run `worker_process`.

A first process loads the encoder. The workers are copies (forks) of it.
"""

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
"""The most workers of one process by default. A worker needs about one second for a clip of 100 s."""

_MOST_BESIDE_CPU = 2
"""The same if the model runs on the CPU. It needs the cores itself: all but tiny models are slower than a worker."""

_START_LIMIT = 300.0
"""Seconds that the first process gets to import its libraries, which may be in a slow network folder."""

_END_LIMIT = 5.0
"""Seconds that the first process gets to end its copies."""

_LONGEST_TIMEOUT = 1e6
"""Seconds. Longer timeouts are cut to this, because sockets take at most 24 days."""

_NO_START = "The media workers cannot start; use media_workers=0 to run without them"

WORKER_ENVIRONMENT = {
    # One thread each, because there is a worker for every core. Only the model uses the GPU.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "CUDA_VISIBLE_DEVICES": "",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",  # or each worker would repeat the warnings of the model's process
    # By default, glibc returns large blocks to the system and requests them again for every clip.
    **dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(1 << 30)),
}
"""Environment variables of the processes that prepare media."""


class WorkerError(Exception):
    """A worker ended during its work. The message is one sentence that names the media that it decoded."""


def worker_count(settings: RunSettings, device: torch.device | None) -> int:
    """Compute how many workers this process has.

    Args:
        settings: The settings, which may give the number.
        device: The device of the model; None for a model that is not on this machine.

    Returns:
        The number in the settings, or else one worker for each core that the model leaves free.

    Raises:
        ValueError: The settings ask for workers, and this system cannot have them.
    """
    possible = hasattr(socket, "send_fds")  # not on Windows
    if settings.media_workers and not possible:
        raise ValueError(f"media_workers={settings.media_workers} is not possible on this system; use media_workers=0.")
    if settings.media_workers is not None or not possible:
        return settings.media_workers or 0
    if device is not None and device.type == "cpu":
        return min(_MOST_BESIDE_CPU, _cores())
    return min(_MOST, max(1, _cores() - 1))  # the thread that feeds a GPU, or asks a server, needs one


def _cores() -> int:
    """How many cores this process may use, at least 1.

    These are the cores that affinity and container limits allow, divided by the launcher's processes on this machine.
    """
    return max(1, joblib.cpu_count() // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))


@contextlib.contextmanager
def cores_left(device: torch.device, workers: "WorkerPool | None") -> Iterator[None]:
    """Within this context, a model on the CPU uses only the cores that its workers leave free, at least one.

    A thread that shares a core with a worker would make all other threads wait for it at every step.

    Args:
        device: The device of the model. On other devices than the CPU, the context has no effect.
        workers: The workers of the process; None if it has none.
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

    The first process starts to load at once, in the background. All processes end with `close`, or when the process of
    the model ends, in whatever way.

    Args:
        make: Makes the encoder. It is pickled and sent to the first process, so it has to be a `functools.partial` of a
            class.
        count: How many workers the caller uses at once.
        limit: Seconds that one call of the encoder may take.
    """

    def __init__(self, make: Callable[[], RequestEncoder], count: int, limit: float) -> None:
        self.count = count
        self._make = make
        self._media_timeout = min(limit, _LONGEST_TIMEOUT)
        self._lock = threading.Lock()
        self.closed = False
        self._start()

    def worker(self) -> "Worker":
        """Start a worker.

        Raises:
            RuntimeError: The worker cannot start.
        """
        try:
            return Worker(self, self._media_timeout)
        except (ClosedError, OSError) as error:
            raise RuntimeError(f"{_NO_START} ({type(error).__name__} {error})") from error

    def close(self) -> None:
        """End all processes at once, whatever they are doing."""
        self.closed = True
        # A first process that still loads reads no orders and has no copies. A thread that waits for it holds the lock.
        if not self._ready:
            self._first.kill()
        with self._lock:
            self._control.close()
            try:
                self._first.wait(_END_LIMIT)
            except subprocess.TimeoutExpired:
                self._first.kill()
                self._first.wait()

    def connect(self) -> socket.socket:
        """Start a worker process and connect to it.

        Returns:
            The socket of the connection. The process first sends its ID, then one result for each message.

        Raises:
            ClosedError: The pool was closed, or the first process has ended.
            OSError: The first process cannot be started or reached, or does not load in time.
            RuntimeError: The encoder cannot be made.
        """
        with self._lock:
            if self.closed:
                raise ClosedError
            if self._first.poll() is not None:  # killed, perhaps because memory was short
                self._control.close()
                self._start()
            self._wait_until_ready()
            ours, theirs = socket.socketpair()
            with theirs:
                socket.send_fds(self._control, [ORDER.pack(0)], [theirs.fileno()])
            return ours

    def end(self, pid: int) -> None:
        """End one of the worker processes.

        The first process does it. From here, a signal could reach another process that got the same ID later.
        """
        with self._lock, contextlib.suppress(OSError):
            self._control.sendall(ORDER.pack(pid))

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._first = _start_process(theirs)
        self._ready = False
        send(self._control, self._make)

    def _wait_until_ready(self) -> None:
        if self._ready:
            return
        self._control.settimeout(_START_LIMIT)
        error = receive(self._control)
        if error is not None:
            raise RuntimeError(f"{_NO_START}: {error}")
        self._control.settimeout(None)
        self._ready = True


class Worker:
    """One process that encodes conversations. It is replaced if it ends or stalls. Not thread-safe.

    Args:
        pool: The pool that starts and ends the process.
        limit: Seconds that one call of the encoder may take.
    """

    def __init__(self, pool: WorkerPool, limit: float) -> None:
        self._pool = pool
        self._media_timeout = limit
        self._connect()

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        """Encode conversations. Errors become results, as in `RequestEncoder.encode`.

        If the process ends during the work, the conversations are tried one by one, so that only the one that causes
        it fails.

        Args:
            conversations: The conversations of one job.

        Returns:
            The result for each conversation, in order.

        Raises:
            ClosedError: The pool was closed.
        """
        try:
            send(self._connection, conversations)
            results: list[EncodingResult] = receive(self._connection)
            return results
        except TimeoutError:
            failure: Exception = stalled(f"Decoding {media_names(conversations)}", self._media_timeout)
        except ClosedError:
            reason = "(a fault in a decoder, or no memory left)"
            failure = WorkerError(f"The process that decoded {media_names(conversations)} ended {reason}.")
        except Exception as error:  # an object in the conversation, such as an unusual image, cannot be pickled
            return [error_result(error)] * len(conversations)
        self.close()
        self._connect()
        if isinstance(failure, StalledError) or len(conversations) == 1:
            return [error_result(failure)] * len(conversations)
        return [result for conversation in conversations for result in self.encode([conversation])]

    def close(self) -> None:
        """End the process at once, whatever it is doing."""
        self._pool.end(self._pid)
        self._connection.close()

    def _connect(self) -> None:
        self._connection = self._pool.connect()
        self._connection.settimeout(_START_LIMIT)
        self._pid: int = receive(self._connection)
        self._connection.settimeout(self._media_timeout)


def _start_process(connection: socket.socket) -> "subprocess.Popen[bytes]":
    """Start a process that runs `worker_process.main` on the socket, with the module path of this process."""
    # multiprocessing would run the user's own main module again.
    code = f"import sys; sys.path[:] = sys.argv[2:]; from {worker_process.__name__} import main; main(int(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(connection.fileno()), *sys.path]
    return subprocess.Popen(
        command, pass_fds=[connection.fileno()], env={**os.environ, **WORKER_ENVIRONMENT}, stdin=subprocess.DEVNULL
    )
