"""Turns packets into pictures: FFmpeg decodes them, then they are put upright, and converted as decord does it."""

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import torch
from av.filter import Graph
from av.sidedata.sidedata import Type as SideData
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from .video_index import MOST_PIXELS

_CLOCK, _COUNTER = ("transpose", "clock"), ("transpose", "cclock")
_UPRIGHT: dict[tuple[int, bool], tuple[tuple[str, str], ...]] = {
    # The filters that decord builds.
    (90, False): (_CLOCK,),
    (180, False): (_CLOCK, _CLOCK),
    (270, False): (_COUNTER,),
    # Those of the ffmpeg program (configure_input_video_filter in fftools/ffmpeg_filter.c). decord overlooks mirroring,
    # and shows these pictures upside down or mirrored; here a model sees what a player shows.
    (0, True): (("vflip", ""),),
    (90, True): (("transpose", "cclock_flip"),),
    (180, True): (("hflip", ""),),
    (270, True): (("transpose", "clock_flip"),),
}
"""The filters that put a picture upright: by the degrees clockwise by which a player rotates it, and by whether it also
mirrors it. Other angles are ignored, as in decord."""

_INTRA = frozenset({PictureType.I, PictureType.SI, PictureType.BI, PictureType.NONE})
"""Kinds of pictures that need no other picture. A codec that has only one kind often does not name it (NONE)."""

_ANGLE_TOLERANCE = 1.0
"""Degrees by which a quarter turn may be off, as in decord and the ffmpeg program."""

_SKIPPABLE = frozenset({"h264"})
"""Codecs in which no other picture refers to a picture marked "not a reference", so that leaving it out is safe."""


class VideoDecoder:
    """Decodes one stream, and continues after damage.

    Attributes:
        damage: The numbers of the packets that the decoder could not decode so far, counted from 0.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        # One thread: a group of pictures is a short job, frame threads would have to be refilled after every seek, and
        # callers that prepare several clips at once have a thread for each of them.
        self._context.thread_count = 1
        self._context.options = {"max_pixels": str(MOST_PIXELS)}  # the size may change midway
        self._skips = self._context.name in _SKIPPABLE
        self._fed = 0
        self.damage: list[int] = []

    @property
    def damaged(self) -> bool:
        """Whether the decoder reported damage so far."""
        return bool(self.damage)

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
            self._fed += 1
        yield from self._feed(None)

    def _feed(self, packet: av.Packet | None) -> list[VideoFrame]:
        """Feed one packet and return the pictures that come out. None flushes the decoder."""
        try:
            return self._context.decode(packet)
        except av.FFmpegError:
            self.damage.append(self._fed)
            return []


class FrameConverter:
    """Turns decoded pictures into RGB: puts them upright, then scales and converts them as decord's filters do.

    PyAV's own conversion takes every stream for BT.601 in the limited range; decord respects what the frame says.
    """

    def __init__(self, stream: VideoStream) -> None:
        """Give all pictures the size that the stream announces, even where it changes midway."""
        self._size = stream.codec_context.width, stream.codec_context.height
        self._reformatter = VideoReformatter()
        self._graph: Graph | None = None
        self._graph_takes: tuple[object, ...] = ()
        self._orientation: tuple[int, bool] | None = None
        self._rotation = 0

    def convert(self, frame: VideoFrame) -> torch.Tensor:
        """Convert a decoded picture to uint8 (H, W, 3), RGB, as a player shows it: upright, and not mirrored."""
        orientation = self._oriented(frame)
        width, height = self._size[::-1] if orientation[0] in (90, 270) else self._size
        rgb = self._reformatter.reformat(
            self._upright(frame, orientation),
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=frame.colorspace,
            dst_colorspace=Colorspace.DEFAULT,
            interpolation=Interpolation.BILINEAR,
            src_color_range=ColorRange.JPEG if frame.color_range == ColorRange.JPEG else ColorRange.MPEG,
        )
        return torch.from_numpy(rgb.to_ndarray())

    def _oriented(self, frame: VideoFrame) -> tuple[int, bool]:
        """The orientation of the picture, which is looked up only where its rotation changes.

        A frame and its side data refer to each other in PyAV, so that a frame whose side data were looked at keeps its
        memory until the garbage collector runs.
        """
        if self._orientation is None or frame.rotation != self._rotation:
            self._orientation, self._rotation = _orientation(frame), frame.rotation
        return self._orientation

    def _upright(self, frame: VideoFrame, orientation: tuple[int, bool]) -> VideoFrame:
        """The frame rotated clockwise by the degrees of `orientation`, and mirrored if it says so."""
        if orientation not in _UPRIGHT:
            return frame
        kind = (orientation, frame.width, frame.height, frame.format.name)  # each may change midway
        if self._graph is None or kind != self._graph_takes:
            self._graph, self._graph_takes = _filtering(frame, _UPRIGHT[orientation]), kind
        self._graph.vpush(frame)
        return self._graph.vpull()


def starts_a_group(frame: VideoFrame) -> bool:
    """Whether decoding can start with this picture, according to the picture and not to its file.

    Files of old phones mark pictures as key frames that need earlier ones. The decoders of H.263 and MPEG-4 start with
    such a picture nevertheless, and show the differences to a picture that they do not have.

    Args:
        frame: The picture, as it was decoded.

    Returns:
        True if the picture needs no other one, or if its codec does not say it.
    """
    return frame.key_frame or PictureType(frame.pict_type) in _INTRA


def _orientation(frame: VideoFrame) -> tuple[int, bool]:
    """The degrees clockwise by which a player rotates the picture, and whether it also mirrors it.

    A display matrix moves the point (x, y) of the picture to (a x + c y, b x + d y); y points down. The angle is that
    of FFmpeg's av_display_rotation_get. A matrix with a negative determinant mirrors.
    """
    matrix: Any = frame.side_data.get(SideData.DISPLAYMATRIX)  # type: ignore[call-overload]  # PyAV declares text keys
    if matrix is None:
        return 0, False
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    columns = math.hypot(a, c), math.hypot(b, d)
    if not all(columns):
        return 0, False
    angle = math.degrees(math.atan2(b / columns[1], a / columns[0]))
    quarters = round(angle / 90)
    degrees = 90 * quarters if abs(angle - 90 * quarters) < _ANGLE_TOLERANCE else round(angle)
    return degrees % 360, a * d < b * c


def _filtering(frame: VideoFrame, steps: Sequence[tuple[str, str]]) -> Graph:
    """A graph of filters (name and arguments) for frames like this one."""
    graph = Graph()
    # Any time base will do: the frames that the decoder gives out at the end have none, and the time of a filtered
    # frame is not read.
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000))
    filters = [graph.add(name, arguments or None) for name, arguments in steps]
    graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
    return graph
