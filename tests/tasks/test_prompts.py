"""The prompts, frozen as files that were written by hand.

There is no way to refresh the snapshots: a changed prompt makes scores incomparable, so edit them by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmms_humansense.tasks.humansense import prompts
from lmms_humansense.tasks.humansense.prompts import Pattern, Style

SNAPSHOTS = Path(__file__).parent / "snapshots"
TRANSCRIPT = "Hello! My name is Omar. Nice to meet you."

SINGLE_END = "answer one correct letter only, do not include any extra text or explanation:\n"
MULTI_END = "answer correct letters only, do not include any extra text or explanation:\n"
COUNT_END = "answer a single Arabic numeral between 0 and 10, do not include any extra text or explanation:\n"


class Question(NamedTuple):
    pattern: Pattern
    text: str
    options: tuple[str, ...] = ()


QUESTIONS = {
    "single_2": Question(
        "single",
        "Does the child tell the truth about the cake",
        ("A. Yes, the child tells the truth", "B. No, the child lies"),
    ),
    "single_3": Question(
        "single",
        "How well do the two people know each other",
        ("A. They meet for the first time", "B. They are old friends", "C. They are brother and sister"),
    ),
    "single_4": Question(
        "single",
        "Which gesture does the person make last",
        ("A. Thumbs up", "B. Waving", "C. Pointing to the side", "D. Victory sign"),
    ),
    "single_5": Question(
        "single",
        "What abnormal event happens in the clip",
        (
            "A. Someone falls",
            "B. A fight",
            "C. Someone takes the bag of someone else",
            "D. A fire",
            "E. Nothing abnormal",
        ),
    ),
    "multi_4": Question(
        "multi",
        "What does the person in the clip wear",
        ("A. Glasses", "B. A yellow scarf", "C. A red hat", "D. A blue shirt"),
    ),
    "count": Question("count", "How many different people walk through the park?"),
}
STYLES: tuple[Style, ...] = ("plain", "think")
ODD_TEXTS = (
    "What does {name} do {0} {}",
    "Is it 100 % or %s or %(question)s",
    "Line one\nline two\n\nline four",
    "What does 小明 say to Zoë — “hi” 👋🏽",
    r"a \n that is no newline, $HOME, \d+ and \\",
    "  spaces before and after  ",
    "<think> </think> <answer>A</answer>",
    "quotes \" and ' and `",
)


def shown(question: Question, style: Style) -> str:
    return prompts.build(question.text, question.pattern, list(question.options), style)


def snapshot(name: str) -> bytes:
    return (SNAPSHOTS / f"{name}.txt").read_bytes()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", QUESTIONS)
def test_prompt_is_the_frozen_one_byte_for_byte(name: str, style: Style) -> None:
    assert shown(QUESTIONS[name], style).encode() == snapshot(f"{name}_{style}")


@pytest.mark.parametrize("style", STYLES)
def test_asr_text_is_put_directly_before_the_first_newline(style: Style) -> None:
    prompt = prompts.with_asr(shown(QUESTIONS["single_3"], style), TRANSCRIPT)
    assert prompt.encode() == snapshot(f"single_3_{style}_asr")


def test_every_snapshot_file_is_compared_with_something() -> None:
    expected = {f"{name}_{style}.txt" for name in QUESTIONS for style in STYLES}
    expected |= {f"single_3_{style}_asr.txt" for style in STYLES}
    assert {path.name for path in SNAPSHOTS.iterdir()} == expected


def test_plain_is_the_default_style() -> None:
    question = QUESTIONS["single_4"]
    assert prompts.build(question.text, question.pattern, question.options).encode() == snapshot("single_4_plain")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", QUESTIONS)
def test_prompt_starts_and_ends_with_one_newline(name: str, style: Style) -> None:
    prompt = shown(QUESTIONS[name], style)
    assert prompt.startswith("\nYou are")
    assert prompt.endswith((":\n", ".\n"))


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_question_text_is_shown_as_it_is(text: str) -> None:
    assert f"\n\nQuestion: {text}, which one of the following is correct?\n\nOptions:\nA. x\nB. y\n\n" in prompts.build(
        text, "single", ["A. x", "B. y"]
    )
    assert f"\n\nQuestion: {text}\n\n{COUNT_END}" in prompts.build(text, "count")


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_option_text_is_shown_as_it_is(text: str) -> None:
    assert f"\n\nOptions:\nA. {text}\nB. {text}\n\n{SINGLE_END}" in prompts.build(
        "Which", "single", [f"A. {text}", f"B. {text}"]
    )
    assert f"\n\nOptions:\nA. {text}\nB. {text}\n\n{MULTI_END}" in prompts.build(
        "Which", "multi", [f"A. {text}", f"B. {text}"]
    )


@pytest.mark.parametrize("text", [*ODD_TEXTS, ""])
def test_asr_text_is_shown_as_it_is_and_the_prompt_after_it_is_unchanged(text: str) -> None:
    prompt = shown(QUESTIONS["single_2"], "plain")
    heading = "The following provides the ASR (Automatic Speech Recognition) text from the video:"
    assert prompts.with_asr(prompt, text) == heading + text + prompt


@given(st.text(), st.lists(st.text(), min_size=2, max_size=5))
def test_any_question_and_options_stand_in_the_prompt_unchanged(question: str, options: list[str]) -> None:
    assistant = "You are an advanced multimodal analysis AI assistant."
    asked = f"\n{assistant} You have been provided with video content and a question.\n\nQuestion: {question}"
    listed = "".join(f"{option}\n" for option in options)
    single = f"{asked}, which one of the following is correct?\n\nOptions:\n{listed}\n{SINGLE_END}"
    multi = f"{asked}, Which of the following are correct? (Select all)\n\nOptions:\n{listed}\n{MULTI_END}"
    assert prompts.build(question, "single", options) == single
    assert prompts.build(question, "multi", options) == multi
    assert prompts.build(question, "count") == f"{asked}\n\n{COUNT_END}"


def test_counting_questions_show_no_options() -> None:
    assert prompts.build("How many", "count", ["A. 1", "B. 2"]) == prompts.build("How many", "count")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", QUESTIONS)
def test_guide_stands_before_the_unchanged_prompt_under_its_heading(name: str, style: Style) -> None:
    prompt = shown(QUESTIONS[name], style)
    guided = prompts.with_guide(prompt)
    assert guided.strip().startswith("System Prompt:")
    assert guided.endswith(prompt)


@pytest.mark.parametrize(
    "said",
    [
        "when analyzing the video, focus on identifying",
        "base your reasoning on the above elements to draw conclusions",
        "for the following tasks",
    ],
)
def test_guide_says_what_the_paper_asks_for(said: str) -> None:
    guide = prompts.with_guide("").lower()
    assert said in " ".join(guide.split())


@pytest.mark.parametrize(
    ("heading", "of_what"),
    [
        ("Key Characteristics", ("features", "actions", "emotions", "behaviors")),
        ("Chat Content", ("dialogue", "spoken words")),
        ("Events", ("activities", "interactions", "moments")),
    ],
)
def test_guide_names_the_three_things_to_identify(heading: str, of_what: tuple[str, ...]) -> None:
    guide = prompts.with_guide("")
    assert guide.count(heading) == 1
    said = " ".join(guide[guide.index(heading) :].lower().split())
    assert all(thing in said for thing in of_what)


def test_guide_names_the_three_things_in_order_before_the_conclusion() -> None:
    guide = prompts.with_guide("")
    places = [guide.index(part) for part in ("Key Characteristics", "Chat Content", "Events", "draw conclusions")]
    assert places == sorted(places)
