r"""Reads the answer in a response, strictly: it never guesses. Standard library only.

`parse` reads one answer from free text and returns None if the text gives none, or more than one. It is the parser of
the metric `acc`; the release's own way to read a response is in `paper`.

A response is narrowed in steps: to the content of `<answer>` tags or `\boxed{}`, else to the text after "answer:" and
the like, else it stays whole. The rest must have one of a few plain forms. All patterns take linear time: a response
may be long and strange.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise

from ..prompts import Pattern

Letters = Mapping[str, str]
"""The letters of a question and the texts of its options."""

_SPELLED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
NUMBER_WORDS = {word: number for number, word in enumerate(_SPELLED.split())}

_BOXED = re.compile(r"\\boxed ?\{ ?(?:\\text ?\{([^{}]{0,400})\}|([^{}]{0,400}))\}")
_LABEL = re.compile(r"[\[(（【]?([A-Za-z])[.．:：、)\]）】]+\s*(.*)", re.DOTALL)
# "The answer is", "Final answer:", "correct options are", '"choice":'. A plain "options:" only lists them.
_ANNOUNCED = re.compile(
    r"\b(?:answers?|(?:(?:correct|right|final|best|chosen|selected)[ *_]+)?(?:option|choice)"
    r"|(?:correct|right|final|best|chosen|selected)[ *_]+(?:options|choices))\b[\"'*_ ]*(?:\bis\b|\bare\b|[:=])[*_ :]*",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?;。！？；])\s|\n")
# In a sentence with one of these words, a letter or number may be one that the response excludes.
_DENIAL = re.compile(
    r"\b(?:not|never|neither|nor|except|exclud\w*|without|rather than|instead of|cannot|incorrect|wrong|false|unlikely"
    r"|impossible|rul\w+ out|(?:anything|everything|all) but|if|least|less|fewer|more than|over|no [a-z])\b|n['’]t\b",
    re.IGNORECASE,
)
_DENIED = re.compile(rf"[\s,:–—-]*(?:is|was|are|seems|looks)?\s*(?:{_DENIAL.pattern}|no\b)", re.IGNORECASE)
# Words after which a capital A is a letter ("A is right", "A to D") and not an article ("A man").
_AFTER_A_LETTER = "is|was|are|and|or|to|through|because|since|but|seems|fits|as"
_ALONE = r"(?<![\w'’/.\-])[{}](?![\w'’/\-]|\.\w)"
_LIST = re.compile(
    r"(?<![\w'’/.\-])[A-Z](?:(?:\s?[,;/&、]\s?(?:and\s)?|\sand\s|\s)[A-Z](?![\w'’\-]))*(?![\w'’/\-]|\.\w)"
)
_VERDICT = re.compile(r"\b(?:yes|no|true|false)\b|[✓✔✗✘×]", re.IGNORECASE)
_RANGE = re.compile(r"\b[A-Z]\s?(?:-|–|to|through)\s?[A-Z]\b")
_NUMBER = re.compile(rf"(?<![\w.,/%+\-−–])(?:\d{{1,4}}|{'|'.join(NUMBER_WORDS)})(?![\w/%\-−–]|[.,]\d)", re.IGNORECASE)
# Words that change the number beside them, or mean that it is no count.
_OTHER_NUMBER = re.compile(
    r"\d|\b(?:minus|negative|hundreds?|thousands?|millions?|billions?|dozens?|hal(?:f|ves)|thirds?|quarters?"
    r"|(?:thir|for|fif|six|seven|eigh|nine)ty)\b",
    re.IGNORECASE,
)
_NO_ONE = re.compile(r"\bno\s+one\b", re.IGNORECASE)
_MARKS = " \t\n.,:;!?\"'`*_#|$()[]{}<>。，、！？：；“”‘’「」（）【】-–—•"


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
    letters = option_letters(options)
    # NFKC turns full-width letters into plain ones, but also 4² into 42.
    text = unicodedata.normalize("NFC" if pattern == "count" else "NFKC", response)
    return _agreed([_answer(part, pattern, letters) for part in _marked_parts(_tidy(text))])


def _answer(part: str, pattern: Pattern, letters: Letters) -> str | None:
    said = _announced(part)
    if said is None:
        return None
    if not said or _answer_of(part, pattern, letters, whole=True):
        return _answer_of(part, pattern, letters)
    return _agreed([_answer_of(one, pattern, letters) for one in said])


def _answer_of(text: str, pattern: Pattern, letters: Letters, whole: bool = False) -> str | None:
    """The answer in a text; with `whole` only if the text contains nothing else."""
    if pattern == "count":
        return None if whole else _count(text)
    if pattern == "yesno":
        return None if whole else _yes_or_no(text)
    if pattern == "multi":
        found = _plain_letters(text, letters) or _listed(text, letters) or _explained_list(text, letters)
        return "".join(sorted(found)) or (None if whole else _letters_in_sentence(text, letters))
    return _option_of_text(text, letters) if whole else _letter(text, letters)


def _agreed(answers: Sequence[str | None]) -> str | None:
    return answers[0] if len(set(answers)) == 1 else None


def _tidy(response: str) -> str:
    """The response without the spaces around its lines and without repeated blank lines."""
    lines = [" ".join(line.split()) for line in response.splitlines()]
    kept = [line for place, line in enumerate(lines) if line or (place and lines[place - 1])]
    return "\n".join(kept).strip()


def _marked_parts(text: str) -> list[str]:
    """The parts in which a response marks its answer, else all of it without the thinking."""
    tagged = _between(text, "<answer>", "</answer>")
    if tagged:
        return tagged
    spoken = _without_thoughts(text)
    boxed = [in_text or plain for in_text, plain in _BOXED.findall(spoken)]
    return boxed or [spoken]


def _between(text: str, opening: str, closing: str) -> list[str]:
    parts = []
    lowered, start = text.lower(), 0
    if len(lowered) != len(text):  # a few letters become longer in lower case
        lowered = text
    while (begin := lowered.find(opening, start)) >= 0 and (end := lowered.find(closing, begin)) >= 0:
        parts.append(text[begin + len(opening) : end].strip())
        start = end
    return parts


def _without_thoughts(text: str) -> str:
    """The text after or between `<think>` blocks; a block that does not end goes on to the end of the text."""
    pieces = re.split("</think>", text, flags=re.IGNORECASE)
    return "\n".join(re.split("<think>", piece, maxsplit=1, flags=re.IGNORECASE)[0] for piece in pieces).strip()


def _announced(text: str) -> list[str] | None:
    """The texts that follow an announcement of the answer, each once; None if something is announced as wrong."""
    said = []
    for match in _ANNOUNCED.finditer(text):
        before = _SENTENCE_END.split(text[max(0, match.start() - 60) : match.start()])[-1]
        if _DENIAL.search(before):
            return None
        said.append(_first_saying(text[match.end() : match.end() + 1000]))
    return [one for one in dict.fromkeys(said) if one]


def _first_saying(text: str) -> str:
    """The first sentence; or, if the first line is empty, the lines up to the next blank one."""
    line, _, below = text.partition("\n")
    if not _bare(line):
        return below.strip().partition("\n\n")[0]
    # "B. text" is one answer, although it contains a full stop.
    return line if _LABEL.match(line.lstrip(_MARKS)) else _SENTENCE_END.split(line, maxsplit=1)[0]


def _letter(text: str, letters: Letters) -> str | None:
    by_text = _option_of_text(text, letters)
    if by_text or not _bare(text):
        return by_text
    start = text.lstrip(_MARKS)
    lone = re.match(r"([A-Za-z])(?![^\W_])", start)
    rest = start[1:] if lone else ""
    if lone and (not _bare(rest) or _option_of_text(rest, letters) == lone.group(1).upper()):
        return lone.group(1).upper() if lone.group(1).upper() in letters else None
    if lone and _is_label(text, start):
        return _labelled(lone.group(1).upper(), rest, letters)
    return _letter_in_sentence(text, letters)


def _is_label(text: str, start: str) -> bool:
    """Whether a first letter is set off from what follows, as in "B. …", "(B) …" or "**B** …"."""
    bracketed = text[: len(text) - len(start)].strip() != ""
    return bool(re.match(r"[A-Za-z][*_\"'”]*[.．:：)\]）】]", start)) or (
        bracketed and bool(re.match(r".[*_\"'”]", start))
    )


def _labelled(letter: str, rest: str, letters: Letters) -> str | None:
    """The letter of "B. text …", unless the text denies it or speaks of another option."""
    if letter not in letters:
        return None
    comment = rest.lstrip(_MARKS)
    own = letters[letter]
    if own and comment.casefold().startswith(own.casefold()):
        comment = comment[len(own) :]
    elif any(_bare(comment).startswith(_bare(text)) for other, text in letters.items() if other != letter and text):
        return None
    if _DENIED.match(comment) or _letters_said(comment, letters) - {letter}:
        return None
    return letter


def _letter_in_sentence(text: str, letters: Letters) -> str | None:
    """The only letter in a text, if it is given as an answer: set off, or called the right one."""
    said = _letters_said(text, letters)
    if len(said) != 1:
        return None
    letter = said.pop()
    if _speaks_of_others(text, {letter}, letters):
        return None
    alone = _ALONE.format(letter)
    for sentence in _SENTENCE_END.split(text):
        if re.search(alone, sentence) and _DENIAL.search(sentence):
            return None
    as_answer = (
        rf"{alone}(?=[\s*_\"'”’]*(?:[.,;:!?)\]。，]|$))",
        rf"(?:^|[.!?:\n])\s?[\"'“‘*_(\[]*{letter}[\"'”’*_)\]]*\s(?:{_AFTER_A_LETTER})\b",
        rf"{alone}[*_\"']* (?:is|seems) (?:the |my |most )*(?:correct|right|best|answer|likely)\b",
        rf"[(\[{{\"'“‘*]{letter}[)\]}}\"'”’*]",
    )
    return letter if re.search("|".join(as_answer), text, re.MULTILINE) else None


def _letters_said(text: str, letters: Letters) -> set[str]:
    """The question's letters that stand alone as capitals, or in brackets in any case; the article A does not count."""
    said = set(re.findall(f"({_ALONE.format('A-Z')})", text))
    article = rf"{_ALONE.format('A')}(?!\s(?!(?:{_AFTER_A_LETTER})\b)[a-z])"
    if "A" in said and not re.search(article, text):
        said.discard("A")
    said |= {letter.upper() for letter in re.findall(r"[(\[]\s?([A-Za-z])\s?[)\]]", text)}
    return said & set(letters)


