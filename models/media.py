"""What a model is shown of a file: the types, the one exception and how a file is opened.

`video.read_frames` turns a file into `Frames`, `sound.read_waveform` turns one into a `Waveform`. Nothing here knows
a benchmark, a model or a harness, and nothing here keeps state, so every function may run on any thread.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from av.container import InputContainer
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples per second of every waveform; `SAMPLE_RATE` of qwen_omni_utils.v2_5.audio_process, and what Whisper wants."""

_MP4_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
"""Box types that MP4 and MOV files start with (ISO/IEC 14496-12, QuickTime File Format), at byte 4."""


class MediaError(Exception):
    """A file cannot be used. The message is one sentence that names the file and says what is wrong with it."""


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


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open an audio or video file for reading, and close it however the block ends.

    Raises:
        MediaError: there is no such file, or it is not one that FFmpeg can read.
    """
    _check_file(path)
    try:
        # An absolute path, because FFmpeg takes "take: 1.mp4" for an address with the scheme "take". Only files may
        # be opened, because a playlist that calls itself .mp4 could otherwise make it fetch from the network (as a
        # container option: plain options crash PyAV on formats whose streams show up late, such as FLV). Titles that
        # are not UTF-8 are no reason to refuse a clip.
        container = av.open(
            os.path.abspath(path), mode="r", container_options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(_why_unreadable(path, error)) from error
    with container:
        yield container


def _check_file(path: Path) -> None:
    """Refuse what is no file with something in it, in words that FFmpeg would not find."""
    if path.is_dir():
        raise MediaError(f"{path} is a folder, not an audio or video file.")
    if not path.exists():
        raise MediaError(f"{path} does not exist.")
    if not path.is_file():
        raise MediaError(f"{path} is no regular file.")
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes).")


def _why_unreadable(path: Path, error: Exception) -> str:
    """One sentence on why FFmpeg refused the file."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as refusal:
        return f"{path} cannot be opened ({refusal.strerror})."
    if head[4:] in _MP4_FIRST_BOXES:
        return f"{path} is an MP4 or MOV file whose index (moov) is missing or damaged, as after a broken download."
    return f"{path} is not an audio or video file that FFmpeg can read ({getattr(error, 'strerror', None) or error})."
