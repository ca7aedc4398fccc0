"""The sound of a file for upstream's simple models, and its length. Decoded by PyAV: no ffmpeg program is needed."""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from .annotations import DataError

SAMPLING_RATE = 16_000
"""Samples per second that omni models take."""


def waveform(path: Path) -> NDArray[np.float32]:
    """The sound of a media file: shape (samples,), float32 in -1 … 1, mono, 16 kHz.

    Raises DataError for a file without sound that can be decoded.
    """
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLING_RATE)
    try:
        with av.open(str(path)) as container:
            frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
            parts = [part.to_ndarray()[0] for part in [*frames, *resampler.resample(None)]]
    except (av.FFmpegError, IndexError) as error:
        raise DataError(f"{path} has no sound that can be decoded ({error}).") from error
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def duration(path: Path) -> float | None:
    """The length of a media file in seconds as its header states it, or None if it does not."""
    try:
        with av.open(str(path)) as container:
            return container.duration / av.time_base if container.duration else None
    except av.FFmpegError:
        return None
