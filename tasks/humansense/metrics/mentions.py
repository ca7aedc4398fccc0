"""Finds the mentions of the options of one question. Standard library only.

First each text of an option becomes one character, so that letters and words of denial within texts are no trouble.
Then letters become mentions where they are no articles, initials or names.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace

from .cleaning import MARKS, QUOTES
from .languages import AND, CHOICE_ROLES, ENGLISH_NUMBERS, LINK, NAMED, OPTION, YES
from .tokens import BOTH, LATIN, LETTER, MARK, NO_OPTION, TEXT, WORD, Lexer, Token, roles

Letters = Mapping[str, str]
"""The letters of a question and the texts of its options."""

_LEXER = Lexer(CHOICE_ROLES)

_ARTICLE = re.compile(r"^(?:an?|the|der|die|das|la|le|el|il|un|une|una|ein|eine) ")
_SUBJECT = re.compile(
    r"^(?:(?:the )?(?:he|she|it|they|person|man|woman|speaker|child)(?: (?:is|are|was|were|do|does|can|has))? |to "
    r"|because )"
)
_NONE_OF = [f"none of {rest}" for rest in ("the above", "these", "them", "the options", "the answers")]
_ONLY_ALONE = {"yes", "no", "none", "true", "false", "nothing", "all", "both", "sí", "sì", "si", "oui", "non"}
"""Texts that are common words: they are mentions only as clauses of their own."""

_ORDINALS = {"first": "A", "second": "B", "third": "C", "fourth": "D", "fifth": "E"}
_ORDINAL = re.compile(
    rf"\bthe ({'|'.join(_ORDINALS)})(?: and (?:the )?({'|'.join(_ORDINALS)}))? (?:option|choice|answer|statement)s?\b",
    re.IGNORECASE,
)
_LABEL_BEFORE = re.compile(r"(?<![\w'])([A-Za-z])[\s.:)\]\"'(-]{1,4}$")
_LOOK_ALIKES = {
    **dict(zip("АВСЕ", "ABCE", strict=True)),
    **{letter: "abcde"[place] for row in ("أبجده", "กขคงจ", "कखगघङ") for place, letter in enumerate(row)},
}
"""Cyrillic letters that look like Latin ones, and letters with which other languages label options."""

_DOTTED = re.compile(r"[A-Z](?:[.-][A-Z])+")
_INITIAL = re.compile(r"([A-Z])\.([A-Z]?[a-z].*)")
_TURKISH = re.compile(r"([A-Z])'[dt][iıuü]r", re.IGNORECASE)
_LETTER_VERBS = set(
    "fits fit matches applies holds describes suits would might may could can cannot isn't doesn't should must will"
    " the alone only also then too not does is can't seems as for it captures best validates has in"
    " şıkkı şıkkıdır seçeneği seçeneğidir".split()
)
"""Before a small word, a capital A, E or O is a letter only if that is a conjunction, or one of these."""
_LETTER_THEN_TEXT = re.compile(r"([mb])([.):\"'\[(,\-\n!> ]{0,5})$")
_TEXT_THEN_LETTER = re.compile(r"t[(\[.:,\-\"]{0,2}$")


def bare(text: str) -> str:
    """A text without marks around it, in lower case and with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(QUOTES).casefold().split()).strip(MARKS)


