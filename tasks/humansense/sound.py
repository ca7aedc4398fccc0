"""The sound of a file for models that are not this package's, and its length.

Decoded by PyAV: no ffmpeg program is needed.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from av.stream import Disposition
from numpy.typing import NDArray

from .annotations import DataError

SAMPLING_RATE = 16_000
"""Samples per second that omni models expect."""


def waveform(path: Path) -> NDArray[np.float32]:
    """Decode the sound of a media file: of several tracks the one that the file marks as its default, or the first.

    Args:
        path: A media file that PyAV can open.

    Returns:
        Samples of shape (samples,), float32 in -1 … 1, mono, 16 kHz.

    Raises:
        DataError: The file has no sound, or its sound cannot be decoded.
    """
    import librosa

    try:
        with open_file(path) as container:
            track = track_of(container)
            if track is None:
                raise DataError(f"{path} has no sound track.")
            if track.codec_context is None:
                raise DataError(f"{path} has a sound track for which FFmpeg has no decoder: convert it to AAC or WAV.")
            parts = list(_interleaved(container.decode(track)))
    except DataError:  # it is a ValueError
        raise
    except (av.FFmpegError, ValueError) as error:
        raise DataError(f"{path} has no sound that can be decoded ({error}).") from error
    if not parts:
        raise DataError(f"{path} has an empty sound track.")
    # FFmpeg's own downmix is louder than the mean of the channels, which models are trained on.
    mono = np.concatenate([_channels(part).mean(axis=0, dtype=np.float32) for part in parts])
    resampled: NDArray[np.float32] = librosa.resample(mono, orig_sr=parts[0].sample_rate, target_sr=SAMPLING_RATE)
    return resampled


def duration(path: Path) -> float | None:
    """The length of a media file in seconds by its header, or None if the header does not have it."""
    try:
        with open_file(path) as container:
            return container.duration / av.time_base if container.duration else None
    except av.FFmpegError:
        return None


def track_of(container: av.container.InputContainer) -> av.AudioStream | None:
    """The sound track that is heard: the one that the file marks as its default, or the first; None without one."""
    tracks = container.streams.audio
    readable = [track for track in tracks if track.codec_context is not None] or tracks
    marked = [track for track in readable if track.disposition & Disposition.default]
    return next(iter(marked or readable), None)


def _interleaved(frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """The frames as floating-point numbers, with the rate and the channels of the first frame.

    FFmpeg interleaves the channels before Python sees them: PyAV counts nine planes in a frame of eight, and crashes.
    """
    graph: Graph | None = None
    kind, first = None, None
    for frame in frames:
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if found != kind:
            yield from _pulled(graph, None)
            kind, first = found, first or found
            graph = _mixer(found, first)
        frame.pts = None
        yield from _pulled(graph, frame)
    yield from _pulled(graph, None)


def _mixer(kind: tuple[str, str, int], wanted: tuple[str, str, int]) -> Graph:
    """A filter for frames of a kind (sample format, channels, rate)."""
    graph = Graph()
    source = graph.add(
        "abuffer", sample_fmt=kind[0], channel_layout=kind[1], sample_rate=str(kind[2]), time_base=f"1/{kind[2]}"
    )
    target = {"out_sample_fmt": "flt", "out_chlayout": wanted[1], "out_sample_rate": str(wanted[2])}
    mixed = graph.add("aresample", rematrix_maxval="1", **target)
    graph.link_nodes(source, mixed, graph.add("abuffersink")).configure()
    return graph


def _pulled(graph: Graph | None, frame: av.AudioFrame | None) -> Iterator[av.AudioFrame]:
    """Push a frame (None at the end), and yield what comes out."""
    if graph is None:
        return
    graph.push(frame)
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def _channels(frame: av.AudioFrame) -> NDArray[np.float32]:
    """The samples (channels, N) of an interleaved frame."""
    return frame.to_ndarray().reshape(-1, frame.layout.nb_channels).T


def open_file(path: Path) -> av.container.InputContainer:
    """Open a media file for reading.

    Raises:
        av.FFmpegError: FFmpeg cannot read it.
    """
    # A file whose title is not valid UTF-8 can be decoded all the same.
    return av.open(str(path), metadata_errors="replace")
