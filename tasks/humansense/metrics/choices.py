"""Reads the chosen options in a cleaned response. Standard library only."""

import re
from collections.abc import Iterator

from .languages import (
    ALL,
    AND,
    CONDITION,
    DENIAL,
    FILLER,
    LINK,
    NO,
    NO_SIGNS,
    OR,
    RIGHT,
    SO,
    UNSURE,
    YES,
    YES_SIGNS,
    words,
)  # fmt: skip
from .mentions import ALONE, ANY, LETTERED, NAMED, Letters, Mentions, index
from .verdicts import CLAUSE_END, SENTENCE_END, Sentences, Verdict, places, settle

_AND, _OR = words(AND), words(OR)
_SIGN = f"[{YES_SIGNS}{NO_SIGNS}]"
_JUNK = rf"[^\w\n\ue000-\ue2ff{NO_SIGNS}]"
# "B", "A, C and D", "(A)(C)".
_GROUP = rf"{ANY}(?:[ ,;/&+→()\[\]\"'*、・|·]{{0,6}}(?:{_AND}[ (\[\"'*]{{0,4}})?(?:options? )?{ANY}){{0,25}}"
_LEAD = rf"(?:{words(FILLER)}|{_JUNK}){{0,12}}"
_COMMENT = r"\([^()\n]{0,60}\)"

# Lists, and lists with yes or no.
_PART = re.compile(rf"({_SIGN}?)[^\w\ue000-\ue2ff]{{0,4}}({ANY})([^\ue000-\ue2ff]*)")
_STARTS_WITH = re.compile(rf"\W*(?:(?:{words(LINK)})\W+)?(?:({words(NO)})|({words(YES)}))", re.IGNORECASE)
_ENDS_WITH = re.compile(rf"(?:({words(NO)})|({words(YES)}))\W*$", re.IGNORECASE)
_NO_SIGN = rf"[^\w\n\ue000-\ue2ff{YES_SIGNS}{NO_SIGNS}]"
_LIST_LEAD = re.compile(
    rf"(?:{_NO_SIGN}|options?|选项|選択肢|\d{{1,2}}[.)])*(?={_SIGN}?{_NO_SIGN}{{0,4}}{ANY})", re.IGNORECASE
)
_ENTRY = re.compile(rf"{_JUNK}*([\ue200-\ue2ff])\)? ?(?:[–—(-]|[,;] )")
_JUDGED = re.compile(rf"{words(DENIAL)}|{words(YES)}|{words(NO)}|{words(UNSURE)}|[%?]", re.IGNORECASE)
_CLAUSE_END = re.compile(CLAUSE_END)

# Where a verdict stands.
_AT_START = re.compile(rf"{_LEAD}(?P<group>{_GROUP})", re.IGNORECASE)
_WHOLE_LINE = re.compile(
    rf"^{_LEAD}(?P<group>{_GROUP})(?:{_JUNK}|{_SIGN}){{0,20}}(?:{_COMMENT}{_JUNK}{{0,9}})?(?<!:)$",
    re.IGNORECASE | re.MULTILINE,
)
_SET_OFF = re.compile(
    rf"{_JUNK}{{0,20}}(?:$|\n|[.,:;!?()\[\]–—。、]|- |{_SIGN}|选?项(?![^\s。.,])|因为|\b(?:because|since|as|due"
    rf"|rather than"
    r"|instead of|porque|weil|parce)\b)"
)
_LABELLED = re.compile(
    rf"^{_JUNK}{{0,9}}(?:options? )?{LETTERED}(?=[.:)–-]| \w)|[,;. ] ?[\"']?{LETTERED}[\"']?[:=)]",
    re.IGNORECASE | re.MULTILINE,
)
_CALLED_RIGHT = re.compile(rf"(?P<group>{_GROUP})[\"')\]*]{{0,3}}(?:{_COMMENT})? ?{words(RIGHT)}", re.IGNORECASE)
_MAY_STAND_BEFORE = re.compile(
    rf"(?:^|[.!?,;:\n(。、\"'\[{YES_SIGNS}{NO_SIGNS}]|{words(FILLER)}|{words(SO)}|{words(LINK)}|{_AND}"
    rf"|(?:\b(?:but|while|whereas|that|however|aber|mais|pero)\b))[ \"'(\[]*$",
    re.IGNORECASE,
)

