"""The release's two scorers, repeated with their quirks: the metric `paper`. Pure functions of the standard library.

Source: the rules of the release's evaluation code (arXiv 2508.10576), for plain prompts and for think prompts. Where
that code would end with an exception, the credit is 0 and `crash` says why, so that such scores can be recognised.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ..prompts import Pattern, Style

_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_LETTERS_OF_THINK = ("a", "b", "c", "d")
"""The letters that the think scorer knows: a question may have five options, but an E alone is never right."""

_OPTIONS_OF_THINK = "abcde"
"""The letters of the options whose text the think scorer knows."""


class ReleaseCredit(NamedTuple):
    """The release's credit for a response.

    Attributes:
        value: 0, 0.5 or 1, or None if the release leaves the item out of the denominator.
        crash: Why the release's code would have stopped at this response; empty if it would not.
    """

    value: float | None
    crash: str = ""


LEFT_OUT = ReleaseCredit(None)


def release_credit(
    response: str, pattern: Pattern, answer: str, options: Sequence[str] = (), style: Style = "plain"
) -> ReleaseCredit:
    """Score a response with the release's scorer for prompts of this style.

    Args:
        response: The model's response.
        pattern: The form of the answer.
        answer: The annotated answer, as text.
        options: The annotated options.
        style: The style of the prompt.

    Returns:
        The credit that the release gives.
    """
    if not response:
        return LEFT_OUT
    if style == "plain":
        return ReleaseCredit(_plain(response, pattern, answer))
    return _think(response, pattern, answer, options)


def _plain(response: str, pattern: Pattern, answer: str) -> float | None:
    if pattern == "single":
        return float(response[0].lower() == answer[0].lower())
    if pattern == "count":
        said_number, right_number = _integer(response[0]), _integer(answer)
        return float(said_number is not None and said_number == right_number)
    if pattern == "yesno":
        said = _without(response, ". ")
        return float(said.lower() == answer.lower()) if said else None
    said = _without(response, ".,").lower()
    # The response must have the commas and spaces of the annotated answer too: all characters are compared.
    return _letters(said, answer.lower()) if said else None


def _think(response: str, pattern: Pattern, answer: str, options: Sequence[str]) -> ReleaseCredit:
    tagged = _TAGGED.search(response)
    said = tagged.group(1).strip() if tagged else response
    if pattern == "yesno":
        # The release compares the whole response, tags included; without tags it has no rule for these questions.
        return ReleaseCredit(0.0) if tagged else LEFT_OUT
    if pattern == "multi":
        removed = ".,， " if tagged else ".,， \n"
        return ReleaseCredit(_letters(_without(said, removed).lower(), _without(answer, ".,， ").lower()))
    if pattern == "single":
        return _think_choice(said if tagged else said[0], answer, options)
    if not said:
        return ReleaseCredit(0.0, "the answer tag is empty")
    number = _integer(said[0])
    if number is None:
        return ReleaseCredit(0.0, "the first character of the answer is no digit")
    return ReleaseCredit(float(number == _integer(answer)))


def _think_choice(said: str, answer: str, options: Sequence[str]) -> ReleaseCredit:
    place = _OPTIONS_OF_THINK.find(answer[0].lower())
    if not 0 <= place < len(options):
        return ReleaseCredit(0.0, "the right answer is none of the options")
    _, dot, text = options[place].partition(".")
    if not dot:
        return ReleaseCredit(0.0, "the right option has no full stop after its letter")
    right, text = answer[0].lower(), _bare(text.strip().lower())
    said = said.strip().lower()
    if said in _LETTERS_OF_THINK:
        return ReleaseCredit(float(said == right))
    letter, dot, rest = said.partition(".")
    if dot and letter in _LETTERS_OF_THINK:
        return ReleaseCredit(float(letter == right or _bare(rest.strip()) == text))
    return ReleaseCredit(float(_bare(said) == text))


def _letters(said: str, right: str) -> float:
    if any(character not in right for character in said):
        return 0.0
    return 1.0 if all(character in said for character in right) else 0.5


def _bare(text: str) -> str:
    return _without(text, ".,，")


def _without(text: str, characters: str) -> str:
    return text.translate(dict.fromkeys(map(ord, characters)))


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