class Mentions:
    """Finds the mentions of the options of one question.

    Attributes:
        asking: The options whose texts are questions or exclamations: what one may say to somebody.
    """

    def __init__(self, letters: Letters) -> None:
        exact = {letter: bare(text) for letter, text in letters.items()}
        self._letters = set(letters)
        self.asking = {letter for letter, text in letters.items() if text.rstrip("\"' ”")[-1:] in tuple("?!？！")}
        self._plain = {letter for letter, text in exact.items() if text in ("yes", "no")}
        self._digits = {letter for letter, text in exact.items() if text.isdecimal()}
        spellings: dict[str, set[str]] = {}
        for letter, text in exact.items():
            for spelling in _spellings(text):
                spellings.setdefault(spelling, set()).add(letter)
        # A whole text is preferred to another one without its article.
        self._spellings = {
            spelling: {letter for letter in found if exact[letter] == spelling} or found
            for spelling, found in spellings.items()
        }
        asking = {exact[letter] for letter in self.asking}
        ordered = sorted(self._spellings, key=len, reverse=True)
        pattern = "|".join(_spelled(spelling, spelling in asking) for spelling in ordered)
        self._pattern = re.compile(pattern or r"(?!)", re.IGNORECASE)

    def tokens(self, text: str) -> list[Token]:
        """The tokens of a cleaned response, with each mention of an option as one of them."""
        text = _ORDINAL.sub(
            lambda found: " and ".join(_ORDINALS[word.lower()] for word in found.groups() if word),
            self._pattern.sub(self._marked, text),
        )
        tokens = self._beside(self._lettered(_LEXER.tokens(text)))
        # A yes or no that is a clause of its own says as much as a letter.
        return [
            replace(one, role=BOTH) if one.role == TEXT and set(one.letters) <= self._plain else one for one in tokens
        ]

    def _marked(self, found: re.Match[str]) -> str:
        """The character for a text. An option that asks is followed by a mark, so that it ends its sentence."""
        said, text = bare(found[0]), found.string
        letters = self._spellings.get(said, set())
        if len(letters) > 1:  # two options have this text: the letter before it tells which one is meant
            label = _LABEL_BEFORE.search(text[max(0, found.start() - 8) : found.start()])
            letters = letters & {label[1].upper()} if label else set()
        behind = re.match(r" [^\W\d_]+", text[found.end() : found.end() + 30])
        if behind and any(other.startswith(said + behind[0].casefold()) for other in self._spellings):
            letters = set()  # the beginning of a longer text, with another end
        mark = chr(MARK + (ord(min(letters)) - ord("A") if letters else 0xFF))
        return mark + ("!" if found[0][-1] in "?!" else "")

    # Letters

    def _lettered(self, tokens: list[Token]) -> list[Token]:
        """The tokens with the letters that mention an option."""
        found: list[Token] = []
        for place, token in enumerate(tokens):
            said = _LOOK_ALIKES.get(token.text, token.text)
            follows = tokens[place + 1] if place + 1 < len(tokens) else Token("\n", "\n")
            if len(said) == 1 and said.isascii() and said.isalpha():
                is_letter = self._is_small if said.islower() else self._is_capital
                known = said.upper() in self._letters
                mentions = (known or said not in "Ii") and is_letter(said, token, found, follows)
                found.append(_mention(token, (said.upper() if known else NO_OPTION,)) if mentions else token)
            elif len(said) > 1 and (token.role == WORD or len(tokens) == 1):  # "DA" alone is no word
                found += self._several(token)
            else:
                found.append(token)
        return found

    def _is_small(self, said: str, token: Token, before: list[Token], follows: Token) -> bool:
        """Whether a small letter is a mention: in brackets, as a label, alone in a line, in a list, or announced."""
        last, behind = roles(before[-1:]) or "\n", follows.role
        return (
            (last in "([\"'" and behind in ")]\"'")
            or (last in "\n.;" and behind in ").:")
            or (last == "\n" and behind in "\n,;&")
            or (last in "AOV:PS(<[>" and behind in ".\n,)>]}\"'!(;")
            or (bool(re.search(f"{LETTER}[,;]$", roles(before[-2:]))) and behind in "\n,;.")
            or roles(before[-2:]) == LETTER + AND
        )

    def _is_capital(self, said: str, token: Token, before: list[Token], follows: Token) -> bool:
        """Whether a capital letter is a mention: it names no thing ("plan B"), and is no article."""
        last = before[-1] if before else Token("\n", "\n")
        near = follows.start - token.end <= 1
        if last.role == NAMED and token.start - last.end <= 1:
            return False
        if said not in "AEIO" or last.role == OPTION or not near:
            return True
        if follows.role == TEXT:
            return last.role != WORD
        small = follows.text[:1].islower()
        return not small or follows.role in "V&|xBIN" or follows.text in _LETTER_VERBS or follows.text in YES

    def _several(self, token: Token) -> list[Token]:
        """The mention of several letters ("ABD", "A.B.D", "A-D"), a letter and what is written to it, or the token."""
        said = token.text
        if (turkish := _TURKISH.fullmatch(said)) and turkish[1] in self._letters:
            link = replace(token, role=LINK, start=token.start + 1)
            return [replace(_mention(token, (turkish[1],)), end=link.start), link]
        if (initial := _INITIAL.fullmatch(said)) and initial[1] in self._letters:
            stop = Token(".", ".", (), False, token.start + 1, token.start + 2)
            rest = replace(token, text=initial[2], start=stop.end)
            return [replace(_mention(token, (initial[1],)), end=stop.start), stop, rest]
        joined = re.sub("[.-]", "", said) if _DOTTED.fullmatch(said) else said
        small = joined.islower() and len(joined) > 2
        letters = tuple(joined.upper()) if joined.isupper() or small else ()
        ordered = sorted(set(letters))
        in_order = list(letters) == ordered or (not small and list(letters) == ordered[::-1]) or joined == "DBA"
        if len(letters) > 1 and in_order and set(letters) <= self._letters:
            return [replace(_mention(token, letters), either="-" in said)]
        return [token]

    # Letters beside texts

    def _beside(self, tokens: list[Token]) -> list[Token]:
        """The tokens with letters and texts side by side as one mention; of two options, as none of the question."""
        found: list[Token] = []
        for place, token in enumerate(tokens):
            if token.role in ")]" and roles(found[-1:]) == BOTH and roles(found[-2:-1]) not in ("(", "["):
                continue
            if token.role == TEXT and set(token.letters) <= self._digits and roles(found[-1:]) == OPTION:
                token = replace(token, role=WORD, letters=())  # "option 2" may be the second one
            if token.role == TEXT:
                self._append_text(found, token, tokens[place + 1 : place + 2])
            elif token.role == LETTER and (match := _TEXT_THEN_LETTER.search(roles(found[-4:]))):
                text = found[-len(match[0])]
                if text.letters == token.letters:
                    found[-len(match[0]) :] = [replace(token, role=BOTH, start=text.start)]
                else:
                    found.append(token)
            else:
                found.append(token)
        return found

    def _append_text(self, found: list[Token], text: Token, follows: list[Token]) -> None:
        """Append a text: with the letter before it if that is its own; beside another one's letter, neither counts."""
        match = _LETTER_THEN_TEXT.search(roles(found[-6:]))
        letter = found[-len(match[0])] if match else None
        if match is None or letter is None:
            found.append(text)
        elif letter.letters == text.letters and (match[2] or letter.role == BOTH or roles(follows) != WORD):
            found[-len(match[0]) :] = [replace(letter, role=BOTH, end=text.end)]
        elif (
            letter.role != LETTER
            or len(letter.letters) > 1
            or set(match[2]) & set(",\n")
            or (not match[2] and text.start - letter.end > 1)
        ):
            found.append(text)
        elif not follows or follows[0].role in "\n.,;:!?)]\"'-<>(":
            found[-len(match[0]) :] = [replace(letter, letters=(NO_OPTION,), end=text.end)]
        elif not match[2]:  # "A positive person": an article
            found[-1:] = [replace(letter, role="g", letters=()), text]
        else:  # "C. Friends often do": the beginning of the next sentence
            found.append(replace(text, role=WORD, letters=()))


