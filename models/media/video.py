"""A video file becomes the frames that Qwen's own reader would show.

The reference is `fetch_video` of qwen-omni-utils with its decord reader. Which frames and how large is asked of that
library; decoding is PyAV's, which seeks to the key frames that are needed where decord decodes or seeks blindly.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from qwen_omni_utils.v2_5 import vision_process as qwen
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resize

from .audio import AudioDecoder, read_waveform, stated_seconds
from .container import open_media
from .errors import MediaError, UnsuitableReaderError
from .readers import DecordReader, FrameReader, PyavReader
from .types import Clip, FramePlan, FrameRule, Frames
from .video_index import video_stream

logger = logging.getLogger(__name__)

# fetch_video's limits, counted in patches of factor x factor pixels. They are read when they are used, and the
# defaults are those of qwen-omni-utils 0.0.9, because the library has renamed its constants before.
_MIN_PATCHES = 128
_MAX_PATCHES = 768
_CONTEXT_PATCHES = 128_000
_CONTEXT_SHARE = 0.9
_MIN_PIXELS_SLACK = 1.05


def read_clip(
    path: str | Path,
    rule: FrameRule,
    factor: int = 28,
    start: float | None = None,
    end: float | None = None,
    hears: Callable[[float | None], bool] = lambda seconds: False,
    align: bool = False,
) -> Clip:
    """The frames of a clip and, in the same pass over the file, its sound.

    The frames are those of `fetch_video` of qwen-omni-utils with decord: the same numbers, size and pixels. `rule` says
    how many and how large, `factor` is what height and width are multiples of (28 for Qwen2.5-Omni, 32 for Qwen3-Omni:
    twice the patch size), `start` and `end` bound the part shown, in seconds. `hears` is asked once with
    `Clip.sound_seconds`, before anything is decoded, and says whether the sound is wanted; `align` is that of
    `audio.read_waveform`, and so is the sound.

    Frames are numbered as decord does: one for each packet of the stream, in the order of presentation. A packet
    without a picture of its own (cut off by an edit list, or before the first key frame) stands for what is on the
    screen at its time. Where decord itself loses count (such packets, open groups of pictures, MPEG-TS, AVI), this
    gives the frame that it should have given. `fetch_video` refuses a file of one frame, which is shown twice here, and
    one of fewer than `nframes`, which is shown whole here.

    Raises:
        MediaError: the file cannot be used, or not with this rule and part. What `hears` raises is raised as it is.
    """
    file = Path(path)
    sound: AudioDecoder | None = None
    try:
        with open_media(file) as container:
            seconds = stated_seconds(container)
            sound = AudioDecoder(file, container) if hears(seconds) else None
            frames = _read(file, PyavReader(file, container, sound), rule, factor, start, end)
            return Clip(frames, sound.waveform(start, end, align) if sound else None, seconds)
    except UnsuitableReaderError as reason:
        logger.warning("%s is read with decord, because %s", file, reason)
    frames = _read(file, DecordReader(file), rule, factor, start, end)
    return Clip(frames, read_waveform(file, start, end, align) if sound else None, seconds)


def plan_frames(path: str | Path, rule: FrameRule, factor: int = 28) -> FramePlan:
    """What `read_clip` would show of a whole clip, without decoding it.

    Raises:
        MediaError: the file cannot be used, or not with this rule.
    """
    file = Path(path)
    with open_media(file) as container:
        seconds = stated_seconds(container)
        try:
            reader: FrameReader = PyavReader(file, container)
        except UnsuitableReaderError:
            reader = DecordReader(file)
        indices, part = _choose(file, reader, rule, None, None)
        sizes = _pixels(len(indices), rule, factor)
        return FramePlan(len(indices), len(indices) / part * reader.fps, sizes, seconds)


def has_pictures(path: str | Path) -> bool:
    """Whether the file has a video stream; the cover of an album is none.

    Raises:
        MediaError: the file cannot be opened.
    """
    file = Path(path)
    with open_media(file) as container:
        try:
            return bool(video_stream(file, container))
        except MediaError:
            return False
        except UnsuitableReaderError:  # there is one, which another reader may decode
            return True


def _read(
    file: Path, reader: FrameReader, rule: FrameRule, factor: int, start: float | None, end: float | None
) -> Frames:
    """Choose, decode and resize."""
    indices, part = _choose(file, reader, rule, start, end)
    wanted = sorted(set(indices))
    size: list[int] = []
    shown: dict[int, torch.Tensor] = {}
    # One at a time: a picture fits into the processor's cache, and resizing many at once takes twice as long.
    for number, picture in reader.pictures(wanted):
        size = size or _size(file, picture, len(indices), rule, factor)
        shown[number] = _resized(picture, size)
    if len(shown) < len(wanted):
        raise MediaError(f"{file} is damaged: {len(wanted)} of its frames are wanted and {len(shown)} can be decoded.")
    return Frames(
        pixels=torch.stack([shown[number] for number in indices]),
        indices=tuple(indices),
        video_fps=reader.fps,
        total_frames=reader.count,
        sample_fps=len(indices) / part * reader.fps,
    )


def _resized(picture: torch.Tensor, size: list[int]) -> torch.Tensor:
    """A picture (H, W, 3) as (3, *size), by the same call as fetch_video's."""
    return resize(picture.permute(2, 0, 1), size, interpolation=InterpolationMode.BICUBIC, antialias=True)


