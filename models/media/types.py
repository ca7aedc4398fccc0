"""What a file is turned into, frames and a waveform, and the rule that chooses the frames."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples per second of every waveform: `SAMPLE_RATE` of qwen_omni_utils.v2_5.audio_process, and what Whisper takes."""


@dataclass(frozen=True)
class FrameRule:
    """How many frames of a clip are shown, and how large. The names are those of qwen-omni-utils.

    Attributes:
        fps: Frames per second of the clip. If `fps` and `nframes` are None, the default of qwen-omni-utils is used.
        nframes: Frames of the whole clip. Excludes `fps`.
        max_pixels: Largest height x width of one frame. None means the default of qwen-omni-utils.
        reader: Whose frames are counted and shown. "player": those that a player shows, and so a person sees. "decord":
            those of decord, the reader of the release, which counts packets that a player does not show.

    Raises:
        ValueError: Both `fps` and `nframes` are given.
    """

    fps: float | None = None
    nframes: int | None = None
    max_pixels: int | None = None
    reader: Literal["player", "decord"] = "player"

    def __post_init__(self) -> None:
        if self.fps is not None and self.nframes is not None:
            raise ValueError(f"give fps or nframes, not both (fps={self.fps}, nframes={self.nframes})")


@dataclass(frozen=True)
class Frames:
    """The frames of a clip as a model gets them.

    Attributes:
        pixels: uint8 of shape (T, C, H, W), RGB, upright and resized.
        indices: The T frame numbers in the file, from 0, in the order of presentation.
        video_fps: Frames per second of the whole file.
        total_frames: Number of frames of the whole file.
        sample_fps: Shown frames per second of the requested part.
        first_time: The time of the file's first frame in seconds; None if the file does not say it.
        remarks: What is shown in another way than requested, each as a sentence without its full stop.
    """

    pixels: torch.Tensor
    indices: tuple[int, ...]
    video_fps: float
    total_frames: int
    sample_fps: float
    first_time: float | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Waveform:
    """A sound.

    Attributes:
        samples: float32 of shape (N,), mono, `SAMPLE_RATE` per second, full scale at -1 and 1.
    """

    samples: NDArray[np.float32]

    @property
    def seconds(self) -> float:
        """The duration of the sound."""
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True)
class Clip:
    """The frames of a clip, and its sound.

    Attributes:
        frames: The frames.
        sound: The sound; None if it was not requested.
        sound_seconds: Duration of the sound stream of the whole file; None if there is no sound stream.
    """

    frames: Frames
    sound: Waveform | None
    sound_seconds: float | None


@dataclass(frozen=True)
class FramePlan:
    """What would be shown of a clip.

    Attributes:
        frames: Number of frames.
        sample_fps: Shown frames per second of the clip.
        pixels: The least and the most pixels of one frame.
        sound_seconds: Duration of the sound stream; None if there is no sound stream.
    """

    frames: int
    sample_fps: float
    pixels: tuple[int, float]
    sound_seconds: float | None
