"""A video file becomes the frames that Qwen's own reader would show.

The reference is `fetch_video` of qwen-omni-utils with its decord reader. Which frames and how large is asked of that
library; decoding is PyAV's, which seeks to the key frames that are needed where decord decodes or seeks blindly.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import av
import torch
from av.container import InputContainer
from av.filter import Graph
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from qwen_omni_utils.v2_5 import vision_process as qwen
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resize

from .media import FrameRule, Frames, MediaError, open_media

logger = logging.getLogger(__name__)

# fetch_video's limits, counted in patches of factor x factor pixels. They are read when they are used, and the
# defaults are those of qwen-omni-utils 0.0.9, because the library has renamed its constants before.
_MIN_PATCHES = 128
_MAX_PATCHES = 768
_CONTEXT_PATCHES = 128_000
_CONTEXT_SHARE = 0.9
_MIN_PIXELS_SLACK = 1.05

_PIXELS_AT_ONCE = 2**25
"""Full-size pixels that are resized in one go: 100 MB of bytes, which torchvision turns into 400 MB of floats."""

_TURNS = {90: ("clock",), 180: ("clock", "clock"), 270: ("cclock",)}
"""Degrees clockwise that a player turns the picture: the filters that decord builds for them. It ignores others."""

_SKIPPABLE = frozenset({"h264"})
"""Codecs in which a picture marked "not a reference" is one for no other picture, so that leaving it out is safe."""


class _Unfit(Exception):
    """This way of reading cannot give the frames; the message says why, another way may do."""


class _Reader(Protocol):
    """A file of `count` frames at `fps` frames per second."""

    count: int
    fps: float

    def pictures(self, numbers: Sequence[int]) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield each of `numbers` (ascending, no repeats) with its picture: uint8 (H, W, 3), RGB, upright.

        A number without a picture is left out. One may come twice: the later picture is the better.
        """


def read_frames(
    path: str | Path, rule: FrameRule, factor: int = 28, start: float | None = None, end: float | None = None
) -> Frames:
    """Show a model a clip, as `fetch_video` of qwen-omni-utils with decord would: same frames, size and pixels.

    `rule` says how many frames and how large, `factor` is what height and width are multiples of (28 for
    Qwen2.5-Omni, 32 for Qwen3-Omni: twice the patch size), `start` and `end` bound the part shown, in seconds.

    Frames are numbered as decord does: one for each packet of the stream, in the order of presentation. A packet
    without a picture of its own (cut off by an edit list, or before the first key frame) stands for what is on the
    screen at its time. Where decord itself loses count (such packets, open groups of pictures, MPEG-TS, AVI), this
    gives the frame that it should have given. A file of one frame, which `fetch_video` refuses, shows it twice.

    Raises:
        MediaError: the file cannot be used, or not with this rule and part.
    """
    file = Path(path)
    try:
        with open_media(file) as container:
            return _read(file, _PyavReader(file, container), rule, factor, start, end)
    except _Unfit as reason:
        logger.warning("%s is read with decord, because %s", file, reason)
    return _read(file, _DecordReader(file), rule, factor, start, end)


def _read(file: Path, reader: _Reader, rule: FrameRule, factor: int, start: float | None, end: float | None) -> Frames:
    """Choose, decode and resize."""
    indices, part = _choose(file, reader, rule, start, end)
    wanted = sorted(set(indices))
    size: list[int] = []
    shown: dict[int, torch.Tensor] = {}
    for batch in _batches(reader.pictures(wanted)):
        numbers, pictures = zip(*batch, strict=True)
        size = size or _size(file, pictures[0], len(indices), rule, factor)
        shown.update(zip(numbers, _resized(pictures, size), strict=True))
    if len(shown) < len(wanted):
        raise MediaError(f"{file} is damaged: {len(wanted)} of its frames are wanted and {len(shown)} can be decoded.")
    return Frames(
        pixels=torch.stack([shown[number] for number in indices]),
        indices=tuple(indices),
        video_fps=reader.fps,
        total_frames=reader.count,
        sample_fps=len(indices) / part * reader.fps,
    )


