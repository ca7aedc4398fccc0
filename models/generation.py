"""From lmms-eval's `generation_kwargs` to the arguments of transformers' `generate`. Standard library only."""

from collections.abc import Mapping, Sequence
from typing import Any

MAX_NEW_TOKENS = 1024
"""Tokens of a response when the task does not say: the release's model may say as many."""


def generate_arguments(generation_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for `generate`: greedy unless a temperature above 0 is asked for. The mapping is left as it is."""
    temperature = float(generation_kwargs.get("temperature") or 0.0)
    sampling = temperature > 0 and generation_kwargs.get("do_sample") is not False
    arguments: dict[str, Any] = {
        "max_new_tokens": int(generation_kwargs.get("max_new_tokens") or MAX_NEW_TOKENS),
        "num_beams": int(generation_kwargs.get("num_beams") or 1),
        "do_sample": sampling,
    }
    # The checkpoint's own values would make transformers warn about a greedy search, so they are unset.
    top_p, top_k = generation_kwargs.get("top_p"), generation_kwargs.get("top_k")
    return arguments | {
        "temperature": temperature if sampling else None,
        "top_p": top_p if sampling else None,
        "top_k": top_k if sampling else None,
    }


def cut_at(text: str, until: str | Sequence[str] | None) -> str:
    """`text` up to the first of the stop strings `until`."""
    stops = [until] if isinstance(until, str) else list(until or [])
    ends = [text.find(stop) for stop in stops if stop and stop in text]
    return text[: min(ends)] if ends else text
