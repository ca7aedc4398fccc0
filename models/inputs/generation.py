"""From lmms-eval's `generation_kwargs` to the arguments of transformers' `generate`. Standard library only."""

from collections.abc import Mapping, Sequence
from typing import Any

MAX_NEW_TOKENS = 1024
"""Tokens of a response when the task does not say: the release's model may say as many."""

PASSED_ON = ("min_new_tokens", "repetition_penalty", "length_penalty", "no_repeat_ngram_size")
"""Other arguments of `generate` that tasks set, passed on as they are."""

KNOWN = frozenset({"max_new_tokens", "until", "temperature", "top_p", "top_k", "num_beams", "do_sample", *PASSED_ON})
"""What `generate_arguments` understands."""


def generate_arguments(generation_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for `generate`; the mapping is left as it is.

    Greedy unless a temperature above 0 is asked for, or sampling without a temperature, which is then 1.
    """
    given = {name: value for name, value in generation_kwargs.items() if value is not None}
    temperature = float(given.get("temperature", 1.0 if given.get("do_sample") else 0.0))
    sampling = temperature > 0 and given.get("do_sample", True)
    # The checkpoint's own values would make transformers warn about a greedy search, so they are unset.
    narrowed = {name: given.get(name) if sampling else None for name in ("top_p", "top_k")}
    return {name: given[name] for name in PASSED_ON if name in given} | {
        "max_new_tokens": int(given.get("max_new_tokens", MAX_NEW_TOKENS)),
        "num_beams": int(given.get("num_beams", 1)),
        "do_sample": bool(sampling),
        "temperature": temperature if sampling else None,
        **narrowed,
    }


def unknown_arguments(generation_kwargs: Mapping[str, Any], known: frozenset[str] = KNOWN) -> list[str]:
    """The names of `generation_kwargs` that have no effect, where those in `known` have one."""
    return sorted(set(generation_kwargs) - known)


def stops_of(generation_kwargs: Mapping[str, Any]) -> list[str]:
    """The stop strings of `generation_kwargs`: none of them empty."""
    until = generation_kwargs.get("until")
    return [stop for stop in ([until] if isinstance(until, str) else until or []) if stop]


def cut_at(text: str, stops: Sequence[str]) -> str:
    """`text` up to the first of the stop strings."""
    ends = [text.find(stop) for stop in stops if stop in text]
    return text[: min(ends)] if ends else text
