"""The sound of a file for lmms-eval's simple models, and its length. Decoded by PyAV: no ffmpeg program is needed."""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from .annotations import DataError

SAMPLING_RATE = 16_000
"""Samples per second that omni models expect."""


def waveform(path: Path) -> NDArray[np.float32]:
    """Decode the sound of a media file.

    Args:
        path: A media file that PyAV can open.

    Returns:
        Samples of shape (samples,), float32 in -1 … 1, mono, 16 kHz.

    Raises:
        DataError: The file has no sound, or its sound cannot be decoded.
    """
    import librosa

    # FFmpeg's own downmix is louder than the mean of the channels, which models are trained on.
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
        raise DataError(f"{path} has an empty sound track.")
    mono = np.concatenate([frame.to_ndarray().mean(axis=0, dtype=np.float32) for frame in frames])
    resampled: NDArray[np.float32] = librosa.resample(mono, orig_sr=rate, target_sr=SAMPLING_RATE)
    return resampled


def duration(path: Path) -> float | None:
    """The length of a media file in seconds by its header, or None if the header does not have it."""
    try:
        with _open(path) as container:
            return container.duration / av.time_base if container.duration else None
    except av.FFmpegError:
        return None


def _open(path: Path) -> av.container.InputContainer:
    # A file whose title is not valid UTF-8 can be decoded all the same.
    return av.open(str(path), metadata_errors="replace")
