"""How many requests of each task got no answer, and what is said about it. Standard library only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .names import TASK_PREFIX

WHY_EMPTY = "lmms-eval's wrappers turn errors into empty answers; read the log"
"""Why responses of models that are not this package's may be empty."""


@dataclass(frozen=True)
class Unanswered:
    """The requests of a task that got no answer.

    Attributes:
        task: The name of the task.
        asked: How many requests the task had.
        failed: How many of them failed.
        empty: How many of the responses are empty.
    """

    task: str
    asked: int
    failed: int
    empty: int


def unanswered(results: Mapping[str, Any]) -> list[Unanswered]:
    """Count the requests without an answer in the results of an evaluation.

    Args:
        results: The results, as lmms-eval returns and writes them.

    Returns:
        The counts of each task of this package.
    """
    found = []
    for task, numbers in results.get("n-samples", {}).items():
        row, asked = results["results"].get(task, {}), int(numbers["effective"])
        if task.startswith(TASK_PREFIX) and "failed,none" in row:
            # Results of earlier versions do not say what is empty.
            failed, empty = (round(asked * float(row.get(f"{name},none", 0))) for name in ("failed", "empty"))
            found.append(Unanswered(task, asked, failed, empty))
    return found


def sentences(tasks: Sequence[Unanswered]) -> list[str]:
    """Say in which tasks requests of a model that is not this package's got no answer.

    Args:
        tasks: The counts of each task.

    Returns:
        A sentence about those that failed, and one about empty responses; none about what did not happen.
    """
    failed = [f"{each.failed:,} of {each.asked:,} requests of {each.task}" for each in tasks if each.failed]
    empty = [f"{each.empty:,} of {each.asked:,} responses of {each.task}" for each in tasks if each.empty]
    said = [f"{', '.join(failed)} failed: the samples say why."] if failed else []
    return [*said, *([f"{', '.join(empty)} are empty: {WHY_EMPTY}."] if empty else [])]
