"""From a response to the answer it gives, strictly: what is not said is not guessed. Standard library only.

`parse` reads one answer out of free text and returns None when the text gives none, or more than one. It is the
parser of the metric `acc`; the release's own reading of a response is in `scoring`.
"""

import re
import unicodedata
from collections.abc import Sequence

from .prompts import Pattern

_SPELLED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
NUMBER_WORDS = {word: number for number, word in enumerate(_SPELLED.split())}

_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
_BOXED = re.compile(r"\\boxed\s*\{\s*(?:\\text\s*\{([^{}]*)\}|([^{}]*))\s*\}")
_THOUGHT = re.compile(r"<think>.*?</think>", re.IGNORECASE | re.DOTALL)
# "answer", "correct option", "final choice", … then "is", ":" or "=". What follows, to the end of the sentence or line,
# is where the answer is given.
_ANNOUNCED = re.compile(
    r"\b(?:answers?|options?|choices?)\b[*_\s]*(?:\bis\b|\bare\b|[:：=])[*_\s]*:?(?P<said>[^\n]*)", re.IGNORECASE
)
_NEGATED = re.compile(
    r"\b(?:not|never|neither|nor|except|excluding|without|rather than|instead of|incorrect|wrong|cannot)\b|n['’]t\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?;。！？；])\s+|\n+")
_LABEL = re.compile(r"^\s*[\(\[（【]?\s*([A-Za-z])\s*(?:[.．:：、)\]）】]|(?=\s*$))\s*(.*)$", re.DOTALL)
# "B. text", "(B) text", "**B**: text", "- B) text": a letter, its mark, then the rest.
_LABELLED = re.compile(r"\s*(?:[-•]\s*)?[*_(\[\"']*([A-Za-z])[*_\"']*[.:)\]]+[*_\"']*\s*(.*)", re.DOTALL)
# Words after which a capital A that begins a sentence is a letter ("A is right") and not an article ("A man").
_AFTER_A_LETTER = "is|was|are|and|or|because|since|but|seems|fits|as"
_INTEGER = re.compile(r"(?<![\w.,/%+\-−–])\d+(?![\w/%\-−–]|[.,]\d)")
_NUMBER_WORD = re.compile(rf"(?<![\w\-])(?<!\bno )(?:{'|'.join(NUMBER_WORDS)})(?![\w\-])", re.IGNORECASE)
_OTHER_NUMBER = re.compile(r"\d")


def option_letters(options: Sequence[str]) -> dict[str, str]:
    """The letters of a question and their texts: `{"A": "happy", …}`.

    A letter that stands before its option ("B. happy") is taken from there, else it is the option's place.
    """
    letters = {}
    for place, option in enumerate(options):
        label = _LABEL.match(option)
        if label and label.group(2):
            letters[label.group(1).upper()] = label.group(2).strip()
        else:
            letters[chr(ord("A") + place)] = option.strip()
    return letters


def parse(response: str, pattern: Pattern, options: Sequence[str] = ()) -> str | None:
    """The answer that `response` gives, or None when it gives none or contradicts itself.

    Single choice: one letter of the question ("B"). Multi-select: its letters in order ("ABD"). Counting: an integer
    in decimal ("10"). Yes/no: "yes" or "no".
    """
    answers = {_parse_region(region, pattern, option_letters(options)) for region in _regions(response)}
    return answers.pop() if len(answers) == 1 else None


def _regions(response: str) -> list[str]:
    """The parts of a response where it gives its answer: the innermost explicit marks, else all of it."""
    text = unicodedata.normalize("NFKC", response).strip()
    tagged = _TAGGED.findall(text)
    if tagged:
        return [part.strip() for part in tagged]
    text = _THOUGHT.sub("", text).strip()
    boxed = [(in_text or plain).strip() for in_text, plain in _BOXED.findall(text)]
    return boxed or [text]


def _parse_region(region: str, pattern: Pattern, letters: dict[str, str]) -> str | None:
    if pattern == "count":
        return _integer(region)
    if pattern == "yesno":
        return _yes_or_no(region)
    if pattern == "multi":
        return _letter_set(region, letters)
    return _letter(region, letters)


def _letter(region: str, letters: dict[str, str]) -> str | None:
    by_text = [letter for letter, text in letters.items() if _same_text(region, text)]
    if by_text:
        return by_text[0] if len(by_text) == 1 else None
    lone = re.fullmatch(r"[\W_]*([A-Za-z])(?:[\W_]+(.*))?", region, re.DOTALL)
    if lone and not _bare(lone.group(2) or ""):
        return _known(lone.group(1), letters)
    if lone and _same_text(lone.group(2), letters.get(lone.group(1).upper(), "")):
        return lone.group(1).upper()
    labelled = _labelled(region, letters)
    if labelled is not None:
        return labelled or None
    announced = _announced(region)
    if announced:
        found = {_letter(part, letters) for part in announced}
        return found.pop() if len(found) == 1 else None
    return _only_letter_said(region, letters)


def _labelled(region: str, letters: dict[str, str]) -> str | None:
    """The letter of "B. text"; "" when the text contradicts it, None when the region has no such form."""
    label = _LABELLED.match(region)
    known = _known(label.group(1), letters) if label else None
    if label is None or known is None:
        return None
    text = label.group(2)
    by_text = {other for other, option in letters.items() if _same_text(text, option)}
    others = (by_text | _letters_said(text, letters)) - {known}
    return "" if others else known