def _speaks_of_others(text: str, said: set[str], letters: Letters) -> bool:
    """Whether `text` has the text of an option that is not in `said` ("It is Group B", and Group B is option A)."""
    words = f" {_bare(text)} "
    return any(
        _bare(option) and f" {_bare(option)} " in words for other, option in letters.items() if other not in said
    )


def _plain_letters(text: str, letters: Letters) -> set[str]:
    """The letters of "ABD", "a, b and d", "[A] [C]"; empty for any other text."""
    by_text = _option_of_text(text, letters)
    if by_text:
        return {by_text}
    pieces = re.sub(
        r"\band\b|[&,;/+.、()\[\]{}\"'*`$，-](?!\s?[A-Za-z]\s?$)|[&,;/+.、()\[\]{}\"'*`$，]", " ", text
    ).split()
    joined = "".join(pieces)
    if not re.fullmatch(r"[A-Z]+|[a-z]+", joined) or not set(joined.upper()) <= set(letters):
        return set()
    # A run in which a letter comes twice, or small letters out of order, is a word ("DAD", "bad").
    if any(len(set(piece)) < len(piece) or (piece.islower() and list(piece) != sorted(piece)) for piece in pieces):
        return set()
    return set(joined.upper())


def _listed(text: str, letters: Letters) -> set[str]:
    """The letters of a list of options, each "B", "B. its text" or its text; empty if an entry is something else."""
    entries = [entry for entry in re.split(r"[\n;]+|, (?=[A-Z][.):] )", text) if _bare(entry)]
    found = [_entry(entry, letters) for entry in entries]
    return set().union(*({letter} for letter in found if letter)) if found and all(found) else set()


