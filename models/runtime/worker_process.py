"""The processes that prepare media: the first one loads everything, the others are forked from it.

Forks start in milliseconds and share memory with the first process. It runs no threads and never uses a GPU, so forking
it is safe, while forking the process of the model is not. `worker_pool.WorkerPool` controls them from that process.
"""

import ctypes
import gc
import os
import signal
import socket
import struct
import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .request import RequestEncoder

_LINUX_SET_DEATH_SIGNAL = 1
"""`PR_SET_PDEATHSIG` of prctl(2)."""

ORDER = struct.Struct("<Q")
"""An order to the first process: 0 with a socket, to start a copy that serves it; or the ID of a copy to end."""

_REAP_INTERVAL = 1.0
"""Seconds between two checks for copies that have ended."""

_NICENESS = 5
"""Added to the nice value of workers, so that the model goes first where there are too few cores."""


def main(descriptor: int) -> None:
    """Run the first process: make an encoder, report, then follow orders. All processes end when the socket is closed.

    Args:
        descriptor: The file descriptor of a socket. Its first message is a function that makes the encoder. The reply
            is None, or a traceback if the encoder cannot be made. `ORDER` describes everything after that.
    """
    end_with(os.getppid())
    # Ctrl-C and a scheduler's SIGTERM reach all processes. The process of the model handles them and closes the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_NICENESS)
    control = socket.socket(fileno=descriptor)
    from .ipc import ClosedError, receive, send

    try:
        try:
            encoder = _load(lambda: receive(control)())
        except ClosedError:
            raise
        except Exception:
            send(control, traceback.format_exc())
            return
        send(control, None)
        _follow_orders(control, encoder)
    except ClosedError:
        pass
    os._exit(0)  # at once: the exit handlers of libraries are slow, and not needed here


def _load(make: "Callable[[], RequestEncoder]") -> "RequestEncoder":
    import torch

    torch.set_num_threads(1)  # there are as many workers as cores, and a fork does not copy threads
    encoder = make()
    # Garbage collection writes into every loaded object, and copies would then no longer share this memory.
    gc.collect()
    gc.freeze()
    return encoder


def _follow_orders(control: socket.socket, encoder: "RequestEncoder") -> None:
    children: set[int] = set()
    try:
        while True:
            children = _running(children)
            # The timeout lets the loop reap copies that have ended, so that they do not remain as zombies.
            control.settimeout(_REAP_INTERVAL if children else None)
            try:
                order, descriptors, _, _ = socket.recv_fds(control, ORDER.size, 1)
            except TimeoutError:
                continue
            if not order:
                return
            (pid,) = ORDER.unpack(order)
            if pid in children:
                os.kill(pid, signal.SIGKILL)
            for descriptor in descriptors:
                children.add(_copy(control, descriptor, encoder))
    finally:
        children = _running(children)
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)


def _running(children: set[int]) -> set[int]:
    """The children that have not ended. Only this process reaps them, so no other process can have got their IDs."""
    return {child for child in children if os.waitpid(child, os.WNOHANG)[0] == 0}


def _copy(control: socket.socket, descriptor: int, encoder: "RequestEncoder") -> int:
    """Start a copy of this process that serves the socket, and return its ID."""
    first = os.getpid()
    child = os.fork()
    if not child:
        control.close()
        _serve_and_exit(first, socket.socket(fileno=descriptor), encoder)
    os.close(descriptor)
    return child


def _serve_and_exit(first: int, connection: socket.socket, encoder: "RequestEncoder") -> None:
    """Reply to each message with the results for its conversations, until the socket is closed. Runs in a copy."""
    from .ipc import ClosedError, receive, send

    status = 1
    try:
        end_with(first)
        send(connection, os.getpid())
        while True:
            send(connection, encoder.encode(receive(connection)))
    except ClosedError:
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def end_with(parent: int, number: int = signal.SIGKILL) -> None:
    """Make Linux send this process a signal when its parent ends, in whatever way.

    Args:
        parent: The process ID of the parent. If it has ended already, this process ends at once, on every system.
        number: The signal.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_LINUX_SET_DEATH_SIGNAL, number)
    if os.getppid() != parent:  # the parent ended before the call above
        os._exit(0)
