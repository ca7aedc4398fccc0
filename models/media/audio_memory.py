"""Turns a sound in memory into a waveform: samples, or the content of a file."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .audio import read_waveform, resample
from .errors import MediaError
from .types import SAMPLE_RATE

_SAMPLE_FORMATS = ("f2", "f4", "f8", "i1", "i2", "i4")
"""Number formats of samples. For others, such as those of a list of whole numbers, full scale is not known."""


def resampled(array: Any, sampling_rate: float) -> NDArray[np.float32]:
    """Mix samples in memory to mono, and resample them as librosa does.

    Args:
        array: Samples of shape (N,), (channels, N) or (N, channels): of two dimensions, the longer is time. Floating
            point with full scale at 1, or signed whole numbers.
        sampling_rate: Samples per second of `array`.

    Returns:
        float32 of shape (N,) at 16 kHz.

    Raises:
        MediaError: The array has another shape or number format, or contains NaN or infinity.
    """
    samples = np.asarray(array)
    form = f"{samples.dtype.kind}{samples.itemsize}"
    if samples.ndim not in (1, 2) or not samples.size or form not in _SAMPLE_FORMATS:
        raise MediaError(
            f"A sound in memory has shape {samples.shape} and type {samples.dtype}, which is not a waveform."
        )
    if np.issubdtype(samples.dtype, np.signedinteger):
        samples = samples / -float(np.iinfo(samples.dtype).min)
    samples = samples.astype(np.float32)
    if samples.ndim == 2:
        samples = samples.mean(axis=int(samples.shape[0] > samples.shape[1]))
    if not np.isfinite(samples).all():
        raise MediaError("A sound in memory contains NaN or infinity.")
    return resample(samples, sampling_rate, SAMPLE_RATE)


def waveform_of_bytes(content: bytes, name: str) -> NDArray[np.float32]:
    """Decode an audio file that is in memory.

    Args:
        content: The bytes of the file.
        name: Its name or path, of which only the ending is used.

    Returns:
        float32 of shape (N,) at 16 kHz, mono.

    Raises:
        MediaError: The content is not a sound that can be decoded.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder, f"sound{Path(name).suffix}")
        file.write_bytes(content)
        return read_waveform(file).samples