def _mention(token: Token, letters: tuple[str, ...]) -> Token:
    return replace(token, role=LETTER, letters=letters)


def _spellings(text: str) -> set[str]:
    """The forms in which a text may be written: without its article or subject, or its number as a word."""
    if text.startswith("none of"):
        return set(_NONE_OF)
    numbers = {word for value, word in enumerate(ENGLISH_NUMBERS) if text == str(value)}
    shorter = {spelling for spelling in (_ARTICLE.sub("", text), _SUBJECT.sub("", text)) if len(spelling) > 2}
    same = {text, *shorter, *numbers} - {""}
    return same if not re.fullmatch("[a-z]", text) else same - {text}


def _spelled(spelling: str, asks: bool) -> str:
    """The pattern of a text: between the ends of words; a common word, as a clause of its own."""
    pattern = re.escape(spelling).replace(r"\ ", r"[ \-]") + ("[?!]?" if asks else "")
    if spelling in _ONLY_ALONE:
        return rf"(?<![\w,] )(?<!\w){pattern}(?= ?(?:[.,;:!)\]|\n\"*-]|$))"
    first = rf"(?<![{LATIN}])(?<!\d[.:,])" if re.match(rf"[{LATIN}]", spelling[0]) else ""
    last = rf"(?![{LATIN}])(?![.:,/-]\d|%)" if re.match(rf"[{LATIN}]", spelling[-1]) else ""
    return first + pattern + last
