"""A file's sound becomes the waveform that librosa would load from it.

The reference is `librosa.load(..., sr=16000, mono=True)` as qwen-omni-utils calls it: sound files are decoded by
libsndfile, anything else by the ffmpeg program, which hands on 16 bits per sample. Here PyAV decodes both, so that no
program is needed.
"""

import logging
import math
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import av
import numpy as np
import soxr
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from .container import open_media
from .errors import MediaError
from .types import SAMPLE_RATE, Waveform

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

_LEAST_RATE = 2_000
"""Samples per second that every sound has: the least of any format in use is 4,000. A damaged header that names fewer
would have a small file last for days."""

_BLOCK = 2**16
"""Samples that are turned into an array at once: enough to make the calls few, few enough for a processor's cache."""


def sound_seconds(path: str | Path) -> float | None:
    """How long the sound stream of a file lasts, be it silent; None where there is none.

    This is what the file says of itself, found without decoding: 0.0 if it says nothing.

    Raises:
        MediaError: the file cannot be opened.
    """
    with open_media(Path(path)) as container:
        return stated_seconds(container)


def stated_seconds(container: InputContainer) -> float | None:
    """What `sound_seconds` says of a file that is open."""
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
        sound = AudioDecoder(file, container)
        try:
            for packet in container.demux(sound.stream):
                sound.feed(packet)
        except (av.FFmpegError, IndexError) as error:  # PyAV stumbles over streams that show up late in damaged files
            logger.warning("%s cannot be read to its end (%s)", file, error)
        return sound.waveform(start, end, align)


class AudioDecoder:
    """The first sound stream of an open file, decoded packet by packet; damaged ones are left out, as by ffmpeg.

    Raises:
        MediaError: there is no sound stream, or FFmpeg cannot decode it.
    """

    def __init__(self, file: Path, container: InputContainer) -> None:
        self.stream = _sound_stream(file, container)
        self._file = file
        self._coarse = container.format.name not in _LIBSNDFILE
        self._picture_start = _picture_start(container)
        self._lead = 0.0
        self._packets = self._lost = self._samples = 0
        self._kind: tuple[int, str, str] | None = None
        self._waiting = AudioFifo()
        self._blocks: list[tuple[int, NDArray[np.float32]]] = []

    def feed(self, packet: av.Packet) -> None:
        """Decode the stream's next packet; the empty one ends it.

        Raises:
            MediaError: it has fewer samples per second than any sound.
        """
        self._packets += packet.size > 0
        try:
            for frame in self.stream.codec_context.decode(packet if packet.size else None):
                self._keep(frame)
        except av.FFmpegError:
            self._lost += 1

    def waveform(self, start: float | None, end: float | None, align: bool) -> Waveform:
        """What was decoded, once everything was fed; `read_waveform` says what the arguments mean.

        Raises:
            MediaError: there are no samples (between `start` and `end`), or too many packets are damaged.
        """
        self._refuse_losses()
        self._empty()
        rate = self._blocks[0][0]
        samples = _joined(self._blocks, rate)
        samples = _shifted(samples, round(self._lead * rate) if align else 0)
        samples = samples[round((start or 0) * rate) : None if end is None else round(end * rate)]
        if not len(samples):
            until = "its end" if end is None else f"{end:g} s"
            raise MediaError(f"{self._file} has no sound between {start or 0:g} s and {until}.")
        return Waveform(_resampled(samples, rate, SAMPLE_RATE))

    def _keep(self, frame: AudioFrame) -> None:
        if frame.sample_rate < _LEAST_RATE:
            rate = frame.sample_rate
            raise MediaError(f"{self._file} has a damaged sound: {rate} samples per second are too few to be any.")
        if not self._samples and self._picture_start is not None:
            self._lead = (frame.time or 0.0) - self._picture_start
        self._samples += frame.samples
        kind = (frame.sample_rate, frame.format.name, frame.layout.name)
        if kind != self._kind:
            self._empty()
            self._kind, self._waiting = kind, AudioFifo()
        frame.pts = None  # gaps in the times of presentation are not filled, as ffmpeg does not
        self._waiting.write(frame)
        # A frame lasts some 20 ms; turning many at once into an array takes half the time.
        if self._waiting.samples >= _BLOCK:
            self._empty()

    def _empty(self) -> None:
        """Turn what was gathered into samples."""
        if self._kind is not None and self._waiting.samples:
            block = self._waiting.read(self._waiting.samples)
            assert isinstance(block, AudioFrame)
            self._blocks.append((self._kind[0], _mono(block, self._coarse)))

    def _refuse_losses(self) -> None:
        lost, packets = self._lost, self._packets
        if lost > max(1, packets * _LOSS_ALLOWED) or (lost and not self._samples):
            raise MediaError(f"{self._file} has a damaged sound: {lost} of its {packets} packets cannot be decoded.")
        if not self._samples:
            raise MediaError(f"{self._file} has a sound stream without samples.")
        if lost:
            what = "%s: %d of %d packets of its sound cannot be decoded and are left out"
            logger.warning(what, self._file, lost, packets)


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


def _picture_start(container: InputContainer) -> float | None:
    """When the first picture is shown, in seconds; None where there is no picture."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.start_time is None or stream.time_base is None:
        return None
    return float(stream.start_time * stream.time_base)


def _joined(blocks: Iterable[tuple[int, NDArray[np.float32]]], rate: int) -> NDArray[np.float32]:
    """Blocks, each with its rate, as one array at `rate`, to which a part that runs at another rate is resampled."""
    parts = [
        _resampled(np.concatenate([samples for _, samples in group]), own_rate, rate)
        for own_rate, group in groupby(blocks, key=lambda block: block[0])
    ]
    return np.concatenate(parts)


def _mono(frame: AudioFrame, coarse: bool) -> NDArray[np.float32]:
    """Samples as float32 (N,): the plain mean of their channels, like librosa's (FFmpeg would weigh them)."""
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


def _shifted(samples: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    """The samples with `by` samples of silence before them, or with so many cut off if it is negative."""
    return np.concatenate([np.zeros(by, np.float32), samples]) if by > 0 else samples[-by:]
