"""Pictures for benchmarks: what a camera in a hand takes of a person who talks, in short shots."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_SHAKE = 24
"""The most pixels by which a hand moves the camera within a shot, in each direction."""

_NOISE = 3.5
"""The standard deviation of the sensor's noise in brightness, in steps of 8 bits: a room in the evening."""

_DARKEST, _BRIGHTEST = 48, 208
"""Limits for what is drawn, so that noise of at most 30 can be added without an overflow of 8 bits."""

_Plane = NDArray[np.uint8]


class Scene:
    """Draws shots. All of them show parts of one large texture, with furniture of their own.

    Args:
        width: Width of the pictures, in pixels; even.
        height: Height of the pictures, in pixels; even.
        seed: Draws everything; the same seed gives the same pictures.
    """

    def __init__(self, width: int, height: int, seed: int) -> None:
        self._width, self._height = width, height
        self._random = np.random.default_rng(seed)
        self._texture = _texture(self._random, 2 * (height + 2 * _SHAKE), 2 * (width + 2 * _SHAKE))
        noise = self._random.normal(0, _NOISE, (height + 64, width + 64)).round().clip(-30, 30)
        self._noise = noise.astype(np.int8).view(np.uint8)  # added modulo 256

    def shot(self, frames: int) -> Iterator[_Plane]:
        """Draw one shot.

        Args:
            frames: How many pictures it has.

        Yields:
            Each picture, uint8 (1.5 * height, width): the planes of YUV 4:2:0.
        """
        random = self._random
        room, person = self._room(), _Person(random, self._width, self._height)
        walk = np.cumsum(random.normal(0, 0.8, (frames, 2)), axis=0)  # of the hand
        drift = 0.5 * _SHAKE * np.sin(np.arange(frames)[:, None] / (25, 35) + random.uniform(0, 6, 2))
        for number, (down, right) in enumerate((walk + drift).clip(-_SHAKE, _SHAKE).round().astype(int) + _SHAKE):
            picture = np.empty((self._height * 3 // 2, self._width), np.uint8)
            bright, colours = _planes(picture)
            bright[:] = room[0][down : down + self._height, right : right + self._width]
            for colour, wide in zip(colours, room[1:], strict=True):
                colour[:] = wide[down // 2 :, right // 2 :][: self._height // 2, : self._width // 2]
            person.draw(bright, colours, number)
            top, left = random.integers(0, 64, 2)
            bright += self._noise[top : top + self._height, left : left + self._width]
            for colour in colours:
                top, left = random.integers(0, 64, 2)
                colour += self._noise[top:, left:][: self._height // 2, : self._width // 2]
            yield picture

    def _room(self) -> tuple[_Plane, _Plane, _Plane]:
        """What stands still in a shot, wider and higher than a picture: brightness, and the two planes of colour."""
        random = self._random
        height, width = self._height + 2 * _SHAKE, self._width + 2 * _SHAKE
        down, right = random.integers(0, height), random.integers(0, width)
        seen = self._texture[down : down + height, right : right + width][:: random.choice([-1, 1])]
        bright = seen * random.uniform(15, 30) + random.uniform(90, 150)
        blue, red = (seen[::2, ::2] * random.uniform(-8, 8) + random.uniform(115, 140) for _ in range(2))
        for _ in range(25):
            top, left = random.integers(0, height), random.integers(0, width)
            bottom, end = top + random.integers(20, height // 3), left + random.integers(20, width // 4)
            bright[top:bottom, left:end] = 0.4 * bright[top:bottom, left:end] + random.uniform(30, 120)
            blue[top // 2 : bottom // 2, left // 2 : end // 2] += random.normal(0, 12)
            red[top // 2 : bottom // 2, left // 2 : end // 2] += random.normal(0, 12)
        return _drawn(bright), _drawn(blue), _drawn(red)


class _Person:
    """Head and shoulders of a person who sways, nods and talks."""

    def __init__(self, random: np.random.Generator, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._looks = random.uniform(size=5)
        self._cloth = _drawn(random.normal(0, 10, (height, width)) + 80 + 80 * self._looks[0])

    def draw(self, bright: _Plane, colours: tuple[_Plane, _Plane], number: int) -> None:
        """Draw the person into picture `number` of a shot."""
        width, height = self._width, self._height
        sway = np.sin(number / 9 + 6 * self._looks[1])
        x = (0.3 + 0.4 * self._looks[2]) * width + 0.03 * width * sway
        y = (0.42 + 0.02 * np.sin(number / 5)) * height
        mouth = 0.012 + 0.03 * abs(np.sin(number / 2.1) * np.sin(number / 17))
        skin = 190 - 90 * self._looks[3]
        body, head = (0.24 * width, 0.42 * height), (0.11 * width, 0.27 * height)
        _fill(bright, (x, 1.05 * height), body, self._cloth)
        _fill(bright, (x, y), head, skin)
        _fill(bright, (x, y + 0.13 * height), (0.035 * width, mouth * height), 60)
        for plane, cloth, face in zip(colours, self._looks[3:], (110, 150), strict=True):
            _fill(plane, (x / 2, 0.525 * height), (body[0] / 2, body[1] / 2), 90 + 70 * cloth)
            _fill(plane, (x / 2, y / 2), (head[0] / 2, head[1] / 2), face)


def _planes(picture: _Plane) -> tuple[_Plane, tuple[_Plane, _Plane]]:
    """Views of brightness (height, width) and of the colours (height / 2, width / 2) of a picture."""
    width = picture.shape[1]
    height = len(picture) * 2 // 3
    blue, red = picture[height:].reshape(2, height // 2, width // 2)
    return picture[:height], (blue, red)


def _texture(random: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """A picture whose detail falls with its fineness as in photographs, mean 0 and deviation 1, (height, width)."""
    fineness = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    fineness[0, 0] = 1
    waves = random.standard_normal(fineness.shape) + 1j * random.standard_normal(fineness.shape)
    made = np.fft.irfft2(waves / fineness**1.8, s=(height, width))
    return ((made - made.mean()) / made.std()).astype(np.float32)


def _drawn(values: NDArray[np.floating]) -> _Plane:
    return values.clip(_DARKEST, _BRIGHTEST).astype(np.uint8)


def _fill(
    plane: _Plane, centre: tuple[float, float], radii: tuple[float, float], with_what: float | NDArray[np.uint8]
) -> None:
    """Fill an ellipse of the plane with a value, or with what another plane shows there, which moves along."""
    height, width = plane.shape
    (x, y), (across, down) = centre, radii
    rows = slice(max(0, int(y - down)), min(height, int(y + down) + 1))
    columns = slice(max(0, int(x - across)), min(width, int(x + across) + 1))
    vertical = ((np.arange(rows.start, rows.stop) - y) / down)[:, None]
    horizontal = ((np.arange(columns.start, columns.stop) - x) / across)[None]
    region = plane[rows, columns]
    filling = with_what
    if isinstance(with_what, np.ndarray):
        filling = with_what[: region.shape[0], : region.shape[1]]
    np.copyto(region, np.asarray(filling, np.uint8), where=vertical**2 + horizontal**2 <= 1)
