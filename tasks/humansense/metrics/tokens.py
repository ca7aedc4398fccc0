"""Splits a cleaned response into sentences of tokens, each with the role of its word. Standard library only.

The grammar of `verdicts` is one of roles: a sentence of tokens is also a string with a character for each. A mention of
options is one token: a letter (`m`), a text (`t`), or both side by side (`b`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .cleaning import CLOSE, OPEN
from .languages import NO_SIGNS, NOT, WAIT, YES_SIGNS, Roles

LETTER, TEXT, BOTH = "mtb"
MENTIONS = LETTER + TEXT + BOTH
MENTION = f"[{MENTIONS}]"
WORD, NUMBER = "w#"
"""Roles of a word that is in no table, and of a number. Marks are their own roles; `✓` and `✗` stand for all signs."""

NO_OPTION = "?"
"""Stands for a letter that is no option, and for a letter beside the text of another option."""

MARK = 0xE000
"""Characters that stand for the texts of options begin here; add the option's place."""

LATIN = r"A-Za-z0-9_À-ɏͰ-ԯ"
_UNSPACED = "\u0e01-\u0e3a\u0e40-\u0e4e\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af々"
_LETTER = rf"(?:[^\W\d_{_UNSPACED}]|[\u0300-\u036f\u064b-\u0652\u0900-\u0963\u0980-\u09e3])"
_TOKEN = re.compile(
    rf"(?P<text>[\ue000-\ue0ff])|(?P<run>[{_UNSPACED}]+)|(?P<word>{_LETTER}+(?:['.-]{_LETTER}+)*)|(?P<is>'s\b)"
    rf"|(?P<number>\d[\d.,:'_]*(?<=\d))|(?P<yes>[{YES_SIGNS}])|(?P<no>[{NO_SIGNS}])|(?P<arrow>[-=]>|[→⇒])|(?P<bound>[<>]=?|[≤≥±])"
    r"|(?P<stop>\n|[.!?。।…]+)|(?P<mark>\S)"
)
_SAME = str.maketrans("=–—−、·【】「」『』《》", ':---,,[]""""""')
_MARKS = "[,;:()\"'.%/&|+*_-]|\\[|\\]"
_ROLE_OF = {"word": WORD, "is": "V", "number": NUMBER, "yes": "✓", "no": "✗", "arrow": ":", "bound": "^"}
_ABBREVIATIONS = {"mr", "mrs", "ms", "dr", "e.g", "i.e", "vs", "approx", "no", "z.b", "bzw"}
_NO = {"no", "nein", "non", "não", "нет"}

_JOINT = re.compile(r"[,;/&|+()\[\]\"'*.O<>\-:gS]*")
_ARROWS = ("->", "=>", "→", "⇒")
_LIST_ENDS = re.compile(r"(?:[,;&|gO]*[mtb])*(?:[.\n)\]\"]|$)")

_LONGEST = 150
"""Tokens of a sentence; a longer one is read in parts."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a mark, or a mention of options.

    Attributes:
        role: A character of `languages`, of this module, or a mark.
        text: The word or mark.
        letters: The letters of the options that are mentioned.
        either: Whether the mention leaves open which of them is meant ("A or B").
        start: Where it starts in the text.
        end: Where it ends.
    """

    role: str
    text: str
    letters: tuple[str, ...] = ()
    either: bool = False
    start: int = 0
    end: int = 0


def roles(tokens: Iterable[Token]) -> str:
    """The roles of tokens as a string, a character for each."""
    return "".join(token.role for token in tokens)


class Lexer:
    """Finds tokens and the roles of their words.

    Args:
        words: The words of languages that write spaces, and those that are found within a run of letters.
    """

    def __init__(self, words: tuple[Roles, Roles]) -> None:
        self._spaced, self._unspaced = words
        self._longest: dict[str, int] = {}  # how many words the longest phrase has that begins with a word
        for phrase in self._spaced:
            first, *rest = phrase.split()
            self._longest[first] = max(self._longest.get(first, 1), 1 + len(rest))
        self._run = re.compile("|".join(map(re.escape, sorted(self._unspaced, key=len, reverse=True))))

    def tokens(self, text: str) -> list[Token]:
        """The tokens of a text, in which characters from `MARK` on stand for texts of options."""
        found: list[Token] = []
        for match in _TOKEN.finditer(text):
            kind, said = match.lastgroup or "", match[0]
            if kind == "run":
                found += self._words_of_run(match)
            elif kind == "text":
                place = ord(said) - MARK
                letter = chr(ord("A") + place) if place < 26 else NO_OPTION
                found.append(Token(TEXT, said, (letter,), False, match.start(), match.end()))
            elif role := _role(kind, said):
                found.append(Token(role, said, (), False, match.start(), match.end()))
        found = self._phrases(found)
        return [replace(token, role=_role_in_place(found, place)) for place, token in enumerate(found)]

    def _words_of_run(self, run: re.Match[str]) -> list[Token]:
        found, place = [], run.start()
        for word in self._run.finditer(run.string, run.start(), run.end()):
            if word.start() > place:
                found.append(Token(WORD, run.string[place : word.start()], (), False, place, word.start()))
            found.append(Token(self._unspaced[word[0]], word[0], (), False, word.start(), word.end()))
            place = word.end()
        if place < run.end():
            found.append(Token(WORD, run.string[place : run.end()], (), False, place, run.end()))
        return found

    def _phrases(self, tokens: list[Token]) -> list[Token]:
        """The tokens with the roles of their words, and each phrase of several words as one token."""
        found: list[Token] = []
        place = 0
        while place < len(tokens):
            token = tokens[place]
            size, role = self._phrase(tokens[place : place + 4])
            last = tokens[place + size - 1]
            text = token.text if size == 1 else " ".join(one.text.lower() for one in tokens[place : place + size])
            found.append(replace(token, role=role, text=text, end=last.end))
            place += size
        return found

    def _phrase(self, tokens: list[Token]) -> tuple[int, str]:
        """How many of the tokens are one phrase, and its role."""
        first = tokens[0]
        if first.role not in WORD + ":" or (len(first.text) == 1 and first.text.isupper() and first.text != "I"):
            return 1, first.role
        for size in range(min(self._longest.get(first.text.lower(), 0), len(tokens)), 0, -1):
            phrase = " ".join(token.text.lower() for token in tokens[:size])
            if phrase in self._spaced:
                return size, self._spaced[phrase]
        behind = first.text.lower().rpartition("'")[2]  # "l'option"
        return 1, self._spaced.get(behind, first.role) if len(behind) > 2 else first.role


