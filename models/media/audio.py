"""Turns the sound of a file into the waveform that librosa would load from it.

The reference is `librosa.load(..., sr=16000, mono=True)` as qwen-omni-utils calls it: libsndfile decodes sound files,
and the ffmpeg program decodes all other files and passes on 16 bits per sample. Here PyAV decodes both, so that no
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
from av.audio.frame import AudioFrame
from av.container import InputContainer
from numpy.typing import NDArray

from .container import open_media, sound_stream
from .errors import MediaError
from .sound_blocks import BlockMaker, Samples
from .sound_decoder import SoundDecoder
from .types import SAMPLE_RATE, Waveform

logger = logging.getLogger(__name__)

_LOSS_ALLOWED = 0.1
"""Share of the packets that may be undecodable. ffmpeg leaves such packets out, too, and a single one is common in
clips that were cut without being encoded again. With a tenth of them gone, it is no longer the sound in question."""

_INTEGERS = {"u8": (128, 2**7), "s16": (0, 2**15), "s32": (0, 2**31)}
"""FFmpeg's integer sample formats: the value of silence, and its distance from full scale, as in libsndfile."""

_LIBSNDFILE = frozenset({"aiff", "au", "caf", "flac", "mp3", "ogg", "w64", "wav"})
"""FFmpeg's names of the formats for which librosa needs no ffmpeg, except for Speex in Ogg."""

_BITS = 2**15
"""Full scale of the 16-bit samples that ffmpeg passes to librosa."""

_LEAST_RATE = 2_000
"""Least number of samples per second: the lowest rate of any format in use is 4,000. With the lower rate of a damaged
header, a small file would last for days."""


def sound_seconds(path: str | Path) -> float | None:
    """Read from a file how long its sound stream lasts, even if it is silent. Nothing is decoded.

    Returns:
        Seconds; 0.0 if the file does not say it, None if there is no sound stream.

    Raises:
        MediaError: The file cannot be opened.
    """
    with open_media(Path(path)) as container:
        return stated_seconds(container)


def stated_seconds(container: InputContainer) -> float | None:
    """Do the same as `sound_seconds` for an open file."""
    stream = sound_stream(container)
    if stream is None:
        return None
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def read_waveform(
    path: str | Path, start: float | None = None, end: float | None = None, begin: float | None = None
) -> Waveform:
    """Load the sound of an audio or video file: of several tracks the default one, as `container.sound_stream` says.

    The padding that encoders put before a sound is cut off where the file states it (edit lists, LAME and Opus
    headers), as FFmpeg does.

    Args:
        path: An audio or video file that FFmpeg can read.
        start: Start of the part to load, in seconds. None means the start of the waveform.
        end: End of the part to load, in seconds. None means the end of the waveform.
        begin: The time in the file, in seconds, with which the waveform starts (of the first picture, for example):
            silence is put before a sound that starts later, and sound before it is cut off. None means the time of the
            stream's first sample: this is what `ffmpeg -i` passes to librosa.

    Returns:
        The sound, mono, at 16 kHz.

    Raises:
        MediaError: The file cannot be used, has no sound, or has none between `start` and `end`.
    """
    file = Path(path)
    with open_media(file) as container:
        sound = AudioDecoder(file, container)
        try:
            for packet in container.demux(sound.stream):
                sound.feed(packet)
        except (av.FFmpegError, IndexError) as error:  # PyAV stumbles over streams that show up late in damaged files
            logger.warning("%s cannot be read to its end (%s)", file, error)
        return sound.waveform(start, end, begin)


