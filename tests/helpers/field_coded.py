"""Writes H.264 whose pictures are coded as two fields, which x264 does not do (ITU-T H.264, clauses 7.3 and 9.1)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.helpers.clips import picture

_SIDE = 64
_SEQUENCE, _PICTURE, _FIRST, _OTHER, _DELIMITER = 7, 8, 5, 1, 9
_MAIN_PROFILE, _LEVEL, _FOUR_BITS_MORE = 77, 30, 4
_POC_TYPE, _REFERENCES, _QP, _INTRA_SLICE, _PCM = 0, 1, 0, 7, 25


class _Bits:
    def __init__(self) -> None:
        self.text = ""

    def fixed(self, *fields: tuple[int, int]) -> None:
        """Write (width, value) each."""
        self.text += "".join(f"{value:0{width}b}" for width, value in fields)

    def golomb(self, *values: int) -> None:
        """Write numbers as ue(v); 0 is the same as se(v)."""
        for value in values:
            binary = f"{value + 1:b}"
            self.text += "0" * (len(binary) - 1) + binary

    def align(self) -> None:
        self.text += "0" * (-len(self.text) % 8)

    def unit(self, kind: int) -> bytes:
        """The network abstraction layer unit, with bytes that keep start codes out of it."""
        self.text += "1"
        self.align()
        content, zeros = bytearray([3 << 5 | kind]), 0
        for byte in (int(self.text[at : at + 8], 2) for at in range(0, len(self.text), 8)):
            if zeros == 2 and byte <= 3:
                content.append(3)
                zeros = 0
            content.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return b"\0\0\0\1" + bytes(content)


def _headers(rate: int) -> bytes:
    sequence = _Bits()
    sequence.fixed((8, _MAIN_PROFILE), (8, 0), (8, _LEVEL))
    sequence.golomb(0, _FOUR_BITS_MORE, _POC_TYPE, _FOUR_BITS_MORE, _REFERENCES)
    sequence.fixed((1, 0))
    sequence.golomb(_SIDE // 16 - 1, _SIDE // 32 - 1)
    interlaced, cropped, described = (2, 0), (2, 0b10), (1, 1)
    timing = (4, 0), (1, 1), (32, 1), (32, 2 * rate), (1, 1), (3, 0b001)
    sequence.fixed(interlaced, cropped, described, *timing, (2, 0b11))
    sequence.golomb(0, 0, 10, 10, 0, 1)
    parameters = _Bits()
    parameters.golomb(0, 0)
    parameters.fixed((2, 0))
    parameters.golomb(0, 0, 0)
    parameters.fixed((3, 0))
    parameters.golomb(_QP, 0, 0)
    parameters.fixed((3, 0))
    return sequence.unit(_SEQUENCE) + parameters.unit(_PICTURE)


def _field(planes: Iterable[NDArray[np.uint8]], number: int, bottom: bool) -> bytes:
    starts = number == 0 and not bottom
    slice_ = _Bits()
    slice_.golomb(0, _INTRA_SLICE, 0)
    slice_.fixed((8, number), (1, 1), (1, bottom))
    if starts:
        slice_.golomb(0)
    slice_.fixed((8, 2 * number + bottom), (2 if starts else 1, 0))
    slice_.golomb(0)
    luma, *chroma = (plane[bottom::2] for plane in planes)
    for y in range(0, _SIDE // 2, 16):
        for x in range(0, _SIDE, 16):
            slice_.golomb(_PCM)
            slice_.align()
            blocks = [luma[y : y + 16, x : x + 16]]
            blocks += [plane[y // 2 : y // 2 + 8, x // 2 : x // 2 + 8] for plane in chroma]
            slice_.fixed(*((8, int(value)) for block in blocks for value in block.flat))
    delimiter = b"\0\0\0\1" + bytes([_DELIMITER, 0x10])
    return delimiter + (b"" if bottom else _headers(25)) + slice_.unit(_FIRST if starts else _OTHER)


def write_fields(path: Path, pictures: int, both_timed: bool = True) -> Path:
    """Write numbered pictures at 25 per second, two packets for each; the second has a time if `both_timed`."""
    half, quarter = _SIDE // 2, _SIDE // 4
    fields = []
    for number in range(pictures):
        frame = av.VideoFrame.from_ndarray(picture(number, _SIDE, _SIDE), format="rgb24").reformat(format="yuv420p")
        values = frame.to_ndarray()
        chroma = (values[_SIDE + quarter * n : _SIDE + quarter * (n + 1)].reshape(half, half) for n in (0, 1))
        planes = [values[:_SIDE], *chroma]
        fields.append([_field(planes, number, bottom) for bottom in (False, True)])
    bare = path.with_suffix(".h264")
    bare.write_bytes(b"".join(field for pair in fields for field in pair))
    with av.open(str(bare)) as read, av.open(str(path), "w", format="mpegts") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for number, pair in enumerate(fields):
            for second, content in enumerate(pair if both_timed else [b"".join(pair)]):
                packet = av.Packet(content)
                packet.time_base, packet.stream = Fraction(1, 50), stream
                packet.pts = packet.dts = 2 * number + second
                packet.is_keyframe = second == 0
                written.mux(packet)
    return path
