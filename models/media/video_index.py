"""The packets of a video stream: when each is shown, and where decoding can start."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.format import Flags
from av.stream import Disposition
from av.video.stream import VideoStream

from .audio import AudioDecoder
from .container import open_media
from .errors import MediaError, UnsuitableReaderError

MOST_PIXELS = 139_264 * 256
"""Pixels of the largest picture: the macroblocks of H.264's highest level (ITU-T H.264, table A-1), a little above 8K.
A few kilobytes can hold pictures whose decoding takes gigabytes."""

_CONTRADICTION = 2.0
"""A stated frame rate that differs from the timestamps by more than this factor is not that of the file. Smaller
differences are common where frames last unequally long, and decord takes the stated rate there."""

_NO_TIMESTAMPS: Any = Flags.no_timestamps.value
"""PyAV's type hints take the flags of a format, a number, for a `Flags`."""

_PROBED = 32
"""Packets that are decoded to find out whether they hold fields."""

_ROUNDING = 0.02
"""How far, relatively, timestamps may differ from a regular rate because they are rounded (WebM: to 1 ms)."""


@dataclass(frozen=True)
class VideoIndex:
    """The packets of a video stream in the order of the file. A place is the number of a packet in that order.

    Times are in units of the stream's time base.

    Attributes:
        pts: Times of presentation of the packets.
        seeks: Times that a seek needs to reach the packets: those of decoding where the file has them.
        keys: Places of the key frames.
        hidden: Times of presentation of the packets that a player decodes at most: an edit list cuts them off, or the
            file starts between key frames, so that they cannot be decoded.
        timed: Whether `pts` can be relied on.
        broken_off: Whether the file ends in the middle of a packet, which is then not one of these.
        field: Duration of a packet with one field of an interlaced picture; None if each packet has a whole picture.
            Two such packets count as one.
        skipped: Places in the file of packets that cannot be decoded and are not among these: instead of `hidden`,
            where `pts` cannot be relied on.
    """

    pts: tuple[int, ...]
    seeks: tuple[int, ...]
    keys: tuple[int, ...]
    hidden: frozenset[int]
    timed: bool
    broken_off: bool = False
    field: float | None = None
    skipped: frozenset[int] = frozenset()

    @cached_property
    def place(self) -> dict[int, int]:
        """The place in the file by time of presentation."""
        return {pts: place for place, pts in enumerate(self.pts)}

    @cached_property
    def shown(self) -> list[int]:
        """Times of presentation of the frames that a player shows, by frame number."""
        return sorted(set(self.pts) - self.hidden)

    @property
    def count(self) -> int:
        """The number of frames that a player shows."""
        return len(self.shown) if self.timed else len(self.seeks)

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


