"""The release's plain scorer, worked out by hand and stated a second time, and the two credits of a response."""

from __future__ import annotations

import unicodedata

import pytest
from _pytest.mark import ParameterSet
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lmms_humansense.tasks.humansense.prompts import Pattern
from lmms_humansense.tasks.humansense.scoring import FAILURE_MARK, credit, gold, release_credit, score

OPTIONS = ["A. Happy", "B. Afraid", "C. Angry", "D. Sad"]
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
    given_credit = release_credit(response, pattern, answer)
    assert given_credit == expected
    assert given_credit is None or type(given_credit) is float


# The rules a second time, from the other side: what a response must look like to be worth something.

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
    assert release_credit(response, "single", answer) == (float(right) if response else None)


@MANY
@given(RESPONSES, st.integers(0, 20))
def test_count_is_right_exactly_when_its_first_character_is_the_answers_digit(response: str, answer: int) -> None:
    digit = unicodedata.decimal(response[0], None) if response else None
    assert release_credit(response, "count", str(answer)) == (float(digit == answer) if response else None)


@MANY
@given(st.text(max_size=6), st.integers(10, 99))
def test_count_of_two_digits_can_never_be_right(tail: str, answer: int) -> None:
    assert release_credit(f"{answer}{tail}", "count", str(answer)) == 0


@MANY
@given(RESPONSES, st.sampled_from(["Yes", "No", "yes", "NO"]))
def test_yes_or_no_is_right_exactly_when_only_stops_and_spaces_surround_its_letters(response: str, answer: str) -> None:
    letters = [character for character in response if character not in ". "]
    right = len(letters) == len(answer) and all(
        character in (letter.lower(), letter.upper()) for character, letter in zip(letters, answer, strict=True)
    )
    assert release_credit(response, "yesno", answer) == (float(right) if letters else None)


@MANY
@given(RESPONSES, st.sets(LETTERS, min_size=1), st.sampled_from(["", ",", ", ", " ", ";"]))
def test_multi_select_compares_the_characters_as_sets(response: str, letters: set[str], joint: str) -> None:
    answer = joint.join(sorted(letters))
    said, right = set(response.lower()) - {".", ","}, set(answer.lower())
    expected = None if not said else 0.0 if said - right else 0.5 if right - said else 1.0
    assert release_credit(response, "multi", answer) == expected


@MANY
@given(RESPONSES, st.sampled_from(["single", "count", "yesno", "multi"]))
def test_case_of_the_response_never_matters(response: str, pattern: Pattern) -> None:
    ascii_only = response.encode("ascii", "ignore").decode()
    answer = {"single": "B", "count": "4", "yesno": "No", "multi": "BD"}[pattern]
    upper, lower = (release_credit(form, pattern, answer) for form in (ascii_only.upper(), ascii_only.lower()))
    assert upper == lower


@MANY
@given(st.text(), st.sampled_from(["single", "count", "yesno", "multi"]))
def test_plain_scorer_gives_nothing_but_its_credits(response: str, pattern: Pattern) -> None:
    answer = {"single": "B", "count": "4", "yesno": "No", "multi": "BD"}[pattern]
    assert release_credit(response, pattern, answer) in ((None, 0, 0.5, 1) if pattern == "multi" else (None, 0, 1))


# What the release can score is text; a model that failed has said nothing.


@pytest.mark.parametrize("reason", ["", " out of memory", "\nB", " B"])
@pytest.mark.parametrize(
    ("pattern", "answer", "options"),
    [("single", "B", OPTIONS), ("multi", "BD", OPTIONS), ("count", "4", []), ("yesno", "No", [])],
)
def test_failure_is_left_out_of_paper_and_wrong_in_acc(
    reason: str, pattern: Pattern, answer: str, options: list[str]
) -> None:
    result = score(FAILURE_MARK + reason, pattern, answer, options)
    assert (result.failed, result.paper, result.acc, result.parsed, result.answered) == (True, None, 0, None, False)


def test_failure_mark_within_a_response_is_no_failure() -> None:
    result = score(f"B. {FAILURE_MARK}", "single", "B", OPTIONS)
    assert (result.failed, result.paper) == (False, 1)


