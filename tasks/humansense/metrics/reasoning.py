"""The reasoning in a response, and whether the prompts of a run fit the model. Standard library only."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..prompts import Style

THOUGHT_TAG = re.compile(
    r"<\s?(/?)\s?(?:\w{1,10}:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad|rationale)\s?>"
    r"|\[(/?)think(?:ing)?\]|◁(/?)think▷",
    re.IGNORECASE,
)
"""Stands before or behind reasoning. A group that is not empty is the slash of a closing tag."""

_ANSWER_TAG = re.compile(r"<answer>", re.IGNORECASE)

_MANY = 0.1
"""From this share of tagged responses on, tags are the habit of a model and no accident."""


@dataclass(frozen=True)
class Reasoned:
    """A response in parts.

    Attributes:
        reasoning: The text in reasoning tags, "" if there is none. If the last tag opens, all that follows it.
        rest: The text outside of them.
    """

    reasoning: str
    rest: str


def split(response: str) -> Reasoned:
    """Split a response into its reasoning and the rest.

    Args:
        response: The model's response. The opening tag of its first reasoning may be missing, because it is a part of
            some models' prompts.

    Returns:
        Its parts, without white space around them.
    """
    thoughts: list[str] = []
    rest: list[str] = []
    start, is_open = 0, False
    for tag in THOUGHT_TAG.finditer(response):
        closes = "/" in tag[0]
        is_thought = is_open or (closes and not thoughts)
        (thoughts if is_thought else rest).append(response[start : tag.start()])
        start, is_open = tag.end(), not closes
    (thoughts if is_open else rest).append(response[start:])
    return Reasoned("\n\n".join(thoughts).strip(), "".join(rest).strip())


def has_tags(response: str) -> bool:
    """Whether a response has think or answer tags."""
    return bool(THOUGHT_TAG.search(response) or _ANSWER_TAG.search(response))


def misfit(responses: Iterable[str], style: Style) -> str | None:
    """Say that the prompts do not fit how the model was trained, if the tags of its responses show it.

    Args:
        responses: Responses without those that failed.
        style: The style of the prompts.

    Returns:
        A sentence if many responses to plain prompts have tags, or if none to think prompts has; else None.
    """
    tagged = [has_tags(response) for response in responses if response.strip()]
    found, total = sum(tagged), len(tagged)
    if style == "plain" and total and found >= _MANY * total:
        return (
            f"{found:,} of {total:,} responses have think or answer tags, for which `paper` gives 0 on these tasks: "
            "ask humansense_think"
        )
    if style == "think" and total and not found:
        return f"none of {total:,} responses has think or answer tags, which these prompts ask for: ask humansense"
    return None
