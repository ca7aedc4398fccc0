"""Arguments of models, as they come from a command line: refused in one sentence, or turned into values.

Standard library only.
"""

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from .failure_limit import read_limit

CHOICES = {
    "dtype": ("auto", "bfloat16", "float16", "float32"),
    "quantization": ("4bit", "8bit"),
    "frames": ("release", "model"),
    "time_axis": ("auto", "release", "true"),
    "use_audio_in_video": ("auto", "always", "never"),
    "on_error": ("continue", "raise"),
    "media": ("vllm", "frames", "frames-only"),
    "frame_format": ("jpeg", "png"),
}
"""The arguments that take one word of a list."""


_LEAST_FRAMES = 2
"""Frames of one step of the time axis: `FRAME_FACTOR` of qwen-omni-utils."""

_LEAST_PIXELS = 64 * 64
"""Four tokens of Qwen3-Omni, so that a frame that is not square has a place."""

_NUMBERS: dict[str, type] = {
    "batch_size": int,
    "fps": float,
    "nframes": int,
    "max_pixels": int,
    "media_timeout": float,
    "media_workers": int,
    "prefetch_gb": float,
    "concurrency": int,
    "timeout": float,
    "deadline": float,
}

_MAY_BE_ZERO = frozenset({"media_workers"})


def given_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that are given: None is the same as not given."""
    return {name: value for name, value in arguments.items() if value is not None}


def check_arguments(given: Mapping[str, Any], names: Collection[str], model: str) -> dict[str, Any]:
    """The values that arguments mean, for the `model` of that name, which takes `names`.

    Raises ValueError, in one sentence that names the argument, for an unknown one (with the nearest known one), a value
    that it does not take, and two that contradict each other.
    """
    _refuse_unknown(given, names, model)
    checked = {name: _checked(name, value) for name, value in given.items()}
    if "fps" in checked and "nframes" in checked:
        raise ValueError(f"{model} takes fps or nframes, not both.")
    _check_sizes(checked)
    return checked


def read_model_args(text: str, beside: Collection[str]) -> None:
    """Check the form of `--model_args`; `beside` are the names that lmms-eval gives by options of its own.

    Raises ValueError for a part that is no `name=value`, and for a name that is given twice.
    """
    for part in filter(None, text.split(",")):
        name, equals, _ = part.partition("=")
        if not equals:
            raise ValueError(
                f"--model_args holds {part!r}, which is no name=value; a text with commas, such as a system prompt, "
                "goes into a file whose path is given."
            )
        if name.strip() in beside:
            raise ValueError(f"{name} stands in --model_args; give --{name} instead.")


def _check_sizes(checked: Mapping[str, Any]) -> None:
    if checked.get("nframes", _LEAST_FRAMES) < _LEAST_FRAMES:
        raise ValueError(f"nframes={checked['nframes']} is below {_LEAST_FRAMES}, the fewest frames of a clip.")
    if checked.get("max_pixels", _LEAST_PIXELS) < _LEAST_PIXELS:
        raise ValueError(f"max_pixels={checked['max_pixels']} is below {_LEAST_PIXELS}, the smallest frame.")


def _refuse_unknown(given: Mapping[str, Any], names: Collection[str], model: str) -> None:
    unknown = sorted(given.keys() - set(names))
    if not unknown:
        return
    near = difflib.get_close_matches(unknown[0], names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ValueError(f"{model} has no argument {unknown[0]!r}.{hint} It takes {', '.join(names)}.")


def _checked(name: str, value: Any) -> Any:
    if name == "max_failures":
        return read_limit(value)
    return _number(name, value) if name in _NUMBERS else _word(name, value)


def _word(name: str, value: Any) -> str:
    """A value of words. Arguments on a command line become numbers and truth values where they look like it."""
    word = str(value).lower() if isinstance(value, bool) else str(value)
    if name in CHOICES and word not in CHOICES[name]:
        raise ValueError(f"{name}={word} is not known; use {_either(CHOICES[name])}.")
    return word


def _number(name: str, value: Any) -> Any:
    kind = _NUMBERS[name]
    try:
        number = kind(value)
    except (TypeError, ValueError):
        number = None
    least = "0 or more" if name in _MAY_BE_ZERO else "above 0"
    fits = number is not None and number == float(value) and 0 <= number < float("inf")
    if isinstance(value, bool) or not fits or (number == 0 and name not in _MAY_BE_ZERO):
        raise ValueError(f"{name}={value} is no {'whole number' if kind is int else 'number'} {least}.")
    return number


def _either(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
