"""lmms-eval's runs are watched: the folder for results is tried first, and the run's outcome is reported."""

import functools
import importlib
import tempfile
from pathlib import Path
from typing import Any

from . import failed_requests, run_events
from .names import TASK_PREFIX, is_ours


def watch_runs() -> None:
    """Wrap lmms-eval's runs.

    The folder for results is tried before hours of work rather than after them; requests that failed are written beside
    the results; and what became of the run is reported to the process that watches it (see `run_events`), as lmms-eval
    ends with status 0 in any case.
    """
    evaluator: Any = importlib.import_module("lmms_eval.evaluator")
    simple_evaluate = evaluator.simple_evaluate
    if getattr(simple_evaluate, "is_watched", False):
        return

    @functools.wraps(simple_evaluate)
    def evaluate_watched(*args: Any, **kwargs: Any) -> Any:
        tasks = kwargs.get("tasks") or []
        named = [task for task in tasks if isinstance(task, str)]
        output = _Output.of(kwargs.get("evaluation_tracker"), str(kwargs.get("datetime_str") or ""))
        with run_events.reported(named, lambda: output.file("results.json") if output else None):
            if not is_ours(kwargs.get("model")) and not any(str(task).startswith(TASK_PREFIX) for task in tasks):
                return simple_evaluate(*args, **kwargs)
            if output is not None:
                output.refuse_unwritable()
            with failed_requests.written(lambda: output.file("failures.jsonl") if output else None):
                return simple_evaluate(*args, **kwargs)

    evaluate_watched.is_watched = True  # type: ignore[attr-defined]
    evaluator.simple_evaluate = evaluate_watched


class _Output:
    """Where lmms-eval writes what belongs to one run: files of one date in a folder named after the model."""

    def __init__(self, tracker: Any, date: str) -> None:
        self._tracker = tracker
        self._date = date.replace(":", "-")

    @classmethod
    def of(cls, tracker: Any, date: str) -> "_Output | None":
        """The output of a run; None where nothing is to be written."""
        return cls(tracker, date) if tracker is not None and tracker.output_path else None

    def file(self, ending: str) -> Path:
        """The file of this ending, asked for once the run has begun: from then on the tracker knows the model."""
        name = self._tracker.general_config_tracker.model_name_sanitized or ""
        return Path(self._tracker.output_path) / name / f"{self._date}_{ending}"

    def refuse_unwritable(self) -> None:
        """End the program where the folder cannot be written."""
        folder = Path(self._tracker.output_path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"\0" * 4096)
        except OSError as error:
            reason = error.strerror or str(error)
            raise SystemExit(
                f"HumanSense: --output_path {folder} cannot be written ({reason}); name another folder."
            ) from error
