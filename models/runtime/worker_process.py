"""The processes that prepare media: one is started and loads everything, the others are copies of it.

Copies start in milliseconds and share their memory with the first, which runs no threads and never touches a GPU, so
that copying it is safe where copying the process of the model is not. `worker_pool.WorkerPool` is their other side.
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
"""What the first process is told: 0 and a socket to make a copy that serves it, or the number of a copy to end."""

_REAPING = 1.0
"""Seconds after which copies that have ended are looked for."""

_NICENESS = 5
"""How much workers stand back where there are too few cores: the model must not wait for them."""


def main(descriptor: int) -> None:
    """Make what the first message on the socket `descriptor` makes when it is called, then follow orders.

    Ends, and ends all copies, when the socket is closed.
    """
    end_with(os.getppid())
    # Ctrl-C, and a scheduler's warning, reach all processes; they are for that of the model, which closes the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_NICENESS)
    control = socket.socket(fileno=descriptor)
    from .ipc import ClosedError, receive, send

    try:
        try:
            encoder = _made(lambda: receive(control)())
        except ClosedError:
            raise
        except Exception:
            send(control, traceback.format_exc())
            return
        send(control, None)
        _follow_orders(control, encoder)
    except ClosedError:
        pass
    os._exit(0)  # at once: there is nothing to tidy up, and libraries take their time to do so


def _made(make: "Callable[[], RequestEncoder]") -> "RequestEncoder":
    import torch

    torch.set_num_threads(1)  # as many workers as cores; and threads would not live on in copies
    encoder = make()
    # Garbage collection would write into the memory of everything loaded so far, and copies would no longer share it.
    gc.collect()
    gc.freeze()
    return encoder


def _follow_orders(control: socket.socket, encoder: "RequestEncoder") -> None:
    children: set[int] = set()
    try:
        while True:
            children = _running(children)
            # Waking up now and then, so that what has ended is not kept as a zombie.
            control.settimeout(_REAPING if children else None)
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
    """Those that have not ended; only this process reaps them, so a number of theirs is nobody else's."""
    return {child for child in children if os.waitpid(child, os.WNOHANG)[0] == 0}


def _copy(control: socket.socket, descriptor: int, encoder: "RequestEncoder") -> int:
    """Start a copy of this process that serves the socket, and return its number."""
    first = os.getpid()
    child = os.fork()
    if not child:
        control.close()
        _serve_and_exit(first, socket.socket(fileno=descriptor), encoder)
    os.close(descriptor)
    return child


def _serve_and_exit(first: int, connection: socket.socket, encoder: "RequestEncoder") -> None:
    """What a copy does: answer each message with the results for its conversations, until its socket is closed."""
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
    """Have the system send this process a signal when its parent ends, however that happens (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_LINUX_SET_DEATH_SIGNAL, number)
    if os.getppid() != parent:  # it had ended before
        os._exit(0)
