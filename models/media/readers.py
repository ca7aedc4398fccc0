"""Two readers of numbered frames from a video file: PyAV, and decord for files that PyAV cannot read."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import av
import torch
from av.container import InputContainer
from av.video.frame import VideoFrame

from .audio import AudioDecoder
from .container import open_media
from .errors import MediaError, UnsuitableReaderError
from .video_decoder import FrameConverter, VideoDecoder, starts_a_group
from .video_index import DecodeSpan, decode_spans, demux, frame_rate, read_index, video_stream
from .video_start import without_undecodable_start

logger = logging.getLogger(__name__)


class FrameReader(Protocol):
    """Reads frames of one file.

    Attributes:
        count: Number of frames of the file.
        fps: Frames per second of the file.
        broken_off: Whether the file ends in the middle of a frame, which is not counted.
        is_cut: Whether the file holds packets that a player does not show, and which are not counted.
        first_time: The time of the first frame in seconds; None if the file does not say it.
    """

    count: int
    fps: float
    broken_off: bool
    is_cut: bool
    first_time: float | None

    def pictures(self, numbers: Sequence[int]) -> Iterator[tuple[int, torch.Tensor]]:
        """Read frames.

        Args:
            numbers: Frame numbers, ascending, without repetition.

        Yields:
            A frame number and its picture: uint8 of shape (H, W, 3), RGB, upright. A number without a picture is left
            out. A number may come twice: then the later picture is the better one.
        """

    def doubtful(self, number: int) -> bool:
        """Whether the picture of this number may be a wrong one, because `pictures` found damage before it."""


class PyavReader:
    """Reads frames with PyAV: indexes the packets in one pass, then decodes only the needed groups of pictures."""

    def __init__(self, file: Path, container: InputContainer, sound: AudioDecoder | None = None) -> None:
        """Index the open file.

        Args:
            file: The path of the file.
            container: The open file, at its start. It has to stay open while frames are read.
            sound: A decoder that gets the packets of its sound stream in the same pass.

        Raises:
            MediaError: There is no video stream, or it has no frames, or none that are shown.
            UnsuitableReaderError: FFmpeg has no decoder for the video stream.
        """
        self._file = file
        self._container = container
        self._stream = video_stream(file, container)
        self._index = without_undecodable_start(file, read_index(file, container, self._stream, sound))
        self._decoder = VideoDecoder(self._stream)
        self._converter = FrameConverter(self._stream)
        self._from_first: VideoDecoder | None = None
        self.count = self._index.count
        if not self.count:
            raise MediaError(f"{file} has an edit list that hides all its frames.")
        self.fps = frame_rate(container, self._stream, self._index)
        self.broken_off = self._index.broken_off
        self.is_cut = bool(self._index.hidden or self._index.skipped)
        self.first_time = self._first_time()

    def _first_time(self) -> float | None:
        unit = self._stream.time_base
        first = self._index.shown[0] if self._index.timed else self._index.seeks[0]
        return None if unit is None else float(first * unit)

    def pictures(self, numbers: Sequence[int]) -> Iterator[tuple[int, torch.Tensor]]:
        """Read frames, as `FrameReader.pictures` says."""
        if not self._index.timed:
            logger.info("%s is decoded from its start, because it does not say when frames are shown", self._file)
            yield from self._by_counting(numbers)
            return
        try:
            yield from self._by_time(numbers, self._seeking)
        except UnsuitableReaderError as reason:
            logger.info("%s is decoded from its start, because %s", self._file, reason)
            yield from self._by_time(numbers, self._from_start)

    def doubtful(self, number: int) -> bool:
        """Say whether a picture may be wrong, as `FrameReader.doubtful` does."""
        damage = self._from_first.damage if self._from_first else []
        if not self._index.timed:
            return any(number >= place for place in damage)  # counted wrongly from there on
        place = self._index.place[self._index.shown[number]]
        start = max((key for key in self._index.keys if key <= place), default=0)
        return any(start <= damaged <= place for damaged in damage)

    def _by_time(
        self, numbers: Sequence[int], decode: Callable[[Sequence[int]], Iterator[tuple[int, VideoFrame]]]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Find frames by their times of presentation. `decode` yields the pictures at given times."""
        by_time: dict[int, list[int]] = {}
        for number in numbers:
            by_time.setdefault(self._index.shown[number], []).append(number)
        for pts, frame in decode(sorted(by_time)):
            picture = self._converter.convert(frame)
            for number in by_time[pts]:
                yield number, picture

    def _seeking(self, times: Sequence[int]) -> Iterator[tuple[int, VideoFrame]]:
        """Decode the pictures at `times` (ascending), each group from the key frame before it, and no others.

        Raises:
            UnsuitableReaderError: A seek failed, or one of the pictures is missing or damaged.
        """
        for span in decode_spans(self._index, times):
            found = 0
            # A "key frame" that gives no picture is not one: decoding has to start before it (periodic intra refresh).
            key = self._index.pts[span.first]
            started = key in self._index.hidden
            for frame in self._decoder.decode(self._packets(span), span.wanted | {key}):
                if not started and frame.pts == key:
                    started = starts_a_group(frame)
                    if not started:
                        raise UnsuitableReaderError("it calls pictures key frames that need earlier ones")
                if started and frame.pts in span.wanted and not frame.is_corrupt:
                    found += 1
                    yield frame.pts, frame
            if found < len(span.wanted):
                raise UnsuitableReaderError("frames are missing after a seek")

    def _packets(self, span: DecodeSpan) -> Iterator[av.Packet]:
        """Find the packets of a span by seeking.

        Raises:
            UnsuitableReaderError: The seek failed or ended at a wrong place.
        """
        try:
            self._container.seek(self._index.seeks[span.first], stream=self._stream)
        except (av.FFmpegError, OSError) as error:
            raise UnsuitableReaderError(f"a seek in it failed ({error})") from error
        reached = False
        for packet in demux(self._file, self._container, self._stream, field=self._index.field):
            place = self._index.place.get(packet.pts, -1)
            if place == span.first:
                reached = packet.is_keyframe == (place in self._index.keys)
            if not reached and not 0 <= place < span.first:
                raise UnsuitableReaderError("a seek ended at a wrong place")
            # If the file lists only some key frames, the seek ends at an earlier one, and these packets are not needed.
            if reached:
                yield packet
            if place == span.last:
                return

    def _from_start(self, times: Sequence[int]) -> Iterator[tuple[int, VideoFrame]]:
        """Decode from the start up to the last of `times` (ascending). The picture before stands for a missing one.

        If the decoder reports damage, a missing picture may be a damaged one, and is left out.
        """
        last = max(self._index.place[pts] for pts in times)
        waiting = list(reversed(times))
        before: VideoFrame | None = None
        with open_media(self._file) as container:
            stream = video_stream(self._file, container)
            decoder = self._from_first = VideoDecoder(stream)
            packets = demux(self._file, container, stream, field=self._index.field)
            for frame in decoder.decode(islice(packets, last + 1)):
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
        """Decode from the start and count the pictures.

        Raises:
            UnsuitableReaderError: There are fewer pictures than packets, and no damage explains it.
        """
        wanted = frozenset(numbers)
        counted = 0
        with open_media(self._file) as container:
            stream = video_stream(self._file, container)
            decoder = self._from_first = VideoDecoder(stream)
            packets = demux(self._file, container, stream, field=self._index.field)
            fed = (packet for place, packet in enumerate(packets) if place not in self._index.skipped)
            for frame in decoder.decode(islice(fed, self.count)):
                if counted in wanted:
                    yield counted, self._converter.convert(frame)
                counted += 1
                if counted > numbers[-1]:
                    return
        if not decoder.damaged:
            raise UnsuitableReaderError(f"its {self.count} packets contain only {counted} pictures")


