"""Reads a file as a model would get it, with this package's readers or with decord. Runs in a process of its own."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..models.media.audio import read_waveform
from ..models.media.container import open_media, sound_stream
from ..models.media.types import FrameRule, Frames
from ..models.media.video import has_pictures, read_clip

COMPARED_FRAMES = 24
"""Frames of a clip that are compared, evenly spaced: the most that the release shows."""

_RULE = FrameRule(nframes=COMPARED_FRAMES, max_pixels=360 * 420)
"""Frames as large as in the release (its code for Qwen2.5-Omni)."""


@dataclass(frozen=True)
class FileRead:
    """What was read from a file.

    Attributes:
        numbers: The numbers of the frames, ascending, without repetition; empty for a sound file.
        pixels: uint8 of shape (T, H, W, 3), RGB.
        total_frames: Number of frames of the file.
        fps: Frames per second.
        remarks: What is shown in another way than a file asks for.
        sound: float32 of shape (N,), mono, at 16 kHz; None if the file has no sound.
        streams: The numbers of the streams that were read: of the pictures and of the sound.
    """

    numbers: tuple[int, ...] = ()
    pixels: NDArray[np.uint8] | None = None
    total_frames: int = 0
    fps: float = 0.0
    remarks: tuple[str, ...] = ()
    sound: NDArray[np.float32] | None = None
    streams: tuple[int | None, int | None] = (None, None)


def read_file(path: Path) -> FileRead:
    """Read a file with this package's readers.

    Args:
        path: A clip or a sound.

    Returns:
        Frames and sound.

    Raises:
        MediaError: The file cannot be used.
    """
    streams = _streams(path)
    if not has_pictures(path):
        return FileRead(sound=read_waveform(path).samples, streams=(None, streams[1]))
    clip = read_clip(path, _RULE, hears=lambda seconds: seconds is not None)
    return _read(clip.frames, None if clip.sound is None else clip.sound.samples, streams)


def read_with_decord(path: Path) -> FileRead:
    """Read the frames of a clip with decord, as the release does.

    Args:
        path: A clip.

    Returns:
        Frames without sound.

    Raises:
        MediaError: decord cannot read the clip.
    """
    return _read(read_clip(path, replace(_RULE, reader="decord")).frames, None, (None, None))


def _read(frames: Frames, sound: NDArray[np.float32] | None, streams: tuple[int | None, int | None]) -> FileRead:
    numbers, places = np.unique(frames.indices, return_index=True)
    pixels = frames.pixels[places].permute(0, 2, 3, 1).numpy()
    return FileRead(
        tuple(map(int, numbers)), pixels, frames.total_frames, frames.video_fps, frames.remarks, sound, streams
    )


def _streams(path: Path) -> tuple[int | None, int | None]:
    with open_media(path) as container:
        best, sound = container.streams.best("video"), sound_stream(container)
        return None if best is None else best.index, None if sound is None else sound.index
