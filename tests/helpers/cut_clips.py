"""Clips that the ffmpeg program cuts without encoding them again, and what that program decodes from them."""

import re
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

RATE = 30
SECONDS = 20
SIZE = (64, 48)
_SAMPLES = 16_000


def write_event(path: Path, second: float, options: dict[str, str], codec: str = "libx264") -> Path:
    """Write a clip of 20 s that gets brighter, with a white picture and a beep at the same `second`, for 0.2 s."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=RATE, options=options)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        sound = container.add_stream("aac", rate=_SAMPLES, layout="mono")
        for number in range(SECONDS * RATE):
            is_now = second <= number / RATE < second + 0.2
            grey = 255 if is_now else 20 + 120 * number // (SECONDS * RATE)
            picture = np.full((SIZE[1], SIZE[0], 3), grey, np.uint8)
            picture[:, : SIZE[0] * number // (SECONDS * RATE)] += 0 if is_now else 30  # no two pictures are alike
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        samples = np.zeros(SECONDS * _SAMPLES, np.float32)
        beep = slice(round(second * _SAMPLES), round((second + 0.2) * _SAMPLES))
        samples[beep] = 0.8 * np.sin(np.arange(beep.stop - beep.start) * 0.4)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _SAMPLES, 0, Fraction(1, _SAMPLES)
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


def ffmpeg(*arguments: object) -> "subprocess.CompletedProcess[bytes]":
    """Run the ffmpeg program."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-nostdin", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True)


def times_by_ffmpeg(path: Path) -> list[float]:
    """The times, in seconds, of the pictures that the ffmpeg program decodes."""
    shown = ffmpeg("-i", path, "-map", "0:v", "-vf", "showinfo", "-fps_mode", "passthrough", "-f", "null", "-").stderr
    return [float(second) for second in re.findall(rb"pts_time:\s*(\S+)", shown)]


def end_early(source: Path, target: Path, seconds: float) -> Path:
    """Let the edit lists of an MP4 file end after `seconds`, as programs do that cut off the end of a clip."""
    content = bytearray(source.read_bytes())
    scale = int.from_bytes(content[(found := content.index(b"mvhd") + 16) : found + 4], "big")
    place = content.find(b"elst")
    assert place > 0, "no edit list"
    while place > 0:
        entries = int.from_bytes(content[place + 8 : place + 12], "big")
        last = place + 12 + 12 * (entries - 1)
        content[last : last + 4] = round(seconds * scale).to_bytes(4, "big")
        place = content.find(b"elst", place + 4)
    target.write_bytes(content)
    return target
