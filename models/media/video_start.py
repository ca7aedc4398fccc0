"""Finds the packets at the start of a clip that no player shows, because the clip was cut between two key frames."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise, takewhile
from pathlib import Path
from statistics import median

from av import Packet
from av.video.frame import PictureType, VideoFrame

from .container import open_media
from .video_decoder import VideoDecoder, starts_a_group
from .video_index import VideoIndex, demux, video_stream

_PROBED = 32
"""Packets that are decoded to find pictures behind a key frame that need others. No codec reorders more than 16."""


def without_undecodable_start(file: Path, index: VideoIndex) -> VideoIndex:
    """Hide the packets that are presented before the first picture that can be decoded.

    They refer to pictures that were cut off. They may stand before the first key frame in the file, or behind it, if
    its group of pictures is an open one. A decoder leaves most of them out, and makes up the others (MPEG-4, H.263).

    Args:
        file: The path of the file.
        index: The packets of its video stream.

    Returns:
        The index with these packets hidden or skipped. Nothing is decoded if the file has times and starts with a key
        frame that is shown first.

    Raises:
        MediaError: The file cannot be read.
    """
    if not index.keys:
        return index
    first = index.keys[0]
    if not index.timed:
        if any(_is_intra(frame) for frame in _from_start(file, index, first)):
            return index
        return _without_packets(index, frozenset([*range(first), *_lost_behind(file, index, first)]))
    key = index.pts[first]
    if first == 0 and index.shown[:1] >= [key]:
        lost = _lost_behind(file, index, first) if _is_crowded(index) else []
        return replace(index, hidden=index.hidden | {index.pts[place] for place in lost})
    pictures = _from_start(file, index, len(index.pts))
    start = next((frame.pts for frame in pictures if _is_usable(frame, key)), None)
    return index if start is None else replace(index, hidden=index.hidden | {pts for pts in index.pts if pts < start})


def _without_packets(index: VideoIndex, places: frozenset[int]) -> VideoIndex:
    """The index without the packets at these places."""
    kept = [place for place in range(len(index.seeks)) if place not in places]
    keys = frozenset(index.keys)
    return replace(
        index,
        seeks=tuple(index.seeks[place] for place in kept),
        keys=tuple(new for new, old in enumerate(kept) if old in keys),
        skipped=places,
    )


def _is_crowded(index: VideoIndex) -> bool:
    """Whether the second picture follows the first one at once.

    FFmpeg may cut a file that has no times of decoding (Matroska). Then it moves the pictures that are shown before the
    first key frame behind it, each by one unit of time.
    """
    intervals = [later - earlier for earlier, later in pairwise(index.shown[: _PROBED + 1])]
    return bool(intervals) and intervals[0] <= 1 < median(intervals)


def _lost_behind(file: Path, index: VideoIndex, key: int) -> list[int]:
    """The places directly behind the key frame at the place `key` whose pictures cannot be decoded."""
    with open_media(file) as container:
        stream = video_stream(file, container)
        if not stream.codec_context.has_b_frames:  # no picture is shown before one that stands before it
            return []
        decoder = VideoDecoder(stream)
        packets = _numbered(demux(file, container, stream, field=index.field))
        decoded = {frame.pts for frame in decoder.decode(islice(packets, key, key + _PROBED))}
    behind = range(key + 1, max((place for place in decoded if place is not None), default=0))
    return [] if decoder.damaged else list(takewhile(lambda place: place not in decoded, behind))


def _numbered(packets: Iterator[Packet]) -> Iterator[Packet]:
    """The packets with their places as their times of presentation, which decoders pass on to the pictures."""
    for place, packet in enumerate(packets):
        packet.pts = place
        yield packet


def _from_start(file: Path, index: VideoIndex, count: int) -> Iterator[VideoFrame]:
    """The pictures that so many packets at the start of the file contain."""
    with open_media(file) as container:
        stream = video_stream(file, container)
        packets = demux(file, container, stream, field=index.field)
        yield from VideoDecoder(stream).decode(islice(packets, count))


def _is_usable(frame: VideoFrame, key: int) -> bool:
    """Whether decoding starts with this picture. Behind the first key frame, at `key`, the decoder is believed."""
    return frame.pts is not None and not frame.is_corrupt and (_is_intra(frame) or frame.pts > key)


def _is_intra(frame: VideoFrame) -> bool:
    """Whether the picture needs no other one. Decoders do not name the kind of a picture that they make up."""
    return starts_a_group(frame) and (frame.key_frame or frame.pict_type != PictureType.NONE)
