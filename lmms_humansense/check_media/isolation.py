"""Runs a function in a process of its own, because a decoder may crash or hang on a file."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


class IsolatedError(Exception):
    """The function raised an exception, or its process ended or took too long. The message says which."""


class Isolation:
    """Starts a process for each call. Thread-safe."""

    def __init__(self, *preloaded: str) -> None:
        """Name the modules that processes have from the start, where the system can fork."""
        self._context = multiprocessing.get_context(_METHOD)
        if _METHOD == "forkserver":
            self._context.set_forkserver_preload(list(preloaded))

    def call(self, function: Callable[[Path], T], path: Path, limit: float) -> T:
        """Call `function(path)` in a new process.

        Args:
            function: A function of a module.
            path: Its argument.
            limit: The most seconds that it may take.

        Returns:
            What the function returns.

        Raises:
            IsolatedError: It returned nothing.
        """
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_serve, args=(theirs, function, path), daemon=True)  # type: ignore[attr-defined]  # typeshed has it in subclasses only
        with ours:
            process.start()
            theirs.close()
            try:
                if not ours.poll(limit):
                    raise IsolatedError(f"takes more than {limit:g} s")
                result, error = ours.recv()
            except EOFError:
                process.join()
                raise IsolatedError(f"crashes{_signal(process.exitcode)}") from None
            finally:
                process.kill()
                process.join()
        if error is not None:
            raise IsolatedError(error)
        returned: T = result
        return returned


def _serve(connection: Connection, function: Callable[[Path], Any], path: Path) -> None:
    """Send the result of the function and no error, or no result and the message of the error."""
    # Decoders print thousands of lines about a damaged file.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    try:
        connection.send((function(path), None))
    except Exception as error:
        connection.send((None, str(error)))


def _signal(status: int | None) -> str:
    return f" ({signal.Signals(-status).name})" if status is not None and status < 0 else ""
