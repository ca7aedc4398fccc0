"""Converts a response to its credits. Pure functions of the standard library.

`score` returns the release's own credit (module and metric `paper`) and the credit of the answer that `parsing` reads
(the metric `acc`, for which every doc counts).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..prompts import Pattern, Style
from .paper import release_credit
from .parsing import parse

FAILURE_MARK = "[request failed]"
"""The start of a response with which a model reports an error instead of an answer; the reason follows.

It is text because a response must survive lmms-eval's caches and gathers. Our models write the same characters.
"""

FailureKind = Literal["error", "budget", "blocked"]
"""Why there is no answer: an error, a budget of tokens that was spent before, or a safety filter of the service."""

FAILURE_MARKS: dict[str, FailureKind] = {
    FAILURE_MARK: "error",
    "[LMMS_EVAL_REQUEST_FAILED": "error",
    "[LMMS_EVAL_BUDGET_EXCEEDED]": "budget",
    "[SAFETY_BLOCKED:": "blocked",
}
"""The starts of responses that are no answers; all but the first are lmms-eval's own (0.7.3: models/chat/openai.py,
models/chat/async_openai.py, models/simple/gemini.py)."""

COMPLETE_MARK, TRUNCATED_MARK = "[response complete]", "[response truncated]"
"""The start of a response by which a model says how it ended: by itself, or at the limit of its length.

A space and the text follow. A response without a mark does not say it. Our models write the same characters.
"""


@dataclass(frozen=True)
class Score:
    """The credits of one response.

    Attributes:
        paper: The release's credit (0, 0.5 or 1; None if the release leaves the item out).
        acc: Our credit (0, 0.5 or 1).
        parsed: The answer that was read, or None.
        failure: Why there is no answer; None if the response is one.
        truncated: Whether the response was cut off at the limit of its length; None if the model does not say.
        empty: Whether the response is nothing but white space. A failed request has no such response.
        crash: Why the release's scorer would have stopped here; "" if it would not.
    """

    paper: float | None
    acc: float
    parsed: str | None
    failure: FailureKind | None = None
    truncated: bool | None = None
    empty: bool = False
    crash: str = ""

    @property
    def answered(self) -> bool:
        """Whether an answer could be read from the response."""
        return self.parsed is not None

    @property
    def failed(self) -> bool:
        """Whether there is a failure instead of an answer."""
        return self.failure is not None


def failure_of(response: str) -> FailureKind | None:
    """Why a response is no answer.

    Args:
        response: The model's response.

    Returns:
        The kind of the failure, by the mark at its start; None if it has no such mark.
    """
    return next((kind for mark, kind in FAILURE_MARKS.items() if response.startswith(mark)), None)


def without_mark(response: str) -> tuple[str, bool | None]:
    """Take the mark of how a response ended off it.

    Args:
        response: The model's response. One that reports a failure has no such mark.

    Returns:
        The text that the model gave, and whether it was cut off; None if the response has no mark.
    """
    for mark, truncated in ((COMPLETE_MARK, False), (TRUNCATED_MARK, True)):
        if response.startswith(mark):
            return response[len(mark) :].removeprefix(" "), truncated
    return response, None


def score(response: str, pattern: Pattern, answer: str, options: Sequence[str] = (), style: Style = "plain") -> Score:
    """Score a response to a question.

    Args:
        response: The model's response, with its mark if it has one.
        pattern: The form of the answer.
        answer: The annotated answer, as text.
        options: The annotated options.
        style: The style of the prompt, for which the release has a scorer of its own.

    Returns:
        The credits of the response.
    """
    failure = failure_of(response)
    if failure is not None:
        return Score(paper=None, acc=0.0, parsed=None, failure=failure)
    text, truncated = without_mark(response)
    if truncated is not None:
        text = text.strip()  # as lmms-eval does, which finds no white space at the start of a response with a mark
    parsed = parse(text, pattern, options)
    acc = credit(parsed, gold(answer, pattern, options), pattern)
    paper = release_credit(text, pattern, answer, options, style)
    return Score(paper.value, acc, parsed, truncated=truncated, empty=not text.strip(), crash=paper.crash)


def gold(answer: str, pattern: Pattern, options: Sequence[str] = ()) -> str:
    """The right answer in the form in which `parse` returns one.

    Args:
        answer: The annotated answer, as text. The first character of a single-choice answer is its letter, as in the
            release.
        pattern: The form of the answer.
        options: The annotated options.

    Returns:
        The letter or letters, the number, "yes" or "no".

    Raises:
        ValueError: The answer of a counting question is not an integer.
    """
    if pattern == "single":
        return answer.strip()[:1].upper()
    if pattern == "count":
        return str(int(answer))
    if pattern == "yesno":
        return answer.strip(" .").lower()
    return parse(answer, pattern, options) or "".join(sorted({letter for letter in answer.upper() if letter.isalpha()}))


def credit(parsed: str | None, right: str, pattern: Pattern) -> float:
    """The credit of a parsed answer.

    Args:
        parsed: The answer by `parse`, or None.
        right: The right answer by `gold`.
        pattern: The form of the answer.

    Returns:
        1 for the right answer, 0.5 for a multi-select answer that misses letters but has no wrong one, else 0.
    """
    if not parsed:
        return 0.0
    if pattern == "multi" and set(parsed) < set(right):
        return 0.5
    return float(parsed == right)
