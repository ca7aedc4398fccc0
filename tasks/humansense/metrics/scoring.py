"""From a response to its credits. Pure functions of the standard library.

`score` puts the release's own credit (module and metric `paper`) beside that of the strict reading of `parsing`: the
metric `acc`, for which every doc counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..prompts import Pattern, Style
from .paper import release_credit
from .parsing import parse

FAILURE_MARK = "[request failed]"
"""What a response starts with when the model reports an error instead of an answer; the reason follows.

It is text because a response has to survive lmms-eval's caches and gathers. Our models write the same characters.
"""


@dataclass(frozen=True)
class Score:
    """What one response is worth.

    `paper` is the release's credit (0, 0.5 or 1; None where the release leaves the item out), `acc` ours, `parsed` the
    answer that was read (None if there was none), `failed` whether the model reported an error instead of an answer,
    `crash` why the release's scorer would have stopped here ("" where it would not).
    """

    paper: float | None
    acc: float
    parsed: str | None
    failed: bool
    crash: str = ""

    @property
    def answered(self) -> bool:
        """Whether an answer could be read from the response."""
        return self.parsed is not None


def score(response: str, pattern: Pattern, answer: str, options: Sequence[str] = (), style: Style = "plain") -> Score:
    """Score a response to a question whose right answer is `answer` (as the annotations have it, as text).

    `style` is that of the prompt: the release has a scorer for each.
    """
    if response.startswith(FAILURE_MARK):
        return Score(paper=None, acc=0.0, parsed=None, failed=True)
    parsed = parse(response, pattern, options)
    acc = credit(parsed, gold(answer, pattern, options), pattern)
    paper = release_credit(response, pattern, answer, options, style)
    return Score(paper=paper.value, acc=acc, parsed=parsed, failed=False, crash=paper.crash)


def gold(answer: str, pattern: Pattern, options: Sequence[str] = ()) -> str:
    """The right answer in the form in which `parse` gives one.

    The first character of a single-choice answer is its letter, as in the release. Raises ValueError when a counting
    answer is no integer.
    """
    if pattern == "single":
        return answer.strip()[:1].upper()
    if pattern == "count":
        return str(int(answer))
    if pattern == "yesno":
        return answer.strip(" .").lower()
    return parse(answer, pattern, options) or "".join(sorted({letter for letter in answer.upper() if letter.isalpha()}))


def credit(parsed: str | None, right: str, pattern: Pattern) -> float:
    """1 for the right answer, 0.5 for a multi-select answer that misses letters but has no wrong one, else 0."""
    if not parsed:
        return 0.0
    if pattern == "multi" and set(parsed) < set(right):
        return 0.5
    return float(parsed == right)
