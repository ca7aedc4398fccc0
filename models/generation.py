"""From lmms-eval's `generation_kwargs` to the arguments of transformers' `generate`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from transformers import StoppingCriteria

MAX_NEW_TOKENS = 1024
"""Tokens of a response when the task does not say: the release's model may say as many."""

PASSED_ON = ("top_k", "min_new_tokens", "repetition_penalty", "length_penalty", "no_repeat_ngram_size")
"""Other arguments of `generate` that tasks set, passed on as they are."""

_KNOWN = frozenset({"max_new_tokens", "until", "temperature", "top_p", "num_beams", "do_sample", *PASSED_ON})


def generate_arguments(generation_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for `generate`: greedy unless a temperature above 0 is asked for. The mapping is left as it is."""
    temperature = float(generation_kwargs.get("temperature") or 0.0)
    sampling = temperature > 0 and generation_kwargs.get("do_sample") is not False
    arguments = {name: generation_kwargs[name] for name in PASSED_ON if generation_kwargs.get(name) is not None}
    # The checkpoint's own values would make transformers warn about a greedy search, so they are unset.
    return arguments | {
        "max_new_tokens": int(generation_kwargs.get("max_new_tokens") or MAX_NEW_TOKENS),
        "num_beams": int(generation_kwargs.get("num_beams") or 1),
        "do_sample": sampling,
        "temperature": temperature if sampling else None,
        "top_p": generation_kwargs.get("top_p") if sampling else None,
        "top_k": generation_kwargs.get("top_k") if sampling else None,
    }


def unknown_arguments(generation_kwargs: Mapping[str, Any]) -> list[str]:
    """The names of `generation_kwargs` that have no effect here."""
    return sorted(set(generation_kwargs) - _KNOWN)


def stops_of(generation_kwargs: Mapping[str, Any]) -> list[str]:
    """The stop strings of `generation_kwargs`: none of them empty."""
    until = generation_kwargs.get("until")
    return [stop for stop in ([until] if isinstance(until, str) else until or []) if stop]


def cut_at(text: str, stops: Sequence[str]) -> str:
    """`text` up to the first of the stop strings."""
    ends = [text.find(stop) for stop in stops if stop in text]
    return text[: min(ends)] if ends else text


class StopStrings(StoppingCriteria):
    """Ends a response once it holds a stop string, wherever tokens begin and end. The prompt does not count."""

    def __init__(self, stops: Sequence[str], prompt_tokens: int, decode: Callable[[torch.Tensor], str]) -> None:
        self._stops = stops
        self._prompt_tokens = prompt_tokens
        self._decode = decode

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Which of the responses, rows of ids (batch, tokens), are over: bool (batch,)."""
        responses = [self._decode(row[self._prompt_tokens :]) for row in input_ids]
        over = [any(stop in response for stop in self._stops) for response in responses]
        return torch.tensor(over, device=input_ids.device)
