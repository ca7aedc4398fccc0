"""From a response to its credit. Pure functions of the standard library.

`release_credit` repeats the release's plain scorer (arXiv 2508.10576), quirks included: the metric `paper`.
`score` puts it beside the strict reading of `parsing`: the metric `acc`, for which every doc counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .parsing import parse
from .prompts import Pattern

FAILURE_MARK = "[request failed]"
"""What a response starts with when the model reports an error instead of an answer; the reason follows.

It is text because a response has to survive lmms-eval's caches and gathers. Our models write the same characters.
"""


@dataclass(frozen=True)
class Score:
    """What one response is worth.

    `paper` is the release's credit (0, 0.5 or 1; None where the release leaves the item out), `acc` ours, `parsed` the
    answer that was read (None if there was none), `failed` whether the model reported an error instead of an answer.
    """

    paper: float | None
    acc: float
    parsed: str | None
    failed: bool

    @property
    def answered(self) -> bool:
        """Whether an answer could be read from the response."""
        return self.parsed is not None


def score(response: str, pattern: Pattern, answer: str, options: Sequence[str] = ()) -> Score:
    """Score a plain response to a question whose right answer is `answer` (as the annotations have it, as text)."""
    if response.startswith(FAILURE_MARK):
        return Score(paper=None, acc=0.0, parsed=None, failed=True)
    parsed = parse(response, pattern, options)
    acc = credit(parsed, gold(answer, pattern, options), pattern)
    return Score(paper=release_credit(response, pattern, answer), acc=acc, parsed=parsed, failed=False)


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


def release_credit(response: str, pattern: Pattern, answer: str) -> float | None:
    """The release's plain scorer: 0, 0.5 or 1, or None where it takes the item out of the denominator."""
    if not response:
        return None
    if pattern == "single":
        return float(response[0].lower() == answer[0].lower())
    if pattern == "count":
        said_number, right_number = _integer(response[0]), _integer(answer)
        return float(said_number is not None and said_number == right_number)
    if pattern == "yesno":
        said = response.replace(".", "").replace(" ", "")
        return float(said.lower() == answer.lower()) if said else None
    said = response.replace(".", "").replace(",", "").lower()
    return _letters_credit(said, answer.lower()) if said else None


def _letters_credit(said: str, right: str) -> float:
    if any(character not in right for character in said):
        return 0.0
    # A comma or space in the annotated answer has to be said too: the release compares the characters as they stand.
    return 1.0 if all(character in said for character in right) else 0.5


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