# What follows an option and makes it none, or not the only one.
_REJECTED = re.compile(
    rf"(?:[\s:,)\]\"'–—-]|{words(LINK)}|(?:the|so|also|all"
    rf"|both)\b){{0,8}}{words(DENIAL)}(?!\W{{0,3}}(?:option )?{ANY})",
    re.IGNORECASE,
)
_LABEL_REJECTED = re.compile(rf"[.)]{{1,2}}\s?(?:{words(LINK)}\s)?{words(DENIAL)}", re.IGNORECASE)
_PERCENT = re.compile(
    rf"[^.\n%]{{0,20}}%[^.\n]{{0,40}}{ANY}"
    r"|[\s:(=\"'–-]{0,5}(?:0?\.\d|1\.0|(?:about |only |~)?\d{1,3}(?:\.\d+)? ?%(?! ?(?:confiden|sure|certain)))",
    re.IGNORECASE,
)
_MAYBE = rf"(?:(?:maybe|perhaps|possibly|even|auch|{words(FILLER)})\W{{1,2}}){{0,3}}"
_NEXT_OPTION = re.compile(
    rf"[\s,()\"']{{0,4}}(?:{_OR}|/)[\s,(\[\"']{{0,3}}{_MAYBE}{ANY}|[\s.):-]{{1,4}}{ANY}[\s.\"')]*(?:$|\n)"
    rf"| ?{_COMMENT}[,;]? ?(?:{_AND} ?)?{ANY}|\s?[,&+]?\s?{_AND}\s*$|\s?(?:-|–|~)\s?{ALONE}",
    re.IGNORECASE,
)
_CHANCE = re.compile(
    rf"{words(UNSURE)}[ :]{{1,2}}(?:(?:also|be|option|sein|être) ){{0,2}}({LETTERED})|{_OR} ?(?:option )?({LETTERED})"
    rf"|({LETTERED})(?: \w{{1,12}}){{0,2}} ?{words(UNSURE)}",
    re.IGNORECASE,
)

# Multi-selects in a phrase.
_ALL_OF_THEM = re.compile(rf"^\W*{words(ALL)}\W*$", re.IGNORECASE)
_RANGE = re.compile(rf"^\W*(?:options? )?({LETTERED}) (?:through|thru|to|bis|至|到) ({LETTERED})\W*$", re.IGNORECASE)
_ALL_BUT = re.compile(
    rf"^\W*(?:(?:the answers? (?:is|are)|select|choose)\W+)?(?:all(?: of)?(?: the| them| these| four| options?"
    rf"| answers?){{0,3}}"
    rf"|everything|every(?:one|body)|alle|tous|todas|tutte|все)(?: of them)? (?:except|but|apart from|other than"
    rf"|außer|sauf"
    rf"|excepto|exceto|tranne|кроме)(?: for)? (?:options? )?(?P<group>{_GROUP})[^\ue000-\ue2ff.]{{0,40}}\W*$",
    re.IGNORECASE,
)
_ARE_GROUP = re.compile(rf"(?:\b(?:are|is|includes?|were)|:) ?(?P<group>{_GROUP}){CLAUSE_END}", re.IGNORECASE)

# One sentence that names an option.
_LAST_CLAUSE = re.compile(rf"(?:, (?:so )?(?:it is )?|[(\[](?:option )?)({LETTERED})[)\]]?[.!]?$")
_CONTRAST = re.compile(
    r"(?:[,;(–—]|\b(?:and|but)\b) ?\b(?:not|rather than|instead of|no|nicht|pas|não|non|не) [^,;().]{0,200}(?:\)"
    r"|(?=[,;.]|$))",
    re.IGNORECASE,
)
_VERB_BEFORE = re.compile(r"(?:is|be|'s|choose|select|pick|say|with)\W{0,3}$", re.IGNORECASE)
_SPEECH = re.compile(r'"[^"\n]{0,200}[^\W][^"\n]{0,200}"')
_NOT_BUT = re.compile(r"\bnot (?:[^,.;]{1,80}),? but\b", re.IGNORECASE)
_HEDGED = re.compile(
    rf"^\W*(?:options? )?{ALONE} ?\w|{words(DENIAL)}|{words(UNSURE)}|{_OR}|{words(CONDITION)}|\?"
    r"|\b(?:more|happy to|used to|tr(?:y|ies|ying) to|pretend\w*|question|asks?|help|let|consider\w*|choose|select"
    rf"|compar\w+|options?(?! ?\(?{ANY}))\b",
    re.IGNORECASE,
)
_CUT_OFF = re.compile(
    r"\b(?:the|a|an|and|or|of|with|is|are|in|on|to|that|but|because|his|her|their|as|at|for|which)$|[,:;(-]$"
)