def _explained_list(text: str, letters: Letters) -> set[str]:
    """The letters of a list before a blank line and an explanation, unless the explanation has more letters."""
    head, _, explanation = text.partition("\n\n")
    found = _listed(head, letters) if explanation else set()
    return set() if _DENIAL.search(explanation) or _letters_said(explanation, letters) - found else found


def _entry(entry: str, letters: Letters) -> str | None:
    by_text = _option_of_text(entry, letters)
    label = re.match(r"([A-Za-z])(?![^\W_])(.*)", entry.lstrip(_MARKS), re.DOTALL)
    letter = label.group(1).upper() if label else ""
    if (
        label
        and letter in letters
        and (not _bare(label.group(2)) or _option_of_text(label.group(2), letters) == letter)
    ):
        return letter
    return by_text


def _letters_in_sentence(text: str, letters: Letters) -> str | None:
    """The letters of the only list in a text ("A and C are right"), or letters beside their texts ("glasses (A)")."""
    said = _letters_said(text, letters)
    lists = [set(re.findall(r"[A-Z]", found)) & said for found in _LIST.findall(text)]
    one_list = [found for found in lists if found] == [said] and said != set(letters)
    if not one_list and not _each_with_its_text(text, said, letters):
        return None
    if _DENIAL.search(text) or _VERDICT.search(text) or _RANGE.search(text):
        return None
    return None if _speaks_of_others(text, said, letters) else "".join(sorted(said)) or None