class AudioDecoder:
    """Decodes the sound track of an open file, packet by packet. Leaves out damaged packets, as ffmpeg does.

    Attributes:
        stream: The sound stream, whose packets `feed` takes.

    Raises:
        MediaError: There is no sound stream, or FFmpeg cannot decode it.
    """

    def __init__(self, file: Path, container: InputContainer) -> None:
        stream = sound_stream(container)
        if stream is None:
            raise MediaError(f"{file} has no sound stream.")
        if stream.codec_context is None:
            raise MediaError(f"{file} has a sound stream for which FFmpeg has no decoder.")
        self.stream = stream
        self._decoder = SoundDecoder(stream)
        self._file = file
        self._coarse = container.format.name not in _LIBSNDFILE or stream.codec_context.name == "speex"
        self._first_time = 0.0
        self._packets = self._lost = self._samples = 0
        self._maker = BlockMaker(file)
        self._blocks: list[tuple[int, NDArray[np.float32]]] = []

    def feed(self, packet: av.Packet) -> None:
        """Decode the next packet of the stream. An empty packet ends the stream.

        Raises:
            MediaError: The packet has fewer samples per second than any sound.
        """
        self._packets += packet.size > 0
        try:
            for frame in self._decoder.decode(packet):
                self._keep(frame)
        except av.FFmpegError:
            self._lost += 1

    def waveform(self, start: float | None, end: float | None, begin: float | None) -> Waveform:
        """Return what was decoded, after all packets were fed.

        Args:
            start: See `read_waveform`.
            end: See `read_waveform`.
            begin: See `read_waveform`.

        Returns:
            The sound, mono, at 16 kHz.

        Raises:
            MediaError: There are no samples (between `start` and `end`), or too many packets are damaged.
        """
        self._refuse_losses()
        self._take(self._maker.end())
        rate = self._blocks[0][0]
        samples = _joined(self._blocks, rate)
        if begin is not None:
            lead = round((self._first_time - begin) * rate)
            samples = np.pad(samples, (lead, 0)) if lead > 0 else samples[-lead:]
        samples = samples[round((start or 0) * rate) : None if end is None else round(end * rate)]
        if not len(samples):
            until = "its end" if end is None else f"{end:g} s"
            raise MediaError(f"{self._file} has no sound between {start or 0:g} s and {until}.")
        return Waveform(resample(samples, rate, SAMPLE_RATE))

    def _keep(self, frame: AudioFrame) -> None:
        rate = frame.sample_rate
        if rate < _LEAST_RATE:
            raise MediaError(f"{self._file} has a damaged sound: {rate} samples per second are too few for a sound.")
        if not self._samples:
            self._first_time = frame.time or 0.0
        self._samples += frame.samples
        self._take(self._maker.add(frame))

    def _take(self, made: Iterable[Samples]) -> None:
        self._blocks += [(block.rate, _mono(block, self._coarse)) for block in made]

    def _refuse_losses(self) -> None:
        lost, packets = self._lost, self._packets
        if lost > max(1, packets * _LOSS_ALLOWED) or (lost and not self._samples):
            raise MediaError(f"{self._file} has a damaged sound: {lost} of its {packets} packets cannot be decoded.")
        if not self._samples:
            raise MediaError(f"{self._file} has a sound stream without samples.")
        if lost:
            what = "%s: %d of %d packets of its sound cannot be decoded and are left out"
            logger.warning(what, self._file, lost, packets)
        if self._decoder.shortened:
            what = "%s: %d of %d packets of its sound hold something else at their end, which is left out"
            logger.warning(what, self._file, self._decoder.shortened, packets)


def _joined(blocks: Iterable[tuple[int, NDArray[np.float32]]], rate: int) -> NDArray[np.float32]:
    """Join blocks of (own rate, samples) into one array at `rate`. Blocks of another rate are resampled."""
    parts = [
        resample(np.concatenate([samples for _, samples in group]), own_rate, rate)
        for own_rate, group in groupby(blocks, key=lambda block: block[0])
    ]
    return np.concatenate(parts)


def _mono(block: Samples, coarse: bool) -> NDArray[np.float32]:
    """The samples as float32 (N,): the plain mean of the channels, as in librosa (FFmpeg would weight them)."""
    zero, full = _INTEGERS.get(block.format, (0, 1))
    sound = (block.values.astype(np.float32, order="C") - zero) / np.float32(full)
    if coarse:
        # What librosa gets from ffmpeg: rounded, and cut off where a lossy codec exceeds full scale.
        sound = np.clip(np.rint(sound * _BITS), -_BITS, _BITS - 1) / np.float32(_BITS)
    return sound.mean(axis=0, dtype=np.float32)


def resample(samples: NDArray[np.float32], rate: float, wanted: int) -> NDArray[np.float32]:
    """Resample as `librosa.resample` does, without importing librosa, which takes seconds.

    FFmpeg's own resampler sounds the same, but has another filter and other edges.

    Args:
        samples: float32 of shape (N,).
        rate: Samples per second of `samples`.
        wanted: Samples per second of the result.

    Returns:
        float32 of shape (N * wanted / rate, rounded up,).
    """
    if rate == wanted:
        return samples
    length = math.ceil(len(samples) * (wanted / rate))
    resampled = soxr.resample(samples, rate, wanted, quality="HQ")[:length]
    return np.pad(resampled, (0, length - len(resampled)))
