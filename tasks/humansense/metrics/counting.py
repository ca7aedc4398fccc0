"""Reads the number that a cleaned response gives as a count. Standard library only.

A number of people, of their faces, voices or times is a mention, as the text of an option is; a number by itself is one
as a letter is. Other numbers ("10 seconds", "frame 3") are none. The grammar around mentions is that of `verdicts`.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from .languages import (
    ANSWER,
    CANNOT,
    CHOICE_ROLES,
    COUNT_ROLES,
    EXAMPLE,
    GROUP,
    IF,
    MAYBE,
    NAMED,
    NOBODY,
    NOT,
    NUMBERS,
    OPTION,
    OTHERS,
    PEOPLE,
    PERSONS,
    WAIT,
)
from .tokens import BOTH, LETTER, MENTION, MENTIONS, NUMBER, TEXT, WORD, Lexer, Token, group, roles, split, spoken
from .verdicts import Verdict, clauses, judged, settle

_PART, _ONE_PART = "HQ"
"""Roles of a number of a part of the people ("2 men"), and of one such person."""

_EAST_ASIAN = sorted((word for word in NUMBERS if word[0] > "\u2fff"), key=len, reverse=True)
_EAST_ASIAN_NUMBER = re.compile(rf"({'|'.join(_EAST_ASIAN)})(?= ?(?:[个個位名人次张回つ명분번]|사람|です|입니다)|\s*$)")
_COUNTER = re.compile(r"(?<=\d) ?[个個](?:不同的)?(?=\W|$|说话|說話|人)")
_SPACED = {word: NUMBER for word in NUMBERS if word not in _EAST_ASIAN}
_LEXER = Lexer(({**COUNT_ROLES[0], **_SPACED}, COUNT_ROLES[1]))
_NO_ONE = re.compile(r"\bno\s+one\b", re.IGNORECASE)
_NOBODY_AT_ALL = re.compile(  # a denial that belongs to "nobody": "non parla nessuno"
    r"\b(?:non|no|não|не) (?=(?:[\w']+ ){0,3}(?:nessun[oa]|nadie|ninguna persona|ninguém|никто|никого)\b)",
    re.IGNORECASE,
)
_OWNERS = {"he", "she", "they", "who", "them"}
_ADDITION = re.compile(r"\d{1,3}(?: ?\+ ?\d{1,3}){1,9} ?= ?(?=\d)")
_WHOLE = re.compile(r"\d{1,4}(?:\.0{1,2})?")
_COUNTED = re.compile(r"#(?:\(#\))?(?:[wRO&]{0,2}?(?P<noun>p(?:[wg]?q)?|q))")
_LARGER = {"hundred", "thousand", "million", "hundreds", "thousands", "thirds", "half", "point", "quarters"}
_TENS = re.compile(r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty")
_NAMES = {"minus", "negative", "point", "chapter", "line", "number", "no"}
_TIMES = set("times mal fois veces vezes volte keer раза раз kere lần kali बार 次 回 번 مرات ครั้ง".split())
_PERSON = re.compile(
    r"\b(?:an?|another|ein|eine|un|une|una|um|uma) (?:\w+ )?(?:man|woman|boy|girl|child|baby|mann|frau|kind|homme|femme"
    r"|mujer|hombre|homem|mulher|uomo|donna)\b"
)


def counted(text: str) -> str | None:
    """The number that a response gives.

    Args:
        text: The cleaned response.

    Returns:
        The number in decimal; None if the response gives no answer or contradicts itself.
    """
    text = _ADDITION.sub("", _NOBODY_AT_ALL.sub("", _NO_ONE.sub("nobody", text)))
    text = _EAST_ASIAN_NUMBER.sub(lambda word: str(NUMBERS[word[1]]), text)
    text = _COUNTER.sub("", text)
    tokens = _without_parts(group(_mentioned(_LEXER.tokens(text))))
    sentences = split(tokens)
    said = spoken(sentences)
    verdicts: list[Verdict] = []
    for number, sentence in enumerate(said):
        first = number == 0 and sentence[-1].role != "…"
        edge = first or number == len(said) - 1 or sentence[-1].role == "\n"
        verdicts += judged(sentence, single=True, edge=edge)
    if verdicts:
        settled = settle(tokens, verdicts)
        return settled.answer if settled and not _disputed(text, tokens, said[0], settled) else None
    return _stated(tokens, said)


def _disputed(text: str, tokens: Sequence[Token], first: Sequence[Token], settled: Verdict) -> bool:
    """Whether a text cannot tell behind its number, or begins with another number of the same and does not say why."""
    if _cannot_tell([token for token in tokens if token.start >= settled.end]):
        return True
    later = spoken([sentence for sentence in split(tokens) if sentence[0].start >= settled.end])
    behind = [int(token.letters[0]) for sentence in later for token in sentence if token.role == TEXT]
    part = len(later) > 1 or any(re.search("[&,;]", roles(sentence)) for sentence in later)
    answer = int(settled.answer or 0)
    if len(behind) == 1 and WAIT not in roles(tokens) and (behind[0] > answer or (1 < behind[0] < answer and not part)):
        return True  # "Answer: 2. There are 5 people."; but fewer people may be a part of those in the answer
    before = [token for token in tokens if token.role in MENTIONS and token.end <= settled.place]
    numbers = [token for token in first if token.letters or _value(token.text) is not None]
    if len(before) != 1 or before != numbers or WAIT in roles(tokens) or settled.place < first[-1].end:
        return False
    of_first, of_settled = text[: before[0].end].split()[-1], text[: settled.end].split()[-1]
    return of_first == of_settled and before[0].letters != (settled.answer,)


def _cannot_tell(tokens: Sequence[Token]) -> bool:
    """Whether a sentence cannot tell how many there are, or what the others do ("I can't give a number")."""
    for sentence in split(tokens):
        others = [token for token in sentence if CHOICE_ROLES[0].get(token.text.lower()) != CANNOT]
        doubted = re.search(f"[{ANSWER}{MAYBE}]", roles(others)) or any(token.text == "how" for token in others)
        if doubted and len(others) < len(sentence):
            return True
    return False


# Mentions


def _mentioned(tokens: list[Token]) -> list[Token]:
    """The tokens with numbers as mentions, if they may be the number of what was asked."""
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        token, length = tokens[place], 1
        if token.role == NOBODY:
            others = any(one.text in ("else", "but", "other") for one in tokens[place + 1 : place + 2])
            token = replace(token, role=WORD) if others else replace(token, role=TEXT, letters=("0",))
        elif token.role == NUMBER:
            token, length = _number(tokens, place)
        found.append(token)
        place += length
    labels = {match.start() for match in re.finditer("p(?=:[mt])", roles(found))}
    found = [replace(one, role=ANSWER) if place in labels else one for place, one in enumerate(found)]
    found = _main_numbers(found)
    return [replace(one, role=OPTION) if one.role in PEOPLE + GROUP else one for one in found]


def _number(tokens: list[Token], place: int) -> tuple[Token, int]:
    """The mention at a number, and how many tokens belong to it."""
    token, value = tokens[place], _value(tokens[place].text)
    other = replace(token, role=WORD)
    if value is None or _is_part_of_a_word(tokens, place) or _is_name(tokens, place):
        return other, 1
    match = _COUNTED.match(roles(tokens[place : place + 8]))
    before, follows = roles(tokens[place - 1 : place]) if place else "\n", tokens[place + 1 : place + 2]
    if match:
        noun = tokens[place + match.end() - 1]
        earlier = roles(tokens[max(0, place - 15) : place])
        if noun.text.lower() in _TIMES and re.search("#[^S.]*$", earlier):
            return other, 1  # "4 times" beside another number
        east = not tokens[place - 1].text.isascii() if place else False
        part = "q" in match["noun"] or (before == GROUP and east)
        one = value == 1 and token.text.lower() != "single"
        role = (_ONE_PART if one else _PART) if part else TEXT
        return replace(token, role=role, letters=(str(value),), end=noun.end), match.end()
    spelled = not token.text.isdecimal()
    pronoun = value == 1 and spelled and roles(follows) not in ("", *".\n!,():")
    if pronoun or any(one.text == "of" for one in follows):
        return other, 1
    if token.text.lower() in PERSONS:
        return replace(token, role=TEXT, letters=(str(value),)), 1
    of_things = any(one.role == WORD and one.text.lower() != "different" for one in follows)
    if of_things or (before == WORD and not spelled and tokens[place - 1].text.isascii()):
        return other, 1
    listed = before == "\n" and roles(follows) in (".", ")") and roles(tokens[place + 2 : place + 3]) not in ("", "\n")
    if listed and _is_numbered(tokens):
        return other, 1
    return replace(token, role=LETTER, letters=(str(value),)), 1


def _value(said: str) -> int | None:
    if said.lower() in NUMBERS:
        return NUMBERS[said.lower()]
    return int(float(said)) if _WHOLE.fullmatch(said) else None


def _is_part_of_a_word(tokens: list[Token], place: int) -> bool:
    """Whether a number is a part of a longer one or of a word ("4th", "v4", "-2", "50 %", "< 3", "10-second")."""
    token = tokens[place]
    before = tokens[place - 1] if place else Token("\n", "\n")
    follows = tokens[place + 1] if place + 1 < len(tokens) else Token("\n", "\n")
    beyond = tokens[place + 2 : place + 3]
    touches = follows.start == token.end
    near = tokens[max(0, place - 2) : place][::-1], tokens[place + 1 : place + 3]
    if any(pair[0].text.lower() in ("to", "or") and pair[-1].role == NUMBER for pair in near if pair):
        return True  # "3 to 4"
    if (
        before.role == "^"
        or follows.role in "^%"
        or follows.text.lower() in _LARGER
        or _TENS.fullmatch(before.text.lower())
    ):
        return True
    if (
        touches
        and follows.text[:1].isascii()
        and (follows.role == WORD or (follows.role == "-" and roles(beyond) == WORD and beyond[0].start == follows.end))
    ):
        return True
    return place > 0 and before.end == token.start and before.role in WORD + "+/-_" and before.text[-1:] < "\u2fff"


def _is_name(tokens: list[Token], place: int) -> bool:
    """Whether a number names something ("speaker 2"), or counts what one has, or those of whom some are asked for."""
    before = tokens[place - 1] if place else Token("\n", "\n")
    if [one.text for one in tokens[max(0, place - 2) : place]] == ["Of", "the"] or before.text.lower() in _NAMES:
        return True
    if before.text.lower() in ("has", "have", "had") and place > 1:
        owner = tokens[place - 2]
        return owner.role in PEOPLE + GROUP or owner.text.lower() in _OWNERS
    names = before.role in PEOPLE + GROUP + NAMED and before.text.isascii() and not before.text.endswith("s")
    return names and tokens[place].text.isdecimal()


def _is_numbered(tokens: list[Token]) -> bool:
    """Whether lines of the text are numbered."""
    said = roles(tokens)
    return (said[:2] in ("#.", "#)") and tokens[0].text == "1") or len(re.findall(r"(?:^|\n)#[.)]", said)) > 1


def _main_numbers(tokens: list[Token]) -> list[Token]:
    """The tokens with numbers of parts as words; a mention is one that parts follow, or that is the only one."""
    found: list[Token] = []
    sentences = split(tokens)
    one = len(spoken(sentences)) == 1
    for place, sentence in enumerate(sentences):
        said = roles(sentence)
        parts = [token for token in sentence if token.role in _PART + _ONE_PART]
        numbers = [token for token in sentence if token.letters or _value(token.text) not in (None, 1)]
        numbers = [token for token in numbers if token.text.lower() not in PERSONS]
        whole = one or (place == 0 and re.match(r"[gV]+[HQ]", said)) or re.search("[ASRF]", said)
        alone = whole and len(numbers) == 1 and not _PERSON.search(" ".join(token.text.lower() for token in sentence))
        heads = said[: said.find(":")] if ":" in said else ""
        for spot, token in enumerate(sentence):
            if token in parts:
                main = token.role == _PART and (alone or (token is parts[0] and spot < len(heads)))
                token = replace(token, role=TEXT) if main else replace(token, role=WORD, letters=())
            found.append(token)
    return found


def _without_parts(tokens: list[Token]) -> list[Token]:
    """The tokens with the parts behind a number as words ("There are two: a man and a woman")."""
    found: list[Token] = []
    explains = False
    for place, token in enumerate(tokens):
        if token.role == ":" and re.match("t:|[mb]:[^mtb]", roles(tokens[max(0, place - 1) : place + 2])):
            explains, token = True, replace(token, role=";")
        explains = explains and token.role not in ".!?\n"
        found.append(replace(token, role=WORD, letters=()) if explains and token.role in MENTIONS else token)
    return found


# Without a place for an answer


def _stated(tokens: Sequence[Token], said: Sequence[Sequence[Token]]) -> str | None:
    """The number of people that sentences state, if it is one number and no other one is left."""
    stated: set[str] = set()
    others: set[str] = set()
    for sentence in said:
        inside = roles(sentence)
        if inside.endswith("?") or EXAMPLE in inside or IF in inside:
            continue
        for clause in clauses(sentence):
            match = re.search(MENTION, roles(clause))
            if match and (re.search(f"{MAYBE}|{OTHERS}.*{MENTION}", inside) or any(token.either for token in clause)):
                return None
            if match and NOT not in roles(clause)[: match.start()]:
                stated |= {letter for token in clause if token.role in TEXT + BOTH for letter in token.letters}
                others |= {letter for token in clause if token.role == LETTER for letter in token.letters}
    if (
        len(stated) != 1
        or others - stated
        or CANNOT in roles(tokens)
        or _cannot_tell(tokens)
        or (stated == {"0"} and len(said) > 1)
    ):
        return None
    return stated.pop()