def _given(**options: float | None) -> dict[str, Any]:
    """The options that are set: qwen-omni-utils looks at which keys are there."""
    return {name: value for name, value in options.items() if value is not None}


def _choose(
    file: Path, reader: FrameReader, rule: FrameRule, start: float | None, end: float | None
) -> tuple[list[int], int]:
    """The numbers of the frames to show, ascending, and of how many frames the part consists."""
    if reader.count == 1:
        return [0, 0], 1
    options = _given(fps=rule.fps, nframes=rule.nframes, min_frames=rule.min_frames, max_frames=rule.max_frames)
    options |= _given(video_start=start, video_end=end)
    try:
        first, last, part = qwen.calculate_video_frame_range(options, reader.count, reader.fps)
        if rule.nframes is not None:
            options["nframes"] = min(rule.nframes, part - part % qwen.FRAME_FACTOR)
        nframes = qwen.smart_nframes(options, total_frames=part, video_fps=reader.fps)
    except ValueError as error:
        asked = ", ".join(f"{name}={value:g}" for name, value in options.items()) or "the default rate"
        held = f"{reader.count} frames at {reader.fps:g} per second"
        raise MediaError(f"{file} has too few frames ({held}) for what is asked ({asked}).") from error
    return torch.linspace(first, last, nframes).round().long().tolist(), part


def _size(file: Path, picture: torch.Tensor, nframes: int, rule: FrameRule, factor: int) -> list[int]:
    """Height and width of the shown frames, in pixels: fetch_video's budget, then qwen-omni-utils' smart_resize."""
    least, most = _pixels(nframes, rule, factor)
    height, width, _ = picture.shape
    try:
        size = qwen.smart_resize(height, width, factor, min_pixels=least, max_pixels=most)
    except ValueError as error:
        raise MediaError(f"{file} has pictures of {width}x{height} pixels, too long to be resized: {error}.") from error
    if min(size) < factor:
        raise MediaError(f"{file} has pictures of {width}x{height} pixels, too narrow to be resized to {most} pixels.")
    return list(size)


def _pixels(nframes: int, rule: FrameRule, factor: int) -> tuple[int, float]:
    """The least and the most pixels of one frame: fetch_video's budget for so many frames."""
    patch = factor * factor
    context = getattr(qwen, "MODEL_SEQ_LEN", _CONTEXT_PATCHES) * patch * _CONTEXT_SHARE
    frame = getattr(qwen, "VIDEO_MAX_TOKEN_NUM", _MAX_PATCHES) * patch
    least = getattr(qwen, "VIDEO_MIN_TOKEN_NUM", _MIN_PATCHES) * patch if rule.min_pixels is None else rule.min_pixels
    most = max(min(frame, context / nframes * qwen.FRAME_FACTOR), int(least * _MIN_PIXELS_SLACK))
    if rule.max_pixels is not None:
        most = min(most, rule.max_pixels)
    if rule.min_pixels is None and most < least:
        least = patch
    if most < least:
        raise ValueError(f"max_pixels ({most}) is below min_pixels ({least})")
    return least, most
