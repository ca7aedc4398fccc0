"""Packets become pictures: decoded by FFmpeg, then turned and converted as decord does it."""

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
"""Degrees clockwise that a player turns the picture: the filters that decord builds for them. It ignores others."""

_SKIPPABLE = frozenset({"h264"})
"""Codecs in which a picture marked "not a reference" is one for no other picture, so that leaving it out is safe."""


class VideoDecoder:
    """The decoder of one stream, which goes on after damage and remembers it."""

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        # One thread: a group of pictures is a short job, frame threads would have to be refilled after every seek, and
        # whoever prepares several clips at once has a thread for each.
        self._context.thread_count = 1
        self._context.options = {"max_pixels": str(MOST_PIXELS)}  # the size may change midway
        self._skips = self._context.name in _SKIPPABLE
        self.damaged = False

    def decode(self, packets: Iterable[av.Packet], wanted: frozenset[int] | None = None) -> Iterator[VideoFrame]:
        """Decode packets to their last picture. With `wanted`, pictures at other times may be left out."""
        for packet in packets:
            if self._skips and wanted is not None:
                self._context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
            yield from self._feed(packet)
        yield from self._feed(None)

    def _feed(self, packet: av.Packet | None) -> list[VideoFrame]:
        """What comes out when a packet goes in; None asks for what is held back."""
        try:
            return self._context.decode(packet)
        except av.FFmpegError:
            self.damaged = True
            return []


class FrameConverter:
    """Makes RGB pictures of decoded ones as decord's filters do: turn upright, then scale and convert.

    PyAV's own conversion takes every stream for BT.601 in the limited range; decord's heeds what the frame says.
    """

    def __init__(self, stream: VideoStream) -> None:
        """Pictures get the size that the stream announces, even where it changes midway."""
        self._size = stream.codec_context.width, stream.codec_context.height
        self._reformatter = VideoReformatter()
        self._graph: Graph | None = None

    def convert(self, frame: VideoFrame) -> torch.Tensor:
        """The picture as uint8 (H, W, 3), RGB, upright."""
        degrees = -frame.rotation % 360  # of the display matrix, counter-clockwise: what has to be undone
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
        """The frame turned clockwise by so many degrees, where decord turns it."""
        if degrees not in _TURNS:
            return frame
        if self._graph is None:
            self._graph = _turner(frame, _TURNS[degrees])
        self._graph.push(frame)
        turned = self._graph.pull()
        assert isinstance(turned, VideoFrame)
        return turned


def _turner(frame: VideoFrame, directions: Sequence[str]) -> Graph:
    """A graph of transpose filters for frames like this one."""
    graph = Graph()
    # The time base is any: what the decoder holds back to the end has none, and no time is read behind the filters.
    last = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000))
    for following in [*(graph.add("transpose", direction) for direction in directions), graph.add("buffersink")]:
        last.link_to(following)
        last = following
    graph.configure()
    return graph
