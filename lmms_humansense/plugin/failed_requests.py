"""The requests of a run that failed: collected from this package's models, and written beside the results."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from .names import is_ours

_failures: ContextVar[list[Any] | None] = ContextVar("_failures", default=None)
"""The failed requests of the run under way."""


@contextlib.contextmanager
def written(file: Callable[[], Path | None]) -> Iterator[None]:
    """Write what fails within the block to a file, however the block ends.

    The file is asked for once the block is over; where it is None, nothing is written.
    """
    noted: list[Any] = []
    token = _failures.set(noted)
    try:
        yield
    finally:
        _failures.reset(token)
        path = file() if noted else None
        if path is not None:
            _write(path, noted)


def note(lm: Any, complete: bool) -> None:
    """Have the failures of all processes in the first one, where their run is complete; each its own, where not."""
    noted = _failures.get()
    if noted is None or not is_ours(lm):
        return
    gathered = [lm.failures]
    if complete and lm.world_size > 1:
        from torch import distributed

        gathered = [None] * lm.world_size
        distributed.all_gather_object(gathered, lm.failures)
    if not complete or lm.rank == 0:
        failed = [failure for failures in gathered for failure in failures]
        noted += sorted(failed, key=lambda failure: (failure.task, failure.doc_id))


def _write(path: Path, failures: Sequence[Any]) -> None:
    from loguru import logger

    lines = "".join(json.dumps(failure.to_dict(), ensure_ascii=False) + "\n" for failure in failures)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(lines)
        logger.info("The failed requests are listed in {}", path)
    except OSError as error:
        logger.error("The failed requests can not be written to {}: {}", path, error)
