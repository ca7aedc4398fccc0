"""From lmms-eval's `generation_kwargs` to the arguments of transformers' `generate`. Standard library only."""

from collections.abc import Mapping, Sequence
from typing import Any

MAX_NEW_TOKENS = 1024
"""Longest response, in tokens, if the task does not set it: the limit of the release's model."""

PASSED_ON = ("min_new_tokens", "repetition_penalty", "length_penalty", "no_repeat_ngram_size")
"""Other arguments of `generate` that tasks set. They are passed on unchanged."""

KNOWN = frozenset({"max_new_tokens", "until", "temperature", "top_p", "top_k", "num_beams", "do_sample", *PASSED_ON})
"""The arguments that `generate_arguments` understands."""


def generate_arguments(generation_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for `generate`, and leave the mapping unchanged.

    The search is greedy unless the temperature is above 0, or sampling is requested without a temperature, which then
    is 1.
    """
    given = {name: value for name, value in generation_kwargs.items() if value is not None}
    temperature = float(given.get("temperature", 1.0 if given.get("do_sample") else 0.0))
    sampling = temperature > 0 and given.get("do_sample", True)
    # With the checkpoint's own values, transformers would warn about a greedy search, so they are unset.
    narrowed = {name: given.get(name) if sampling else None for name in ("top_p", "top_k")}
    return {name: given[name] for name in PASSED_ON if name in given} | {
        "max_new_tokens": int(given.get("max_new_tokens", MAX_NEW_TOKENS)),
        "num_beams": int(given.get("num_beams", 1)),
        "do_sample": bool(sampling),
        "temperature": temperature if sampling else None,
        **narrowed,
    }


def unknown_arguments(generation_kwargs: Mapping[str, Any], known: frozenset[str] = KNOWN) -> list[str]:
    """List the arguments that have no effect.

    Args:
        generation_kwargs: The arguments as lmms-eval passes them.
        known: The names of those that have an effect.

    Returns:
        The other names, sorted.
    """
    return sorted(set(generation_kwargs) - known)


def stops_of(generation_kwargs: Mapping[str, Any]) -> list[str]:
    """Return the stop strings of `generation_kwargs`, without empty ones."""
    until = generation_kwargs.get("until")
    return [stop for stop in ([until] if isinstance(until, str) else until or []) if stop]


def cut_at(text: str, stops: Sequence[str]) -> str:
    """Return `text` up to the first of the stop strings.

    Args:
        text: A response.
        stops: Stop strings, none of them empty.

    Returns:
        The text before the first stop string; the whole text if there is none.
    """
    ends = [text.find(stop) for stop in stops if stop in text]
    return text[: min(ends)] if ends else text
