"""From lmms-eval's `generation_kwargs` to the arguments of transformers' `generate`. Standard library only."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MAX_NEW_TOKENS = 1024
"""Longest response, in tokens, if the task does not set it: the limit of the release's model."""

PASSED_ON: dict[str, type] = {
    "min_new_tokens": int, "repetition_penalty": float, "length_penalty": float, "no_repeat_ngram_size": int,
}  # fmt: skip
"""Other arguments of `generate` that tasks set, with the types that it wants: it refuses a penalty of 2 for 2.0."""

KNOWN = frozenset({"max_new_tokens", "until", "temperature", "top_p", "top_k", "num_beams", "do_sample", *PASSED_ON})
"""The arguments that `generate_arguments` understands."""

_USUAL = {
    "num_beams": 1, "min_new_tokens": 0, "repetition_penalty": 1, "length_penalty": 1, "no_repeat_ngram_size": 0,
}  # fmt: skip
"""Values by which a task asks for nothing special: a server that does not take the argument does this anyway."""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any, least: int) -> bool:
    return _is_number(value) and value == int(value) and value >= least


def _is_text_or_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, (list, tuple)) and all(isinstance(stop, str) for stop in value))


_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "max_new_tokens": (lambda value: _is_whole(value, 1), "a whole number from 1"),
    "min_new_tokens": (lambda value: _is_whole(value, 0), "a whole number from 0"),
    "num_beams": (lambda value: _is_whole(value, 1), "a whole number from 1"),
    "no_repeat_ngram_size": (lambda value: _is_whole(value, 0), "a whole number from 0"),
    "temperature": (lambda value: _is_number(value) and value >= 0, "a number from 0"),
    "top_p": (lambda value: _is_number(value) and 0 <= value <= 1, "a number from 0 to 1"),
    "top_k": (lambda value: _is_whole(value, 0), "a whole number from 0"),
    "repetition_penalty": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "length_penalty": (_is_number, "a number"),
    "do_sample": (lambda value: value in (True, False), "True or False"),
    "until": (_is_text_or_texts, "a text or a list of texts"),
}
"""For each known argument: whether it takes a value, and what it takes. The limits are those of transformers."""


def check_arguments(generation_kwargs: Mapping[str, Any], known: frozenset[str] = KNOWN) -> None:
    """Refuse values that cannot be used.

    Args:
        generation_kwargs: The arguments as lmms-eval passes them. None is the same as no value.
        known: The names of those that have an effect. Others are not checked.

    Raises:
        ValueError: A value is not one that its argument takes, or `do_sample` contradicts the temperature. The message
            is one sentence that names the argument.
    """
    given = {name: value for name, value in generation_kwargs.items() if value is not None and name in known}
    for name, value in given.items():
        takes, description = _VALUES[name]
        if not takes(value):
            raise ValueError(f"{name}={value!r} cannot be used: it has to be {description}.")
    if given.get("do_sample") and given.get("temperature") == 0:
        raise ValueError(
            f"do_sample={given['do_sample']} contradicts temperature={given['temperature']}: set a temperature above 0 "
            "(such as temperature=1) to sample, or leave do_sample out for greedy answers."
        )


def generate_arguments(generation_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for `generate`, and leave the mapping unchanged.

    The search is greedy unless the temperature is above 0, or sampling is requested without a temperature, which then
    is 1. So `do_sample` false beside a temperature above 0 has no effect: tasks set it, and `--gen_kwargs
    temperature=1` leaves it there.

    Args:
        generation_kwargs: Arguments that `check_arguments` accepts.

    Returns:
        The arguments by their names in `generate`; None for those that must be unset.
    """
    given = {name: value for name, value in generation_kwargs.items() if value is not None}
    temperature = float(given.get("temperature", 1.0 if given.get("do_sample") else 0.0))
    sampling = temperature > 0
    # With the checkpoint's own values, transformers would warn about a greedy search, so they are unset.
    narrowed = {
        name: kind(given[name]) if sampling and name in given else None
        for name, kind in (("top_p", float), ("top_k", int))
    }
    return {name: kind(given[name]) for name, kind in PASSED_ON.items() if name in given} | {
        "max_new_tokens": int(given.get("max_new_tokens", MAX_NEW_TOKENS)),
        "num_beams": int(given.get("num_beams", 1)),
        "do_sample": sampling,
        "temperature": temperature if sampling else None,
        **narrowed,
    }


def arguments_used(generation_kwargs: Mapping[str, Any], known: frozenset[str] = KNOWN) -> dict[str, Any]:
    """Say how responses are generated, whatever spelling asked for it.

    Args:
        generation_kwargs: Arguments that `check_arguments` accepts.
        known: The names of those that have an effect.

    Returns:
        The arguments that have an effect, by name, with defaults: equal for arguments that do the same.
    """
    used = {"until": stops_of(generation_kwargs), **generate_arguments(generation_kwargs)}
    return {name: value for name, value in sorted(used.items()) if name in known and value is not None}


def unknown_arguments(generation_kwargs: Mapping[str, Any], known: frozenset[str] = KNOWN) -> list[str]:
    """List the arguments that ask for something and have no effect.

    Args:
        generation_kwargs: The arguments as lmms-eval passes them.
        known: The names of those that have an effect.

    Returns:
        The names of the others, sorted, without those whose value asks for what happens anyway.
    """
    return sorted(
        name
        for name in set(generation_kwargs) - known
        if name not in _USUAL or generation_kwargs[name] not in (None, _USUAL[name])
    )


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
