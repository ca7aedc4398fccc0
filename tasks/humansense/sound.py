"""The sound of a file for lmms-eval's simple models, and its length. Decoded by PyAV: no ffmpeg program is needed."""

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
    import librosa

    # FFmpeg's own downmix is louder than the mean of the channels that models are used to.
    planes = av.AudioResampler(format="fltp")
    try:
        with _open(path) as container:
            if not container.streams.audio:
                raise DataError(f"{path} has no sound track.")
            stream = container.streams.audio[0]
            frames = [part for frame in container.decode(stream) for part in planes.resample(frame)]
            rate = stream.rate
    except av.FFmpegError as error:
        raise DataError(f"{path} has no sound that can be decoded ({error}).") from error
    if not frames:
        raise DataError(f"{path} has a sound track without any sound in it.")
    mono = np.concatenate([frame.to_ndarray().mean(axis=0, dtype=np.float32) for frame in frames])
    resampled: NDArray[np.float32] = librosa.resample(mono, orig_sr=rate, target_sr=SAMPLING_RATE)
    return resampled


def duration(path: Path) -> float | None:
    """The length of a media file in seconds as its header states it, or None if it does not."""
    try:
        with _open(path) as container:
            return container.duration / av.time_base if container.duration else None
    except av.FFmpegError:
        return None


def _open(path: Path) -> av.container.InputContainer:
    # Titles that are not UTF-8 are no reason to refuse a sound.
    return av.open(str(path), metadata_errors="replace")
