"""What a file becomes: frames and a waveform, and the rule by which frames are picked."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples per second of every waveform; `SAMPLE_RATE` of qwen_omni_utils.v2_5.audio_process, and what Whisper wants."""


@dataclass(frozen=True)
class FrameRule:
    """How many frames of a clip are shown and how large, in the words of qwen-omni-utils.

    `fps` (frames per second of the clip) or `nframes` (frames of the whole clip), not both; neither means that
    library's default. `min_frames` and `max_frames` bound what `fps` gives. `min_pixels` and `max_pixels` bound
    height x width of one frame. None is that library's default.

    Raises:
        ValueError: both `fps` and `nframes` are given.
    """

    fps: float | None = None
    nframes: int | None = None
    min_frames: int | None = None
    max_frames: int | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None

    def __post_init__(self) -> None:
        if self.fps is not None and self.nframes is not None:
            raise ValueError(f"give fps or nframes, not both (fps={self.fps}, nframes={self.nframes})")


@dataclass(frozen=True)
class Frames:
    """The frames of a clip as a model gets them.

    `pixels` is uint8 of shape (T, C, H, W), RGB, upright and resized; `indices` are the T frame numbers in the file
    (from 0, in the order of presentation); `video_fps` and `total_frames` describe the whole file; `sample_fps` is
    frames shown per second of the part that was asked for.
    """

    pixels: torch.Tensor
    indices: tuple[int, ...]
    video_fps: float
    total_frames: int
    sample_fps: float


@dataclass(frozen=True)
class Waveform:
    """A sound: `samples` is float32 of shape (N,), mono, `SAMPLE_RATE` per second, full scale at -1 and 1."""

    samples: NDArray[np.float32]

    @property
    def seconds(self) -> float:
        """How long the sound lasts."""
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True)
class Clip:
    """The frames of a clip, its sound if that was asked for, and how long its sound stream lasts (None: has none)."""

    frames: Frames
    sound: Waveform | None
    sound_seconds: float | None


@dataclass(frozen=True)
class FramePlan:
    """How many frames of a clip are shown, at which rate per second of it, how large, and how long its sound lasts.

    `pixels` are the least and the most of one frame.
    """

    frames: int
    sample_fps: float
    pixels: tuple[int, float]
    sound_seconds: float | None
