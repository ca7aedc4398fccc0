"""The arguments of `--model humansense_omni`, and what others share, checked before anything is loaded.

Standard library only.
"""

import difflib
import inspect
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .limits import read_limit

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


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How things are shown, where a user overrules what the messages of a task say.

    `frames` says where the number and size of frames come from: "release" from the messages of the task (HumanSense
    tasks tell the release's rule; others tell none and get qwen-omni-utils' default), "model" from qwen-omni-utils'
    default for every task. `fps`, `nframes` and `max_pixels` (of one frame) overrule both; a number of frames is
    rounded to an even one. `time_axis` "release" does not tell the model the rate of the frames, as the release, "true"
    does, "auto" does where the task does not ask otherwise. `use_audio_in_video` "auto" follows the messages, "always"
    and "never" overrule them.
    """

    frames: str = "release"
    fps: float | None = None
    nframes: int | None = None
    max_pixels: int | None = None
    time_axis: str = "auto"
    use_audio_in_video: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Common(Policy):
    """What a user may say about any model.

    `system_prompt` is a text or the path of a text file; None is the family's own, or the server's. `media_timeout` is
    the most seconds that decoding the media of one clip may take. `media_workers` is how many processes prepare media
    ahead of the model (0: none, the model waits for each; None: by the cores that this process may use), and
    `prefetch_gb` about how many gigabytes (10^9 bytes) of prepared media may wait for it. `on_error` "raise" ends the
    run at the first request that fails; otherwise it ends when more fail than `max_failures`, a whole number of
    requests or (a float, from 0 to 1) a share of them.
    """

    system_prompt: str | None = None
    media_timeout: float = 300.0
    media_workers: int | None = None
    prefetch_gb: float = 2.0
    on_error: str = "continue"
    max_failures: int | float = 0.01


@dataclass(frozen=True)
class Settings(Common):
    """What a user may say about a model that is loaded, and about how it is shown things.

    `pretrained` is a folder or a Hub name. `device` is what torch calls it, or "auto"; `device_map` is accelerate's
    ("auto", "balanced", a device) and spreads one model over several GPUs. `dtype`, `attn_implementation` and
    `quantization` ("4bit", "8bit") say how weights are held and attention is computed. `batch_size` is requests per
    call of the model.
    """

    pretrained: str
    device: str = "auto"
    device_map: str | None = None
    dtype: str = "auto"
    attn_implementation: str = "auto"
    quantization: str | None = None
    batch_size: int = 1


NAMES = tuple(inspect.signature(Settings).parameters)

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


def read_settings(arguments: dict[str, Any]) -> Settings:
    """The settings that arguments name; None is the same as not given.

    Raises ValueError, in one sentence that names the argument, for an unknown one (with the nearest known one), a
    value that it does not take, and two that contradict each other.
    """
    given = given_of(arguments)
    checked = check(given, NAMES, "humansense_omni")
    if not given.get("pretrained"):
        raise ValueError("humansense_omni needs pretrained=, the folder or Hub name of a checkpoint.")
    if "device_map" in checked and checked.get("device", "auto") != "auto":
        raise ValueError("humansense_omni takes device or device_map, not both.")
    return Settings(**checked)


def given_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that are given: None is the same as not given."""
    return {name: value for name, value in arguments.items() if value is not None}


def check(given: Mapping[str, Any], names: Collection[str], model: str) -> dict[str, Any]:
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


def system_prompt_text(value: str) -> str:
    """The system prompt that an argument means: the text of the file of that name, or else the argument itself.

    Raises ValueError for an empty text, and for what can only be the name of a file that is not there.
    """
    if not value.strip():
        raise ValueError("system_prompt is empty; leave it out to get the family's own.")
    try:
        if Path(value).is_file():
            return Path(value).read_text(encoding="utf-8").strip()
    except OSError:  # a long text is no file name
        return value
    if len(value.split()) == 1 and (os.sep in value or Path(value).suffix in (".txt", ".md")):
        raise ValueError(f"system_prompt={value} is neither a file nor a text.")
    return value


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
