"""Finds the packets at the start of a clip that no player shows, because the clip was cut between two key frames."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from av.video.frame import VideoFrame

from .container import open_media
from .video_decoder import VideoDecoder, starts_a_group
from .video_index import VideoIndex, demux, video_stream


def without_undecodable_start(file: Path, index: VideoIndex) -> VideoIndex:
    """Hide the packets that are presented before the first picture that can be decoded.

    They refer to pictures that were cut off. They may stand before the first key frame in the file, or behind it, if
    its group of pictures is an open one. A decoder leaves most of them out, and makes up the others (MPEG-4, H.263).

    Args:
        file: The path of the file.
        index: The packets of its video stream.

    Returns:
        The index with these packets hidden or skipped. Nothing is decoded if none is before a key frame.

    Raises:
        MediaError: The file cannot be read.
    """
    if not index.keys:
        return index
    if not index.timed:
        return _without_packets(index, index.keys[0]) if not any(_from_start(file, index, index.keys[0])) else index
    key = index.pts[index.keys[0]]
    if index.keys[0] == 0 and index.shown[:1] >= [key]:
        return index
    pictures = _from_start(file, index, len(index.pts))
    first = next((frame.pts for frame in pictures if _is_usable(frame, key)), None)
    return index if first is None else replace(index, hidden=index.hidden | {pts for pts in index.pts if pts < first})


def _without_packets(index: VideoIndex, count: int) -> VideoIndex:
    """The index without so many packets at the start."""
    keys = tuple(key - count for key in index.keys if key >= count)
    return replace(index, seeks=index.seeks[count:], keys=keys, skipped=count)


def _from_start(file: Path, index: VideoIndex, count: int) -> Iterator[VideoFrame]:
    """The pictures that so many packets at the start of the file contain."""
    with open_media(file) as container:
        stream = video_stream(file, container)
        packets = demux(file, container, stream, field=index.field)
        yield from VideoDecoder(stream).decode(islice(packets, count))


def _is_usable(frame: VideoFrame, key: int) -> bool:
    """Whether decoding starts with this picture. Behind the first key frame, at `key`, the decoder is believed."""
    return frame.pts is not None and not frame.is_corrupt and (starts_a_group(frame) or frame.pts > key)