def _each_with_its_text(text: str, said: set[str], letters: Letters) -> bool:
    """Whether every letter in `said` stands beside the text of its option."""
    texts = {letter: re.escape(letters[letter]) for letter in said}
    return all(
        re.search(rf"{own}\W{{0,3}}\b{letter}\b|\b{letter}\b\W{{0,3}}{own}", text, re.IGNORECASE)
        for letter, own in texts.items()
    )


def _count(text: str) -> str | None:
    numbers = list(_NUMBER.finditer(text))
    if not numbers or _DENIAL.search(text) or _NO_ONE.search(text) or _OTHER_NUMBER.search(_NUMBER.sub(" ", text)):
        return None
    # "2 men and 2 women" are not 2.
    between = [text[one.end() : two.start()] for one, two in pairwise(numbers)]
    if any(re.search(r"\band\b|\+", words) for words in between):
        return None
    values = {_value(number.group()) for number in numbers}
    return str(values.pop()) if len(values) == 1 else None


def _value(number: str) -> int:
    return NUMBER_WORDS[number.lower()] if number.lower() in NUMBER_WORDS else int(number)


def _yes_or_no(text: str) -> str | None:
    said = {word.lower() for word in re.findall(r"\b(?:yes|no)\b", text, re.IGNORECASE)}
    return said.pop() if len(said) == 1 else None


def _option_of_text(text: str, letters: Letters) -> str | None:
    """The letter of the one option whose text this is."""
    bare = _bare(text)
    found = [letter for letter, option in letters.items() if bare and _bare(option) == bare]
    return found[0] if len(found) == 1 else None


def _bare(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(_MARKS)
