"""Turns the frames of a decoded sound into arrays of samples, through FFmpeg's filters.

Python gets to see a frame only after FFmpeg has interleaved its channels into one plane. PyAV 15 counts nine planes in
a frame of eight (`AudioFrame.planes` reads up to a null pointer, and `AVFrame.data` has eight places and none behind
them), and its `AudioFifo` frees the list of a custom layout twice: both end the process.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.filter import Graph
from numpy.typing import NDArray

from .errors import MediaError

_BLOCK = 2**16
"""Samples that are turned into an array at once: enough for few calls, and few enough for a processor's cache. (A frame
lasts some 20 ms. Turning many of them into one array takes half the time.)"""


@dataclass(frozen=True)
class Samples:
    """A block of samples of all channels.

    Attributes:
        values: Samples of shape (channels, N), as the decoder gave them.
        format: FFmpeg's name of the sample format of `values`.
        rate: Samples per second.
    """

    values: NDArray[np.generic]
    format: str
    rate: int


class BlockMaker:
    """Joins decoded frames into blocks.

    If the channels change midway, all are mixed into the arrangement at the start, as the ffmpeg program does: a mono
    part of a stereo sound is 3 dB less loud in each channel.
    """

    def __init__(self, file: Path) -> None:
        """Start without frames; `file` is for messages."""
        self._file = file
        self._layout: str | None = None
        self._kind: tuple[int, str, str] | None = None
        self._graph: Graph | None = None
        self._waiting = 0

    def add(self, frame: AudioFrame) -> Iterator[Samples]:
        """Add the next decoded frame.

        Args:
            frame: A frame of the stream. It loses its time: gaps between the times of presentation are not filled, as
                in ffmpeg.

        Yields:
            The blocks that are complete now.

        Raises:
            MediaError: FFmpeg cannot interleave channels that are arranged in this way.
        """
        frame.pts = None
        try:
            kind = (frame.sample_rate, frame.format.name, frame.layout.name)
            if kind != self._kind:
                yield from self.end()
                self._kind, self._graph = kind, self._built(frame)
            assert self._graph is not None
            self._graph.push(frame)
        except (av.FFmpegError, ValueError) as error:
            raise self._refusal(frame) from error
        self._waiting += frame.samples
        if self._waiting >= _BLOCK:
            yield from self._made()

    def end(self) -> Iterator[Samples]:
        """Yield the blocks of all frames that were added, also incomplete ones."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._made()
            self._graph = self._kind = None

    def _made(self) -> Iterator[Samples]:
        assert self._graph is not None
        while True:
            try:
                block = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            except av.FFmpegError as error:
                raise MediaError(f"{self._file} has sound that FFmpeg cannot mix: store it in stereo.") from error
            assert isinstance(block, AudioFrame)
            self._waiting -= block.samples
            values = block.to_ndarray().reshape(-1, block.layout.nb_channels).T
            yield Samples(values, block.format.name, block.sample_rate)

    def _built(self, frame: AudioFrame) -> Graph:
        """A graph of filters for frames like this one, which are mixed into the arrangement of the first frame."""
        rate, layout = frame.sample_rate, frame.layout.name
        self._layout = self._layout or layout
        graph = Graph()
        filters = [
            graph.add(
                "abuffer",
                sample_rate=str(rate),
                sample_fmt=frame.format.name,
                channel_layout=layout,
                time_base=f"1/{rate}",
            ),
            graph.add("aformat", sample_fmts=frame.format.packed.name),
        ]
        if layout != self._layout:
            # The limit is that for integer samples, which librosa asks ffmpeg for: none gets louder than full scale.
            filters.insert(1, graph.add("aresample", out_chlayout=self._layout, rematrix_maxval="1"))
        graph.link_nodes(*filters, graph.add("abuffersink")).configure()
        graph.set_audio_frame_size(_BLOCK)
        return graph

    def _refusal(self, frame: AudioFrame) -> MediaError:
        channels = frame.layout.nb_channels
        return MediaError(f"{self._file} has {channels} channels of sound that FFmpeg cannot mix: store it in stereo.")
