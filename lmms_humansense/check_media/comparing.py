"""Says in a few words how two readings of a file differ."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate, correlation_lags

from ..models.media.types import SAMPLE_RATE
from .ffmpeg_program import Pictures
from .reading import FileRead

_SAME_PICTURE = 5.0
"""Mean difference, of 255 levels, between two pictures that were scaled and converted by different programs. In 49
clips (those of the embedded sample, and those that tests/models/media/test_video.py writes) it was at most 2.0."""

_SAME_SOUND = 0.002
"""Mean difference between two sounds, of full scale 1."""

_SAME_SECONDS = 0.15
"""How much a sound may be longer or earlier: releases of FFmpeg differ in whether they leave out what a codec puts
before and behind a sound, up to two frames of 1,024 samples at 16 kHz."""

_ALIGNED_SECONDS = 30
"""By so much of their starts, two sounds are aligned."""

_MOST_NAMED = 5


def against_decord(ours: FileRead, decord: FileRead) -> str | None:
    """Compare the frames with decord's, bit by bit.

    Args:
        ours: What this package read.
        decord: What decord read.

    Returns:
        The difference; None if there is none.
    """
    if ours.total_frames != decord.total_frames or not np.isclose(ours.fps, decord.fps, rtol=1e-3):
        return (
            f"decord counts {decord.total_frames} frames at {decord.fps:.5g} per second, not {ours.total_frames} at "
            f"{ours.fps:.5g}"
        )
    assert ours.pixels is not None and decord.pixels is not None
    if ours.pixels.shape != decord.pixels.shape:
        return f"decord shows pictures of {_size(decord.pixels)} pixels, not {_size(ours.pixels)}"
    return _pictures_apart("decord", ours, decord.pixels, 0.0)


def against_ffmpeg(ours: FileRead, ffmpeg: Pictures) -> str | None:
    """Compare the frames with the ffmpeg program's, whose colours and scaling differ a little.

    Args:
        ours: What this package read.
        ffmpeg: The pictures of the same numbers.

    Returns:
        The difference; None if there is none.
    """
    if ours.total_frames != ffmpeg.total:
        return f"ffmpeg decodes {ffmpeg.total} pictures, not {ours.total_frames}"
    return _pictures_apart("ffmpeg", ours, ffmpeg.pixels, _SAME_PICTURE)


def sounds_apart(ours: NDArray[np.float32], ffmpeg: NDArray[np.float32]) -> str | None:
    """Compare two sounds.

    Args:
        ours: What this package read: float32 of shape (N,) at 16 kHz.
        ffmpeg: What the ffmpeg program read, in the same form.

    Returns:
        The difference; None if there is none.
    """
    longer = (len(ours) - len(ffmpeg)) / SAMPLE_RATE
    if abs(longer) > _SAME_SECONDS:
        return f"the sound lasts {len(ours) / SAMPLE_RATE:.2f} s, with ffmpeg {len(ffmpeg) / SAMPLE_RATE:.2f} s"
    lag = _lag(ours, ffmpeg)
    ours, ffmpeg = ours[max(0, lag) :], ffmpeg[max(0, -lag) :]
    common = min(len(ours), len(ffmpeg))
    apart = float(np.abs(ours[:common] - ffmpeg[:common]).mean()) if common else 0.0
    return f"the sound differs from ffmpeg's by {apart:.1%} of full scale on average" if apart > _SAME_SOUND else None


def _pictures_apart(program: str, ours: FileRead, theirs: NDArray[np.uint8], allowed: float) -> str | None:
    assert ours.pixels is not None
    found = []
    for number, one, other in zip(ours.numbers, ours.pixels, theirs, strict=False):
        apart = float(np.abs(one.astype(np.int16) - other).mean())
        if apart > allowed:
            found.append((number, apart))
    if not found:
        return None
    named = ", ".join(f"{number} ({apart:.1f})" for number, apart in found[:_MOST_NAMED])
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return f"{program} shows other pictures (mean difference, of 255 levels): frames {named}{more}"


def _lag(one: NDArray[np.float32], other: NDArray[np.float32]) -> int:
    """By how many samples the first sound is later than the second, at most `_SAME_SECONDS`."""
    length, most = _ALIGNED_SECONDS * SAMPLE_RATE, round(_SAME_SECONDS * SAMPLE_RATE)
    match = correlate(one[:length], other[:length], method="fft")
    lags = correlation_lags(min(len(one), length), min(len(other), length))
    near = np.abs(lags) <= most
    return int(lags[near][match[near].argmax()])


def _size(pixels: NDArray[np.uint8]) -> str:
    return f"{pixels.shape[2]}x{pixels.shape[1]}"
