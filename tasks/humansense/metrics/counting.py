"""Reads the number that a cleaned response gives as a count. Standard library only.

A number is an answer where one is announced, or alone on a line. Else the sentences must name one number of people,
faces, voices or times: numbers of seconds, frames and steps are none, and parts without a sum are none.
"""

import re

from .languages import GROUPS, NOBODY, NUMBERS, PEOPLE, SUM, THINGS, words
from .verdicts import Sentences, Verdict, places, settle

_VALUES = {word: value for row in NUMBERS.values() for value, word in enumerate(row.split())}
_EAST_ASIAN = re.compile("[\u3040-\u9fff\uac00-\ud7af]")
_SPACED = "|".join(sorted((word for word in _VALUES if not _EAST_ASIAN.match(word)), key=len, reverse=True))
_TOGETHER = "|".join(sorted((word for word in _VALUES if _EAST_ASIAN.match(word)), key=len, reverse=True))
# Neither a part of a longer number or word ("1,000", "3.5", "v4", "4th"), nor of a range ("3-4").
_DIGITS = (
    r"(?<![A-Za-z0-9_.,/%+\-−–—~<>=±])(?<!\d[':])(?<![-−–<>=±] )\d{1,4}(?:\.0{1,2}(?!\d))?"
    r"(?![A-Za-z0-9_/%½¼¾²³±~]|[.,:']\d|[-–—] ?\w| \d{3}(?!\d)| ?[<>±])"
)
_WORD = rf"(?<![\w-])(?<!minus )(?<!negative )(?:{_SPACED})(?![\w-])"
_WORD_EN = rf"(?<![\w-])(?:{NUMBERS['en'].replace(' ', '|')})(?![\w-])"
_EAST = (
    rf"(?<![{''.join(sorted(set(_TOGETHER) - {'|'}))}\d])(?:{_TOGETHER})"
    r"(?=[ 个個位名人명사분번次回]|です|입니다|(?!(?<=네)\W*$)\W*$)"
)
_NUMBER = rf"(?:{_DIGITS}|{_WORD}|{_EAST})"
_ROMAN = {"II": 2, "III": 3, "IV": 4, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}

# "4", "4 (four)", "4 people", "four different people".
_JUNK = r"[^\w\n]{0,8}"
_KIND = rf"(?:[ \-](?!{_WORD_EN})[^\W\d]{{1,14}}){{0,2}}?"
_NOUN = rf"(?:(?P<part>{words(GROUPS)})|(?P<noun>{words(PEOPLE)}))"
_COUNTED = rf"(?P<number>{_NUMBER})(?: ?\((?P<again>{_NUMBER})\))?(?:{_KIND} ?{_NOUN})?"
_LEAD = r"(?:(?:only|just|exactly|there(?:'s| is| are)|i (?:can )?(?:see|count|hear|counted|found))[ :]){0,2}"
_ALONE = re.compile(rf"^{_JUNK}{_LEAD}(?:{_COUNTED}){_JUNK}$", re.IGNORECASE | re.MULTILINE)
_FIRST = re.compile(rf"{_JUNK}{_LEAD}(?:{_COUNTED})", re.IGNORECASE)
_MENTION = re.compile(_COUNTED, re.IGNORECASE)
_BREAKDOWN = re.compile(
    r"[ ]?[(:=,}\]|–—]|[ ]?\.|[ ]?$|\s?[;!。、\n\"'）)]|です|입니다|이다| है| ?\ue301| in | at | and | who | that "
    r"| are | is "
)
_EXPLAINED = re.compile(r" ?\(| ?[:–—] [^\W\d]")
_ROMAN_ALONE = re.compile(r"\W*([IVX]{2,4})\W*")