def _announced(region: str) -> list[str]:
    parts = []
    for match in _ANNOUNCED.finditer(region):
        said = _SENTENCE.split(match.group("said").strip(), maxsplit=1)
        # "B. text" is one saying although a full stop stands in it.
        whole = match.group("said").strip()
        parts.append(whole if re.match(r"[*_(\[\"']*[A-Za-z][*_)\]\"']*[.:]\s", whole) else said[0].strip())
    return [part for part in parts if part]


def _only_letter_said(region: str, letters: dict[str, str]) -> str | None:
    """The one letter that is said, where it is said as an answer: bracketed, or at the edge of a clause."""
    said = _letters_said(region, letters)
    if len(said) != 1:
        return None
    letter = said.pop()
    rest = re.sub(rf"[(\[]?\b{letter}\b[)\]]?", "", region)
    if any(_same_text(rest, text) for other, text in letters.items() if other != letter):
        return None
    for sentence in _SENTENCE.split(region):
        if re.search(rf"(?<![\w'’]){letter}(?![\w'’])", sentence) and _NEGATED.search(sentence):
            return None
    clause_end = rf"(?<![\w'’\-]){letter}(?=[\s*_\"']*(?:[.,;:!?)\]]|$))"
    subject = rf"(?:^|[.!?:\n]\s*)[\"'*(\[]*{letter}[\"'*)\]]*\s+(?:{_AFTER_A_LETTER})\b"
    bracketed = rf"[(\[{{\"'*]{letter}[)\]}}\"'*]"
    return letter if re.search(f"{clause_end}|{subject}|{bracketed}", region, re.MULTILINE) else None


def _letters_said(text: str, letters: dict[str, str]) -> set[str]:
    """The question's letters that stand alone as capitals, or bracketed in any case; an article A is none."""
    said = set(re.findall(r"(?<![\w'’\-])([A-Z])(?![\w'’\-])", text))
    if "A" in said:
        as_letter = rf"(?<![\w'’\-])A(?![\w'’\-])(?!\s+(?!(?:{_AFTER_A_LETTER})\b)[a-z])"
        if not re.search(as_letter, text):
            said.discard("A")
    said |= {letter.upper() for letter in re.findall(r"[(\[]\s*([A-Za-z])\s*[)\]]", text)}
    return said & set(letters)


def _letter_set(region: str, letters: dict[str, str]) -> str | None:
    region = re.sub(r"^\s*[-•*]\s+", "", region, flags=re.MULTILINE)
    found = _whole_is_letters(region, letters) or _texts_of_lines(region, letters) or _labels_of_lines(region, letters)
    if found:
        return "".join(sorted(found))
    announced = _announced(region)
    if announced:
        sets = {_letter_set(part, letters) for part in announced}
        return sets.pop() if len(sets) == 1 else None
    if _NEGATED.search(region) or re.search(r"\b[A-Z]\s*(?:-|–|to|through)\s*[A-Z]\b", region):
        return None
    return "".join(sorted(_letters_said(region, letters))) or None


def _whole_is_letters(region: str, letters: dict[str, str]) -> set[str]:
    """The letters of "ABD", "a, b and d", "[A] [C]"; empty when the region is anything else."""
    pieces = re.sub(r"\b(?:and|und|et)\b|[&,;/+.、()\[\]{}\"'*`]", " ", region, flags=re.IGNORECASE).split()
    joined = "".join(pieces)
    if not re.fullmatch(r"[A-Z]+|[a-z]+", joined) or not set(joined.upper()) <= set(letters):
        return set()
    # A run in which a letter comes twice, or small letters out of order, is a word ("DAD", "bad").
    for piece in pieces:
        if len(set(piece)) < len(piece) or (piece.islower() and list(piece) != sorted(piece)):
            return set()
    return set(joined.upper())


def _texts_of_lines(region: str, letters: dict[str, str]) -> set[str]:
    lines = [line for line in region.splitlines() if line.strip()]
    found = [{letter for letter, text in letters.items() if _same_text(line, text)} for line in lines]
    return set().union(*found) if found and all(len(one) == 1 for one in found) else set()


def _labels_of_lines(region: str, letters: dict[str, str]) -> set[str]:
    """The letters of a list with an option on each line or after each semicolon; empty for anything else."""
    parts = [part for part in re.split(r"[\n;]+|,\s+(?=[A-Za-z][.):]\s)", region) if part.strip()]
    found = set()
    for part in parts:
        label = _LABELLED.match(part)
        known = _known(label.group(1), letters) if label else None
        if label is None or known is None:
            return set()
        text = label.group(2)
        if text and not _same_text(text, letters[known]) and (_letters_said(text, letters) or _NEGATED.search(text)):
            return set()
        found.add(known)
    return found


def _integer(region: str) -> str | None:
    numbers = {int(digits) for digits in _INTEGER.findall(region)}
    numbers |= {NUMBER_WORDS[word.lower()] for word in _NUMBER_WORD.findall(region)}
    rest = _INTEGER.sub(" ", region)
    # A digit that is part of no integer ("3.5", "-2", "4th", "50%") makes the region say something else.
    if len(numbers) != 1 or _OTHER_NUMBER.search(rest):
        return None
    return str(numbers.pop())


def _yes_or_no(region: str) -> str | None:
    said = {word.lower() for word in re.findall(r"\b(?:yes|no)\b", region, re.IGNORECASE)}
    return said.pop() if len(said) == 1 else None


def _known(letter: str, letters: dict[str, str]) -> str | None:
    return letter.upper() if letter.upper() in letters else None


def _same_text(said: str, option: str) -> bool:
    return bool(_bare(option)) and _bare(said) == _bare(option)


def _bare(text: str) -> str:
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded.strip(" .,:;!?\"'`*_()[]{}。，、！？")
