"""The numbers in the release's `scores_*.json`: right answers by `task_type`, and in total."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ..tasks.humansense.metrics.paper import release_credit
from ..tasks.humansense.prompts import PATTERNS, Pattern, Style
from .files import ReleaseFile

Question = tuple[str, str, Pattern, str, Sequence[str]]
"""The id of its doc, its `task_type`, pattern, answer and options."""


def counts(file: ReleaseFile, responses: Mapping[str, str], style: Style) -> dict[str, dict[str, float]]:
    """Count right answers as the release's scorer does.

    Args:
        file: The result file.
        responses: The responses by the id of their doc.
        style: The style of the prompts, which chooses the scorer.

    Returns:
        `total`, `correct` and `accuracy` for each `task_type`, in the order of the file, and for "all". Items without a
        response are not counted. A response at which the release's code would stop with an error counts 0.
    """
    credits: dict[str, list[float]] = defaultdict(list)
    for doc_id, task_type, pattern, answer, options in _questions(file, style):
        credit = release_credit(responses.get(doc_id, ""), pattern, answer, options, style).value
        if credit is not None:
            credits[task_type].append(credit)
    counted = {task_type: _counted(given) for task_type, given in credits.items()}
    return {**counted, "all": _counted([credit for given in credits.values() for credit in given])}


def _questions(file: ReleaseFile, style: Style) -> Iterator[Question]:
    """The questions that the release's scorer for this style scores."""
    docs = {doc["id"]: doc for doc in file.annotations["docs"]}
    for place, item in enumerate(file.items):
        doc = docs.get(f"{file.key}-{place}")
        if doc is not None:
            yield doc["id"], doc["task_type"], doc["pattern"], doc["answer"], doc["options"]
        elif style == "think":
            # The plain scorer skips the task_type that is not in the benchmark; the one for think prompts does not.
            question = item["questions"]
            pattern, answer = PATTERNS.get(str(question.get("question_pattern"))), str(question.get("answer") or "")
            if pattern is not None and answer:
                options = question.get("options")
                options = [str(option) for option in options] if isinstance(options, list) else []
                yield f"{file.key}-{place}", question["task_type"], pattern, answer, options


def _counted(credits: Sequence[float]) -> dict[str, float]:
    total, correct = len(credits), sum(credits)
    return {"total": total, "correct": correct, "accuracy": correct / total if total else 0}
