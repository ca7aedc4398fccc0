"""Finds the places for an answer in a cleaned response, and settles several verdicts. Standard library only.

What stands in a place is read by a function that the caller gives: options and numbers look different, but the words
around them are the same.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .cleaning import CLOSE, OPEN
from .languages import ANSWER, CHOICE, CONDITION, DENIAL, DOUBT, EXAMPLE, FILLER, FINAL, GUESS, LINK, SO, words

CLAUSE_END = (
    r"(?=[\s\"'`)\]*]{0,3}(?:[.,;!?。、\n)]|$|\b(?:because|since|as|for|here|given|based|in this|wählen|nehmen)\b))"
)
"""Behind an answer, the end of its clause."""

_GAP = rf"[ \n:=*_\"'`(\[{{<>|–—\-#【「『《→{OPEN}]"
_STEP = rf"(?:{words(FILLER)}|{_GAP})"
_LINKED = rf"(?:{words(LINK)}|[:=—–→])"
# Formal places, "Answer B", "The answer is: B", "Correct option: B", "The most empathetic reply would be B".
_STRONG = re.compile(
    rf"(?:{OPEN}{_STEP}{{0,12}})?{words(ANSWER)}{_STEP}{{0,12}}(?:{_LINKED}{_STEP}{{0,12}})?|{OPEN}{_STEP}{{0,12}}"
    rf"|{words(CHOICE)}[\"'*_ ]{{0,4}}{_STEP}{{0,3}}{_LINKED}{_STEP}{{0,12}}"
    rf"|(?<![^\W_])(?:best|most \w{{1,20}}|correct|right) \w{{1,20}}(?: \w{{1,20}}){{0,2}}? (?:is|are|would be)"
    rf"(?![^\W_]){_STEP}{{0,12}}",
    re.IGNORECASE,
)
# "So B.", "I would choose B.", "That leaves B.": the answer must end the clause.
_WEAK = re.compile(rf"{words(SO)}(?:{words(SO)}|{words(LINK)}|{words(FILLER)}|{_GAP}|,){{0,12}}", re.IGNORECASE)

SENTENCE_END = re.compile(rf"[.!?](?=[\s\"')\]]|$)|[。\n!?{CLOSE}]")
_CLAUSE_START = re.compile(rf"[,;:]|(?<![^\W_])(?:and|but|because|since)(?![^\W_])|{words(SO)}", re.IGNORECASE)
_FORCED = re.compile(
    r"\b(?:if|since) (?:i|we|you) (?:really )?(?:had|have|must|were|needed|need)[^,]{0,40},", re.IGNORECASE
)
_SUPPOSED = re.compile(rf"{words(CONDITION)}|{words(EXAMPLE)}", re.IGNORECASE)
_CONDITIONAL = re.compile(words(CONDITION), re.IGNORECASE)
_DOUBTED = re.compile(rf"{words(GUESS)}|{words(DENIAL)}", re.IGNORECASE)
_TAKEN_BACK = re.compile(rf"{words(DOUBT)}|{words(FINAL)}", re.IGNORECASE)
_OPEN_AGAIN = re.compile(rf"(?:^|[.!?…,;。\n—–-]) ?(?:but |oh,? )?{words(DOUBT)}", re.IGNORECASE)
_BUT = re.compile(r"\b(?:but|however|on the other hand|although|though|aber|mais|pero)\b|但|しかし", re.IGNORECASE)
_NEAR, _FAR = 200, 400
"""Characters beside a place, and behind it, that are looked at: of longer sentences, the part next to the place."""


@dataclass(frozen=True)
class Verdict:
    """What a place in a text gives as the answer.

    Attributes:
        start: Where the words that announce the answer begin.
        end: Where the answer ends.
        answer: The answer; None if the place names options but no answer.
    """

    start: int
    end: int
    answer: str | None


Reader = Callable[[str, int, int, bool], Verdict | None]
"""Reads a text from one position to another; the last value tells whether the answer must end its clause."""


class Sentences:
    """The sentences of a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._ends = [end.end() for end in SENTENCE_END.finditer(text)]

    def before(self, place: int) -> str:
        """The part of a sentence before a place in it.

        Args:
            place: The place in the text.

        Returns:
            The part of the sentence.
        """
        index = bisect_right(self._ends, place) - 1
        start = self._ends[index] if index >= 0 else 0
        return self.text[max(start, place - _NEAR) : place]

    def after(self, place: int) -> str:
        """The part of a sentence behind a place in it, with the mark that ends it.

        Args:
            place: The place in the text.

        Returns:
            The part of the sentence.
        """
        index = bisect_left(self._ends, place + 1)
        end = self._ends[index] if index < len(self._ends) else len(self.text)
        return self.text[place : min(end, place + _NEAR)]

    def states(self, start: int, end: int) -> bool:
        """Whether a sentence says what stands between two places to be so: it does not ask, deny, guess or suppose.

        Args:
            start: Where the statement begins.
            end: Where it ends.

        Returns:
            Whether it is a statement.
        """
        before, after = self.before(start), self.after(end)
        return not (
            after.rstrip("\"') ").endswith("?")
            or _CONDITIONAL.search(after)
            or _SUPPOSED.search(_FORCED.sub(" ", before))
            or _DOUBTED.search(_CLAUSE_START.split(before)[-1])
        )


def places(sentences: Sentences, read: Reader) -> Iterator[Verdict]:
    """The verdicts that words announce ("The answer is …", "So …"), or that stand in tags and boxes.

    Args:
        sentences: The cleaned text.
        read: Reads what is announced.

    Yields:
        Each verdict that the text states.
    """
    text = sentences.text
    for cue, weak in ((_STRONG, False), (_WEAK, True)):
        for match in cue.finditer(text):
            formal = text[match.start()] == OPEN
            stop = text.find(CLOSE if formal else "\n", match.end(), match.end() + _FAR)
            verdict = read(text, match.end(), stop if stop >= 0 else min(len(text), match.end() + _FAR), weak)
            if verdict and sentences.states(match.start(), verdict.end):
                yield Verdict(match.start(), verdict.end, verdict.answer)


def settle(text: str, verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict that counts: all agree, or the text takes the earlier ones back.

    Args:
        text: The text that the verdicts are from.
        verdicts: The verdicts.

    Returns:
        The verdict; None if they contradict each other, if the text takes back the last one, or if it is cut off amid
        second thoughts.
    """
    counts: Verdict | None = None
    agreed = True
    for verdict in sorted(verdicts, key=lambda one: (one.end, one.start)):
        if counts and verdict.answer != counts.answer:
            between = text[min(counts.end, verdict.start) : verdict.end]
            agreed = bool(_TAKEN_BACK.search(between))
        counts = verdict
    if not counts or not agreed or counts.answer is None or _OPEN_AGAIN.search(text, counts.end):
        return None
    cut_off = text[counts.end :].strip()[-1:].isalnum() and _BUT.search(text, counts.end)
    return None if cut_off else counts
