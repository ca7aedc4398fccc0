"""Real clips, written with PyAV: pictures that show their own number, and sounds with known samples."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from lmms_humansense.models.media.types import FrameRule, Frames
from lmms_humansense.models.media.video import read_clip

RATE = 5
"""Pictures per second, unless a test says otherwise."""

FRAMES = 75
"""Pictures of a clip, unless a test says otherwise: 15 seconds."""

_BITS = 8
_BLACK, _WHITE = 40, 215


def picture(number: int, width: int = 160, height: int = 120) -> NDArray[np.uint8]:
    """A coloured picture (H, W, 3) whose upper half shows `number` (below 256) as black and white bars."""
    y, x = np.mgrid[0:height, 0:width]
    result = np.stack([x + 3 * number, 2 * y + 5 * number, x + y + 7 * number], axis=-1).astype(np.uint8) // 2 + 60
    bits = (number >> (x[0] * _BITS // width)) & 1
    result[: height // 2] = np.where(bits, _WHITE, _BLACK)[None, :, None]
    return result


def number_in(pixels: Any) -> int:
    """Read the number that a picture of any size (C, H, W) shows."""
    row = np.asarray(pixels)[:, np.asarray(pixels).shape[1] // 4].mean(axis=0)
    middles = ((np.arange(_BITS) + 0.5) * len(row) / _BITS).astype(int)
    return int(sum(1 << bit for bit in range(_BITS) if row[middles[bit]] > (_BLACK + _WHITE) / 2))


def write_video(
    path: Path,
    frames: int = FRAMES,
    size: tuple[int, int] = (160, 120),
    codec: str = "libx264",
    format: str = "yuv420p",
    options: dict[str, str] | None = None,
    muxing: dict[str, str] | None = None,
    times: Sequence[int] | None = None,
    rate: int | Fraction = RATE,
    **settings: Any,
) -> Path:
    """Encode numbered pictures; `times` are in milliseconds, `settings` are attributes of the encoder."""
    with av.open(str(path), "w", options=muxing or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, format
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24").reformat(format=format)
            for name in {"colorspace", "color_range"} & settings.keys():
                setattr(frame, name, settings[name])
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.start_encoding()
        container.mux(stream.encode())
    return path


Change = Callable[[int, av.Packet], "av.Packet | None"]


def copy(source: Path, target: Path, change: Change = lambda place, packet: packet, **muxing: str) -> Path:
    """Copy the packets of the first stream as `change(place, packet)` returns them, without encoding them again."""
    with av.open(str(source)) as read, av.open(str(target), "w", options=muxing) as written:
        stream = read.streams[0]
        copied = written.add_stream_from_template(stream)
        for place, packet in enumerate(packet for packet in read.demux(stream) if packet.size):
            changed = change(place, packet)
            if changed is not None:
                changed.stream = copied
                written.mux(changed)
    return target


def moved(by: int) -> Change:
    """Move every packet later by so many frames."""

    def change(place: int, packet: av.Packet) -> av.Packet:
        shift = by * packet.duration
        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        return packet

    return change


def at_times(times: Sequence[int]) -> Change:
    """Show the packets at `times`, in milliseconds. What a packet says of its duration is lost."""

    def change(place: int, packet: av.Packet) -> av.Packet:
        packet.time_base, packet.duration = Fraction(1, 1000), 0
        packet.pts = packet.dts = times[place]
        return packet

    return change


def with_bytes(make: Callable[[bytes], bytes], places: Iterable[int]) -> Change:
    """Replace the bytes of the packets at `places` by what `make` returns for them."""
    chosen = set(places)

    def change(place: int, packet: av.Packet) -> av.Packet:
        if place not in chosen:
            return packet
        result = av.Packet(make(bytes(packet)))
        result.pts, result.dts, result.duration = packet.pts, packet.dts, packet.duration
        result.time_base, result.is_keyframe = packet.time_base, packet.is_keyframe
        return result

    return change


def turn(source: Path, target: Path, degrees: int) -> Path:
    """Write a display matrix into an MP4 file, so that a player rotates the picture clockwise by `degrees`."""
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    return display(source, target, (cos, sin, -sin, cos))


def display(source: Path, target: Path, directions: tuple[int, int, int, int]) -> Path:
    """Write a display matrix into an MP4 file: `directions` are where x (right, down) and y (right, down) are shown."""
    one = 1 << 16
    a, b, c, d = directions
    matrix = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    upright = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    content = source.read_bytes()
    header = content.index(b"tkhd")
    place = content.index(upright, header)
    assert place - header < 100, "no matrix in the track header"
    target.write_bytes(content[:place] + matrix + content[place + len(matrix) :])
    return target


def tones(rate: int, channels: int, seconds: float = 1.5) -> NDArray[np.float32]:
    """A sound (channels, N), each channel different: sweeps that fade in and out, with amplitudes up to 0.8."""
    t = np.arange(int(rate * seconds)) / rate
    fade = np.minimum(1, 20 * np.minimum(t, seconds - t))
    sweeps = [np.sin(2 * np.pi * (200 + 60 * channel + (300 - 20 * channel) * t) * t) for channel in range(channels)]
    return np.stack([(0.8 - 0.1 * channel) * fade * sweep for channel, sweep in enumerate(sweeps)]).astype(np.float32)


_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1", 16: "hexadecagonal"}


def write_sound(
    path: Path,
    samples: NDArray[np.float32],
    rate: int,
    codec: str,
    late: float = 0.0,
    pictures: int = 0,
    muxing: dict[str, str] | None = None,
    **options: str,
) -> Path:
    """Encode a sound (channels, N) that starts `late` seconds after the first of so many pictures."""
    with av.open(str(path), "w", options=muxing or {}) as container:
        video = container.add_stream("mpeg4", rate=RATE) if pictures else None
        if video is not None:
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream(codec, rate=rate, layout=_LAYOUTS[len(samples)], options=options)
        if video is not None:
            for number in range(pictures):
                frame = av.VideoFrame.from_ndarray(picture(number, 64, 48), format="rgb24")
                container.mux(video.encode(frame))
            container.mux(video.encode())
        container.start_encoding()
        if samples.size:
            # Interleaved, because PyAV counts nine planes in a frame of eight.
            interleaved = np.ascontiguousarray(samples.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=_LAYOUTS[len(samples)])
            frame.sample_rate, frame.pts, frame.time_base = rate, round(late * rate), Fraction(1, rate)
            container.mux(sound.encode(frame))
            container.mux(sound.encode())
    return path


def custom_layout(source: Path, target: Path) -> Path:
    """Give a MOV file of six channels another order of them: L, R, Ls, Rs, C, LFE (tag `MPEG_5_1_B` of QuickTime)."""
    content = source.read_bytes()
    tag = content.index(b"chan") + 8  # behind the name, the version and the flags; then the bitmap of the channels
    target.write_bytes(content[:tag] + (122 << 16 | 6).to_bytes(4, "big") + bytes(4) + content[tag + 8 :])
    return target


def without_decoder(source: Path, target: Path) -> Path:
    """Name the AAC of an MP4 file AC-4, for which FFmpeg has no decoder."""
    content = source.read_bytes()
    place = content.rindex(b"mp4a")
    described = content[place:].replace(b"mp4a", b"ac-4", 1).replace(b"esds", b"dac4", 1)
    target.write_bytes(content[:place] + described)
    return target


def write_tracks(path: Path, sounds: Sequence[NDArray[np.float32]], default: int | None, rate: int = 16_000) -> Path:
    """Write a Matroska file with a FLAC track for each sound; `default` is the one that has the flag."""
    with av.open(str(path), "w", options={"default_mode": "passthrough"}) as container:
        streams = [container.add_stream("flac", rate=rate, layout=_LAYOUTS[len(sound)]) for sound in sounds]
        for number, stream in enumerate(streams):
            stream.disposition = Disposition.default.value if number == default else 0
        for stream, sound in zip(streams, sounds, strict=True):
            interleaved = np.ascontiguousarray(sound.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=_LAYOUTS[len(sound)])
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def read_frames(
    path: str | Path, rule: FrameRule, factor: int = 28, start: float | None = None, end: float | None = None
) -> Frames:
    """The frames of a clip, read without its sound."""
    return read_clip(path, rule, factor, start, end).frames