def _batches(pictures: Iterable[tuple[int, torch.Tensor]]) -> Iterator[list[tuple[int, torch.Tensor]]]:
    """Numbered pictures in batches that are neither slow for being small nor too large for the memory."""
    batch: list[tuple[int, torch.Tensor]] = []
    pixels = 0
    for number, picture in pictures:
        batch.append((number, picture))
        pixels += picture.shape[0] * picture.shape[1]
        if pixels > _PIXELS_AT_ONCE:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _resized(pictures: Sequence[torch.Tensor], size: list[int]) -> torch.Tensor:
    """Pictures (H, W, 3) as one tensor (T, 3, *size), by the same call as fetch_video's."""
    stacked = torch.stack(list(pictures)).permute(0, 3, 1, 2)
    return resize(stacked, size, interpolation=InterpolationMode.BICUBIC, antialias=True)


def _given(**options: float | None) -> dict[str, Any]:
    """The options that are set: qwen-omni-utils looks at which keys are there."""
    return {name: value for name, value in options.items() if value is not None}


def _choose(
    file: Path, reader: _Reader, rule: FrameRule, start: float | None, end: float | None
) -> tuple[list[int], int]:
    """The numbers of the frames to show, ascending, and of how many frames the part consists."""
    if reader.count == 1:
        return [0, 0], 1
    options = _given(fps=rule.fps, nframes=rule.nframes, min_frames=rule.min_frames, max_frames=rule.max_frames)
    options |= _given(video_start=start, video_end=end)
    try:
        first, last, part = qwen.calculate_video_frame_range(options, reader.count, reader.fps)
        nframes = qwen.smart_nframes(options, total_frames=part, video_fps=reader.fps)
    except ValueError as error:
        asked = ", ".join(f"{name}={value:g}" for name, value in options.items()) or "the default rate"
        held = f"{reader.count} frames at {reader.fps:g} per second"
        raise MediaError(f"{file} has too few frames ({held}) for what is asked ({asked}).") from error
    return torch.linspace(first, last, nframes).round().long().tolist(), part


def _size(file: Path, picture: torch.Tensor, nframes: int, rule: FrameRule, factor: int) -> list[int]:
    """Height and width of the shown frames, in pixels: fetch_video's budget, then qwen-omni-utils' smart_resize."""
    patch = factor * factor
    context = getattr(qwen, "MODEL_SEQ_LEN", _CONTEXT_PATCHES) * patch * _CONTEXT_SHARE
    frame = getattr(qwen, "VIDEO_MAX_TOKEN_NUM", _MAX_PATCHES) * patch
    least = getattr(qwen, "VIDEO_MIN_TOKEN_NUM", _MIN_PATCHES) * patch if rule.min_pixels is None else rule.min_pixels
    most = max(min(frame, context / nframes * qwen.FRAME_FACTOR), int(least * _MIN_PIXELS_SLACK))
    if rule.max_pixels is not None:
        most = min(most, rule.max_pixels)
    if most < least:
        raise ValueError(f"max_pixels ({most}) is below min_pixels ({least})")
    height, width, _ = picture.shape
    try:
        size = qwen.smart_resize(height, width, factor, min_pixels=least, max_pixels=most)
    except ValueError as error:
        raise MediaError(f"{file} has pictures of {width}x{height} pixels, too long to be resized: {error}.") from error
    if min(size) < factor:
        raise MediaError(f"{file} has pictures of {width}x{height} pixels, too narrow to be resized to {most} pixels.")
    return list(size)


@dataclass(frozen=True)
class _Index:
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
class _Run:
    """One go of the decoder: from the packet at `first` to that at `last`, for the pictures shown at `wanted`."""

    first: int
    last: int
    wanted: frozenset[int]


def _runs(index: _Index, times: Sequence[int]) -> list[_Run]:
    """Group the times (ascending) by the key frame that they are decoded from.

    What lies between two groups is thereby never decoded, and no packet is decoded twice.
    """
    groups: dict[int, list[int]] = {}
    for pts in times:
        groups.setdefault(index.key_before(pts), []).append(pts)
    return [_Run(first, max(index.place[pts] for pts in group), frozenset(group)) for first, group in groups.items()]