def _role(kind: str, said: str) -> str:
    """The role of a token that is no word of a table; "" for a mark that means nothing here."""
    if kind == "stop" and said != "\n":
        return next((mark for mark in "?!" if mark in said), "…" if said[-2:] in ("…", "..") else ".")
    if kind == "mark":
        return {OPEN: "<", CLOSE: ">"}.get(said) or "".join(re.findall(_MARKS, said.translate(_SAME)))
    return _ROLE_OF.get(kind, said)


def _role_in_place(tokens: list[Token], place: int) -> str:
    """The role of a token where others stand beside it: "no" may take back ("B? No, C."), "too" deny ("too harsh")."""
    said, role = tokens[place].text.lower(), tokens[place].role
    if said != "too" and said not in _NO:
        return role
    before, behind = roles(tokens[max(0, place - 1) : place]), roles(tokens[place + 1 : place + 2])
    if said == "too":
        return NOT if behind == WORD else role
    return WAIT if before in ("", *",;.?!…\n-") and behind in (*",:-!",) else role


def group(tokens: Sequence[Token]) -> list[Token]:
    """The tokens with each list of mentions ("A, B and D") as one mention, and without brackets around mentions."""
    found: list[Token] = []
    last = -1  # the place of the last mention in `found`
    for place, token in enumerate(tokens):
        if token.role in MENTIONS and 0 <= last >= len(found) - 6:
            first, between = found[last], found[last + 1 :]
            if _joined(first, between, token, roles(tokens[place + 1 : place + 20])):
                joint = roles(between)
                behind = [one.text.lower() for one in tokens[place + 1 : place + 4]]
                or_both = ["or", "both"] in (behind[:2], behind[1:])
                either = first.either or token.either or "|" in joint or "-" in joint or or_both
                letters = tuple(dict.fromkeys((*first.letters, *token.letters)))
                role = token.role if token.role == first.role else BOTH
                found[last:] = [replace(first, role=role, letters=letters, either=either, end=token.end)]
                continue
        found.append(token)
        last = len(found) - 1 if token.role in MENTIONS else last
    return _unbracketed(found)


def _joined(first: Token, between: list[Token], second: Token, follows: str) -> bool:
    """Whether two mentions belong to one list, by what stands between them and behind."""
    joint = roles(between)
    if not _JOINT.fullmatch(joint) or joint.count("g") > 1:
        return False
    if any(
        token.text.lower() in ("only", "just") or (token.role in ":S" and token.text not in _ARROWS)
        for token in between
    ):
        return False
    if ";" in joint and not _LIST_ENDS.match(follows):
        return False
    if "," in joint and len(first.letters) > 1 and set(second.letters) <= set(first.letters):
        return False
    return "." not in joint or first.role == second.role == LETTER


def _unbracketed(tokens: list[Token]) -> list[Token]:
    """The tokens without brackets around mentions, but for those behind a word ("He nods (B).")."""
    said = roles(tokens)
    bare = {
        place
        for match in re.finditer(r"(?:^|(?<=[^wtk]))[(\[][mtb][)\]]", said)
        for place in (match.start(), match.end() - 1)
    }
    return [token for place, token in enumerate(tokens) if place not in bare]


def split(tokens: Sequence[Token]) -> list[list[Token]]:
    """The sentences of tokens, each with the mark that ends it."""
    found: list[list[Token]] = [[]]
    for place, token in enumerate(tokens):
        found[-1].append(token)
        ends = token.role == "\n" or (token.role in ".!?…" and not _goes_on(tokens, place))
        if ends or len(found[-1]) >= _LONGEST:
            found.append([])
    return [sentence for sentence in found if sentence]


def _goes_on(tokens: Sequence[Token], place: int) -> bool:
    """Whether a sentence goes on behind a stop: one of an abbreviation, within a word, or before a quotation's end."""
    stop, follows = tokens[place], tokens[place + 1 : place + 3]
    if not follows or stop.role == "…":
        return False
    if place and tokens[place - 1].text.lower() in _ABBREVIATIONS:
        return True
    if stop.text[0] not in ".!?" or follows[0].start != stop.end:
        return False
    quoted = follows[0].role == '"' and roles(follows[1:]) not in ("", "\n")
    return quoted or follows[0].role not in "\"')>\n"


def is_spoken(sentence: Sequence[Token]) -> bool:
    """Whether a sentence is more than marks."""
    return bool(roles(sentence).strip("\n.!?…\"'"))


def spoken(sentences: Sequence[Sequence[Token]]) -> list[Sequence[Token]]:
    """The sentences that are more than marks."""
    return [sentence for sentence in sentences if is_spoken(sentence)]
