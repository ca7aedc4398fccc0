"""What a run reports to the process that watches it, `lmms-humansense run`. Standard library only.

The watching process names a file in an environment variable. The run appends a line of JSON to this file for each
evaluation that begins, and a line that says how the evaluation ended.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..models.runtime.progress import Progress

FILE = "LMMS_HUMANSENSE_RUN_EVENTS"
"""The environment variable."""

_BETWEEN = 0.5
"""Seconds between two reports of the progress."""


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
        progress: The last report of a model of this package on its progress, by the names of its fields; {} for none.
    """

    begun: int = 0
    ended: list[tuple[list[str], str | None]] = field(default_factory=list)
    refused: str | None = None
    stopped: str | None = None
    broken: str | None = None
    asking: bool = False
    progress: dict[str, Any] = field(default_factory=dict)


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


def is_watched() -> bool:
    """Whether a process watches this run."""
    return bool(os.environ.get(FILE))


class ProgressReporter:
    """Reports the progress of a model, now and then."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._held: Progress | None = None

    def __call__(self, state: "Progress") -> None:
        """Report a state: at once if it is the first, the last or some time after the one before it."""
        now = time.monotonic()
        self._held = state
        if state.done in (0, state.total) or now - self._last > _BETWEEN:
            self._last = now
            self.flush()

    def flush(self) -> None:
        """Report the last state, if it is not reported yet. For the end of a run."""
        state, self._held = self._held, None
        if state is not None:
            with contextlib.suppress(OSError):  # the run does not depend on it
                _append("progress", **asdict(state))


def warned(text: str) -> None:
    """Report a warning that a user should see during the run."""
    with contextlib.suppress(OSError):  # it is in the log as well
        _append("warning", text=text)


def reason_of(error: BaseException) -> str:
    """The error as text. lmms-eval tries some things several times; then the last error is the one that says why."""
    attempt = getattr(error, "last_attempt", None)
    cause = attempt.exception() if attempt is not None else None
    return reason_of(cause) if cause is not None else f"{type(error).__name__}: {error}"


def read(file: Path) -> RunEvents:
    """Read what the run with this file reported."""
    found = RunEvents()
    for event in events_in(file.read_text(encoding="utf-8")):
        if event["what"] == "begun":
            found.begun += 1
            found.asking = False
            found.progress = {}
        elif event["what"] == "asking":
            found.asking = True
        elif event["what"] == "ended":
            found.ended.append((event["tasks"], event["results"]))
        elif event["what"] == "progress":
            found.progress = {name: value for name, value in event.items() if name != "what"}
        elif event["what"] != "warning":
            setattr(found, event["what"], event["reason"])
    return found


def events_in(text: str) -> Iterator[dict[str, Any]]:
    """The events in the lines of a file. A line that was cut off when the run was killed is left out."""
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            yield event


def _append(what: str, **more: Any) -> None:
    path = os.environ.get(FILE)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, **more}) + "\n")