class DecordReader:
    """Reads frames with decord, which has its own FFmpeg."""

    broken_off = is_cut = False

    def __init__(self, file: Path, first_time: float | None, reason: str = "decord was requested") -> None:
        """Open the file.

        Args:
            file: The path of the file.
            first_time: The time of its first frame in seconds, which decord does not tell; None if it is not known.
            reason: Why the file is not read with PyAV, for messages.

        Raises:
            MediaError: decord is not installed, or cannot read the file.
        """
        try:
            import decord
        except ImportError as error:
            raise MediaError(f"{file} cannot be read: {reason}, and decord is not installed.") from error
        self.first_time = first_time
        self._file = file
        self._failure = decord.DECORDError
        try:
            self._video = decord.VideoReader(os.path.abspath(file))
            self.count = len(self._video)
            self.fps = float(self._video.get_avg_fps())
        except (self._failure, RuntimeError, UnicodeEncodeError) as error:  # it takes only names in UTF-8
            raise MediaError(f"{file} cannot be read: {reason}, and decord cannot read it.") from error

    def pictures(self, numbers: Sequence[int]) -> Iterator[tuple[int, torch.Tensor]]:
        """Read frames, as `FrameReader.pictures` says."""
        unread = []
        for number in numbers:
            try:
                yield number, torch.from_numpy(self._video[number].asnumpy())
            except (self._failure, RuntimeError):
                unread.append(number)
        if unread:
            logger.warning("%s: decord cannot read %d frames, the first is %d", self._file, len(unread), unread[0])

    def doubtful(self, number: int) -> bool:
        """Say whether a picture may be wrong, as `FrameReader.doubtful` does: decord reports each one by itself."""
        return False
