"""A file's sound becomes the waveform that librosa would load from it.

The reference is `librosa.load(..., sr=16000, mono=True)` as qwen-omni-utils calls it: sound files are decoded by
libsndfile, anything else by the ffmpeg program, which hands on 16 bits per sample. Here PyAV decodes both, so that no
program is needed.
"""

import logging
import math
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from pathlib import Path

import av
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from .media import SAMPLE_RATE, MediaError, Waveform, open_media

logger = logging.getLogger(__name__)

_LOSS_ALLOWED = 0.1
"""Share of the packets that may be undecodable. ffmpeg leaves them out, too, and a stray one is common in clips that
were cut without being encoded anew; with a tenth of them gone it is no longer the sound that is asked about."""

_INTEGERS = {"u8": (128, 2**7), "s16": (0, 2**15), "s32": (0, 2**31)}
"""FFmpeg's integer sample formats: what silence is and how far full scale is from it, as in libsndfile."""

_LIBSNDFILE = frozenset({"aiff", "au", "caf", "flac", "mp3", "ogg", "w64", "wav"})
"""FFmpeg's names of the formats for which librosa needs no ffmpeg."""

_BITS = 2**15
"""Full scale of the 16-bit samples that ffmpeg hands to librosa."""


def sound_seconds(path: str | Path) -> float | None:
    """How long the sound stream of a file lasts, be it silent; None where there is none.

    This is what the file says of itself, found without decoding: 0.0 if it says nothing.

    Raises:
        MediaError: the file cannot be opened.
    """
    with open_media(Path(path)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / av.time_base


def read_waveform(
    path: str | Path, start: float | None = None, end: float | None = None, align: bool = False
) -> Waveform:
    """Load the first sound stream of an audio or video file.

    The padding that encoders put before a sound is cut off where the file tells of it (edit lists, LAME and Opus
    headers), as FFmpeg does. `start` and `end` bound the part that is loaded, in seconds.

    By default the waveform starts with the stream's first sample, whenever that is to be heard: this is what
    `ffmpeg -i` hands to librosa. With `align` it starts with the picture: silence is put before a sound that comes in
    later, and what is heard before the first picture is cut off.

    Raises:
        MediaError: the file cannot be used, has no sound, or none between `start` and `end`.
    """
    file = Path(path)
    with open_media(file) as container:
        frames = _decode(file, container, _sound_stream(file, container))
        first = next(frames)
        rate = first.sample_rate
        samples = _joined(chain([first], frames), rate, coarse=container.format.name not in _LIBSNDFILE)
        lead = _lead(container, first) if align else 0.0
    samples = _shifted(samples, round(lead * rate))
    samples = samples[round((start or 0) * rate) : None if end is None else round(end * rate)]
    if not len(samples):
        until = "its end" if end is None else f"{end:g} s"
        raise MediaError(f"{file} has no sound between {start or 0:g} s and {until}.")
    return Waveform(_resampled(samples, rate, SAMPLE_RATE))


def _sound_stream(file: Path, container: InputContainer) -> AudioStream:
    """The first sound stream.

    Raises:
        MediaError: there is none, or FFmpeg cannot decode it.
    """
    if not container.streams.audio:
        raise MediaError(f"{file} has no sound stream.")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise MediaError(f"{file} has a sound stream for which FFmpeg has no decoder.")
    return stream


def _decode(file: Path, container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Decode a stream; what is damaged is left out, as ffmpeg does.

    Raises:
        MediaError: there are no samples, or too many packets are damaged.
    """
    packets = lost = samples = 0
    try:
        for packet in container.demux(stream):
            packets += packet.size > 0
            try:
                for frame in stream.codec_context.decode(packet if packet.size else None):
                    samples += frame.samples
                    yield frame
            except av.FFmpegError:
                lost += 1
    except (av.FFmpegError, IndexError) as error:  # PyAV stumbles over streams that show up late in damaged files
        logger.warning("%s cannot be read to its end (%s)", file, error)
    if lost > max(1, packets * _LOSS_ALLOWED) or (lost and not samples):
        raise MediaError(f"{file} has a damaged sound: {lost} of its {packets} packets cannot be decoded.")
    if not samples:
        raise MediaError(f"{file} has a sound stream without samples.")
    if lost:
        logger.warning("%s: %d of %d packets of its sound cannot be decoded and are left out", file, lost, packets)


def _joined(frames: Iterable[AudioFrame], rate: int, coarse: bool) -> NDArray[np.float32]:
    """The frames as one mono float32 array at `rate`, to which a part that runs at another rate is resampled."""
    parts = [
        _resampled(np.concatenate([_mono(frame, coarse) for frame in group]), own_rate, rate)
        for own_rate, group in groupby(frames, key=lambda frame: frame.sample_rate)
    ]
    return np.concatenate(parts)


def _mono(frame: AudioFrame, coarse: bool) -> NDArray[np.float32]:
    """One frame as float32 (N,): the plain mean of its channels, like librosa's (FFmpeg would weigh them)."""
    channels = frame.layout.nb_channels
    values = frame.to_ndarray()
    if frame.format.is_packed:
        values = values.reshape(-1, channels).T
    zero, full = _INTEGERS.get(frame.format.packed.name, (0, 1))
    sound = (values.astype(np.float32) - zero) / np.float32(full)
    if coarse:
        # What librosa gets from ffmpeg: rounded, and cut off where a lossy codec overshoots full scale.
        sound = np.clip(np.rint(sound * _BITS), -_BITS, _BITS - 1) / np.float32(_BITS)
    return sound.mean(axis=0, dtype=np.float32)


def _resampled(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """The samples at another rate, as `librosa.resample` does it, which takes seconds to be loaded.

    FFmpeg's own resampler would do for the ear, but has another filter and other edges.
    """
    if rate == wanted:
        return samples
    length = math.ceil(len(samples) * (wanted / rate))
    resampled = soxr.resample(samples, rate, wanted, quality="HQ")[:length]
    return np.pad(resampled, (0, length - len(resampled)))


def _lead(container: InputContainer, first: AudioFrame) -> float:
    """How many seconds after the picture the sound starts; 0 where there is no picture."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.start_time is None or stream.time_base is None:
        return 0.0
    return (first.time or 0.0) - float(stream.start_time * stream.time_base)


def _shifted(samples: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    """The samples with `by` samples of silence before them, or with so many cut off if it is negative."""
    return np.concatenate([np.zeros(by, np.float32), samples]) if by > 0 else samples[-by:]