def chosen(text: str, letters: Letters, several: bool) -> str | None:
    """The options that a response chooses.

    Args:
        text: The cleaned response.
        letters: The options.
        several: Whether more than one option can be chosen.

    Returns:
        The letters in order; None if the response gives no answer or contradicts itself.
    """
    return _Choices(letters, several).answer(text)


class _Choices:
    """The grammar for the options of one question."""

    def __init__(self, letters: Letters, several: bool) -> None:
        self._letters = letters
        self._several = several
        self._mentions = Mentions(letters, several)

    def answer(self, text: str) -> str | None:
        text = self._lists(self._mentions.mark(text))
        sentences = Sentences(text)
        if self._several and (found := self._quantified(text)):
            return found
        verdicts = [*places(sentences, self._read), *self._right(sentences), *self._lines(sentences)]
        if not verdicts:
            return self._named(text)
        settled = settle(text, self._without_echo(verdicts))
        return settled.answer if settled and not self._others_have_a_chance(text, settled) else None

    # Lists

    def _lists(self, text: str) -> str:
        """The text with each list of options, and each list of options with yes or no, as one line of its options."""
        kept: list[str] = []
        run: list[str] = []
        for line in [*text.split("\n"), "end"]:
            listed = _LIST_LEAD.match(line) or (run and not line)
            if run and not listed:
                kept += self._joined(run)
                run = []
            (run if listed else kept).append(line)
        return "\n".join(kept[:-1])

    def _joined(self, run: list[str]) -> list[str]:
        """A line of the options that a run of lines chooses, or the lines as they are."""
        lines = [line for line in run if line]
        for entries in (list(map(self._marked_line, lines)), list(map(self._plain_line, lines))):
            options = {letter: right for entry in entries for letter, right in (entry or {}).items()}
            discussed = len(options) == len(self._letters) and not all(map(_WHOLE_LINE.match, lines))
            if (
                all(entries)
                and len(options) > 1
                and not (discussed and all(options.values()))
                and (len(lines) > 1 or False in options.values())
            ):
                return ["", ", ".join(self._mentions.letter(letter) for letter, right in options.items() if right), ""]
        return run

    def _marked_line(self, line: str) -> dict[str, bool] | None:
        """The options of a line, each with whether it is marked as right; None if one has no mark."""
        lead = _LIST_LEAD.match(line)
        if not lead:
            return None
        parts = list(_PART.finditer(line, lead.end()))
        found: dict[str, bool] = {}
        for part in parts:
            verdict = _is_right(part[1], part[3], sign_first=bool(parts[0][1]))
            if verdict is None:
                return None
            found[index(part[2])] = verdict
        return found or None

    def _plain_line(self, line: str) -> dict[str, bool] | None:
        """The options of a line that only names options; for a multi-select, also with a comment behind."""
        whole = _WHOLE_LINE.match(line)
        if whole:
            return dict.fromkeys(map(index, re.findall(ANY, whole["group"])), True)
        start = _ENTRY.match(line)
        if self._several and start and not _JUDGED.search(line) and not re.search(ANY, line[start.end() :]):
            return {index(start[1]): True}
        return None

    # Verdicts

    def _read(self, text: str, start: int, stop: int, weak: bool) -> Verdict | None:
        """The verdict at the start of a part of the text, or in its first sentence."""
        found = _AT_START.match(text, start, stop)
        if found:
            ends = not weak or _CLAUSE_END.match(text, found.end()) or _NEXT_OPTION.match(text, found.end())
            return (
                self._verdict(text, start, found) if ends and not (weak and _is_cut_off(text, start, found)) else None
            )
        if weak:
            return None
        sentence = re.split(r"(?<=[.!?。])\s|\n", text[start:stop], maxsplit=1)[0]
        named = self._named(sentence) if re.search(ANY, sentence) else None
        return Verdict(start, start + len(sentence), named) if named else None

    def _verdict(self, text: str, start: int, found: re.Match[str], rejectable: bool = True) -> Verdict | None:
        """The verdict for a group of options; None if the words behind it reject it."""
        end = found.end("group")
        rest = text[end : end + 120] if rejectable else ""
        labelled = start == 0 and _LABEL_REJECTED.match(rest)
        if labelled or _REJECTED.match(rest) or _PERCENT.match(rest):
            return None
        options = set(map(index, re.findall(ANY, found["group"])))
        sure = not _NEXT_OPTION.match(rest) and "" not in options and (self._several or len(options) == 1)
        return Verdict(start, end, "".join(sorted(options)) if sure else None)

    def _right(self, sentences: Sentences) -> Iterator[Verdict]:
        """The options that are called right; of a multi-select, all of them together."""
        text, found = sentences.text, []
        for match in _CALLED_RIGHT.finditer(text):
            verdict = self._verdict(text, match.start(), match, rejectable=False)
            before = text[max(0, match.start() - 40) : match.start()]
            if verdict and _MAY_STAND_BEFORE.search(before) and sentences.states(match.start(), match.end()):
                found.append(verdict)
        if self._several and found and all(verdict.answer for verdict in found):
            together = "".join(sorted(set().union(*(verdict.answer or "" for verdict in found))))
            found = [Verdict(found[0].start, found[-1].end, together)]
        yield from found

    def _lines(self, sentences: Sentences) -> Iterator[Verdict]:
        """The answer with which the text begins, and the lines that consist of an answer."""
        text = sentences.text
        first = _AT_START.match(text)
        labelled = len(_LABELLED.findall(text))
        begins = first and _SET_OFF.match(text, first.end()) and labelled < 2
        for found in [*([first] if first and begins else []), *_WHOLE_LINE.finditer(text, 1)]:
            if found is not first and labelled and re.search("[\ue200-\ue2ff]", found["group"]):
                continue  # a heading of a discussion of the options
            verdict = self._verdict(text, found.start(), found)
            if verdict and verdict.answer and sentences.states(found.start("group"), verdict.end):
                yield verdict

    def _without_echo(self, verdicts: list[Verdict]) -> list[Verdict]:
        """The verdicts; a list of all options counts only if nothing else does."""
        others = [verdict for verdict in verdicts if verdict.answer != "".join(sorted(self._letters))]
        return others or verdicts

    def _others_have_a_chance(self, text: str, settled: Verdict) -> bool:
        """Whether the text says behind its verdict that another option may be right, too."""
        chances = (index(mark) for found in _CHANCE.finditer(text, settled.end) for mark in found.groups() if mark)
        return any(letter not in (settled.answer or "") for letter in chances)

    def _quantified(self, text: str) -> str | None:
        """The options of "all of the above", "A through C" and "all except D"."""
        if _ALL_OF_THEM.match(text):
            return "".join(sorted(self._letters))
        span = _RANGE.match(text)
        if span:
            first, last = index(span[1]), index(span[2])
            return "".join(letter for letter in sorted(self._letters) if first <= letter <= last) or None
        rest = _ALL_BUT.match(text)
        return "".join(sorted(set(self._letters) - set(map(index, re.findall(ANY, rest["group"]))))) if rest else None

    def _named(self, text: str) -> str | None:
        """The option whose text is the only one that a text of one sentence names without denial."""
        sentences = [part for part in SENTENCE_END.split(text) if re.search(r"\w|[\ue000-\ue2ff]", part)]
        if len(sentences) != 1 or _CUT_OFF.search(text.rstrip()):
            return None
        said = _CONTRAST.sub(" ", _NOT_BUT.sub(" ", _SPEECH.sub(" ", text)))
        named = {index(mark) for mark in re.findall(NAMED, said)}
        beside = {index(mark) for mark in re.findall(ALONE, said)}
        if _HEDGED.search(said) or "" in named | beside:
            return None
        if not named:
            return self._last_letters(said)
        if not beside <= named or self._mentions.texts.may_be_longer(said, named):
            return None
        return "".join(sorted(named)) if self._several or len(named) == 1 else None

    def _last_letters(self, text: str) -> str | None:
        """The letter that is a clause or a remark at the end, or a multi-select's letters ("… are A and B")."""
        marks = re.findall(ALONE, text)
        found = _ARE_GROUP.search(text) if self._several else None
        if found and re.findall(ANY, found["group"] or "") == marks and len(marks) < len(self._letters):
            return "".join(sorted(set(map(index, marks))))
        last = _LAST_CLAUSE.search(text)
        return index(last[1]) if last and len(marks) == 1 else None


def _is_cut_off(text: str, start: int, found: re.Match[str]) -> bool:
    """Whether a text ends at once behind "so B", in a line that has other sentences before."""
    group = found.start("group")
    verb = _VERB_BEFORE.search(text[max(0, group - 12) : group])
    return (
        found.end() == len(text) and not verb and bool(SENTENCE_END.search(text, text.rfind("\n", 0, start) + 1, start))
    )


def _is_right(sign: str, comment: str, sign_first: bool) -> bool | None:
    """Whether an option is marked as right by a sign before it, or by the sign or the word behind it."""
    signs = [sign] if sign_first else re.findall(_SIGN, comment)
    if signs and signs[0]:
        return signs[0] in YES_SIGNS if len(set(signs)) == 1 else None
    word = _STARTS_WITH.match(comment) or _ENDS_WITH.search(comment[-40:])
    return bool(word[2]) if word else None
