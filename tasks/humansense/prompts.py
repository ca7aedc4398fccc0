"""Converts a question to the prompt that the model gets. Pure functions of the standard library.

Source: the prompt templates of the release (arXiv 2508.10576). Every character counts: a changed prompt makes scores
incomparable, so snapshot files in the tests freeze all prompts.
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
"""The system message that the release gives Qwen2.5-Omni; other models have their own."""

SUFFIXES: dict[Pattern, str] = {
    "single": ", which one of the following is correct?",
    "multi": ", Which of the following are correct? (Select all)",
    "count": "",
    "yesno": "",
}

# The release can score yes/no questions but has no prompt for them: that line is ours, modelled on the others.
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
    """Build the prompt of one question, as the release writes it.

    Args:
        question: The annotated question.
        pattern: The form of the answer.
        options: The annotated options ("A. …"), which are shown unchanged, each on its own line. Counting and yes/no
            questions have none.
        style: Whether the prompt asks to think before the answer.

    Returns:
        The prompt, which starts and ends with one newline.
    """
    shown = f"\n\nOptions:\n{chr(10).join(options)}" if pattern in ("single", "multi") else ""
    return f"\n{OPENING}\n\nQuestion: {question}{SUFFIXES[pattern]}{shown}\n\n{_instruction(pattern, style)}\n"


def with_asr(prompt: str, transcript: str) -> str:
    """Put the transcript of a video's sound directly before the prompt.

    Args:
        prompt: A prompt by `build`.
        transcript: The annotated ASR text.

    Returns:
        The new prompt, in which both texts are unchanged.
    """
    return f"{ASR_HEADING}{transcript}{prompt}"


def with_guide(prompt: str) -> str:
    """The prompt with the paper's training-free guidance before it."""
    return f"{GUIDE}{prompt}"


def _instruction(pattern: Pattern, style: Style) -> str:
    if style == "plain":
        return f"{WANTED[pattern]}, do not include any extra text or explanation:"
    return (
        "Output the thinking process in <think> </think> and final answer in <answer> </answer> tags, i.e., "
        f"<think> reasoning process here </think><answer> {WANTED[pattern]} here </answer>."
    )