class _PyavReader:
    """Frames by PyAV: one pass over the packets for the index, then only the needed groups of pictures are decoded."""

    def __init__(self, file: Path, container: InputContainer) -> None:
        """Index the open file.

        Raises:
            MediaError: there is no video stream, or it holds no frames.
            _Unfit: FFmpeg has no decoder for it.
        """
        self._file = file
        self._container = container
        self._stream = _video_stream(file, container)
        self._index = _index(file, container, self._stream)
        self._decoder = _Decoder(self._stream)
        self._painter = _Painter(self._stream)
        self.count = len(self._index.seeks)
        self.fps = float(self._stream.average_rate or self._stream.guessed_rate or 0)

    def pictures(self, numbers: Sequence[int]) -> Iterator[tuple[int, torch.Tensor]]:
        """See `_Reader.pictures`."""
        if not self._index.timed:
            logger.info("%s is decoded from its start, because it does not tell when frames are shown", self._file)
            yield from self._by_counting(numbers)
            return
        try:
            yield from self._by_time(numbers, self._seeking)
        except _Unfit as reason:
            logger.info("%s is decoded from its start, because %s", self._file, reason)
            yield from self._by_time(numbers, self._from_start)

    def _by_time(
        self, numbers: Sequence[int], way: Callable[[Sequence[int]], Iterator[tuple[int, VideoFrame]]]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Find frames by their times of presentation, which `way` decodes."""
        by_time: dict[int, list[int]] = {}
        for number in numbers:
            by_time.setdefault(self._index.shown[number], []).append(number)
        for pts, frame in way(sorted(by_time)):
            picture = self._painter.paint(frame)
            for number in by_time[pts]:
                yield number, picture

    def _seeking(self, times: Sequence[int]) -> Iterator[tuple[int, VideoFrame]]:
        """Decode the pictures at `times` (ascending) from the key frame before each, and nothing else.

        Raises:
            _Unfit: the file cannot be positioned, or one of the pictures did not come out whole.
        """
        for run in _runs(self._index, times):
            found = 0
            # A "key frame" that gives no picture is none: decoding has to start before it (periodic intra refresh).
            key = self._index.pts[run.first]
            started = key in self._index.hidden
            for frame in self._decoder.decode(self._packets(run), run.wanted | {key}):
                started = started or frame.pts == key
                if started and frame.pts in run.wanted and not frame.is_corrupt:
                    found += 1
                    yield frame.pts, frame
            if found < len(run.wanted):
                raise _Unfit("frames are missing after a seek")

    def _packets(self, run: _Run) -> Iterator[av.Packet]:
        """The packets of a run, found by seeking.

        Raises:
            _Unfit: the file cannot be positioned.
        """
        try:
            self._container.seek(self._index.seeks[run.first], stream=self._stream)
        except (av.FFmpegError, OSError) as error:
            raise _Unfit(f"it cannot be positioned ({error})") from error
        reached = False
        for packet in _demux(self._file, self._container, self._stream):
            place = self._index.place.get(packet.pts, -1)
            if place == run.first:
                reached = packet.is_keyframe == (place in self._index.keys)
            if not reached and not 0 <= place < run.first:
                raise _Unfit("a seek went astray")
            # Where the file lists only some key frames, the seek ends at an earlier one: no need to decode from there.
            if reached:
                yield packet
            if place == run.last:
                return

    def _from_start(self, times: Sequence[int]) -> Iterator[tuple[int, VideoFrame]]:
        """Decode from the start up to the last of `times` (ascending); where there is no picture, the one before.

        If the decoder reports damage, a missing picture may be a broken one, and is left out.
        """
        last = max(self._index.place[pts] for pts in times)
        waiting = list(reversed(times))
        before: VideoFrame | None = None
        with open_media(self._file) as container:
            stream = _video_stream(self._file, container)
            decoder = _Decoder(stream)
            for frame in decoder.decode(islice(_demux(self._file, container, stream), last + 1)):
                if frame.pts is None:
                    continue
                while waiting and waiting[-1] < frame.pts:
                    pts = waiting.pop()
                    if not decoder.damaged:
                        yield pts, before or frame
                if waiting and waiting[-1] == frame.pts:
                    yield waiting.pop(), frame
                before = frame
        if before is not None and not decoder.damaged:
            yield from ((pts, before) for pts in reversed(waiting))

    def _by_counting(self, numbers: Sequence[int]) -> Iterator[tuple[int, torch.Tensor]]:
        """Decode from the start and count what comes out.

        Raises:
            _Unfit: there are fewer pictures than packets, and no damage that explains it.
        """
        wanted = frozenset(numbers)
        counted = 0
        with open_media(self._file) as container:
            stream = _video_stream(self._file, container)
            decoder = _Decoder(stream)
            for frame in decoder.decode(_demux(self._file, container, stream)):
                if counted in wanted:
                    yield counted, self._painter.paint(frame)
                counted += 1
                if counted > numbers[-1]:
                    return
        if not decoder.damaged:
            raise _Unfit(f"its {self.count} packets hold only {counted} pictures")


class _Decoder:
    """The decoder of one stream, which goes on after damage and remembers it."""

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        # One thread: a group of pictures is a short job, frame threads would have to be refilled after every seek, and
        # whoever prepares several clips at once has a thread for each.
        self._context.thread_count = 1
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


class _Painter:
    """Makes RGB pictures of decoded ones as decord's filters do: turn upright, then scale and convert.

    PyAV's own conversion takes every stream for BT.601 in the limited range; decord's heeds what the frame says.
    """

    def __init__(self, stream: VideoStream) -> None:
        """Pictures get the size that the stream announces, even where it changes midway."""
        self._size = stream.codec_context.width, stream.codec_context.height
        self._reformatter = VideoReformatter()
        self._graph: Graph | None = None

    def paint(self, frame: VideoFrame) -> torch.Tensor:
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


class _DecordReader:
    """Frames by decord, which has an FFmpeg of its own."""

    def __init__(self, file: Path) -> None:
        """Open the file.

        Raises:
            MediaError: decord is not installed, or cannot read the file.
        """
        try:
            import decord
        except ImportError as error:
            raise MediaError(f"{file} cannot be read with PyAV, and decord is not installed.") from error
        self._file = file
        self._failure = decord.DECORDError
        try:
            self._video = decord.VideoReader(os.path.abspath(file))
            self.count = len(self._video)
            self.fps = float(self._video.get_avg_fps())
        except (self._failure, RuntimeError) as error:
            raise MediaError(f"{file} can be read neither with PyAV nor with decord.") from error

    def pictures(self, numbers: Sequence[int]) -> Iterator[tuple[int, torch.Tensor]]:
        """See `_Reader.pictures`."""
        for number in numbers:
            try:
                yield number, torch.from_numpy(self._video[number].asnumpy())
            except self._failure:
                logger.warning("%s: decord cannot read frame %d", self._file, number)


def _video_stream(file: Path, container: InputContainer) -> VideoStream:
    """The video stream that FFmpeg finds best, as decord does; the cover of an album is none.

    Raises:
        MediaError: there is no video stream.
        _Unfit: FFmpeg has no decoder for it.
    """
    stream = container.streams.best("video")
    if stream is None and container.streams.video:
        raise _Unfit("PyAV has no decoder for its video stream")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        raise MediaError(f"{file} has no video stream.")
    return stream


def _demux(file: Path, container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """The packets of a stream; without the empty ones, which PyAV's decoder would take for the end.

    Raises:
        MediaError: the file is broken where FFmpeg cannot go on.
    """
    try:
        yield from (packet for packet in container.demux(stream) if packet.size)
    except (av.FFmpegError, IndexError) as error:  # PyAV stumbles over streams that show up late in damaged files
        raise MediaError(f"{file} is damaged: its frames cannot be read to the end.") from error


def _index(file: Path, container: InputContainer, stream: VideoStream) -> _Index:
    """Go through the packets of a stream, decoding none.

    Raises:
        MediaError: there are none, or the file breaks off in the midst of one.
    """
    packets: list[tuple[int | None, int | None]] = []
    keys: list[int] = []
    hidden: set[int] = set()
    broken_off = False
    for place, packet in enumerate(_demux(file, container, stream)):
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
    return _Index(
        pts=times,
        # By the time of decoding where there is one: more key frames may be decoded before the first one is shown.
        seeks=tuple(next((time for time in (dts, pts) if time is not None), 0) for pts, dts in packets),
        keys=tuple(keys),
        hidden=frozenset(hidden),
        # AVI keeps no times of presentation: FFmpeg makes them up, and wrongly where pictures are reordered.
        timed=len(set(times)) == len(packets) and container.format.name != "avi",
    )
