"""What the clauses of a response give as the answer, and which of several verdicts counts. Standard library only.

A sentence is split into clauses. A clause gives an answer if a word in it announces one ("the answer is B", "B fits
best", "so B"), or if it is nothing but a mention, and if no word keeps it from that: a denial, a condition, a guess,
what others think, an example. What is mentioned may be options or numbers: the words around them are the same.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .languages import (
    BECAUSE,
    BUT,
    CANNOT,
    ENGLISH_PICKS,
    EXAMPLE,
    FINAL,
    GLUE,
    IF,
    MAYBE,
    NOT,
    OTHERS,
    PICK,
    SO,
    WAIT,
)
from .tokens import LETTER, MENTION, MENTIONS, NO_OPTION, TEXT, Token, roles, split

STRONG, WEAK = 2, 1
"""Whether a verdict is announced as an answer or stands alone; or is a conclusion ("so B"), or behind any label."""

# Patterns of roles, see `languages`. In front of a mention:
_ANNOUNCED = re.compile(r"[APF<][^mtb]*?(?<=[ARPFVOSgEk:<(\[&\-])$|R[^mtbw]*$|R[^mtb]*V[gVO]*$|[AF:][^mtb]*$")
_CONCLUDED = re.compile(r"S[^mtb]*?(?<=[SVOgARPF:(\-])$")
_SUBJECT = re.compile(r"(?:^|[gOSxFVD:&(\[,;])$")
_ONLY_BEFORE = re.compile(r"[gOVARSPFBx:&(\[<\-✓#D,;]*")
# Behind a mention: its end, or what makes it right ("is the answer", "fits best", "를 선택합니다").
_ENDS = re.compile(r"[gOVP)\]>.!,\n]*$|[gVO]*[RASF]|[)\]>]*[-:(%.]")
_SAYS_ANSWER = re.compile(r"[ARP][gO]*V[^mtbN]*[mtb]$")
_ENDS_CLAUSE = re.compile(r"[gO)\]>]*[.!,;:\n]*$")
_CALLED_RIGHT = re.compile(
    r"[)\]>]*(?:[gO,]*(?:V[gVO,]*[RAPF]|[RF]|g+AV|P[gV]*[.!\n]*$)|[gO,]*[^mtbNMTRA]{1,10}V[gVOS,]*[RAF])"
)
_DOES_BEST = re.compile(r"w[^mtbNMTAV]{0,4}R[gw]{0,2}[.,!\n]*$")  # "captures it best"; of letters only
_ONLY_BEHIND = re.compile(r"[gO)\]>.:!✓\-\n…/]*V?[.!\n]*")

_BREAKS, _OPENS, _CLOSES = ",;([<", "([<", ")]>"
_LIGHT = "gO&,|.x:()[]\"'<>-;!\n"
"""Roles of what says nothing by itself: a clause of it continues the one before ("not A, B or C")."""
_NEAR = 40
"""Tokens that are looked at behind an "and"."""
_MAKES = {"make", "makes", "making"}
_ME = {"i", "i'd", "i'll", "i'm", "we", "me", "we'd", "let's"}


@dataclass(frozen=True)
class Verdict:
    """What a clause gives as the answer.

    Attributes:
        start: Where its sentence begins in the text.
        place: Where the answer begins.
        end: Where the answer ends.
        answer: The answer; None if the clause leaves open which one is meant.
        strength: `STRONG` or `WEAK`.
        called: Whether the answer is called right, so that others may be right, too.
    """

    start: int
    place: int
    end: int
    answer: str | None
    strength: int = STRONG
    called: bool = False


def clauses(sentence: Sequence[Token]) -> list[list[Token]]:
    """The clauses of a sentence."""
    found: list[list[Token]] = [[]]
    for place, token in enumerate(sentence):
        current = found[-1]
        if current and _begins_clause(current, token, sentence[place + 1 : place + _NEAR]):
            found.append([])
        found[-1].append(token)
        if token.role in _CLOSES and any(one.role in _OPENS for one in found[-1]):
            found.append([])
    return [clause for clause in found if clause]


def _begins_clause(current: list[Token], token: Token, follows: Sequence[Token]) -> bool:
    if token.role == BECAUSE:
        return True
    if token.role in _BREAKS + BUT and roles(current).strip(_BREAKS):
        return True
    if not names_any(current):
        return False
    if token.role == SO:
        return current[-1].role not in "V&"  # but "is therefore right"
    if token.role == ":":
        said = roles(current)
        explains = bool(_SAYS_ANSWER.search(said)) and roles(follows[:1]) != NOT  # "It is B: he does not smile"
        return said[-1] not in MENTIONS or NOT in said or explains
    if token.role == NOT:
        return bool(re.match(r"N*[gO]*[mtb]", roles(follows[:5])))
    return token.role == "&" and _joins_clauses(roles(current), roles(follows))


def _joins_clauses(before: str, behind: str) -> bool:
    """Whether an "and" joins clauses, each with its verb, or begins a denial."""
    behind = re.split(r"[,;xB()]", behind, maxsplit=1)[0]
    whole = bool(re.search(r"[mtb].*[wVRNP]", before))
    return behind.startswith(NOT) or (whole and not behind.startswith("V") and bool(re.search("[mtbV]", behind)))


def names_any(tokens: Sequence[Token]) -> bool:
    """Whether any option is mentioned."""
    return any(token.role in MENTIONS for token in tokens)


def continues(clause: Sequence[Token]) -> bool:
    """Whether a clause only goes on with mentions, so that a denial before it holds for it, too."""
    said = roles(clause)
    return not said.strip(_LIGHT + MENTIONS) and said.lstrip(",;")[:1] not in BUT + ":"


def judged(sentence: Sequence[Token], single: bool, edge: bool) -> Iterator[Verdict]:
    """The verdicts of a sentence.

    Args:
        sentence: The tokens.
        single: Whether there is one answer only.
        edge: Whether the sentence is the first or the last one of its text, or a line of its own.

    Yields:
        What its clauses give as the answer.
    """
    said = roles(sentence)
    if said.endswith("?") or (said.endswith("…") and not edge) or EXAMPLE in said:
        return
    parts = [[token for token in part if token.role not in "\"'"] for part in clauses(sentence)]
    parts = [part for part in parts if roles(part).strip(".!?\n…,;")]
    alone = _may_stand_alone(parts, single) if edge and parts else ()
    supposed = bool(re.search(f"{MENTION}.*{IF}", said))
    blocked = announced = False
    lead = ""  # what announces an answer in clauses before ("The answer is, I think, B")
    for number, clause in enumerate(parts):
        inside = roles(clause)
        released = any(token.role == SO and "would" not in token.text for token in clause)
        supposed = IF in inside or (supposed and not released)
        if supposed:
            continue
        if not names_any(clause):
            blocked = blocked if inside[0] == BECAUSE else bool(re.search("N[gOVA:]*$", inside))
            lead += "" if re.search("[NMTU]", inside) else re.sub("[^ARPFS]", "", inside)
            continue
        blocked = blocked if continues(clause) else bool(re.search(r"[NMU]|T.*[mtb]", inside))
        if blocked:
            announced = announced or bool(re.search("[ARPFS]", inside))
            continue
        resumed = lead + ("A" if announced and BUT in inside and not inside.strip(_LIGHT + MENTIONS) else "")
        found = list(
            _verdicts(clause, resumed, single, sentence[0].start, number in alone and not _rivals(parts, number))
        )
        announced = announced or bool(found)
        yield from found


def _verdicts(clause: list[Token], lead: str, single: bool, start: int, alone: bool) -> Iterator[Verdict]:
    """The verdicts of a clause."""
    inside = roles(clause)
    light = not inside.strip(_LIGHT + MENTIONS)
    for place, token in enumerate(clause):
        if token.role not in MENTIONS or _third_person(clause[:place]):
            continue
        before = inside[:place] if inside[:place].strip(",gV") and not light else lead + inside[:place]
        behind = inside[place + 1 :]
        if any(one.text.lower() in ENGLISH_PICKS for one in clause[place + 1 :]):
            behind = behind.replace(PICK, "w")
        strength = _strength(token, clause[place - 1].text.lower() if place else "", before, behind, single)
        goes_on = any(one.text.lower() in ("is", "are") for one in clause[place + 1 :])  # "Statement D is", cut off
        if not strength and alone and not goes_on and _ONLY_BEFORE.fullmatch(before) and _ONLY_BEHIND.fullmatch(behind):
            strength = WEAK if token.either else STRONG
        listed = re.search("O[V:]", before) and not re.search("[ARPF]", before) and len(token.letters) > 2
        if strength and not listed:
            yield verdict(token, single, start, strength, bool(_CALLED_RIGHT.match(behind)))


def _strength(token: Token, last: str, before: str, behind: str, single: bool) -> int:
    """How strongly a mention is given as the answer by what stands before and behind it; 0 if it is not."""
    ends = token.role != LETTER or bool(_ENDS.match(behind))
    announced = ends and bool(_ANNOUNCED.search(before))
    one_letter = token.role != TEXT and len(token.letters) == 1
    called = _CALLED_RIGHT.match(behind) or (one_letter and _DOES_BEST.match(behind))
    right = bool((_SUBJECT.search(before) or last in _MAKES) and called)
    any_label = not re.search("[ARPF<]", before + behind)
    distant = token.role == TEXT and bool(re.search(r"w[^ARPF:]*$", before))
    if distant and not right and not _ENDS_CLAUSE.match(behind):
        return 0  # "The choice of music makes a sad scene lighter"
    if right or (announced and before[-1:] != "w"):
        return (0 if re.search(MENTION, before) else WEAK) if any_label else WEAK if distant else STRONG
    if ends and re.search(r"S[^mtb]*$", before) and (token.role != LETTER or _CONCLUDED.search(before)):
        return WEAK
    if single and last == "only" and behind.startswith("V"):
        return WEAK
    return WEAK if announced and not re.search(MENTION, before) else 0


def verdict(token: Token, single: bool, start: int, strength: int = STRONG, called: bool = False) -> Verdict:
    """The verdict of a mention; without an answer if it leaves open which one is meant.

    Args:
        token: The mention.
        single: Whether only one option may be chosen.
        start: Where the clause of the verdict begins in the text, in characters.
        strength: How sure the verdict is.
        called: Whether the clause calls it the answer.

    Returns:
        The verdict.
    """
    sure = not token.either and NO_OPTION not in token.letters and (not single or len(token.letters) == 1)
    return Verdict(start, token.start, token.end, "".join(sorted(token.letters)) if sure else None, strength, called)


def _third_person(before: Sequence[Token]) -> bool:
    """Whether somebody else chooses ("my friend would say B")."""
    for place, token in enumerate(before):
        if token.role == PICK and token.text.lower() in ENGLISH_PICKS:
            while place and before[place - 1].role == GLUE and before[place - 1].text.lower() not in _ME:
                place -= 1
            return place > 0 and before[place - 1].role in "wk"
    return False


def _may_stand_alone(parts: Sequence[Sequence[Token]], single: bool) -> tuple[int, ...]:
    """The clauses of a sentence that may be an answer by themselves: the first one, and the last that is no reason."""
    naming = [number for number, part in enumerate(parts) if names_any(part)]
    last = [number for number, part in enumerate(parts) if part[0].role != BECAUSE][-1:]
    ends = (0, *last) if single or len(naming) < 2 else ()
    return tuple(number for number in ends if roles(parts[number])[:1] != TEXT or stands(parts, number))


def _rivals(parts: Sequence[Sequence[Token]], number: int) -> bool:
    """Whether another clause names another option, without denying or taking it back."""
    own = {letter for token in parts[number] for letter in token.letters}
    others = [part for place, part in enumerate(parts) if place != number and not re.search("[NM]", roles(part))]
    taken_back = WAIT in roles([token for part in parts[1 : number + 1] for token in part])
    return not taken_back and any(set(token.letters) - own for part in others for token in part)


def stands(parts: Sequence[Sequence[Token]], number: int) -> bool:
    """Whether a text of an option that begins a sentence is more than an interjection ("Right, so let me see").

    Args:
        parts: The clauses of the text, as tokens.
        number: Which of them the text of an option is.

    Returns:
        Whether what follows it goes on as behind an answer.
    """
    follows = roles(parts[number + 1]) if number + 1 < len(parts) else BECAUSE
    return bool(re.match(r"[,;(\-]*[BNRx\-g]", follows))


def settle(tokens: Sequence[Token], verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict that counts: all agree, or the text takes the earlier ones back.

    Args:
        tokens: The tokens of the whole text.
        verdicts: The verdicts.

    Returns:
        The verdict; None if they contradict each other, or if the text takes back the last one.
    """
    places = {role: [token.start for token in tokens if token.role == role] for role in WAIT + FINAL + BUT}

    def said(role: str, start: int, end: int) -> bool:
        return any(start <= place <= end for place in places[role])

    counts: Verdict | None = None
    agreed = True
    for new in sorted(verdicts, key=lambda one: one.end):
        if counts and new.answer != counts.answer:
            finally_ = said(FINAL, new.start, new.end) and not said(FINAL, counts.start, counts.end)
            turned = new.strength == WEAK and said(BUT, counts.end, new.end)
            if said(WAIT, min(counts.end, new.start), new.end) or finally_:
                agreed = True
            elif new.strength < counts.strength:
                continue
            else:
                agreed = new.strength > counts.strength or (agreed and turned)
        agreed = agreed or bool(counts and new.strength > counts.strength)
        counts = new
    if not counts or not agreed or counts.answer is None or _open_again(tokens, counts):
        return None
    return counts


def _open_again(tokens: Sequence[Token], settled: Verdict) -> bool:
    """Whether the text goes back on its verdict, gives another option a chance, or breaks off amid a doubt."""
    after = [token for token in tokens if token.start >= settled.end]
    said = roles(after)
    if re.search(r"(?:^|[.!?…,;\n\-])[gx,&]*D", said) or re.search(r"[mtb]V\n*$", said):
        return True
    for clause in (clause for sentence in split(after) for clause in clauses(sentence)):
        inside = roles(clause)
        others = any(set(token.letters) - set(settled.answer or "") for token in clause)
        doubted = re.search(f"{MENTION}[gVO]*{MAYBE}|{MAYBE}.*{MENTION}", inside) or IF in inside
        if (
            others
            and OTHERS not in inside
            and ("|" in inside[:2] or (doubted and NOT not in inside and CANNOT not in inside))
        ):
            return True
    if settled.strength == WEAK and re.search(r"[.!?\n;]g?x", said):
        return True
    return bool(re.search(r"[.!?\n,]g*x", said)) and said[-1:] not in tuple('.!?…)>"') and len(after) > 8
