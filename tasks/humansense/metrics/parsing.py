r"""Reads the answer in a response, strictly: where it is in doubt, it reads none. Standard library only.

`parse` reads one answer from free text and returns None if the text gives none, or more than one. It is the parser of
the metric `acc`; the release's own way to read a response is in `paper`. docs/metrics.md says what an answer is.

The stages, each a module that knows only those before it:

1. `cleaning` takes off special tokens, reasoning, markup, and questions or turns with which a model goes on.
2. `tokens` splits the rest into sentences of words with roles ("answer", "is", "not", "if", …), which `languages` has
   as tables. Options are tokens, too: `mentions` finds their letters and texts; `counting` finds numbers of people.
3. `verdicts` splits sentences into clauses, tells which of them give a mention as the answer, and settles several of
   them. `lists` collapses lists of options, also those with yes and no.
4. `choices` and `counting` put this together. If no clause gives an answer, they read the only option (or number of
   people) that the first or the last sentence names.

All patterns take linear time, and of very long responses only the start and the end are read.
"""

import re
from collections.abc import Sequence

from ..prompts import Pattern
from .choices import chosen
from .cleaning import clean
from .counting import counted

_LABEL = re.compile(r"[\[(（【]?([A-Za-z])[.．:：、)\]）】]+\s*(.*)", re.DOTALL)
_YES_OR_NO = re.compile(r"\b(?:yes|no)\b", re.IGNORECASE)


def option_letters(options: Sequence[str]) -> dict[str, str]:
    """The letters of a question and their texts: `{"A": "happy", …}`.

    Letters before the options ("A. happy") are removed; without them, the place of an option gives its letter.
    """
    places = [chr(ord("A") + place) for place in range(len(options))]
    labels = [_LABEL.match(option.strip()) for option in options]
    if [label.group(1) if label else None for label in labels] == places:
        return {letter: label.group(2).strip() for letter, label in zip(places, labels, strict=True) if label}
    return {letter: option.strip() for letter, option in zip(places, options, strict=True)}


def parse(response: str, pattern: Pattern, options: Sequence[str] = ()) -> str | None:
    """Read the answer in a response.

    Args:
        response: The model's response.
        pattern: The form of the answer.
        options: The annotated options.

    Returns:
        The answer, or None if the response gives none or contradicts itself. Single choice: one letter of the question
        ("B"). Multi-select: its letters in order ("ABD"). Counting: an integer in decimal ("10"). Yes/no: "yes" or
        "no".
    """
    text = clean(response, compatible=pattern != "count")
    if pattern == "count":
        return counted(text)
    if pattern == "yesno":
        said = {word.lower() for word in _YES_OR_NO.findall(text)}
        return said.pop() if len(said) == 1 else None
    return chosen(text, option_letters(options), several=pattern == "multi")
