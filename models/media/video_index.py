"""The packets of a video stream: when each is shown, and where decoding can start."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from .audio import AudioDecoder
from .errors import MediaError, UnsuitableReaderError

MOST_PIXELS = 139_264 * 256
"""Pixels of the largest picture: the macroblocks of H.264's highest level (ITU-T H.264, table A-1), a little above 8K.
A few kilobytes can hold pictures whose decoding takes gigabytes."""


@dataclass(frozen=True)
class VideoIndex:
    """The packets of a video stream in the order of the file. A place is the number of a packet in that order.

    Times are in units of the stream's time base.

    Attributes:
        pts: Times of presentation of the packets.
        seeks: Times that a seek needs to reach the packets: those of decoding where the file has them.
        keys: Places of the key frames.
        hidden: Times of presentation of the packets that an edit list cuts off.
        timed: Whether `pts` can be relied on.
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
        """By frame number, the time of presentation of the picture that is on the screen at that frame."""
        times = sorted(self.pts)
        on_screen = next((pts for pts in times if pts not in self.hidden), times[0])
        result = []
        for pts in times:
            on_screen = on_screen if pts in self.hidden else pts
            result.append(on_screen)
        return result

    def key_before(self, pts: int) -> int:
        """Return the place from which the picture at the time of presentation `pts` can be decoded.

        A key frame may be followed in the file by pictures that are shown before it and refer to the group before it
        (an open group of pictures). So the key frame has to be before `pts` in both orders.
        """
        place = self.place[pts]
        return max((key for key in self.keys if key <= place and self.pts[key] <= pts), default=0)


@dataclass(frozen=True)
class DecodeSpan:
    """Packets that are decoded in one go.

    Attributes:
        first: Place of the first packet.
        last: Place of the last packet.
        wanted: Times of presentation of the needed pictures.
    """

    first: int
    last: int
    wanted: frozenset[int]


def decode_spans(index: VideoIndex, times: Sequence[int]) -> list[DecodeSpan]:
    """Group pictures by the key frame from which they are decoded.

    So packets between two groups are never decoded, and no packet is decoded twice.

    Args:
        index: The packets of the stream.
        times: Times of presentation of the needed pictures, ascending.

    Returns:
        The spans to decode, in the order of `times`.
    """
    groups: dict[int, list[int]] = {}
    for pts in times:
        groups.setdefault(index.key_before(pts), []).append(pts)
    return [
        DecodeSpan(first, max(index.place[pts] for pts in group), frozenset(group)) for first, group in groups.items()
    ]


def video_stream(file: Path, container: InputContainer) -> VideoStream:
    """Choose the video stream that FFmpeg finds best, as decord does. The cover of an album does not count.

    Args:
        file: The path of the file, for messages.
        container: The open file.

    Returns:
        The stream, which FFmpeg can decode.

    Raises:
        MediaError: There is no video stream, or its pictures are larger than `MOST_PIXELS`.
        UnsuitableReaderError: FFmpeg has no decoder for the stream.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        raise MediaError(f"{file} has no video stream.")
    context = stream.codec_context
    if context is None:
        raise UnsuitableReaderError("PyAV has no decoder for its video stream")
    if context.width * context.height > MOST_PIXELS:
        raise MediaError(f"{file} has pictures of {context.width}x{context.height} pixels, too large to be decoded.")
    return stream


def demux(
    file: Path, container: InputContainer, stream: VideoStream, sound: AudioDecoder | None = None
) -> Iterator[av.Packet]:
    """Read the packets of a stream.

    Args:
        file: The path of the file, for messages.
        container: The open file.
        stream: The video stream to read.
        sound: A decoder that gets the packets of its own stream on the way.

    Yields:
        The packets of `stream`, without the empty ones, which PyAV's decoder would take for the end.

    Raises:
        MediaError: The file is damaged in such a way that FFmpeg cannot continue.
    """
    try:
        for packet in container.demux(stream if sound is None else [stream, sound.stream]):
            if sound is not None and packet.stream_index == sound.stream.index:
                sound.feed(packet)
            elif packet.size:
                yield packet
    except (av.FFmpegError, IndexError) as error:  # PyAV stumbles over streams that show up late in damaged files
        raise MediaError(f"{file} is damaged: its frames cannot be read to the end.") from error


def read_index(
    file: Path, container: InputContainer, stream: VideoStream, sound: AudioDecoder | None = None
) -> VideoIndex:
    """Read all packets of a stream without decoding them.

    Args:
        file: The path of the file, for messages.
        container: The open file, at its start.
        stream: The video stream to read.
        sound: A decoder that gets the packets of its own stream on the way.

    Returns:
        The index of the stream.

    Raises:
        MediaError: There are no packets, or the file breaks off in the middle of one.
    """
    packets: list[tuple[int | None, int | None]] = []
    keys: list[int] = []
    hidden: set[int] = set()
    broken_off = False
    for place, packet in enumerate(demux(file, container, stream, sound)):
        packets.append((packet.pts, packet.dts))
        if packet.is_keyframe:
            keys.append(place)
        if packet.is_discard and packet.pts is not None:
            hidden.add(packet.pts)
        broken_off = packet.is_corrupt
    if not packets:
        raise MediaError(f"{file} has a video stream without frames.")
    if broken_off:
        raise MediaError(f"{file} breaks off in the middle of a frame, as after a broken download.")
    times = tuple(pts for pts, _ in packets if pts is not None)
    return VideoIndex(
        pts=times,
        # By the time of decoding where there is one: more key frames may be decoded before the first one is shown.
        seeks=tuple(next((time for time in (dts, pts) if time is not None), 0) for pts, dts in packets),
        keys=tuple(keys),
        hidden=frozenset(hidden),
        # AVI stores no times of presentation: FFmpeg makes them up, and wrongly where pictures are reordered.
        timed=len(set(times)) == len(packets) and container.format.name != "avi",
    )