def stated_start(container: InputContainer) -> float | None:
    """Read when the video stream of an open file starts, in seconds; None if the file does not say it."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.start_time is None or stream.time_base is None:
        return None
    return float(stream.start_time * stream.time_base)


def demux(
    file: Path,
    container: InputContainer,
    stream: VideoStream,
    sound: AudioDecoder | None = None,
    field: float | None = None,
) -> Iterator[av.Packet]:
    """Read the packets of a stream.

    Args:
        file: The path of the file, for messages.
        container: The open file.
        stream: The video stream to read.
        sound: A decoder that gets the packets of its own stream on the way.
        field: `VideoIndex.field`, if it is known.

    Yields:
        The packets of `stream`, without the empty ones, which PyAV's decoder would take for the end, and with both
        fields of a picture in one packet.

    Raises:
        MediaError: The file is damaged in such a way that FFmpeg cannot continue.
    """
    first: av.Packet | None = None
    try:
        for packet in container.demux(stream if sound is None else [stream, sound.stream]):
            if sound is not None and packet.stream_index == sound.stream.index:
                sound.feed(packet)
            elif not packet.size:
                continue
            elif first is not None and _is_field(packet, field):
                yield _joined(first, packet)
                first = None
            else:
                if first is not None:
                    yield first
                first = packet if _is_field(packet, field) else None
                if first is None:
                    yield packet
        if first is not None:
            yield first
    except (av.FFmpegError, IndexError) as error:  # PyAV stumbles over streams that show up late in damaged files
        raise MediaError(f"{file} is damaged: its frames cannot be read to the end.") from error


def _is_field(packet: av.Packet, field: float | None) -> bool:
    return field is not None and packet.duration is not None and abs(packet.duration - field) <= 1


def _joined(first: av.Packet, second: av.Packet) -> av.Packet:
    """Both fields of a picture in one packet, as in MP4."""
    packet = av.Packet(bytes(first) + bytes(second))
    packet.pts, packet.dts, packet.time_base = first.pts, first.dts, first.time_base
    packet.duration = (first.duration or 0) + (second.duration or 0)
    packet.is_keyframe, packet.is_corrupt = first.is_keyframe, first.is_corrupt or second.is_corrupt
    return packet


def read_index(
    file: Path,
    container: InputContainer,
    stream: VideoStream,
    sound: AudioDecoder | None = None,
    field: float | None = None,
) -> VideoIndex:
    """Read all packets of a stream without decoding them.

    Args:
        file: The path of the file, for messages.
        container: The open file, at its start.
        stream: The video stream to read.
        sound: A decoder that gets the packets of its own stream on the way.
        field: `VideoIndex.field`, if it is known.

    Returns:
        The index of the stream.

    Raises:
        MediaError: There are no packets, or the file breaks off and lists more of them.
    """
    half, halves = _half_duration(stream), 0
    packets: list[tuple[int | None, int | None]] = []
    keys: list[int] = []
    hidden: set[int] = set()
    broken_off = False
    for place, packet in enumerate(demux(file, container, stream, sound, field)):
        packets.append((packet.pts, packet.dts))
        if packet.is_keyframe:
            keys.append(place)
        if packet.is_discard and packet.pts is not None:
            hidden.add(packet.pts)
        broken_off = packet.is_corrupt
        halves += field is None and _is_field(packet, half)
    if not packets:
        raise MediaError(f"{file} has a video stream without frames.")
    if half is not None and halves > 1 and _has_fields(file, half):
        with open_media(file) as again:
            return read_index(file, again, video_stream(file, again), field=half)
    if broken_off:
        if len(packets) == 1 or _lists_more(container, stream, len(packets)):
            raise MediaError(f"{file} breaks off in the middle of a frame, as after a broken download.")
        last, _ = packets.pop()
        keys = [key for key in keys if key < len(packets)]
        hidden.discard(last if last is not None else -1)
    times = tuple(pts for pts, _ in packets if pts is not None)
    return VideoIndex(
        pts=times,
        # By the time of decoding where there is one: more key frames may be decoded before the first one is shown.
        seeks=tuple(next((time for time in (dts, pts) if time is not None), 0) for pts, dts in packets),
        keys=tuple(keys),
        hidden=frozenset(hidden),
        # AVI stores no times of presentation: FFmpeg makes them up, and wrongly where pictures are reordered.
        timed=len(set(times)) == len(packets) and container.format.name != "avi",
        broken_off=broken_off,
        field=field,
    )


def _half_duration(stream: VideoStream) -> float | None:
    """The duration of a field, if the stream may have packets of one field each.

    H.264 codes the two fields of an interlaced picture apart or together. MP4 has both in one packet. In MPEG-TS, and
    in what was copied from it, FFmpeg's parser takes each for a picture of half the duration; its decoder joins them.
    """
    if stream.codec_context.name != "h264" or not stream.average_rate or not stream.time_base:
        return None
    return float(1 / (2 * stream.average_rate * stream.time_base))


def _has_fields(file: Path, half: float) -> bool:
    """Whether packets of half the duration are fields: the decoder makes one interlaced picture of two of them."""
    pictures = 0
    with open_media(file) as container:
        stream = video_stream(file, container)
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
        packets = list(islice(demux(file, container, stream), _PROBED))
        try:
            for packet in [*packets, None]:
                pictures += sum(frame.interlaced_frame for frame in stream.codec_context.decode(packet))
        except av.FFmpegError:
            return False
    fields = sum(_is_field(packet, half) for packet in packets)
    return 0 < pictures <= len(packets) - fields // 2


def _lists_more(container: InputContainer, stream: VideoStream, count: int) -> bool:
    """Whether the file starts with a table of more packets than these: an MP4 or MOV file that is not in fragments.

    The rest of such a file is wanting. Files of other formats (AVI, Matroska, MPEG-TS) are made so that a recording
    that was interrupted can be used; Matroska and MPEG-TS do not even say that it was.
    """
    return "mp4" in container.format.name.split(",") and stream.frames > count


def frame_rate(container: InputContainer, stream: VideoStream, index: VideoIndex) -> float:
    """Find out how many frames a second of the file has.

    This is the rate that the file states, as in decord. Where the file states none, or one that its timestamps
    contradict, FFmpeg makes one up from the unit of time (1000 for a WebM file that a browser recorded), and the
    timestamps decide.

    Args:
        container: The open file.
        stream: The video stream.
        index: The index of the stream.

    Returns:
        Frames per second; 0.0 if nothing in the file tells it.
    """
    stated, guessed = stream.average_rate, stream.guessed_rate
    if container.format.flags & _NO_TIMESTAMPS:
        # A bare stream: its pictures may tell the rate. The timestamps, and a stated rate of 25, are FFmpeg's own.
        return float(guessed or stated or 0)
    measured = _measured_rates(stream, index)
    if not measured:
        return float(stated or guessed or 0)
    if index.hidden:
        # The stated rate is FFmpeg's quotient of the number of all packets and the duration that is shown.
        regular = [float(rate) for rate in (guessed, stated) if rate and _near(float(rate), measured[0], 1 + _ROUNDING)]
        return regular[0] if regular else measured[0]
    if stated and any(_near(float(stated), rate, _CONTRADICTION) for rate in measured):
        return float(stated)
    if guessed and _near(float(guessed), measured[0], 1 + _ROUNDING):
        return float(guessed)
    return measured[0]


def _near(one: float, other: float, factor: float) -> bool:
    """Whether two positive numbers differ by no more than this factor."""
    return max(one, other) <= factor * min(one, other)


def _measured_rates(stream: VideoStream, index: VideoIndex) -> list[float]:
    """Frames per second by the timestamps: on average, at most times, and by the stated duration of the stream.

    The first one is the best. The others are right where the timestamps jump, and where the last frame lasts long.
    """
    times = index.shown
    if len(times) < 2 or stream.time_base is None:
        return []
    usual = statistics.median(later - earlier for earlier, later in pairwise(times))
    intervals = [Fraction(times[-1] - times[0], len(times) - 1), Fraction(usual)]
    if stream.duration and stream.duration > 0:
        intervals.append(Fraction(stream.duration, index.count))
    return [float(1 / (interval * stream.time_base)) for interval in intervals]
