"""From a question to the characters that the model is shown. Pure functions of the standard library.

Source: the prompt templates of the release (arXiv 2508.10576). Every character counts: a changed prompt makes scores
incomparable, so all of them are frozen as snapshot files in the tests.
"""

from collections.abc import Sequence
from typing import Literal

Pattern = Literal["single", "multi", "count", "yesno"]
Style = Literal["plain", "think"]

PATTERNS: dict[str, Pattern] = {
    "Multiple-choice question (select one answer choice)": "single",
    "Multiple-choice question (select one or more answer choices)": "multi",
    "Question and answer (Arabic numerals)": "count",
    "Judgment question (Yes or No)": "yesno",
}
"""The release's `question_pattern` values."""

OPENING = (
    "You are an advanced multimodal analysis AI assistant. You have been provided with video content and a question."
)

SYSTEM_PROMPT = (
    "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and "
    "visual inputs, as well as generating text and speech."
)
"""What the release gives Qwen2.5-Omni as its system message; other models have their own."""

SUFFIXES: dict[Pattern, str] = {
    "single": ", which one of the following is correct?",
    "multi": ", Which of the following are correct? (Select all)",
    "count": "",
    "yesno": "",
}

# The release can score yes/no questions but has no prompt for them: that line is ours, after the others' model.
WANTED: dict[Pattern, str] = {
    "single": "answer one correct letter only",
    "multi": "answer correct letters only",
    "count": "answer a single Arabic numeral between 0 and 10",
    "yesno": "answer Yes or No only",
}

ASR_HEADING = "The following provides the ASR (Automatic Speech Recognition) text from the video:"

# The paper's training-free guidance asks for these three things; the wording here is ours.
GUIDE = """System Prompt:

When analyzing the video, focus on identifying three things.

Key Characteristics: notable features, actions, emotions or behaviors of people.

Chat Content: relevant dialogue or spoken words.

Events: significant activities, interactions or key moments.

For the following tasks, base your reasoning on the above elements to draw conclusions."""


def build(question: str, pattern: Pattern, options: Sequence[str] = (), style: Style = "plain") -> str:
    """The prompt of one question, as the release writes it.

    `options` are shown as they stand ("A. …"), each on its own line; counting and yes/no questions have none.
    The prompt starts and ends with one newline.
    """
    shown = f"\n\nOptions:\n{chr(10).join(options)}" if pattern in ("single", "multi") else ""
    return f"\n{OPENING}\n\nQuestion: {question}{SUFFIXES[pattern]}{shown}\n\n{_instruction(pattern, style)}\n"


def with_asr(prompt: str, transcript: str) -> str:
    """`prompt` with the transcript of the video's sound directly before it."""
    return f"{ASR_HEADING}{transcript}{prompt}"


def with_guide(prompt: str) -> str:
    """`prompt` with the paper's training-free guidance before it."""
    return f"{GUIDE}{prompt}"


def _instruction(pattern: Pattern, style: Style) -> str:
    if style == "plain":
        return f"{WANTED[pattern]}, do not include any extra text or explanation:"
    return (
        "Output the thinking process in <think> </think> and final answer in <answer> </answer> tags, i.e., "
        f"<think> reasoning process here </think><answer> {WANTED[pattern]} here </answer>."
    )
