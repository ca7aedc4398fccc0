"""The packets of a video stream: which there are, when each is shown, and where decoding can start."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from .errors import MediaError, UnsuitableReaderError

MOST_PIXELS = 139_264 * 256
"""Pixels of the largest picture: the macroblocks of H.264's highest level (ITU-T H.264, table A-1), a little above 8K.
A few kilobytes can hold pictures whose decoding takes gigabytes."""


@dataclass(frozen=True)
class VideoIndex:
    """The packets of a video stream in the order of the file: when each is shown, and where decoding can start.

    Times are in units of the stream's time base: `pts` of presentation; `seeks` those that lead to the packets, which
    are of decoding where the file has them. `keys` are the places of key frames in the file. `hidden` are the times of
    presentation of packets that an edit list cuts off. `timed` says whether `pts` can be relied on.
    """

    pts: tuple[int, ...]
    seeks: tuple[int, ...]
    keys: tuple[int, ...]
    hidden: frozenset[int]
    timed: bool

    @cached_property
    def place(self) -> dict[int, int]:
        """The place in the file by time of presentation."""
        return {pts: place for place, pts in enumerate(self.pts)}

    @cached_property
    def shown(self) -> list[int]:
        """By frame number, the time of presentation of the picture that is on the screen then."""
        times = sorted(self.pts)
        on_screen = next((pts for pts in times if pts not in self.hidden), times[0])
        result = []
        for pts in times:
            on_screen = on_screen if pts in self.hidden else pts
            result.append(on_screen)
        return result

    def key_before(self, pts: int) -> int:
        """The place from which the picture at `pts` can be decoded.

        A key frame may be followed in the file by pictures that are shown before it and lean on the group before
        (an open group of pictures), so it has to be before `pts` in both orders.
        """
        place = self.place[pts]
        return max((key for key in self.keys if key <= place and self.pts[key] <= pts), default=0)


@dataclass(frozen=True)
class DecodeSpan:
    """What is decoded in one go: from the packet at `first` to that at `last`, for the pictures shown at `wanted`."""

    first: int
    last: int
    wanted: frozenset[int]


def decode_spans(index: VideoIndex, times: Sequence[int]) -> list[DecodeSpan]:
    """Group the times (ascending) by the key frame that they are decoded from.

    What lies between two groups is thereby never decoded, and no packet is decoded twice.
    """
    groups: dict[int, list[int]] = {}
    for pts in times:
        groups.setdefault(index.key_before(pts), []).append(pts)
    return [
        DecodeSpan(first, max(index.place[pts] for pts in group), frozenset(group)) for first, group in groups.items()
    ]


def video_stream(file: Path, container: InputContainer) -> VideoStream:
    """The video stream that FFmpeg finds best, as decord does; the cover of an album is none.

    Raises:
        MediaError: there is no video stream, or its pictures are larger than any decoder has to take.
        UnsuitableReaderError: FFmpeg has no decoder for it.
    """
    stream = container.streams.best("video")
    if stream is None and container.streams.video:
        raise UnsuitableReaderError("PyAV has no decoder for its video stream")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        raise MediaError(f"{file} has no video stream.")
    context = stream.codec_context
    if context is None:
        raise UnsuitableReaderError("PyAV has no decoder for its video stream")
    if context.width * context.height > MOST_PIXELS:
        raise MediaError(f"{file} has pictures of {context.width}x{context.height} pixels, too large to be decoded.")
    return stream


class PacketSink(Protocol):
    """Takes the packets of another stream of the same file, while it is gone through."""

    @property
    def stream(self) -> Stream:
        """Whose packets it takes."""

    def feed(self, packet: av.Packet) -> None:
        """Take the stream's next packet; the empty one ends it."""


def demux(
    file: Path, container: InputContainer, stream: VideoStream, beside: PacketSink | None = None
) -> Iterator[av.Packet]:
    """The packets of a stream; without the empty ones, which PyAV's decoder would take for the end.

    Those of another stream are given to `beside` on the way.

    Raises:
        MediaError: the file is broken where FFmpeg cannot go on.
    """
    try:
        for packet in container.demux(stream if beside is None else [stream, beside.stream]):
            if beside is not None and packet.stream_index == beside.stream.index:
                beside.feed(packet)
            elif packet.size:
                yield packet
    except (av.FFmpegError, IndexError) as error:  # PyAV stumbles over streams that show up late in damaged files
        raise MediaError(f"{file} is damaged: its frames cannot be read to the end.") from error


def read_index(
    file: Path, container: InputContainer, stream: VideoStream, beside: PacketSink | None = None
) -> VideoIndex:
    """Go through the packets of a stream, decoding none; those of another are given to `beside`.

    Raises:
        MediaError: there are none, or the file breaks off in the midst of one.
    """
    packets: list[tuple[int | None, int | None]] = []
    keys: list[int] = []
    hidden: set[int] = set()
    broken_off = False
    for place, packet in enumerate(demux(file, container, stream, beside)):
        packets.append((packet.pts, packet.dts))
        if packet.is_keyframe:
            keys.append(place)
        if packet.is_discard and packet.pts is not None:
            hidden.add(packet.pts)
        broken_off = packet.is_corrupt
    if not packets:
        raise MediaError(f"{file} has a video stream without frames.")
    if broken_off:
        raise MediaError(f"{file} breaks off in the midst of a frame, as after a broken download.")
    times = tuple(pts for pts, _ in packets if pts is not None)
    return VideoIndex(
        pts=times,
        # By the time of decoding where there is one: more key frames may be decoded before the first one is shown.
        seeks=tuple(next((time for time in (dts, pts) if time is not None), 0) for pts, dts in packets),
        keys=tuple(keys),
        hidden=frozenset(hidden),
        # AVI keeps no times of presentation: FFmpeg makes them up, and wrongly where pictures are reordered.
        timed=len(set(times)) == len(packets) and container.format.name != "avi",
    )
