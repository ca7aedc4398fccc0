"""The numbers of the release's `scores_*.json`: right answers by `task_type`, and over all."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..tasks.humansense.metrics.paper import release_credit
from ..tasks.humansense.prompts import PATTERNS, Pattern, Style
from .files import ReleaseFile

Question = tuple[str, str, Pattern, str, Sequence[str]]
"""Its id, `task_type`, pattern, answer and options."""


def counts(file: ReleaseFile, responses: Mapping[str, str], style: Style) -> dict[str, dict[str, float]]:
    """What the release's scorer for this style writes about responses, by the id of their doc.

    By `task_type`, in the order in which they come, and "all": `total`, `correct` and `accuracy`. Items without a
    response are in no total. Where its code would stop, the response counts 0 here.
    """
    credits: dict[str, list[float]] = defaultdict(list)
    for doc_id, task_type, pattern, answer, options in _questions(file, style):
        credit = release_credit(responses.get(doc_id, ""), pattern, answer, options, style).value
        if credit is not None:
            credits[task_type].append(credit)
    told = {task_type: _told(given) for task_type, given in credits.items()}
    return {**told, "all": _told([credit for given in credits.values() for credit in given])}


def _questions(file: ReleaseFile, style: Style) -> Iterator[Question]:
    """The questions that the scorer of this style looks at."""
    docs = {doc["id"]: doc for doc in file.annotations["docs"]}
    for place, item in enumerate(file.items):
        doc = docs.get(f"{file.key}-{place}")
        if doc is not None:
            yield doc["id"], doc["task_type"], doc["pattern"], doc["answer"], doc["options"]
        elif style == "think":
            # The plain scorer skips the type that is no task of the benchmark; the one for think prompts does not.
            yield from _left_out(f"{file.key}-{place}", item["questions"])


def _left_out(doc_id: str, question: Any) -> Iterator[Question]:
    pattern, answer = PATTERNS.get(question.get("question_pattern")), str(question.get("answer", ""))
    if pattern is not None and answer:
        yield doc_id, question["task_type"], pattern, answer, [str(option) for option in question.get("options") or []]


def _told(credits: Sequence[float]) -> dict[str, float]:
    total, correct = len(credits), sum(credits)
    return {"total": total, "correct": correct, "accuracy": correct / total if total else 0}
