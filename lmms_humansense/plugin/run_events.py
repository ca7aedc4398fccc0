"""What a run reports to the process that watches it: `lmms-humansense run`. Standard library only.

The watching process names a file in an environment variable; the run appends one line of JSON to it for each evaluation
that begins, and one that says how it ended.
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
    """What a run reported: of completed evaluations the tasks and where the results are; why others did not complete.

    `refused` are bad arguments and data, `stopped` is what ended for a known reason, `broken` what raised an error.
    """

    begun: int = 0
    ended: list[tuple[list[str], str | None]] = field(default_factory=list)
    refused: str | None = None
    stopped: str | None = None
    broken: str | None = None


@contextlib.contextmanager
def reported(tasks: Sequence[str], results: Callable[[], Path | None]) -> Iterator[None]:
    """Report the evaluation of `tasks` within the block, whose results are then to be in the file `results`."""
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
        _append("broken", reason=f"{type(error).__name__}: {error}")
        raise
    place = results()
    _append("ended", tasks=list(tasks), results=None if place is None else os.path.abspath(place))


def read(file: Path) -> RunEvents:
    """What the run with this file reported."""
    found = RunEvents()
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            event = json.loads(line)
        except ValueError:  # cut off when the run was killed
            continue
        if event["what"] == "begun":
            found.begun += 1
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
