"""Turns packets into pictures: FFmpeg decodes them, then they are rotated and converted as decord does it."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import av
import torch
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from .video_index import MOST_PIXELS

_TURNS = {90: ("clock",), 180: ("clock", "clock"), 270: ("cclock",)}
"""Degrees clockwise by which a player rotates the picture, and the filters that decord builds for them. decord ignores
other angles."""

_SKIPPABLE = frozenset({"h264"})
"""Codecs in which no other picture refers to a picture marked "not a reference", so that leaving it out is safe."""


class VideoDecoder:
    """Decodes one stream, and continues after damage.

    Attributes:
        damaged: Whether the decoder reported damage so far.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        # One thread: a group of pictures is a short job, frame threads would have to be refilled after every seek, and
        # callers that prepare several clips at once have a thread for each of them.
        self._context.thread_count = 1
        self._context.options = {"max_pixels": str(MOST_PIXELS)}  # the size may change midway
        self._skips = self._context.name in _SKIPPABLE
        self.damaged = False

    def decode(self, packets: Iterable[av.Packet], wanted: frozenset[int] | None = None) -> Iterator[VideoFrame]:
        """Decode packets up to their last picture.

        Args:
            packets: Consecutive packets of the stream.
            wanted: Times of presentation of the needed pictures; others may be left out. None means all pictures.

        Yields:
            Decoded pictures in the order of presentation.
        """
        for packet in packets:
            if self._skips and wanted is not None:
                self._context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
            yield from self._feed(packet)
        yield from self._feed(None)

    def _feed(self, packet: av.Packet | None) -> list[VideoFrame]:
        """Feed one packet and return the pictures that come out. None flushes the decoder."""
        try:
            return self._context.decode(packet)
        except av.FFmpegError:
            self.damaged = True
            return []


class FrameConverter:
    """Turns decoded pictures into RGB as decord's filters do: rotate them upright, then scale and convert.

    PyAV's own conversion takes every stream for BT.601 in the limited range; decord respects what the frame says.
    """

    def __init__(self, stream: VideoStream) -> None:
        """Give all pictures the size that the stream announces, even where it changes midway."""
        self._size = stream.codec_context.width, stream.codec_context.height
        self._reformatter = VideoReformatter()
        self._graph: Graph | None = None

    def convert(self, frame: VideoFrame) -> torch.Tensor:
        """Convert a decoded picture to uint8 (H, W, 3), RGB, upright."""
        degrees = -frame.rotation % 360  # the display matrix says it counter-clockwise
        width, height = self._size[::-1] if degrees in (90, 270) else self._size
        rgb = self._reformatter.reformat(
            self._upright(frame, degrees),
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=frame.colorspace,
            dst_colorspace=Colorspace.DEFAULT,
            interpolation=Interpolation.BILINEAR,
            src_color_range=ColorRange.JPEG if frame.color_range == ColorRange.JPEG else ColorRange.MPEG,
        )
        return torch.from_numpy(rgb.to_ndarray())

    def _upright(self, frame: VideoFrame, degrees: int) -> VideoFrame:
        """The frame rotated clockwise by `degrees`, where decord rotates it."""
        if degrees not in _TURNS:
            return frame
        if self._graph is None:
            self._graph = _rotation(frame, _TURNS[degrees])
        self._graph.vpush(frame)
        return self._graph.vpull()


def _rotation(frame: VideoFrame, directions: Sequence[str]) -> Graph:
    """A graph of transpose filters for frames like this one."""
    graph = Graph()
    # Any time base will do: the frames that the decoder gives out at the end have none, and the time of a filtered
    # frame is not read.
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000))
    transposes = [graph.add("transpose", direction) for direction in directions]
    graph.link_nodes(source, *transposes, graph.add("buffersink")).configure()
    return graph
