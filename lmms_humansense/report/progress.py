"""Shows that long work goes on: how long it has taken, in a terminal, or a line now and then in a log."""

import contextlib
import threading
import time
from collections.abc import Iterator

from rich.console import Console

_EVERY = 30.0
"""Seconds between two lines in a log."""

_LOOK = 1.0
"""Seconds between two states in a terminal."""


@contextlib.contextmanager
def doing(what: str, console: Console) -> Iterator[None]:
    """Show what is being done within the block, and for how long.

    Args:
        what: The work, such as "Reading the results".
        console: Where to show it. Nothing stays there in a terminal; in a log, only work that takes long has a line.
    """
    started, ended = time.monotonic(), threading.Event()

    def line() -> str:
        return f"{what} … ({time.monotonic() - started:.0f} s)"

    def follow() -> None:
        while not ended.wait(_LOOK if console.is_terminal else _EVERY):
            if status is not None:
                status.update(line())
            else:
                console.print(line())

    with console.status(line()) if console.is_terminal else contextlib.nullcontext() as status:
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
