"""The scores of tasks that are not this package's, as a run prints them at its end."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..plugin.names import TASK_PREFIX


def is_humansense(task: str) -> bool:
    """Whether a task is one of this package's, which its report shows."""
    return task.startswith(TASK_PREFIX)


def of_other_tasks(results: Path) -> list[str]:
    """Say the scores of the tasks and groups that are not this package's.

    Args:
        results: The results file of a complete evaluation.

    Returns:
        A line for each that has scores: the metrics with their values and, where known, standard errors.
    """
    rows: dict[str, dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))["results"]
    said = ((task, ", ".join(_scores(row))) for task, row in rows.items() if not is_humansense(task))
    return [f"{task}: {scores}" for task, scores in said if scores]


def _scores(row: Mapping[str, Any]) -> Iterator[str]:
    """The metrics of a task. Their keys are "metric,filter", and "metric_stderr,filter" for the standard error."""
    for key, value in row.items():
        metric, comma, filtered = key.partition(",")
        if comma and "_stderr" not in metric and _is_number(value):
            name = metric if filtered == "none" else f"{metric} ({filtered})"
            stderr = row.get(f"{metric}_stderr,{filtered}")
            yield f"{name} {value:.4f}" + (f" (stderr {stderr:.4f})" if _is_number(stderr) else "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
