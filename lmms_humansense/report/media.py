"""The clips of the page: links to the files, small previews inside the page, or none."""

import base64
import functools
import io
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
from av.audio.resampler import AudioResampler

from ..models.media.container import sound_stream

Mode = Literal["link", "embed", "none"]
"""How clips come into the page."""

_SECONDS = 20.0
_WIDTH, _RATE = 192, 5
_BITS_OF_VIDEO, _BITS_OF_SOUND, _SOUND_RATE = 60_000, 16_000, 48_000
_MOST_BYTES = 100 << 20
"""The limit for all previews of a page together: browsers do not open larger pages well."""


class Media:
    """The addresses of clips for a page. Previews are made when they are needed, until the page is full.

    Attributes:
        source: Returns the address of a clip, given its file; None if it has none.
        without_preview: How many clips could not get a preview.
    """

    def __init__(self, mode: Mode) -> None:
        self._mode, self._left = mode, _MOST_BYTES
        self.without_preview = 0
        self.source = functools.cache(self._source)

    def _source(self, file: str | None) -> str | None:
        if self._mode == "none" or not file or not _is_file(file):
            return None
        if self._mode == "link":
            return Path(file).absolute().as_uri()
        return self._embedded(Path(file))

    def _embedded(self, file: Path) -> str | None:
        try:
            content = preview(file) if self._left > 0 else b""
        except (av.FFmpegError, OSError, ValueError):
            content = b""
        self._left -= len(content)
        if not content:
            self.without_preview += 1
            return None
        return f"data:video/webm;base64,{base64.b64encode(content).decode()}"


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # results of others may name what can be no path
        return False


def preview(file: Path) -> bytes:
    """Make a small clip of the first 20 seconds.

    Args:
        file: A video or a sound that PyAV can open.

    Returns:
        A WebM file with VP8 and Opus, of about 100 to 200 kB.

    Raises:
        av.FFmpegError: PyAV cannot read the file.
    """
    made = io.BytesIO()
    with av.open(str(file)) as source, av.open(made, "w", format="webm") as target:
        pictures = _Pictures(source, target) if source.streams.video else None
        track = sound_stream(source)
        sound = _Sound(target) if track is not None and track.codec_context is not None else None
        streams = [*source.streams.video[:1], *([track] if sound is not None else [])]
        for packet in source.demux(streams):
            if packet.dts is not None and float(packet.dts * packet.time_base) > _SECONDS:
                break
            for frame in packet.decode():
                part = pictures if isinstance(frame, av.VideoFrame) else sound
                if part is not None:
                    part.add(frame)
        for part in (pictures, sound):
            if part is not None:
                part.end()
    return made.getvalue()


class _Pictures:
    """Encodes some of the frames of a video, in a small size."""

    def __init__(self, source: Any, target: Any) -> None:
        picture = source.streams.video[0].codec_context
        self._target, self._stream = target, target.add_stream("libvpx", rate=_RATE)
        self._stream.width = _WIDTH
        self._stream.height = max(2, round(picture.height * _WIDTH / max(picture.width, 1) / 2) * 2)
        self._stream.pix_fmt, self._stream.bit_rate = "yuv420p", _BITS_OF_VIDEO
        self._next = 0

    def add(self, frame: Any) -> None:
        place = round((frame.time or 0) * _RATE)
        if place < self._next:
            return
        small = frame.reformat(self._stream.width, self._stream.height, "yuv420p")
        small.pts, small.time_base = place, Fraction(1, _RATE)
        self._next = place + 1
        self._target.mux(self._stream.encode(small))

    def end(self) -> None:
        self._target.mux(self._stream.encode(None))


class _Sound:
    """Encodes a sound."""

    def __init__(self, target: Any) -> None:
        self._target, self._stream = target, target.add_stream("libopus", rate=_SOUND_RATE)
        self._stream.layout, self._stream.bit_rate = "mono", _BITS_OF_SOUND
        self._resampler = AudioResampler("s16", "mono", _SOUND_RATE)

    def add(self, frame: Any) -> None:
        for part in self._resampler.resample(frame):
            self._target.mux(self._stream.encode(part))

    def end(self) -> None:
        for part in self._resampler.resample(None):
            self._target.mux(self._stream.encode(part))
        self._target.mux(self._stream.encode(None))
