"""Turns a video file into the frames that Qwen's own reader would show.

The reference is `fetch_video` of qwen-omni-utils with its decord reader. That library decides which frames are shown
and how large they are. PyAV decodes them and seeks to the needed key
frames, while decord decodes the whole file, or seeks without knowing where key frames are.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from av.container import InputContainer
from qwen_omni_utils.v2_5 import vision_process as qwen
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resize

from .audio import AudioDecoder, read_waveform, stated_seconds
from .container import open_media
from .errors import MediaError, UnsuitableReaderError
from .readers import DecordReader, FrameReader, PyavReader
from .stand_in import read_stand_in
from .types import Clip, FramePlan, FrameRule, Frames
from .video_index import stated_start, video_stream

logger = logging.getLogger(__name__)

# The limits of fetch_video, in patches of factor x factor pixels. They are read from qwen-omni-utils at each use. These
# defaults are those of its release 0.0.9, because the library has renamed its constants before.
_MIN_PATCHES = 128
_MAX_PATCHES = 768
_CONTEXT_PATCHES = 128_000
_CONTEXT_SHARE = 0.9
_MIN_PIXELS_SLACK = 1.05

_LOSS_ALLOWED = 0.02
"""Fewer than this share of the shown frames may be replaced by pictures beside them in the file."""

CUT = "Shown without the pictures that were cut off and are still in the file, which decord would count"
DAMAGED = "A picture that cannot be decoded is replaced by the one beside it in the file"
BROKEN_OFF = "Shown up to the place where the file breaks off"


def read_clip(
    path: str | Path,
    rule: FrameRule,
    factor: int = 28,
    start: float | None = None,
    end: float | None = None,
    hears: Callable[[float | None], bool] = lambda seconds: False,
    align: bool = False,
) -> Clip:
    """Read the frames of a clip and, in the same pass over the file, its sound.

    The frames are those of `fetch_video` of qwen-omni-utils with decord: the same numbers, size and pixels, except
    where decord counts wrongly (below).

    Frames are numbered as in decord: one for each packet of the stream, in the order of presentation. A packet without
    a picture of its own stands for the picture that is on the screen at its time. Where decord itself counts wrongly
    (such packets, open groups of pictures, MPEG-TS, AVI), this function gives the frame that decord should have given.
    `fetch_video` refuses a file of one frame, which is shown twice here, and a file of fewer than `nframes` frames,
    which is shown whole here.

    Some files are read otherwise than by decord on purpose, unless `rule` asks for decord. The packets of a clip that
    was cut without being encoded again, and which a player does not show (an edit list hides them, or they stand before
    the first picture that can be decoded), are not counted. Mirrored clips are shown as a player shows them. A frame
    rate that the file does not state, or that its timestamps contradict, is taken from the timestamps. The two fields
    of an interlaced picture are one frame, also where they are two packets. An isolated picture that cannot be decoded
    is replaced by the one beside it, what follows after a file breaks off is left out, and `Frames.remarks` says so.

    Args:
        path: A video file that FFmpeg or decord can read.
        rule: How many frames are shown, and how large.
        factor: Height and width are multiples of it: twice the patch size, 28 for Qwen2.5-Omni, 32 for Qwen3-Omni.
        start: Start of the part to show, in seconds. None means the start of the clip.
        end: End of the part to show, in seconds. None means the end of the clip.
        hears: Says whether to read the sound. It is called once, before anything is decoded, with
            `Clip.sound_seconds`.
        align: Whether the sound starts with the first picture, and not with the first sample.

    Returns:
        The frames and the sound.

    Raises:
        MediaError: The file cannot be used, or not with this rule and part. An exception of `hears` is passed on.
    """
    file = Path(path)
    with open_media(file) as container:
        seconds = stated_seconds(container)
        heard = hears(seconds)
        why: dict[str, str] = {}
        if rule.reader == "player":
            try:
                sound = AudioDecoder(file, container) if heard else None
                frames = _read(file, PyavReader(file, container, sound), rule, factor, start, end)
                return Clip(frames, sound.waveform(start, end, _begin(frames, align)) if sound else None, seconds)
            except UnsuitableReaderError as reason:
                logger.warning("%s is read with decord, because %s", file, reason)
                why = {"reason": str(reason)}
        first_time = stated_start(container)
    frames = _read(file, DecordReader(file, first_time, **why), rule, factor, start, end)
    return Clip(frames, read_waveform(file, start, end, _begin(frames, align)) if heard else None, seconds)


def plan_frames(path: str | Path, rule: FrameRule, factor: int = 28) -> FramePlan:
    """Plan what `read_clip` would show of a whole clip, without decoding it.

    Args:
        path: A video file that FFmpeg or decord can read.
        rule: How many frames are shown, and how large.
        factor: Height and width are multiples of it, as in `read_clip`.

    Returns:
        Number, rate and size of the frames, and the duration of the sound.

    Raises:
        MediaError: The file cannot be used, or not with this rule.
    """
    file = Path(path)
    with open_media(file) as container:
        seconds = stated_seconds(container)
        reader = _reader(file, container, rule)
        indices, sample_fps = _choose(file, reader, rule, None, None)
        return FramePlan(len(indices), sample_fps, _pixels(len(indices), rule, factor), seconds)


def has_pictures(path: str | Path) -> bool:
    """Whether the file has a video stream. The cover of an album does not count.

    Raises:
        MediaError: The file cannot be opened.
    """
    file = Path(path)
    stands_for = read_stand_in(file) if file.is_file() else None
    if stands_for is not None and stands_for.pictures is not None:
        return stands_for.pictures
    with open_media(file) as container:
        try:
            return bool(video_stream(file, container))
        except MediaError:
            return False
        except UnsuitableReaderError:  # another reader may decode it
            return True


def _begin(frames: Frames, align: bool) -> float | None:
    return frames.first_time if align else None


def _reader(file: Path, container: InputContainer, rule: FrameRule) -> FrameReader:
    if rule.reader == "decord":
        return DecordReader(file, stated_start(container))
    try:
        return PyavReader(file, container)
    except UnsuitableReaderError as reason:
        return DecordReader(file, stated_start(container), str(reason))


def _read(
    file: Path, reader: FrameReader, rule: FrameRule, factor: int, start: float | None, end: float | None
) -> Frames:
    """Choose, decode and resize."""
    indices, sample_fps = _choose(file, reader, rule, start, end)
    wanted = sorted(set(indices))
    size: list[int] = []

    def resized(numbers: list[int]) -> dict[int, torch.Tensor]:
        nonlocal size
        pictures = {}
        # One at a time: one picture fits into the processor's cache, and resizing many at once takes twice as long.
        for number, picture in reader.pictures(numbers):
            size = size or _size(file, picture, len(indices), rule, factor)
            pictures[number] = _resized(picture, size)
        return pictures

    shown = resized(wanted)
    decoded = len(shown)
    missing = [number for number in wanted if number not in shown]
    lost = [number for number in wanted if number in missing or (missing and reader.doubtful(number))]
    if missing and _are_few(lost, wanted, reader.count):
        beside = resized(_beside(missing, reader.count))
        for number in missing:
            shown.update((number, beside[near]) for near in (number + 1, number - 1) if near in beside)
    if len(shown) < len(wanted):
        raise MediaError(f"{file} is damaged: {len(wanted)} of its frames are wanted and {decoded} can be decoded.")
    remarks = {CUT: reader.is_cut, BROKEN_OFF: reader.broken_off, DAMAGED: bool(missing)}
    return Frames(
        pixels=torch.stack([shown[number] for number in indices]),
        indices=tuple(indices),
        video_fps=reader.fps,
        total_frames=reader.count,
        sample_fps=sample_fps,
        first_time=reader.first_time,
        remarks=tuple(remark for remark, applies in remarks.items() if applies),
    )


def _are_few(lost: list[int], wanted: list[int], count: int) -> bool:
    """Whether so few frames are missing or doubtful that pictures beside them in the file may be shown.

    A file often ends with a picture that is not whole. That one is counted among all frames of the file, because the
    last frame is nearly always wanted, and of a few wanted frames it would always be too many.
    """
    return len(lost) < _LOSS_ALLOWED * (count if lost == [count - 1] else len(wanted))


def _beside(numbers: list[int], count: int) -> list[int]:
    """The numbers of the frames directly before and after these, out of `count` frames."""
    return sorted({near for number in numbers for near in (number - 1, number + 1) if 0 <= near < count})


def _resized(picture: torch.Tensor, size: list[int]) -> torch.Tensor:
    """Resize a picture (H, W, 3) to (3, *size), with the same call as fetch_video."""
    return resize(picture.permute(2, 0, 1), size, interpolation=InterpolationMode.BICUBIC, antialias=True)


def _choose(
    file: Path, reader: FrameReader, rule: FrameRule, start: float | None, end: float | None
) -> tuple[list[int], float]:
    """The numbers of the frames to show, ascending, and how many frames per second of the part they are."""
    if reader.count == 1:
        return [0, 0], 2 * reader.fps
    given = {"fps": rule.fps, "nframes": rule.nframes, "video_start": start, "video_end": end}
    # qwen-omni-utils looks at which keys are present.
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        first, last, part = qwen.calculate_video_frame_range(options, reader.count, reader.fps)
        if rule.nframes is not None:
            options["nframes"] = min(rule.nframes, part - part % qwen.FRAME_FACTOR)
        nframes = qwen.smart_nframes(options, total_frames=part, video_fps=reader.fps)
    except ValueError as error:
        asked = ", ".join(f"{name}={value:g}" for name, value in options.items()) or "the default rate"
        held = f"{reader.count} frames at {reader.fps:g} per second"
        raise MediaError(f"{file} has too few frames ({held}) for what is asked ({asked}).") from error
    return torch.linspace(first, last, nframes).round().long().tolist(), nframes / part * reader.fps


def _size(file: Path, picture: torch.Tensor, nframes: int, rule: FrameRule, factor: int) -> list[int]:
    """Height and width of the shown frames, in pixels: smart_resize of qwen-omni-utils within fetch_video's limits."""
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
    """The least and the most pixels of one frame if `nframes` are shown: the limits of fetch_video."""
    patch = factor * factor
    context = getattr(qwen, "MODEL_SEQ_LEN", _CONTEXT_PATCHES) * patch * _CONTEXT_SHARE
    frame = getattr(qwen, "VIDEO_MAX_TOKEN_NUM", _MAX_PATCHES) * patch
    least = getattr(qwen, "VIDEO_MIN_TOKEN_NUM", _MIN_PATCHES) * patch
    most = max(min(frame, context / nframes * qwen.FRAME_FACTOR), int(least * _MIN_PIXELS_SLACK))
    if rule.max_pixels is not None:
        most = min(most, rule.max_pixels)
    if most < patch:
        raise ValueError(f"max_pixels={most} is below {patch}, the smallest frame of {factor}x{factor} pixels")
    # fetch_video refuses a max_pixels below its own minimum; here the minimum is lowered.
    return (least if least <= most else patch), most
