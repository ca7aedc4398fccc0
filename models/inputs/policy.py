"""How a user overrides what the messages of a task say."""

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
    """How media are shown, where a user overrides what the messages of a task say.

    Attributes:
        frames: Where number and size of frames come from. "release": from the messages of the task (HumanSense tasks
            give the release's rule; other tasks give none and get the default of qwen-omni-utils). "model": from the
            default of qwen-omni-utils for every task.
        fps: Frames per second. Overrides `frames`; not beside `nframes`.
        nframes: Number of frames, rounded to an even one. Overrides `frames`; not beside `fps`.
        max_pixels: Largest height x width of one frame. Overrides `frames`.
        time_axis: Whether the model is given the rate of the frames. "release": no, as in the release. "true": yes.
            "auto": yes, unless the task asks for "release", as HumanSense does.
        video_reader: Whose frames of a clip are counted and shown. "player": those that a player shows. "decord": those
            of decord, the reader of the release. They differ mostly in clips that were cut without being encoded again.
        use_audio_in_video: Whether the sound of videos is heard. "auto" follows the messages; "always" and "never"
            override them.
    """

    frames: Literal["release", "model"] = "release"
    fps: PositiveFloat | None = None
    nframes: Annotated[int, Field(ge=_LEAST_FRAMES)] | None = None
    max_pixels: Annotated[int, Field(ge=_LEAST_PIXELS)] | None = None
    time_axis: Literal["auto", "release", "true"] = "auto"
    video_reader: Literal["player", "decord"] = "player"
    use_audio_in_video: Literal["auto", "always", "never"] = "auto"


def system_prompt_text(value: str, argument: str = "system_prompt") -> str:
    """Read the system prompt that an argument gives: the content of a file of that name, or else the argument itself.

    Args:
        value: The value of the argument.
        argument: Its name, for messages.

    Returns:
        The text.

    Raises:
        ValueError: The text is empty, or the argument can only be the name of a file, and there is no such file.
    """
    if not value.strip():
        raise ValueError(f"{argument} is empty; leave it out to use the model family's own prompt.")
    try:
        if Path(value).is_file():
            return Path(value).read_text(encoding="utf-8").strip()
    except OSError:  # a long text is not a file name
        return value
    if len(value.split()) == 1 and (os.sep in value or Path(value).suffix in (".txt", ".md")):
        raise ValueError(f"{argument}={value} is neither a file nor a text.")
    return value
