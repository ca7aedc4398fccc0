"""Reads the chosen options in a cleaned response. Standard library only."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .languages import ALL_OPTIONS, BECAUSE, BUT, CANNOT, CHOICE_ROLES, EXAMPLE, GLUE, IF, LINK, NAMED, NOT
from .lists import collapsed, is_cut_off, without_quotations
from .mentions import Letters, Mentions, bare
from .tokens import BOTH, LETTER, MENTIONS, NO_OPTION, TEXT, WORD, Token, group, is_spoken, roles, split, spoken
from .verdicts import CONCESSIONS, Verdict, clauses, continues, judged, names_any, settle, stands, third_person, verdict

_STARTS = re.compile(r"[^\w✓✗#]*(?:#[.):])?[gO(\[\"]*([mtb])[\"'\]>]*(?P<off>[).:\n\-(;!…]|B|,(?=[BgSPR]))")
_DENIED_NEXT = re.compile(r"[)\].]*[gV]*[NU%]|[VgO]*N|#%(?![gw]+\))|#\.?#?$|#/#")
"""Behind "B.", what makes it none: "is wrong", "60 %", "2/10"."""

_RANGE = re.compile(r"(?:options? )?\(?([A-Z])\)? (?:through|thru|to|bis|至|到) \(?([A-Z])\)?")
_ALL_BUT = re.compile(
    r"\W*(?:(?:the answers? (?:is|are)|select|choose)\W+)?(?:all|everything|every(?:one|body)|alle|tous|todas|tutte"
    r"|все)(?: of)?(?: the| them| these| four| options?| answers?){0,3}(?: (?:is|are) \w+)?"
    r" (?:except|but|apart from|other than|außer|sauf"
    r"|excepto|exceto|tranne|кроме)(?: for)? (?P<rest>[^,:;.\n]*)",
    re.IGNORECASE,
)
_UNREAL = {"would", "to be", "wäre", "würde", "serait", "sería", "seria", "sarebbe", "бы"}
_ARTICLES = {"a", "an", "the", "his", "her", "their", "its"}
_NOUNS = _ARTICLES | {"nobody", "both", "neither", "he", "she", "they", "everyone"}
_OWNERS = set(
    "his her their my your its son sa ses leur su sus sein seine seinen ihr ihre ihren suo sua seu его её ее их".split()
)
_PREPOSITIONS = {"about", "at", "of", "from", "to", "for", "by", "like"}
_QUALITIES = set(
    "emotion expression feeling mood sentiment tone attitude state manner relationship impression call".split()
)
_TITLES = set(
    "title word caption subtitle comment lyrics song film movie series show channel book band music weather dog"
    " cat".split()
)
_UNITS = {"second", "minute", "hour", "frame", "percent", "meter", "metre"}
_PERSONS = {"person", "man", "woman", "speaker", "individual"}
_PUT_AWAY = set("lie lies lying hang hangs hanging table wall floor shelf chair desk hook".split())
"""Words of sentences about things that are put away: no person in the clip wears or uses them."""
_WHO_IS = re.compile("B[^mtbNV]*Vg*[tb][.\n]*")  # "the one who laughs is the man"
_LACKS = re.compile("[&x]?N[gwk]{1,3}[.\n]*")
_ENDS = re.compile(r"g*[.!\n]*$")
_SMALL_WORDS = set("the a an and or of with is are in on to that his her their as at for which by from".split())


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
        self._mentions = Mentions(letters)
        self._words = {letter: set(bare(text).split()) - _SMALL_WORDS for letter, text in letters.items()}

    def answer(self, text: str) -> str | None:
        if self._several and (found := self._quantified(text)):
            return found
        tokens = group(without_quotations(self._mentions.tokens(text)))
        tokens = group(collapsed(tokens, set(self._letters), self._several))
        sentences = split(tokens)
        verdicts = [*self._judged(sentences), *self._start(tokens)]
        if self._several:
            verdicts = _together(verdicts)
        if verdicts:
            settled = settle(tokens, verdicts)
            return settled.answer if settled else None
        return self._named(tokens, sentences)

    # Verdicts

    def _judged(self, sentences: list[list[Token]]) -> Iterator[Verdict]:
        """The verdicts of all sentences."""
        said = [number for number, sentence in enumerate(sentences) if is_spoken(sentence)]
        for number in said:
            sentence = sentences[number]
            begins_line = number == 0 or sentences[number - 1][-1].role == "\n"
            ends_line = sentence[-1].role == "\n" or number == said[-1] or roles(sentences[number + 1]) == "\n"
            edge = number == said[-1] or (begins_line and ends_line)
            if not (len(said) > 1 and any(self._says(token) for token in sentence)):
                yield from judged(sentence, not self._several, edge)

    def _says(self, token: Token) -> bool:
        """Whether the text of an option may be what the model itself says to the person."""
        return token.role == TEXT and bool(set(token.letters) & self._mentions.asking)

    def _start(self, tokens: Sequence[Token]) -> Iterator[Verdict]:
        """The option with which a response begins, set off from what follows."""
        said = roles(tokens[:400])
        match = _STARTS.match(said[:60])
        if not match:
            return
        mention, off, behind = tokens[match.start(1)], match["off"], said[match.end() - 1 :]
        rest = tokens[match.end() :]
        sentence = roles(split(rest[:60])[0]) if rest else ""
        labels = re.findall(rf"(?:^|[.\n,;])[gO(\"]*[mb][\"')]*{re.escape(off)}", said)
        if re.match(r"[.:\-]*[mtb]", behind) or (off in ":.-)" and len(labels) > 1):
            return  # a list of the options: each has the same mark behind its letter
        if off in ":-(),.;" and _DENIED_NEXT.match(sentence):
            return
        if mention.role == TEXT and (off not in ".\n!(;B" or re.match('.?"[^\n]', behind)):
            return
        if self._says(mention) and re.search(r"\w", behind):
            return
        found = verdict(mention, not self._several, 0)
        if found.answer:
            yield found

    def _quantified(self, text: str) -> str | None:
        """The options of "all of the above", "A through C" and "all except D"."""
        letters = sorted(self._letters)
        said = text.strip(" .!。\n")
        if said.casefold() in ALL_OPTIONS:
            return "".join(letters)
        span = _RANGE.fullmatch(said)
        if span and {span[1], span[2]} <= set(letters) and span[1] < span[2]:
            return "".join(letter for letter in letters if span[1] <= letter <= span[2])
        rest = _ALL_BUT.match(text)
        tokens = self._mentions.tokens(rest["rest"]) if rest else []
        left_out = {letter for token in tokens for letter in token.letters}
        if not left_out or NO_OPTION in left_out or re.search("[NU]", roles(tokens)):
            return None
        return "".join(letter for letter in letters if letter not in left_out)

    # Without a place for an answer

    def _named(self, tokens: list[Token], sentences: list[list[Token]]) -> str | None:
        """The only option, or the options of a multi-select, that the first or the last sentence names by text."""
        said = spoken(sentences)
        if (
            not said
            or CANNOT in roles(tokens)
            or is_cut_off(tokens)
            or (self._several and not self._is_only_named(said))
        ):
            return None
        named = _Named(self._several, len(said) > 1, self._words, self._letters)
        for number, sentence in enumerate(said):
            inside = roles(sentence)
            unreal = any(token.text in _UNREAL for clause in clauses(sentence) if names_any(clause) for token in clause)
            if IF in inside or EXAMPLE in inside or inside.endswith("?") or unreal:
                if len(said) == 1:
                    return None
            elif not named.add(number, sentence, last=number > 0 and len(said) > 1):
                return None
        if not named.letters or NO_OPTION in named.letters or not {0, len(said) - 1} & named.places:
            return None
        if len(said) > 1 and all(roles(said[number]).endswith("!") for number in named.places):
            return None
        if self._several:
            every = len(named.letters) == len(self._letters) > 1
            return None if every else "".join(sorted(named.letters))
        return self._widest(min(named.letters), named.asserted, tokens) if len(named.letters) == 1 else None

    def _is_only_named(self, said: Sequence[Sequence[Token]]) -> bool:
        """Whether a text names options in its first sentence, and only denies some in the others."""
        return all(names_any(one) and NOT in roles(one) for one in said[1:]) and (len(said) < 2 or names_any(said[0]))

    def _widest(self, letter: str, asserted: Sequence[Token], tokens: Sequence[Token]) -> str | None:
        """The option, or a longer one whose words are all there, though not in a row ("green, a rather dark one")."""

        def longer(part: Sequence[Token]) -> list[str]:
            there = {word for token in part for word in token.text.casefold().split()} | self._words[letter]
            return [other for other, words in self._words.items() if self._words[letter] < words <= there]

        found = longer(asserted)
        if len(found) > 1 or (not found and longer(tokens)):
            return None
        return found[0] if found else letter


class _Named:
    """The options that sentences name by text.

    Attributes:
        letters: The options that are named and not denied.
        places: The numbers of the sentences that name them.
        asserted: The tokens of what is said and not denied.
    """

    def __init__(self, several: bool, of_many: bool, words: dict[str, set[str]], letters: Letters) -> None:
        self._several, self._of_many, self._words = several, of_many, words
        self._first = {letter: bare(text).partition(" ")[0] for letter, text in letters.items()}
        self.letters: set[str] = set()
        self.places: set[int] = set()
        self.asserted: list[Token] = []

    def add(self, number: int, sentence: Sequence[Token], last: bool) -> bool:
        """Add what a sentence names.

        Args:
            number: The number of the sentence.
            sentence: Its tokens.
            last: Whether it may only deny, if several options can be chosen.

        Returns:
            Whether the sentence leaves no doubt.
        """
        denies = False
        parts = clauses(sentence)
        for place, clause in enumerate(parts):
            inside = roles(clause)
            if not names_any(clause):
                turned = (NOT in inside and inside[0] != BECAUSE) or inside.strip(",")[:1] == BUT
                turned = turned and not self._leaves_it(clause)
                if number in self.places and turned:
                    return False
                self.asserted += [] if re.search("[NM]", inside) else clause
                continue
            denies = denies if continues(clause) else NOT in inside
            if denies or (self._several and self.letters and any(token.text == "only" for token in clause)):
                continue  # also "the father only nods"
            reason = inside[0] == BECAUSE and not _WHO_IS.fullmatch(inside)
            if reason or self._in_doubt(clause, last) or (inside == TEXT and not stands(parts, place)):
                return False
            self.asserted += clause
            for spot, token in enumerate(clause):
                if self._is_beside_the_point(token, clause[:spot], clause[spot + 1 :]):
                    return False
                self._add(number, token)
        return True

    def _leaves_it(self, clause: Sequence[Token]) -> bool:
        """Whether a clause behind a naming one says nothing against it ("although it is late", "but no hat")."""
        said = [token for token in clause if token.role != ","]
        return said[0].text.lower() in CONCESSIONS or (self._several and bool(_LACKS.fullmatch(roles(said))))

    def _in_doubt(self, clause: Sequence[Token], last: bool) -> bool:
        inside = roles(clause)
        if re.search(r"M|T.*[mtb]|[mtb]T", inside) or any(token.either for token in clause):
            return True
        if _of_the_model(clause) or any(token.text == "how" for token in clause):
            return True
        lies_there = any(token.text.lower() in _PUT_AWAY for token in clause)
        return self._several and (last or lies_there or (bool(self.letters) and inside[0] == ";"))

    def _is_beside_the_point(self, token: Token, before: Sequence[Token], behind: Sequence[Token]) -> bool:
        """Whether a text is mentioned in passing, as texts of one word often are.

        "The camera has a low angle", "tells the dog to lie down", "Fraud is a crime", 'The song "Happy"', "He has left
        the room", "talks about his friends". Of several sentences, one has to say no more than that text.
        """
        words = {word for letter in token.letters for word in self._words.get(letter, ())}
        if token.role not in MENTIONS:
            return False
        if third_person(before) and not re.search('[:"]', roles(before)):
            return True  # "The comments say they are friends"
        if token.role != TEXT or self._several:
            return False
        if self._of_many and not (re.search(r"(?:^|V)[gO]*$", roles(before)) and _ENDS.match(roles(behind))):
            return True
        if _is_of_something_else([one.text.lower() for one in before], [one.text.lower() for one in behind[:1]]):
            return True
        last = next((one.text.lower() for one in reversed(before) if one.text.lower() not in _ARTICLES), "")
        if last in _PREPOSITIONS and (last == "about" or not re.search("V[gwO]*$", roles(before))):
            return True
        if len(words) != 1 or min(words).isdecimal() or any(one.text in _QUALITIES for one in behind[:1]):
            return False
        first = self._first.get(min(token.letters), "")
        begins = first not in _NOUNS and not roles(before).strip("gV")
        called = any(one.text.lower() in _QUALITIES for one in behind[:5])  # "Joy is the main emotion"
        leads = "g*[Vw]" if not roles(before).strip("g") else "V"  # "Fraud is a crime", "Being afraid is normal"
        subject = begins and not called and re.match(leads, roles(behind))
        quoted = roles([*before[-1:], *behind[:1]]) == '""'
        follows = behind[1:] if roles(before).endswith("Vg") and behind and behind[0].text in _PERSONS else behind
        followed = follows and (follows[0].role in (WORD, NAMED) or follows[0].text in _ARTICLES)
        named = not before or before[-1].text.lower() not in ("a", "an")
        asked = named and first in _NOUNS - {"a", "an"} and not roles(before).strip("g")  # "The man speaks"
        aim = first == "to" and re.search("(?:^|V)g*$", roles(before))  # "Her aim is to warn him"
        followed = followed and not asked and not aim
        return bool(subject or quoted or followed)

    def _add(self, number: int, token: Token) -> None:
        if token.role in (TEXT, BOTH) or (self._several and token.role == LETTER):
            self.letters.update(token.letters)
            self.places.add(number)


def _is_of_something_else(before: Sequence[str], behind: Sequence[str]) -> bool:
    """Whether the words around a text tell of another person or thing, or what somebody has.

    "The man next to him is sad", "The song is called Happy", "30 seconds", "She greets her friends".
    """
    nouns = [said.removesuffix("'s") for said in before if CHOICE_ROLES[0].get(said) != GLUE]
    measured = any(said.removesuffix("s") in _UNITS for said in behind)
    links = CHOICE_ROLES[0].get(before[-1]) == LINK if before else False
    of_another = links and before[-2:-1] and before[-2] in ("him", "her", "them")
    owned = before and before[-1] in _OWNERS and LINK not in map(CHOICE_ROLES[0].get, before)
    return bool(measured or of_another or owned or (nouns and nouns[0] in _TITLES))


def _of_the_model(clause: Sequence[Token]) -> bool:
    """Whether the model speaks of itself ("I'm happy to help")."""
    return any(
        token.role in MENTIONS and clause[place].text.lower() in ("i'm", "am") for place, token in enumerate(clause[1:])
    )


def _together(verdicts: list[Verdict]) -> list[Verdict]:
    """The verdicts of a multi-select with the options that single sentences call right as one."""
    called = [verdict for verdict in verdicts if verdict.called and verdict.answer]
    if len(called) < 2:
        return verdicts
    letters = "".join(sorted({letter for verdict in called for letter in verdict.answer or ""}))
    return [*(one for one in verdicts if one not in called), replace(called[-1], answer=letters)]
