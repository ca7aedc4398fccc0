"""Replaces each mention of an option by one character. Standard library only.

"B. Afraid" and "(B)" and "afraid" become single characters: the grammar of `choices` is then one of characters, and
texts of options that contain letters, words of denial or each other are no trouble to it.
"""

import re
import unicodedata
from collections.abc import Mapping

from .cleaning import CLOSE, MARKS, OPEN, QUOTES

Letters = Mapping[str, str]
"""The letters of a question and the texts of its options."""

LETTER, TEXT, BOTH = 0xE000, 0xE100, 0xE200
"""The characters for a letter alone, for a text alone, and for both side by side begin here; add the option's place."""

_NO_OPTION = 0xFF
"""The place of a letter that is no option of the question, and of a letter beside the text of another option."""

ANY = "[\ue000-\ue2ff]"
ALONE = "[\ue000-\ue0ff]"
NAMED = "[\ue100-\ue2ff]"
LETTERED = "[\ue000-\ue0ff\ue200-\ue2ff]"
"""Any mention; a letter alone; one with a text; one with a letter."""

# Letters of these alphabets beside a capital make it a part of a word; Chinese characters do not.
_LATIN = r"A-Za-z0-9_À-ɏͰ-ԯ"
# Not in "don't", "A-level", "A.I.", "N/A", "C++"; but in Turkish "B'dir".
_CAPITAL = re.compile(
    rf"(?<![{_LATIN}])(?<![{_LATIN}]['.\-])(?<!N/)([A-Z])(?![{_LATIN}])"
    r"(?!'(?![dt][iıuü]r\b)[A-Za-z])(?!-[A-Za-z])(?!\.[A-Za-z])(?!\+\+|#|:\\)"
)
# A capital A, E or O before a small word is an article or a conjunction ("A man"), but before these ("A is right").
_STAYS_A_LETTER = re.compile(
    r"(?! ?[a-zà-ɏ])| (?:is|was|are|and|or|to|through|because|since|but|seems|fits|as|holds|matches|applies|appears"
    r"|would"
    r"|might|may|could|also|alone|only|then|ist|und|oder|est|et|ou|es|y|o|è|é|e|i|och|en|dan|atau|ve|adalah|là|và"
    r"|hay)"
    r"(?![a-zà-ɏ])"
)
_COMPACT = re.compile(rf"(?<![{_LATIN}'-])[A-Z]{{2,10}}(?![{_LATIN}'-])")
_DOTTED = re.compile(rf"(?<![{_LATIN}.])[A-Z](?:\. ?[A-Z])+\.?(?![{_LATIN}]| [a-z])")
_SMALL_LINE = re.compile(
    r"^\W{0,9}(?:option )?([a-z](?:(?:\W{1,3}|,? and )[a-z]){0,25}|[a-z]{2,10})\W{0,9}$", re.MULTILINE
)
_SMALL_BRACKET = re.compile(r"[(\[]([a-z])[)\]]")
_SMALL_LABEL = re.compile(r"(?<![\w'])([a-z])(?=[.):] ?[\ue100-\ue1ff])")
_SMALL_ANNOUNCED = re.compile(
    r"((?:\banswer|\bans|\boption|\bchoice|\bis|:)[ \"'(\[:]{1,4})([a-z])(?=[)\]\"'.,]{0,3}(?: ?$|\n| ?[,.(]))",
    re.MULTILINE,
)
_ORDINALS = {"first": "A", "second": "B", "third": "C", "fourth": "D", "fifth": "E"}
_ORDINAL = re.compile(
    rf"\bthe ({'|'.join(_ORDINALS)})(?: and (?:the )?({'|'.join(_ORDINALS)}))? (?:options?|choices?|answers?)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(rf"^ ?\(?\d{{1,2}}[.):] ?(?={ANY})", re.MULTILINE)
_LETTER_AND_TEXT = r"([\ue000-\ue0ff\ue200-\ue2ff])([\s.:)\]\"'(\[–—,、=-]{0,6})([\ue100-\ue1ff])\)?"
_TEXT_AND_LETTER = r"([\ue100-\ue1ff])[\s(\[.:\"',-]{1,5}([\ue000-\ue0ff])\)?"
_BESIDE = re.compile(f"{_LETTER_AND_TEXT}|{_TEXT_AND_LETTER}")
_BETWEEN_BOXES = re.compile(rf"{CLOSE}[\s,;&]{{0,3}}(?:and\s)?{OPEN}")

_ARTICLE = re.compile(r"^(?:an?|the|der|die|das|la|le|el|il) ")
_SUBJECT = re.compile(
    r"^(?:(?:the )?(?:he|she|it|they|person|man|woman|speaker|child|two) (?:is|are|was|were|do|does|can|has) |to )"
)
_NONE_OF = [f"none of {rest}" for rest in ("the above", "the options", "these", "them", "the answers")]
_ONLY_ALONE = {"yes", "no", "none", "true", "false", "nothing", "all"}
"""Texts that are common words: they are mentions only as clauses of their own."""
_STOP_WORDS = {"a", "an", "the", "and", "of", "or", "with", "in", "on", "to", "is", "are"}


class Mentions:
    """Finds the mentions of the options of one question.

    Attributes:
        texts: Finds the mentions by text.
    """

    def __init__(self, letters: Letters, several: bool) -> None:
        self._letters = letters
        self._several = several
        self.texts = Texts(letters)

    def mark(self, text: str) -> str:
        """Replace each mention of an option by its character.

        Args:
            text: The cleaned response.

        Returns:
            The text with a character for each mention.
        """
        text = self.texts.mark(_BETWEEN_BOXES.sub(", ", text) if self._several else text)
        text = _ORDINAL.sub(lambda one: " and ".join(_ORDINALS[word.lower()] for word in one.groups() if word), text)
        text = _DOTTED.sub(lambda run: self._run(run[0], "".join(filter(str.isalpha, run[0]))), text)
        text = _COMPACT.sub(lambda run: self._run(run[0], run[0]), text)
        text = _SMALL_LINE.sub(self._small_line, text)
        text = _SMALL_BRACKET.sub(lambda one: f"({self.letter(one[1].upper())})", text)
        text = _SMALL_LABEL.sub(lambda one: self.letter(one[1].upper()), text)
        text = _SMALL_ANNOUNCED.sub(lambda one: one[1] + self.letter(one[2].upper()), text)
        text = _CAPITAL.sub(self._capital, text)
        return _NUMBERED.sub("", _BESIDE.sub(_beside, text))

    def letter(self, letter: str) -> str:
        """The character that stands for a letter.

        Args:
            letter: A capital letter.

        Returns:
            The character; for a letter that is no option, the one that stands for none.
        """
        return chr(LETTER + ord(letter) - ord("A")) if letter in self._letters else chr(LETTER + _NO_OPTION)

    def _run(self, run: str, joined: str) -> str:
        """The marks of letters written together, if all are options, in order, and none comes twice."""
        ordered = list(joined) in (sorted(joined), sorted(joined, reverse=True)) or joined == "DBA"
        if set(joined) <= set(self._letters) and len(set(joined)) == len(joined) and ordered:
            return "".join(map(self.letter, joined))
        return run

    def _small_line(self, line: re.Match[str]) -> str:
        """A line of small letters only; together they must be in order, for "bad" is a word."""
        said = line[1].replace("and", "")
        small = [letter for letter in said if letter.isalpha()]
        together = line[1].isalpha() and len(small) > 1
        if together and small != sorted(set(small)):
            return line[0]
        if together and not {letter.upper() for letter in small} <= set(self._letters):
            return line[0]
        return line[0].replace(line[1], ", ".join(self.letter(letter.upper()) for letter in small))

    def _capital(self, found: re.Match[str]) -> str:
        letter, text = found[1], found.string
        behind = text[found.end() : found.end() + 12]
        if letter == "I" and "I" not in self._letters:
            return letter
        before = text[max(0, found.start() - 2) : found.start()]
        phrase = re.match(r" [\ue100-\ue1ff](?: [a-z]|)", behind)
        if letter == "A" and phrase and (len(phrase[0]) > 2 or re.match(r"[a-z] ", before)):
            return letter
        if letter in "AEO" and not _STAYS_A_LETTER.match(behind):
            return letter
        return self.letter(letter)


class Texts:
    """Finds the texts of options in a response."""

    def __init__(self, letters: Letters) -> None:
        self._words = {letter: set(_bare(text).split()) - _STOP_WORDS for letter, text in letters.items()}
        spellings: dict[str, set[str]] = {}
        for letter, text in letters.items():
            for spelling in {_bare(text), _ARTICLE.sub("", _bare(text)), _SUBJECT.sub("", _bare(text))}:
                same_as = _NONE_OF if spelling.startswith("none of") else [spelling]
                for same in filter(None, same_as):
                    spellings.setdefault(same, set()).add(letter)
        exact = {letter: _bare(text) for letter, text in letters.items()}
        # A whole text is preferred to another one without its article.
        self._letters = {
            spelling: {letter for letter in found if exact[letter] == spelling} or found
            for spelling, found in spellings.items()
        }
        ordered = sorted(self._letters, key=len, reverse=True)
        self._asking = {_bare(text) for text in letters.values() if text.rstrip("\"' ")[-1:] in ("?", "!")}
        self._pattern = re.compile("|".join(map(self._spelled, ordered)), re.IGNORECASE) if ordered else None

    def mark(self, text: str) -> str:
        """Replace each text of an option by its character.

        Args:
            text: The cleaned response.

        Returns:
            The text with a character for each option that it names.
        """
        return self._pattern.sub(self._marked, text) if self._pattern else text

    def _marked(self, found: re.Match[str]) -> str:
        spelling = _bare(found[0])
        behind = re.match(r" [^\W\d_]+", found.string[found.end() : found.end() + 30])
        longer = behind and any(other.startswith(spelling + behind[0].lower()) for other in self._letters)
        letters = self._letters.get(spelling, set())
        if len(letters) > 1:  # two options have this text: the letter before it tells which one is meant
            label = re.search(
                r"(?<![\w'])([A-Za-z])[\s.:)\]\"'(-]{1,4}$", found.string[max(0, found.start() - 8) : found.start()]
            )
            letters = letters & {label[1].upper()} if label else set()
        return chr(TEXT + (ord(min(letters)) - ord("A") if letters and not longer else _NO_OPTION))

    def _spelled(self, spelling: str) -> str:
        """The pattern of an option's text: between the ends of words; a mere yes or no, as a clause of its own."""
        pattern = re.escape(spelling) + ("[?!]?" if spelling in self._asking else "")
        first = rf"(?<![{_LATIN}])(?<!\d[.:,])" if re.match(rf"[{_LATIN}]", spelling[0]) else ""
        last = rf"(?![{_LATIN}])(?![.:,/-]\d|%)" if re.match(rf"[{_LATIN}]", spelling[-1]) else ""
        if spelling in _ONLY_ALONE:
            first, last = r"(?<![\w] )(?<!\w)", r"(?= ?(?:[.,;:!)\]|\n\"*\ue000-\uf8ff-]|$))"
        return first + pattern + last

    def may_be_longer(self, text: str, named: set[str]) -> bool:
        """Whether the words of a longer option are all there, though not in a row ("green, a rather dark one").

        Args:
            text: The text with its mentions replaced.
            named: The letters of the options that it names.

        Returns:
            Whether another option may be meant.
        """
        there = set(re.findall(r"\w+", text.casefold())).union(*(self._words[letter] for letter in named))
        return any(
            self._words[letter] < words and words <= there
            for letter in named
            for other, words in self._words.items()
            if other not in named
        )


def _bare(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).translate(QUOTES).casefold().split()).strip(MARKS)


def index(mark: str) -> str:
    """The letter of a character that stands for an option.

    Args:
        mark: The character.

    Returns:
        The letter; "" if it is none of the question.
    """
    place = ord(mark) & 0xFF
    return chr(ord("A") + place) if place < _NO_OPTION else ""


def _beside(found: re.Match[str]) -> str:
    """A letter beside a text: one mention if they belong together; no option if a text of another one is all it has."""
    letter, text = (found[1], found[3]) if found[1] else (found[5], found[4])
    if index(letter) == index(text):
        return chr(BOTH + (ord(letter) & 0xFF))
    behind = found.string[found.end() : found.end() + 4]
    labels = found[1] and found[2].strip(" ") and "," not in found[2]
    if labels and not re.match(r" ?[\w]", behind):
        return chr(LETTER + _NO_OPTION)
    return found[0]
