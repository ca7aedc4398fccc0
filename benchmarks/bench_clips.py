"""Clips for benchmarks: a person talks, in shots of four seconds, like interviews and films."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

FPS = 25
SHOT = 4 * FPS
"""Frames of one shot."""

SOUND_RATE = 44_100
_GRAIN = 2
"""The most that a camera's noise changes a value of 0 to 255."""


def make_clip(path: Path, seconds: int, width: int, height: int, seed: int) -> None:
    """Write an MP4 of H.264 pictures (25 per second) and stereo AAC sound, with the encoders' defaults.

    Args:
        path: Where the clip is written.
        seconds: Length of the clip.
        width: Width of the pictures, in pixels.
        height: Height of the pictures, in pixels.
        seed: Draws shots, people and voice; the same seed gives the same clip.
    """
    random = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="stereo")
        grain = random.integers(-_GRAIN, _GRAIN + 1, (height + 64, width + 64, 1)).astype(np.int16)
        for number in range(seconds * FPS):
            if number % SHOT == 0:
                room, person = _room(random, width, height), random.uniform(size=4)
            picture = _with_person(room, person, number)
            down, right = random.integers(0, 64, 2)
            noisy = picture + grain[down : down + height, right : right + width]
            frame = av.VideoFrame.from_ndarray(np.clip(noisy, 0, 255).astype(np.uint8), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        heard = av.AudioFrame.from_ndarray(voice(random, seconds), format="fltp", layout="stereo")
        heard.sample_rate, heard.time_base, heard.pts = SOUND_RATE, Fraction(1, SOUND_RATE), 0
        container.mux(sound.encode(heard))
        container.mux(sound.encode(None))


def _room(random: np.random.Generator, width: int, height: int) -> NDArray[np.int16]:
    """A still background: walls, furniture and some texture, int16 (height, width, 3)."""
    wall = Image.fromarray(random.integers(40, 200, (6, 10, 3), dtype=np.uint8))
    room = np.asarray(wall.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    for _ in range(25):
        left, top = random.integers(0, width), random.integers(0, height)
        across, down = random.integers(width // 40, width // 4), random.integers(height // 40, height // 3)
        room[top : top + down, left : left + across] = random.integers(10, 245, 3)
    texture = Image.fromarray(random.integers(0, 40, (height // 4, width // 4), dtype=np.uint8))
    return room + np.asarray(texture.resize((width, height), Image.Resampling.BILINEAR)).astype(np.int16)[..., None]


def _with_person(room: NDArray[np.int16], person: NDArray[np.float64], number: int) -> NDArray[np.int16]:
    """The room with head and shoulders of a person who sways and talks; `person` says where and in which colours."""
    height, width, _ = room.shape
    sway = np.sin(number / 9 + 6 * person[0])
    centre = (0.3 + 0.4 * person[1]) * width + 0.02 * width * sway, (0.42 + 0.01 * sway) * height
    skin = np.array([230, 180, 150]) - 90 * person[2]
    picture = room.copy()
    _fill(picture, (centre[0], 1.05 * height), (0.24 * width, 0.42 * height), 255 * person[[3, 0, 1]])
    _fill(picture, centre, (0.11 * width, 0.27 * height), skin)
    mouth = 0.012 + 0.03 * abs(np.sin(number / 2.1) * np.sin(number / 17))
    _fill(picture, (centre[0], centre[1] + 0.13 * height), (0.035 * width, mouth * height), np.array([90, 30, 30]))
    return picture


def _fill(
    picture: NDArray[np.int16],
    centre: tuple[float, float],
    radii: tuple[float, float],
    colour: NDArray[np.floating],
) -> None:
    """Draw an ellipse, shaded from its top to its bottom, into the picture."""
    height, width, _ = picture.shape
    (x, y), (across, down) = centre, radii
    rows = slice(max(0, int(y - down)), min(height, int(y + down) + 1))
    columns = slice(max(0, int(x - across)), min(width, int(x + across) + 1))
    vertical = ((np.arange(rows.start, rows.stop) - y) / down)[:, None]
    horizontal = ((np.arange(columns.start, columns.stop) - x) / across)[None]
    inside = vertical**2 + horizontal**2 <= 1
    shaded = colour * (1 - 0.15 * vertical[..., None])
    region = picture[rows, columns]
    region[inside] = np.broadcast_to(shaded, region.shape)[inside].astype(np.int16)


def voice(random: np.random.Generator, seconds: int) -> NDArray[np.float32]:
    """A sound with the rhythm and the overtones of speech, float32 (2, samples)."""
    time = np.arange(seconds * SOUND_RATE) / SOUND_RATE
    pitch = 2 * np.pi * (120 + 60 * random.uniform()) * (time + 0.02 * np.sin(3 * time))
    tone = sum(np.sin(overtone * pitch) / overtone for overtone in range(1, 6))
    syllables = np.clip(np.sin(2 * np.pi * 4 * time) * np.sin(2 * np.pi * 0.31 * time), 0, 1)
    sound = 0.15 * tone * syllables + 0.01 * random.standard_normal(len(time))
    return np.stack([sound, sound]).astype(np.float32)
