"""A sound that is held in memory becomes a waveform: samples, or the content of a file."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import librosa
import numpy as np
from numpy.typing import NDArray

from .audio import read_waveform
from .errors import MediaError
from .types import SAMPLE_RATE

_SAMPLE_FORMATS = ("f2", "f4", "f8", "i1", "i2", "i4")
"""Number formats of samples. Others, such as a list of whole numbers, do not tell what full scale is."""


def resampled(array: Any, sampling_rate: float) -> NDArray[np.float32]:
    """Samples in memory as float32 (N,) at 16 kHz: mixed to mono, then resampled by librosa.

    `array` holds (N,), (channels, N) or (N, channels) samples: of two dimensions, the longer is time. Raises
    MediaError for other shapes and formats, and for samples that are no numbers.
    """
    samples = np.asarray(array)
    form = f"{samples.dtype.kind}{samples.itemsize}"
    if samples.ndim not in (1, 2) or not samples.size or form not in _SAMPLE_FORMATS:
        raise MediaError(f"A sound in memory has shape {samples.shape} and type {samples.dtype}, which is no waveform.")
    if np.issubdtype(samples.dtype, np.signedinteger):
        samples = samples / -float(np.iinfo(samples.dtype).min)
    samples = samples.astype(np.float32)
    if samples.ndim == 2:
        samples = samples.mean(axis=int(samples.shape[0] > samples.shape[1]))
    if not np.isfinite(samples).all():
        raise MediaError("A sound in memory holds values that are no numbers (NaN or infinity).")
    result: NDArray[np.float32] = librosa.resample(samples, orig_sr=sampling_rate, target_sr=SAMPLE_RATE)
    return result


def waveform_of_bytes(content: bytes, name: str) -> NDArray[np.float32]:
    """The sound of an audio file that is held in memory, as float32 (N,) at 16 kHz. `name` is for its ending."""
    with TemporaryDirectory() as folder:
        file = Path(folder, f"sound{Path(name).suffix}")
        file.write_bytes(content)
        return read_waveform(file).samples