@pytest.mark.parametrize(
    ("response", "pattern", "answer", "paper", "acc"),
    [
        pytest.param("B", "single", "B", 1, 1, id="both right"),
        pytest.param("A", "single", "B", 0, 0, id="both wrong"),
        pytest.param("The correct answer is (B)", "single", "B", 0, 1, id="letter not first"),
        pytest.param("Answer: B", "single", "A", 1, 0, id="the A of Answer"),
        pytest.param("", "single", "B", None, 0, id="empty: no item in paper, wrong in acc"),
        pytest.param("I cannot tell.", "single", "B", 0, 0, id="refusal"),
        pytest.param("B", "single", "B. Afraid", 1, 1, id="answer annotated with its text"),
        pytest.param("10", "count", "10", 0, 1, id="10 can be right in acc"),
        pytest.param("ten", "count", "10", 0, 1, id="number word"),
        pytest.param("4 or 5", "count", "4", 1, 0, id="two numbers"),
        pytest.param("", "count", "4", None, 0, id="empty count"),
        pytest.param("A, C", "multi", "A,C", 0, 1, id="separators do not matter in acc"),
        pytest.param("A,C", "multi", "AC", 1, 1, id="commas"),
        pytest.param("A", "multi", "A,C", 0.5, 0.5, id="a letter missing"),
        pytest.param("A, B", "multi", "ABD", 0, 0.5, id="a letter missing, with a space"),
        pytest.param("ABC", "multi", "ABD", 0, 0, id="a wrong letter"),
        pytest.param("", "multi", "ABD", None, 0, id="empty multi-select"),
        pytest.param("., ", "multi", "ABD", 0, 0, id="only marks"),
        pytest.param("Yes", "yesno", "Yes", 1, 1, id="yes"),
        pytest.param(".", "yesno", "Yes", None, 0, id="only a full stop"),
    ],
)
def test_score_puts_the_releases_credit_beside_ours(
    response: str, pattern: Pattern, answer: str, paper: float | None, acc: float
) -> None:
    result = score(response, pattern, answer, OPTIONS if pattern in ("single", "multi") else [])
    assert (result.paper, result.acc, result.failed) == (paper, acc, False)


@MANY
@given(st.text(max_size=30), st.sampled_from(["single", "count", "yesno", "multi"]))
@example("", "single")
def test_every_response_counts_in_acc(response: str, pattern: Pattern) -> None:
    answer = {"single": "B", "count": "4", "yesno": "No", "multi": "BD"}[pattern]
    result = score(response, pattern, answer, OPTIONS if pattern in ("single", "multi") else [])
    assert result.acc in (0, 0.5, 1)
    assert result.answered == (result.parsed is not None)
    assert result.answered or result.acc == 0


@pytest.mark.parametrize(
    ("parsed", "right", "expected"),
    [
        pytest.param("ABD", "ABD", 1, id="equal"),
        pytest.param("A", "A", 1, id="equal, one letter"),
        pytest.param("AB", "ABD", 0.5, id="proper subset"),
        pytest.param("D", "ABD", 0.5, id="proper subset, one letter"),
        pytest.param("ABCD", "ABD", 0, id="superset"),
        pytest.param("AC", "ABD", 0, id="a wrong letter"),
        pytest.param("C", "ABD", 0, id="only a wrong letter"),
        pytest.param("", "ABD", 0, id="empty set"),
        pytest.param(None, "ABD", 0, id="unparsed"),
    ],
)
def test_multi_select_credit_is_1_for_equal_and_half_for_a_proper_nonempty_subset(
    parsed: str | None, right: str, expected: float
) -> None:
    assert credit(parsed, right, "multi") == expected


@pytest.mark.parametrize(
    ("parsed", "right", "pattern", "expected"),
    [
        ("B", "B", "single", 1),
        ("A", "B", "single", 0),
        (None, "B", "single", 0),
        ("10", "10", "count", 1),
        ("1", "10", "count", 0),
        (None, "0", "count", 0),
        ("yes", "yes", "yesno", 1),
        ("no", "yes", "yesno", 0),
    ],
)
def test_other_credit_is_all_or_nothing(parsed: str | None, right: str, pattern: Pattern, expected: float) -> None:
    assert credit(parsed, right, pattern) == expected


@given(st.sets(LETTERS, min_size=1), st.sets(LETTERS, min_size=1))
def test_multi_select_credit_follows_the_sets(said: set[str], right: set[str]) -> None:
    expected = 1 if said == right else 0.5 if said.issubset(right) else 0
    assert credit("".join(sorted(said)), "".join(sorted(right)), "multi") == expected


@pytest.mark.parametrize(
    ("answer", "pattern", "expected"),
    [
        ("B", "single", "B"),
        ("b", "single", "B"),
        (" B. Afraid", "single", "B"),
        ("4", "count", "4"),
        ("10", "count", "10"),
        ("04", "count", "4"),
        ("ABD", "multi", "ABD"),
        ("A,B,D", "multi", "ABD"),
        ("A, B, D", "multi", "ABD"),
        ("D B A", "multi", "ABD"),
        ("abd", "multi", "ABD"),
        ("DAB", "multi", "ABD"),
        ("dab", "multi", "ABD"),
        ("Yes", "yesno", "yes"),
        ("No.", "yesno", "no"),
    ],
)
def test_annotated_answer_has_the_form_of_a_parsed_one(answer: str, pattern: Pattern, expected: str) -> None:
    assert gold(answer, pattern, OPTIONS if pattern in ("single", "multi") else []) == expected