_NOT_COUNTED = re.compile(
    rf"\b\d{{1,2}}:\d\d\b(?::\d\d\b)?|^ ?\(?\d{{1,2}}[.)] |(?:\b(?:step|speaker|frame|frames|face|person|scene|shot"
    rf"|clip|part"
    rf"|second|minute|voice|image|video|line|turn|number|no\.|option|child|man|woman|segment|chapter)|第"
    rf"|#) ?\d{{1,4}}(?:-\d{{1,4}})?\b"
    rf"|(?<![\w.,]){_NUMBER}(?: [^\W\d]{{1,14}}(?= ))?[ -]?{words(THINGS)}|\b(?:first|last|next) {_NUMBER}"
    rf"|\b{_WORD} of (?=the\b|them\b|these\b)"
    rf"|\d{{1,3}} ?%",
    re.IGNORECASE | re.MULTILINE,
)
_DENIED = re.compile(
    rf"[,(;]? ?\b(?:not|rather than|instead of|nicht|pas|não|non|не) (?:just |only )?{_NUMBER}\)?", re.IGNORECASE
)
_UNSURE = re.compile(
    rf"\b(?:might|may|maybe|perhaps|possibly|at least|at most|more than|less than|fewer than|over|under|between"
    rf"|about|around|approximately|roughly"
    rf"|nearly|almost"
    rf"|up to|not sure|several|few|half|hundreds?|thousands?|millions?|dozens?|couple|minus|negative|point|isn't"
    rf"|don't"
    rf"|cannot|can't|mindestens|etwa|ungefähr|au moins|environ|al menos|pelo menos|almeno|circa|около|примерно|или"
    rf"|ít nhất"
    rf"|khoảng|oder|ou)\b|大约|大概|至少|左右|最多|少なくとも|約|적어도|약 |على الأقل|कम से कम|[½¼¾²³~±]"
    rf"|{_NUMBER} ?(?:-|–|—|~|to|or|and a half|bis|oder|ou|o|或|到|至|か|또는|या|أو) ?{_NUMBER}|\b(?:if|wenn|si|se"
    rf"|если)\b|如果"
    rf"|(?:thir|for|fif|six|seven|eigh|nine)ty\b|\btwenty[ -](?:{_SPACED})\b",
    re.IGNORECASE,
)
_SUMMED = re.compile(
    rf"{words(SUM)}[ :,]{{0,3}}(?:(?:of|is|are)\b ?|有|出现了?|는 ){{0,2}}(?P<after>{_NUMBER})"
    rf"|(?P<before>{_NUMBER})(?: [^\W\d]{{1,14}}){{0,2}},? {words(SUM)}",
    re.IGNORECASE,
)
_SPEECH = re.compile(r'"[^"\n]{1,200}"')
_NO_ONE = re.compile(r"\bno\s+one\b", re.IGNORECASE)
_NOBODY = re.compile(words(NOBODY), re.IGNORECASE)
_NONE_OF_SOME = re.compile(rf"\b(?:neither|none|not one) of (?:the |these )?{_NUMBER} [^\W\d]+", re.IGNORECASE)
_TIMES = {"twice": "2 times", "thrice": "3 times"}
_TWICE = re.compile(r"\b(?:twice|thrice)\b", re.IGNORECASE)
_ANOTHER = re.compile(
    rf"\b(?:an?|one|another|ein|eine|un|une|una|um|uma) (?:[^\W\d]{{1,14}} )?{words(GROUPS)}", re.IGNORECASE
)
_STRAY = re.compile(rf"\d|{_WORD_EN}|{_EAST}", re.IGNORECASE)


def counted(text: str) -> str | None:
    """The number that a response gives.

    Args:
        text: The cleaned response.

    Returns:
        The number in decimal; None if the response gives no answer or contradicts itself.
    """
    roman = _ROMAN_ALONE.fullmatch(text)
    if roman:
        return str(_ROMAN[roman[1]]) if roman[1] in _ROMAN else None
    text = _NO_ONE.sub("nobody", text)
    sentences = Sentences(text)
    verdicts = [*places(sentences, _read), *_lines(text)]
    if verdicts:
        settled = settle(text, verdicts)
        return settled.answer if settled else None
    return _stated(text)


def _read(text: str, start: int, stop: int, weak: bool) -> Verdict | None:
    """The verdict of an announced number, or of the statement that is announced."""
    found = _FIRST.match(text, start, stop)
    if found and not _BREAKDOWN.match(text, found.end()):
        return None if weak else Verdict(start, stop, _stated(text[start:stop]))
    if found:
        return Verdict(start, found.end(), _value_of(found))
    if weak or not _STRAY.search(text, start, stop):
        return None
    return Verdict(start, stop, _stated(text[start:stop]))


def _lines(text: str) -> list[Verdict]:
    """The number with which a text begins, if its parts follow, and the lines that consist of a number."""
    first = _FIRST.match(text)
    begins = [first] if first and _EXPLAINED.match(text, first.end()) else []
    return [Verdict(found.start(), found.end(), _value_of(found)) for found in [*begins, *_ALONE.finditer(text)]]


def _value_of(found: re.Match[str]) -> str | None:
    """The number that was found, unless the one in brackets behind it is another, or it counts one part."""
    number, again = _value(found["number"]), _value(found["again"] or found["number"])
    sure = number == again and not _UNSURE.search(found[0])
    return str(number) if sure and not (number == 1 and found["part"]) else None


def _value(number: str) -> int:
    return _VALUES[number.lower()] if number.lower() in _VALUES else int(float(number))


def _stated(text: str) -> str | None:
    """The number of people that sentences state, if it is one number and no other number is left."""
    said = _SPEECH.sub(" ", _TWICE.sub(lambda word: _TIMES[word[0].lower()], text))
    said = _DENIED.sub(" ", said)
    said = _NONE_OF_SOME.sub("nobody", _NOT_COUNTED.sub(" ", said))
    mentions = [found for found in _MENTION.finditer(said) if found["noun"] or found["part"]]
    whole = {_value(found["number"]) for found in mentions if found["noun"]}
    if _UNSURE.search(said) or said.rstrip().endswith("?"):
        return None
    nobody = _NOBODY.search(said)
    if nobody:
        return "0" if not mentions and not _ANOTHER.search(said) and not whole and _one_sentence(said) else None
    sums = {_value(found["after"] or found["before"]) for found in _SUMMED.finditer(said)}
    if len(sums) == 1 and (not whole or whole <= sums):
        return str(sums.pop())
    stray = _STRAY.search(_MENTION.sub(lambda one: " " if one["noun"] or one["part"] else one[0], said))
    if len(whole) == 1 and not stray:
        return str(whole.pop())
    parts = [found for found in mentions if found["part"]]
    if not whole and len(parts) == 1 and not stray and _value(parts[0]["number"]) > 1 and not _ANOTHER.search(said):
        return str(_value(parts[0]["number"])) if _one_sentence(said) else None
    return None


def _one_sentence(text: str) -> bool:
    return len([part for part in re.split(r"[.!?](?=\s|$)|[。\n]", text) if re.search(r"\w", part)]) == 1
