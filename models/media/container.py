"""Opens an audio or video file, or says in one sentence why this is not possible."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from .errors import MediaError
from .stand_in import read_stand_in

_MP4_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
"""Box types that MP4 and MOV files start with (ISO/IEC 14496-12, QuickTime File Format), at byte 4."""


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open an audio or video file for reading, and close it at the end of the block.

    Raises:
        MediaError: The file does not exist, or FFmpeg cannot read it.
    """
    _check_file(path)
    try:
        # The path is absolute, because FFmpeg takes "take: 1.mp4" for an address with the scheme "take". Only files may
        # be opened, because a playlist that calls itself .mp4 could otherwise make FFmpeg fetch from the network. (This
        # is a container option: plain options crash PyAV on formats whose streams show up late, such as FLV.) Titles
        # that are not UTF-8 are no reason to refuse a clip.
        container = av.open(
            os.path.abspath(path), mode="r", container_options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(_why_unreadable(path, error)) from error
    with container:
        yield container


def sound_stream(container: InputContainer) -> AudioStream | None:
    """Choose the sound track that a player plays: the one that the file marks as its default, or else the first.

    A track for which FFmpeg has no decoder (AC-4, MPEG-H) is chosen only if there is no other.

    Args:
        container: The open file.

    Returns:
        The track; None if the file has no sound.
    """
    tracks = container.streams.audio
    readable = [track for track in tracks if track.codec_context is not None] or tracks
    marked = [track for track in readable if track.disposition & Disposition.default]
    return next(iter(marked or readable), None)


def _check_file(path: Path) -> None:
    """Refuse what is not a file with content, with clearer messages than those of FFmpeg."""
    if path.is_dir():
        raise MediaError(f"{path} is a folder, not an audio or video file.")
    if not path.exists():
        raise MediaError(f"{path} does not exist.")
    if not path.is_file():
        raise MediaError(f"{path} is not a regular file.")
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes).")
    if read_stand_in(path) is not None:
        raise MediaError(
            f"{path} was decoded beforehand, and media_cache does not hold it as it is asked for here, or was written "
            "by another release, by other versions of libraries or on another kind of processor: name the prepared "
            "folder of clips, or prepare it again with the same --model-args."
        )


def _why_unreadable(path: Path, error: Exception) -> str:
    """One sentence that says why FFmpeg refused the file."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as refusal:
        return f"{path} cannot be opened ({refusal.strerror})."
    if head[4:] in _MP4_FIRST_BOXES:
        return f"{path} is an MP4 or MOV file whose index (moov) is missing or damaged, as after a broken download."
    return f"{path} is not an audio or video file that FFmpeg can read ({getattr(error, 'strerror', None) or error})."
