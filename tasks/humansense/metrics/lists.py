"""Collapses lists of options, and lists of options with yes and no, to one mention. Standard library only."""

import re
from collections.abc import Sequence
from dataclasses import replace

from .languages import CANNOT, NOT, YES
from .tokens import BOTH, LETTER, MENTION, MENTIONS, WORD, Token, roles

_LABEL = re.compile(r"(?P<sign>[✓✗]?)[^\w✓✗]{0,9}(?:#[.):])?[gO(\[\"]{0,6}(?P<inner>[✓✗]?)[(\[\"]{0,3}(?P<label>[mtb])")
_CONCLUSION = re.compile(r"[gO]*[mb]V[gVO]*[RF]?A")
_NO_COMMENT = re.compile(r"[^\w✓✗#%]*[gO]?[^\w✓✗#%]*$")
_CUT_OFF = set("the a an and or of with is are in on to that but because his her their as at for which by from".split())

Line = list[Token]


def collapsed(tokens: Sequence[Token], letters: set[str], several: bool) -> Line:
    """Replace each list of options by one mention of what it chooses.

    Args:
        tokens: The tokens of a response.
        letters: The letters of the question.
        several: Whether more than one option can be chosen.

    Returns:
        The tokens. In a list that chooses nothing (a discussion, scores, the question again), options are words.
    """
    kept: Line = []
    run: list[Line] = []
    for line in [*lines(tokens), []]:
        concludes = run and run[-1][0].role == "\n" and _CONCLUSION.match(roles(line))
        if line and not concludes and (_LABEL.match(roles(line)) or (run and line[0].role == "\n")):
            run.append(line)
            continue
        head = roles(kept[-40:]).rstrip("\n").rpartition("\n")[2]
        discusses = bool(re.search("O.*[:.]$", head)) and not re.search("[ARPSF]", head)
        kept += _List(run, letters, several and not discusses).chosen()
        run = []
        kept += line
    return kept


class _List:
    """Lines that each begin with an option."""

    def __init__(self, run: list[Line], letters: set[str], several: bool) -> None:
        self._letters, self._several = letters, several
        self._lines = [line for line in run if line[0].role != "\n"]
        self._items = [item for line in self._lines for item in _items(line)]
        self._tokens = [token for line in run for token in line]

    def chosen(self) -> Line:
        """The tokens of the lines, or one mention of what they choose."""
        if len(self._items) < 2:
            return self._tokens
        bare = [bool(_NO_COMMENT.match(_comment(item))) and not _ends_amid(item) for item in self._items]
        if sum(bare) == 1 and len(self._lines) == len(self._items) and (bare[0] or bare[-1]):
            return self._as_words(but=self._lines[0 if bare[0] else -1])
        options = [next(token for token in item if token.role in MENTIONS).letters for item in self._items]
        if not all(bare) and len({letter for letters in options for letter in letters}) < len(options):
            return self._tokens
        marks = [_polarity(item) for item in self._items]
        right = None if "score" in marks else self._right(options, marks, all(bare))
        if right is None:
            return self._tokens if len(self._lines) == 1 and "score" not in marks else self._as_words(but=[])
        start, end = self._tokens[0].start, self._tokens[-1].end
        mention = [Token(LETTER, "", tuple(dict.fromkeys(right)), False, start, end)] if right else []
        return [*mention, Token("\n", "\n", (), False, end, end)]

    def _right(self, options: list[tuple[str, ...]], marks: list[str | None], bare: bool) -> list[str] | None:
        """The letters that the list chooses; None if it is no list of choices."""
        every = self._letters <= {letter for letters in options for letter in letters}
        many = len(self._lines) > 1
        if None not in marks:
            return [letter for letters, mark in zip(options, marks, strict=True) for letter in letters if mark == "yes"]
        everything = [letter for letters in options for letter in letters]
        if bare and many:
            repeats = len(set(everything)) < len(everything) and len(set(map(frozenset, options))) > 1
            question = every and (not self._several or any(token.role == BOTH for token in self._tokens))
            return None if question or repeats else everything
        ticked = [letter for letters, mark in zip(options, marks, strict=True) for letter in letters if mark]
        commented = [
            mark for item, mark in zip(self._items, marks, strict=True) if not _NO_COMMENT.match(_comment(item))
        ]
        if many and len(ticked) == 1 and set(marks) == {"yes", None} and commented == ["yes"]:
            return ticked
        some = self._several and many and not every and set(marks) <= {None, "yes"}
        return everything if some and not _breaks_off(self._lines) else None

    def _as_words(self, but: Line) -> Line:
        """The tokens with options as words, but for those of one line."""
        kept = {token.start for token in but}
        return [
            replace(token, role=WORD) if token.role in MENTIONS and token.start not in kept else token
            for token in self._tokens
        ]


