"""Clips like those of a camera, of which each differs from all others, and which together take little time to make.

One long video is drawn (`bench_scene`) and encoded in groups of pictures that need no other group. Each clip is a part
of it that begins one group later than the clip before it, copied without being encoded again. A part that comes to the
end of the long video goes on at its beginning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from bench_clips import FPS, SOUND_RATE, voice
from bench_scene import Scene

_SAMPLES = 1024
"""Samples in a packet of AAC."""


@dataclass(frozen=True)
class Form:
    """How clips look.

    Attributes:
        seconds: Length of a clip.
        width: Width of its pictures, in pixels; even.
        height: Height of its pictures, in pixels; even.
        group: Pictures of one shot, which are one group; a clip has a whole number of them.
        bit_rate: Bits per second that the encoder of the pictures aims at.
    """

    seconds: int
    width: int
    height: int
    group: int
    bit_rate: int


def make_clips(paths: Sequence[Path], form: Form, seed: int = 0) -> float:
    """Write MP4 files of H.264 pictures (25 per second) and stereo AAC sound.

    Args:
        paths: The files to write. Their folder exists.
        form: How they look.
        seed: Draws shots, people and voice; the same seed gives the same clips.

    Returns:
        Megabits per second of the files, the mean.
    """
    groups = form.seconds * FPS // form.group
    whole = paths[0].with_suffix(".whole.mp4")
    _encode(whole, form, max(len(paths), groups) + 1, seed)
    with av.open(str(whole)) as container:
        streams = container.streams.video[0], container.streams.audio[0]
        pictures: list[list[_Packet]] = []
        for packet in _packets(container, streams[0], Fraction(1, FPS)):
            if packet.is_key:
                pictures.append([])
            pictures[-1].append(packet.moved(-form.group * (len(pictures) - 1)))
        sound = _packets(container, streams[1], Fraction(_SAMPLES, SOUND_RATE))
        for number, path in enumerate(paths):
            shown = [
                packet.moved(form.group * place)
                for place in range(groups)
                for packet in pictures[(number + place) % len(pictures)]
            ]
            begin = number * form.group * SOUND_RATE // (FPS * _SAMPLES)
            heard = [
                sound[(begin + place) % len(sound)].at(place) for place in range(form.seconds * SOUND_RATE // _SAMPLES)
            ]
            _copy(path, streams, (shown, heard))
    whole.unlink()
    return sum(path.stat().st_size for path in paths) * 8 / (len(paths) * form.seconds * 1e6)


@dataclass(frozen=True)
class _Packet:
    """A packet of a stream. Its times count pictures, or packets of sound."""

    content: bytes
    shown: int
    decoded: int
    is_key: bool

    def moved(self, by: int) -> "_Packet":
        return _Packet(self.content, self.shown + by, self.decoded + by, self.is_key)

    def at(self, time: int) -> "_Packet":
        return _Packet(self.content, time, time, self.is_key)


def _encode(path: Path, form: Form, shots: int, seed: int) -> None:
    """Draw and encode the long video."""
    scene = Scene(form.width, form.height, seed)
    fixed = f"keyint={form.group}:min-keyint={form.group}:scenecut=0"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "x264-params": fixed})
        video.width, video.height, video.pix_fmt = form.width, form.height, "yuv420p"
        video.bit_rate = form.bit_rate
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="stereo")
        for _ in range(shots):
            for picture in scene.shot(form.group):
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(video.encode(None))
        samples = voice(np.random.default_rng(seed), shots * form.group // FPS)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
        frame.sample_rate, frame.time_base, frame.pts = SOUND_RATE, Fraction(1, SOUND_RATE), 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))


def _packets(container: Any, stream: Any, unit: Fraction) -> list[_Packet]:
    """The packets of one stream, whose times are counted in units of so many seconds."""
    container.seek(0)
    step = stream.time_base / unit
    return [
        _Packet(bytes(packet), round(packet.pts * step), round(packet.dts * step), packet.is_keyframe)
        for packet in container.demux(stream)
        if packet.size
    ]


def _copy(path: Path, streams: tuple[Any, Any], packets: tuple[Sequence[_Packet], Sequence[_Packet]]) -> None:
    """Write packets of pictures and of sound, by their times."""
    units = Fraction(1, FPS), Fraction(_SAMPLES, SOUND_RATE)
    with av.open(str(path), "w") as container:
        copies = [container.add_stream_from_template(stream) for stream in streams]
        mixed = [
            (one.decoded * unit, number, one)
            for number, (unit, some) in enumerate(zip(units, packets, strict=True))
            for one in some
        ]
        for _, number, one in sorted(mixed, key=lambda entry: entry[:2]):
            packet = av.Packet(one.content)
            packet.time_base, packet.duration, packet.is_keyframe = units[number], 1, one.is_key
            packet.pts, packet.dts, packet.stream = one.shown, one.decoded, copies[number]
            container.mux(packet)
