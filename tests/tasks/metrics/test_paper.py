"""The release's two scorers: cases worked out by hand, and a second implementation of the rules."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import pytest
from _pytest.mark import ParameterSet
from hypothesis import given, settings
from hypothesis import strategies as st

from lmms_humansense.tasks.humansense.metrics.paper import ReleaseCredit, release_credit
from lmms_humansense.tasks.humansense.prompts import Pattern, Style


def plain(response: str, pattern: Pattern, answer: str) -> float | None:
    """The credit by the plain scorer, which never stops at a response."""
    found = release_credit(response, pattern, answer)
    assert found.crash == ""
    return found.value


LEFT_OUT = None

# response, annotated answer, credit, why
SINGLE: list[tuple[str, str, float | None, str]] = [
    ("A", "A", 1, "equal first characters"),
    ("B", "A", 0, "other first character"),
    ("a", "A", 1, "lower-case response"),
    ("A", "a", 1, "lower-case answer"),
    ("e", "E", 1, "fifth option"),
    ("A.", "A", 1, "what follows the first character does not count"),
    ("A) Happy", "A", 1, "bracket after the letter"),
    ("A. Afraid", "A", 1, "text of another option after the letter"),
    ("ABCD", "A", 1, "all letters, right one first"),
    ("D or A", "A", 0, "right letter not first"),
    ("apple", "A", 1, "a word that starts with the letter"),
    ("Answer: B", "A", 1, "the A of Answer"),
    ("Answer: B", "B", 0, "the A of Answer is not B"),
    ("Based on audio, C", "C", 0, "the B of Based"),
    ("Based on audio, C", "B", 1, "the B of Based is taken for the answer"),
    ("The answer is A", "A", 0, "the T of The"),
    ("Definitely B", "D", 1, "the D of Definitely"),
    ("not A", "A", 0, "n is not A"),
    (" A", "A", 0, "a space comes first"),
    ("\nA", "A", 0, "a newline comes first"),
    ("\tA", "A", 0, "a tab comes first"),
    ("(A)", "A", 0, "a bracket comes first"),
    ("**A**", "A", 0, "markdown comes first"),
    ('"A"', "A", 0, "a quotation mark comes first"),
    ("<answer>A</answer>", "A", 0, "the plain scorer knows no tags"),
    (r"\boxed{A}", "A", 0, "a backslash comes first"),
    ("\ufeffA", "A", 0, "a byte order mark comes first"),
    ("Ａ", "A", 0, "full-width letter"),
    ("А", "A", 0, "Cyrillic letter"),
    ("Á", "A", 0, "letter with an accent"),
    ("答案是A", "A", 0, "Chinese before the letter"),
    ("1", "A", 0, "a digit"),
    (".", "A", 0, "a full stop is a response"),
    (" ", "A", 0, "a space is a response"),
    ("\n", "A", 0, "a newline is a response"),
    ("A", "A. Happy", 1, "answer annotated with its text"),
    ("a) happy", "A. Happy", 1, "answer annotated with its text, lower-case response"),
    ("Happy", "A. Happy", 0, "the text without the letter"),
    ("", "A", LEFT_OUT, "empty response"),
]

COUNT: list[tuple[str, str, float | None, str]] = [
    ("4", "4", 1, "the digit"),
    ("3", "4", 0, "another digit"),
    ("0", "0", 1, "none"),
    ("4.", "4", 1, "what follows the first character does not count"),
    ("4 people", "4", 1, "words after the digit"),
    ("4 or 5", "4", 1, "two numbers, right one first"),
    ("5 or 4", "4", 0, "two numbers, right one second"),
    ("3.5", "3", 1, "first character of a decimal"),
    ("7th", "7", 1, "first character of an ordinal"),
    ("1,000", "1", 1, "first character of a thousand"),
    ("10", "10", 0, "10 can never be right"),
    ("10.", "10", 0, "10 can never be right, with a full stop"),
    ("ten", "10", 0, "10 can never be right, as a word"),
    ("1", "10", 0, "1 is not 10"),
    ("10", "1", 1, "the 1 of 10"),
    ("100", "1", 1, "the 1 of 100"),
    ("12", "12", 0, "no number of two digits can be right"),
    ("00", "0", 1, "the first 0"),
    ("04", "4", 0, "the 0 of 04"),
    ("four", "4", 0, "a word cannot be read"),
    ("A", "4", 0, "a letter cannot be read"),
    ("There are 4", "4", 0, "T cannot be read"),
    (" 4", "4", 0, "a space cannot be read"),
    ("\n4", "4", 0, "a newline cannot be read"),
    ("-4", "4", 0, "a minus cannot be read"),
    ("+4", "4", 0, "a plus cannot be read"),
    (".4", "4", 0, "a full stop cannot be read"),
    ("(4)", "4", 0, "a bracket cannot be read"),
    ("**4**", "4", 0, "markdown cannot be read"),
    ("<answer>4</answer>", "4", 0, "the plain scorer knows no tags"),
    ("_4", "4", 0, "an underscore cannot be read"),
    ("４", "4", 1, "int() reads a full-width digit"),
    ("٤", "4", 1, "int() reads an Arabic-Indic digit"),
    ("²", "2", 0, "int() does not read a superscript"),
    ("④", "4", 0, "int() does not read a circled digit"),
    ("四", "4", 0, "int() does not read a Chinese numeral"),
    (" ", "4", 0, "a space is a response"),
    (".", "4", 0, "a full stop is a response"),
    ("", "4", LEFT_OUT, "empty response"),
    ("", "10", LEFT_OUT, "empty response, answer 10"),
]

YESNO: list[tuple[str, str, float | None, str]] = [
    ("Yes", "Yes", 1, "equal"),
    ("No", "No", 1, "equal"),
    ("No", "Yes", 0, "other word"),
    ("yes", "Yes", 1, "lower-case response"),
    ("YES", "yes", 1, "upper-case response, lower-case answer"),
    ("Yes.", "Yes", 1, "full stop removed"),
    ("  Yes . ", "Yes", 1, "spaces and full stop removed"),
    ("y.e.s", "Yes", 1, "full stops removed everywhere"),
    ("N o", "No", 1, "spaces removed everywhere"),
    ("Yes!", "Yes", 0, "an exclamation mark stays"),
    ("Yes,", "Yes", 0, "a comma stays"),
    ("Yes。", "Yes", 0, "a Chinese full stop stays"),
    ("Yes\n", "Yes", 0, "a newline stays"),
    ("\tYes", "Yes", 0, "a tab stays"),
    ("Yes\u00a0", "Yes", 0, "a no-break space stays"),
    ("Yes, the child lies.", "Yes", 0, "words after the answer"),
    ("Yes No", "Yes", 0, "both words"),
    ("Y", "Yes", 0, "a part of the word"),
    ("True", "Yes", 0, "a synonym"),
    ("(yes)", "Yes", 0, "brackets stay"),
    ("\n", "Yes", 0, "a newline is a response"),
    ("", "Yes", LEFT_OUT, "empty response"),
    (".", "Yes", LEFT_OUT, "nothing left after removing the full stop"),
    (" ", "Yes", LEFT_OUT, "nothing left after removing the space"),
    (" . .. ", "No", LEFT_OUT, "nothing left after removing both"),
]

MULTI: list[tuple[str, str, float | None, str]] = [
    ("ABD", "ABD", 1, "all letters"),
    ("abd", "ABD", 1, "lower-case response"),
    ("ABD", "abd", 1, "lower-case answer"),
    ("DBA", "ABD", 1, "another order"),
    ("AABBDD", "ABD", 1, "letters twice"),
    ("A", "A", 1, "one letter"),
    ("ABCD", "ABCD", 1, "all four letters"),
    ("AB", "ABD", 0.5, "a letter missing"),
    ("D", "ABD", 0.5, "two letters missing"),
    ("DD", "ABD", 0.5, "one letter twice, two missing"),
    ("ABC", "ABD", 0, "a wrong letter"),
    ("C", "ABD", 0, "only a wrong letter"),
    ("ABCD", "ABD", 0, "all right letters and a wrong one"),
    ("ABDE", "ABD", 0, "a letter that the question has not"),
    ("A,B,D", "ABD", 1, "commas removed from the response"),
    ("A.B.D.", "ABD", 1, "full stops removed from the response"),
    ("ABD.", "ABD", 1, "last full stop removed"),
    (",A,.B", "ABD", 0.5, "full stops and commas removed, a letter missing"),
    ("A, B, D", "ABD", 0, "spaces stay and are not in the answer"),
    ("ABD ", "ABD", 0, "a space at the end stays"),
    (" ABD", "ABD", 0, "a space at the start stays"),
    ("ABD\n", "ABD", 0, "a newline stays"),
    ("A\nB\nD", "ABD", 0, "newlines stay"),
    ("A;B;D", "ABD", 0, "semicolons stay"),
    ("A/B/D", "ABD", 0, "slashes stay"),
    ("A，B，D", "ABD", 0, "full-width commas stay"),
    ("A、B、D", "ABD", 0, "Chinese commas stay"),
    ("(A)(B)(D)", "ABD", 0, "brackets stay"),
    ("A and B", "AB", 0, "words stay"),
    ("A. Glasses", "A", 0, "text after the letter"),
    ("Answer: AC", "AC", 0, "text before the letters"),
    ("<answer>AC</answer>", "AC", 0, "the plain scorer knows no tags"),
    ("ＡＣ", "AC", 0, "full-width letters"),
    ("АС", "AC", 0, "Cyrillic letters"),
    ("None", "AC", 0, "a word"),
    ("A,C", "A,C", 0.5, "the answer's comma is removed from the response, so it is missing"),
    ("AC", "A,C", 0.5, "the answer's comma is missing"),
    ("A", "A,C", 0.5, "comma and letter missing"),
    ("A,B", "A,C", 0, "a wrong letter beside a comma"),
    ("A, C", "A,C", 0, "a space that the answer has not"),
    ("A, C", "A, C", 0.5, "the answer's space is there, its comma never"),
    ("AC", "A, C", 0.5, "the answer's comma and space are missing"),
    ("A C", "A C", 1, "the answer's space is there"),
    ("C A", "A C", 1, "the answer's space is there, another order"),
    ("AC", "A C", 0.5, "the answer's space is missing"),
    ("A  C", "A C", 1, "the answer's space twice"),
    ("A C", "AC", 0, "a space that the answer has not"),
    ("A;C", "A;C", 1, "the answer's semicolon is there"),
    ("AC", "A;C", 0.5, "the answer's semicolon is missing"),
    ("A,C", "A.C", 0.5, "the answer's full stop can never be there"),
    (" ", "AC", 0, "a space is a response"),
    (" ", "A C", 0.5, "a space that the answer has"),
    ("., ", "AC", 0, "the space that remains is a response"),
    ("\n", "AC", 0, "a newline is a response"),
    ("", "AC", LEFT_OUT, "empty response"),
    (".", "AC", LEFT_OUT, "nothing left after removing the full stop"),
    (",", "A,C", LEFT_OUT, "nothing left after removing the comma"),
    (".,.,", "AC", LEFT_OUT, "nothing left after removing both"),
]


def table() -> list[ParameterSet]:
    patterns: dict[Pattern, list[tuple[str, str, float | None, str]]] = {
        "single": SINGLE,
        "count": COUNT,
        "yesno": YESNO,
        "multi": MULTI,
    }
    return [
        pytest.param(response, pattern, answer, expected, id=f"{pattern}: {response!a} for {answer!a}, {why}")
        for pattern, rows in patterns.items()
        for response, answer, expected, why in rows
    ]


@pytest.mark.parametrize(("response", "pattern", "answer", "expected"), table())
def test_plain_scorer_gives(response: str, pattern: Pattern, answer: str, expected: float | None) -> None:
    given_credit = plain(response, pattern, answer)
    assert given_credit == expected
    assert given_credit is None or type(given_credit) is float


# The rules a second time, from the other side: the form that a response must have to get a credit.

LETTERS = st.sampled_from("ABCDE")
RESPONSES = st.one_of(
    st.text(max_size=12),
    st.text("ABCDEabcde.,;: \n1\u00c4", max_size=8),
    st.text("0123456789 .-+x٤²", max_size=4),
    st.text("yesnoYESNO. ", max_size=6),
)
MANY = settings(max_examples=200, deadline=None)


@MANY
@given(RESPONSES, LETTERS)
def test_single_choice_is_right_exactly_when_it_begins_with_the_letter(response: str, answer: str) -> None:
    right = response.startswith((answer.lower(), answer.upper()))
    assert plain(response, "single", answer) == (float(right) if response else None)


@MANY
@given(RESPONSES, st.integers(0, 20))
def test_count_is_right_exactly_when_its_first_character_is_the_answers_digit(response: str, answer: int) -> None:
    digit = unicodedata.decimal(response[0], None) if response else None
    assert plain(response, "count", str(answer)) == (float(digit == answer) if response else None)


@MANY
@given(st.text(max_size=6), st.integers(10, 99))
def test_count_of_two_digits_can_never_be_right(tail: str, answer: int) -> None:
    assert plain(f"{answer}{tail}", "count", str(answer)) == 0


@MANY
@given(RESPONSES, st.sampled_from(["Yes", "No", "yes", "NO"]))
def test_yes_or_no_is_right_exactly_when_only_stops_and_spaces_surround_its_letters(response: str, answer: str) -> None:
    letters = [character for character in response if character not in ". "]
    right = len(letters) == len(answer) and all(
        character in (letter.lower(), letter.upper()) for character, letter in zip(letters, answer, strict=True)
    )
    assert plain(response, "yesno", answer) == (float(right) if letters else None)


@MANY
@given(RESPONSES, st.sets(LETTERS, min_size=1), st.sampled_from(["", ",", ", ", " ", ";"]))
def test_multi_select_compares_the_characters_as_sets(response: str, letters: set[str], joint: str) -> None:
    answer = joint.join(sorted(letters))
    said, right = set(response.lower()) - {".", ","}, set(answer.lower())
    expected = None if not said else 0.0 if said - right else 0.5 if right - said else 1.0
    assert plain(response, "multi", answer) == expected


@MANY
@given(RESPONSES, st.sampled_from(["single", "count", "yesno", "multi"]))
def test_case_of_the_response_never_matters(response: str, pattern: Pattern) -> None:
    ascii_only = response.encode("ascii", "ignore").decode()
    answer = {"single": "B", "count": "4", "yesno": "No", "multi": "BD"}[pattern]
    upper, lower = (plain(form, pattern, answer) for form in (ascii_only.upper(), ascii_only.lower()))
    assert upper == lower


@MANY
@given(st.text(), st.sampled_from(["single", "count", "yesno", "multi"]))
def test_plain_scorer_gives_nothing_but_its_credits(response: str, pattern: Pattern) -> None:
    answer = {"single": "B", "count": "4", "yesno": "No", "multi": "BD"}[pattern]
    assert plain(response, pattern, answer) in ((None, 0, 0.5, 1) if pattern == "multi" else (None, 0, 1))


# The think scorer.

OPTIONS = ("A. Happy", "B. Afraid, sad", "C. Angry", "D. Sad. Very", "E. Calm")
CRASH = "crash"


def tagged(text: str) -> str:
    return f"<think>A or B</think><answer>{text}</answer>"


# response, annotated answer, credit (or that the release's code stops, which is worth 0), why
THINK_SINGLE: list[tuple[str, str, float | str | None, str]] = [
    (tagged("B"), "B", 1, "the letter alone"),
    (tagged(" b\n"), "B", 1, "space around it and case do not matter"),
    (tagged("A"), "B", 0, "another letter"),
    (tagged("B."), "B", 1, "the letter and a full stop"),
    (tagged("B. Calm"), "B", 1, "the letter counts whatever follows"),
    (tagged("A. Afraid, sad"), "B", 1, "another letter with the right text"),
    (tagged("A. afraid sad."), "B", 1, "the right text without its marks"),
    (tagged("A. Calm"), "B", 0, "neither letter nor text"),
    (tagged("Afraid, sad"), "B", 1, "the text alone"),
    (tagged("AFRAID， SAD."), "B", 1, "the text in other marks and case"),
    (tagged("sad very"), "D", 1, "a full stop within the option's text"),
    (tagged("Happy"), "B", 0, "another text"),
    (tagged("(B)"), "B", 0, "brackets"),
    (tagged("B) Afraid"), "B", 0, "a bracket after the letter"),
    (tagged("B Afraid, sad"), "B", 0, "no full stop after the letter"),
    (tagged("B,"), "B", 0, "a comma after the letter: neither letter, nor text"),
    (tagged("Answer: B"), "B", 0, "words before the letter"),
    (tagged("AB"), "A", 0, "two letters"),
    (tagged("E"), "E", 0, "E alone can never be right"),
    (tagged("E. Calm"), "E", 0, "nor with its text"),
    (tagged("Calm"), "E", 1, "the text of E alone"),
    (tagged("A. Calm"), "E", 1, "the text of E after a letter that is known"),
    (tagged(""), "B", 0, "an empty tag is another text"),
    (tagged("B") + tagged("A"), "B", 1, "the first tag counts"),
    (tagged("A") + tagged("B"), "B", 0, "the second does not"),
    ("<answer>B", "B", 0, "a tag without an end: the first character of all"),
    ("<Answer>B</Answer>", "B", 0, "other case is no tag"),
    ("<answer>\nB\n</answer>", "B", 1, "newlines in the tag"),
    ("B", "B", 1, "no tag: the first character"),
    ("Because he smiles", "B", 1, "no tag: the B of Because"),
    ("The answer is B", "B", 0, "no tag: the T of The"),
    ("E", "E", 0, "no tag: E can never be right"),
    (" B", "B", 0, "no tag: a space comes first"),
    ("<think>A</think> B", "B", 0, "no answer tag: the bracket of think"),
    (tagged("B"), "B. Afraid, sad", 1, "answer annotated with its text"),
    ("", "B", LEFT_OUT, "empty response"),
]

THINK_COUNT: list[tuple[str, str, float | str | None, str]] = [
    (tagged("4"), "4", 1, "the digit"),
    (tagged(" 4 people "), "4", 1, "words after the digit"),
    (tagged("5"), "4", 0, "another digit"),
    (tagged("10"), "10", 0, "10 can never be right"),
    (tagged("10"), "1", 1, "the 1 of 10"),
    (tagged("four"), "4", CRASH, "a letter where a digit should be"),
    (tagged(""), "4", CRASH, "an empty tag"),
    (tagged("  "), "4", CRASH, "a tag with spaces only"),
    (tagged("-4"), "4", CRASH, "a minus where a digit should be"),
    ("4", "4", 1, "no tag: the first character"),
    ("<answer>4", "4", CRASH, "no tag: a bracket where a digit should be"),
    ("There are 4", "4", CRASH, "no tag: a letter where a digit should be"),
    ("", "4", LEFT_OUT, "empty response"),
]

THINK_YESNO: list[tuple[str, str, float | str | None, str]] = [
    (tagged("Yes"), "Yes", 0, "with a tag the whole response is compared"),
    ("Yes", "Yes", LEFT_OUT, "without a tag there is no rule"),
    ("", "Yes", LEFT_OUT, "empty response"),
]

THINK_MULTI: list[tuple[str, str, float | str | None, str]] = [
    (tagged("ABD"), "ABD", 1, "all letters"),
    (tagged("d, b, a."), "ABD", 1, "marks, spaces, case and order do not matter"),
    (tagged("A，B，D"), "ABD", 1, "nor do full-width commas"),
    (tagged("A, D"), "ABD", 0.5, "a letter missing"),
    (tagged("A, C"), "ABD", 0, "a wrong letter"),
    (tagged("A and D"), "AD", 0, "words"),
    (tagged("A\nD"), "AD", 0, "a newline in the tag stays"),
    (tagged("AC"), "A, C", 1, "marks are removed from the answer, too"),
    (tagged(""), "AC", 0.5, "an empty tag has no wrong letter"),
    ("A, D", "AD", 1, "no tag: marks and spaces removed"),
    ("A\nD", "AD", 1, "no tag: newlines removed"),
    ("A\tD", "AD", 0, "no tag: a tab stays"),
    (" ", "AD", 0.5, "no tag: nothing is left, and nothing is wrong"),
    ("", "AD", LEFT_OUT, "empty response"),
]


def think_table() -> list[ParameterSet]:
    patterns: dict[Pattern, list[tuple[str, str, float | str | None, str]]] = {
        "single": THINK_SINGLE,
        "count": THINK_COUNT,
        "yesno": THINK_YESNO,
        "multi": THINK_MULTI,
    }
    return [
        pytest.param(response, pattern, answer, expected, id=f"{pattern}: {response!a} for {answer!a}, {why}")
        for pattern, rows in patterns.items()
        for response, answer, expected, why in rows
    ]


@pytest.mark.parametrize(("response", "pattern", "answer", "expected"), think_table())
def test_think_scorer_gives(response: str, pattern: Pattern, answer: str, expected: float | str | None) -> None:
    found = release_credit(response, pattern, answer, OPTIONS, "think")
    assert found.value == (0 if expected == CRASH else expected)
    assert bool(found.crash) == (expected == CRASH)


@pytest.mark.parametrize(
    ("answer", "options", "reason"),
    [
        ("B", ("A. Yes", "B No"), "the right option has no full stop after its letter"),
        ("C", ("A. Yes", "B. No"), "the right answer is none of the options"),
        ("F", ("A. 1", "B. 2", "C. 3", "D. 4", "E. 5", "F. 6"), "the right answer is none of the options"),
    ],
)
@pytest.mark.parametrize("response", ["B", tagged("B"), tagged("No"), "x"])
def test_a_question_at_which_the_think_scorer_stops_is_worth_nothing(
    response: str, answer: str, options: Sequence[str], reason: str
) -> None:
    assert release_credit(response, "single", answer, options, "think") == ReleaseCredit(0.0, reason)


def test_a_wrong_option_without_a_full_stop_does_no_harm() -> None:
    assert release_credit("<answer>B</answer>", "single", "B", ("A Yes", "B. No"), "think") == ReleaseCredit(1.0)


# All rules of both scorers a second time, on anything.

MARKS = (".", ",", "，")
ANSWERS = {
    "single": st.sampled_from(["A", "b", "C", "D", "E", "B. Afraid"]),
    "count": st.integers(0, 12).map(str),
    "yesno": st.sampled_from(["Yes", "no"]),
    "multi": st.sampled_from(["AC", "A,C", "A, C", "ABCD", "d", "A，C"]),
}
CHOICES = st.sampled_from([
    OPTIONS,
    ("A. Happy", "B. Afraid"),
    ("A Happy", "B. Afraid", "C Angry", "D. Sad"),
    ("A. a", "B. b.", "C. c, c", "D. "),
])  # fmt: skip
SAID = st.one_of(
    RESPONSES,
    st.sampled_from([*"abcdeABCDE", *OPTIONS, *(option[3:] for option in OPTIONS)]),
    st.builds("{}. {}".format, st.sampled_from("abcde"), st.sampled_from([option[3:] for option in OPTIONS])),
)
WRAPPED = st.builds(
    "{}<answer>{}{}</answer>{}".format,
    st.sampled_from(["", "<think>A</think>", "B ", "</answer>"]),
    st.sampled_from(["", " ", "\n"]),
    SAID,
    st.sampled_from(["", "\n", "<answer>A</answer>"]),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, Pattern, str, tuple[str, ...]]:
    pattern: Pattern = draw(st.sampled_from(["single", "count", "yesno", "multi"]))
    options = draw(CHOICES) if pattern in ("single", "multi") else ()
    return draw(st.one_of(SAID, WRAPPED, SAID.map("<answer>".__add__))), pattern, draw(ANSWERS[pattern]), options


def plain_again(response: str, pattern: Pattern, answer: str) -> tuple[float | None, bool]:
    kept = {"multi": ".,", "yesno": ". "}.get(pattern, "")
    said = [character for character in response if character not in kept]
    if not said:
        return None, False
    if pattern == "single":
        return float(response.startswith((answer[0].lower(), answer[0].upper()))), False
    if pattern == "count":
        return float(unicodedata.decimal(response[0], None) == int(answer)), False
    if pattern == "yesno":
        return float("".join(said).lower() == answer.lower()), False
    return set_credit({*"".join(said).lower()}, {*answer.lower()}), False


def think_again(response: str, pattern: Pattern, answer: str, options: Sequence[str]) -> tuple[float | None, bool]:
    inside, has_tag = inside_tag(response)
    if not response or (pattern == "yesno" and not has_tag):
        return None, False
    if pattern == "yesno":
        return 0.0, False
    if pattern == "multi":
        ignored = {*MARKS, " "} | (set() if has_tag else {"\n"})
        return set_credit({*inside.lower()} - ignored, {*answer.lower()} - {*MARKS, " "}), False
    if pattern == "count":
        digit = unicodedata.decimal(inside[0], None) if inside else None
        return float(digit == int(answer)), digit is None
    texts = dict(zip("abcde", options, strict=False))
    right = answer[0].lower()
    if "." not in texts.get(right, ""):
        return 0.0, True
    said = (inside if has_tag else inside[0]).strip().lower()
    text = texts[right][texts[right].index(".") + 1 :].strip().lower()
    letter = re.match(r"[a-d](?=\.|\Z)", said)
    if letter and letter.group() == right:
        return 1.0, False
    if letter and letter.end() == len(said):
        return 0.0, False
    rest = said[letter.end() + 1 :].strip() if letter else said
    return float([c for c in rest if c not in MARKS] == [c for c in text if c not in MARKS]), False


def inside_tag(response: str) -> tuple[str, bool]:
    _, opening, after = response.partition("<answer>")
    inside, closing, _ = after.partition("</answer>")
    return (inside.strip(), True) if opening and closing else (response, False)


def set_credit(said: set[str], right: set[str]) -> float:
    return 0.0 if said - right else 0.5 if right - said else 1.0


def check(style: Style, case: tuple[str, Pattern, str, tuple[str, ...]]) -> None:
    response, pattern, answer, options = case
    found = release_credit(response, pattern, answer, options, style)
    again = plain_again(response, pattern, answer) if style == "plain" else think_again(*case)
    assert (found.value, bool(found.crash)) == again


@pytest.mark.parametrize("style", ["plain", "think"])
@settings(max_examples=1_000, deadline=None)
@given(case=cases())
def test_rules_stated_twice_agree(style: Style, case: tuple[str, Pattern, str, tuple[str, ...]]) -> None:
    check(style, case)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["plain", "think"])
@settings(max_examples=100_000, deadline=None)
@given(case=cases())
def test_rules_stated_twice_agree_on_a_hundred_thousand_cases(
    style: Style, case: tuple[str, Pattern, str, tuple[str, ...]]
) -> None:
    check(style, case)
