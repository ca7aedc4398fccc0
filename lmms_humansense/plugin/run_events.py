"""What a run reports to the process that watches it, `lmms-humansense run`. Standard library only.

The watching process names a file in an environment variable. The run appends a line of JSON to this file for each
evaluation that begins, and a line that says how the evaluation ended.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "LMMS_HUMANSENSE_RUN_EVENTS"
"""The environment variable."""


@dataclass
class RunEvents:
    """What a run reported.

    Attributes:
        begun: How many evaluations began.
        ended: For each complete evaluation, its tasks and its results file (None if it writes none).
        refused: The message about bad arguments or data.
        stopped: The known reason that ended an evaluation.
        broken: The unexpected error that ended an evaluation.
        asking: Whether the last evaluation that began came as far as its questions: model and tasks were loaded.
    """

    begun: int = 0
    ended: list[tuple[list[str], str | None]] = field(default_factory=list)
    refused: str | None = None
    stopped: str | None = None
    broken: str | None = None
    asking: bool = False


@contextlib.contextmanager
def reported(tasks: Sequence[str], results: Callable[[], Path | None]) -> Iterator[None]:
    """Report that the evaluation within the block begins, and how it ends.

    Args:
        tasks: The names of the tasks that are evaluated.
        results: Returns the results file, or None if none is written. It is called after the block, because the name
            of the file is not known before.
    """
    _append("begun")
    try:
        yield
    except SystemExit as ending:
        # Bad arguments and data end the program with a sentence, everything else with a number.
        if isinstance(ending.code, str):
            _append("refused", reason=ending.code)
        else:
            _append("stopped", reason=getattr(ending, "reason", f"It ended with status {ending.code}."))
        raise
    except Exception as error:
        _append("broken", reason=reason_of(error))
        raise
    place = results()
    _append("ended", tasks=list(tasks), results=None if place is None else os.path.abspath(place))


def asking() -> None:
    """Report that the evaluation has loaded its model and tasks, and asks its questions now."""
    _append("asking")


def reason_of(error: BaseException) -> str:
    """The error as text. lmms-eval tries some things several times; then the last error is the one that says why."""
    attempt = getattr(error, "last_attempt", None)
    cause = attempt.exception() if attempt is not None else None
    return reason_of(cause) if cause is not None else f"{type(error).__name__}: {error}"


def read(file: Path) -> RunEvents:
    """Read what the run with this file reported."""
    found = RunEvents()
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            event = json.loads(line)
        except ValueError:  # cut off when the run was killed
            continue
        if event["what"] == "begun":
            found.begun += 1
            found.asking = False
        elif event["what"] == "asking":
            found.asking = True
        elif event["what"] == "ended":
            found.ended.append((event["tasks"], event["results"]))
        else:
            setattr(found, event["what"], event["reason"])
    return found


def _append(what: str, **more: Any) -> None:
    path = os.environ.get(FILE)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, **more}) + "\n")