def lines(tokens: Sequence[Token]) -> list[Line]:
    """The lines of tokens, each with its end."""
    found: list[Line] = [[]]
    for token in tokens:
        found[-1].append(token)
        if token.role == "\n":
            found.append([])
    return [line for line in found if line]


def _items(line: Line) -> list[Line]:
    """The items of a line: several if each option in it has a label or a sign ("A: yes, B: no")."""
    said = roles(line)
    mentions = [match.start() for match in re.finditer(MENTION, said)]
    labelled = all(
        re.match(r"[)\"']*[:(\-✓✗?NU]", said[place + 1 :])
        or said[place - 1 : place] in tuple("✓✗")
        or any(token.text in YES for token in line[place + 1 : place + 2])
        for place in mentions
    )
    if len(mentions) < 2 or not labelled:
        return [line]
    starts = [0, *(place - (said[0] in "✓✗") for place in mentions[1:])]
    return [line[start:end] for start, end in zip(starts, [*starts[1:], len(line)], strict=True)]


def _comment(item: Line) -> str:
    """The roles behind the option of an item."""
    match = _LABEL.match(roles(item))
    return roles(item)[match.end() :] if match else roles(item)


def _polarity(item: Line) -> str | None:
    """Whether an item of a list is marked as right: "yes", "no", "score" for a number, None if it is not marked."""
    match = _LABEL.match(roles(item))
    behind = item[match.end() :] if match else item
    signs = set(re.findall("[✓✗]", roles(behind) + (match["sign"] + match["inner"] if match else "")))
    if signs:
        return None if len(signs) > 1 else "yes" if "✓" in signs else "no"
    said = [token for token in behind if token.role not in "\"'()[]:-,;|O"]
    marks = {token.start: _mark(token) for token in said if _mark(token)}
    if said and said[0].role in "#%":
        return "score"
    if not marks or "?" in roles(said):
        return None
    return _mark(said[0]) or (next(iter(marks.values())) if len(set(marks.values())) == 1 else None)


def _mark(token: Token) -> str | None:
    return "no" if token.role in NOT + CANNOT else "yes" if token.text.casefold() in YES else None


def _breaks_off(run: Sequence[Line]) -> bool:
    """Whether the last line of a list has no end, as lines before have."""
    ends = [roles(line).strip("\n")[-1:] in tuple(".!?") for line in run]
    return is_cut_off(run[-1]) or (not ends[-1] and any(ends))


def is_cut_off(tokens: Sequence[Token]) -> bool:
    """Whether a text breaks off in the middle of a sentence."""
    return _ends_amid(tokens) or roles(tokens).rstrip("\n")[-1:] in tuple(",;(-&")


def _ends_amid(tokens: Sequence[Token]) -> bool:
    """Whether a text ends with a word that needs another one."""
    last = next((token for token in reversed(tokens) if token.role != "\n"), None)
    return last is not None and last.role not in MENTIONS and last.text.casefold() in _CUT_OFF
