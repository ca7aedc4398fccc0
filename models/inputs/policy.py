"""How a user overrules what the messages of a task say."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

_LEAST_FRAMES = 2
"""Frames of one step of the time axis: `FRAME_FACTOR` of qwen-omni-utils."""

_LEAST_PIXELS = 64 * 64
"""Four tokens of Qwen3-Omni, so that a frame that is not square has a place."""


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

    frames: Literal["release", "model"] = "release"
    fps: PositiveFloat | None = None
    nframes: Annotated[int, Field(ge=_LEAST_FRAMES)] | None = None
    max_pixels: Annotated[int, Field(ge=_LEAST_PIXELS)] | None = None
    time_axis: Literal["auto", "release", "true"] = "auto"
    use_audio_in_video: Literal["auto", "always", "never"] = "auto"


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
