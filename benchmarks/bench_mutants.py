"""Damaged media and annotation files, made from the embedded sample by numbered, repeatable mutations."""

import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av

_CONTAINERS = ("mkv", "mov", "avi", "mpegts", "flac", "ogg")
_ENDINGS = {"mpegts": ".ts"}
_HEAD = 4096
_EXTREMES = (0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Medium = tuple[str, bytes]
"""A file's ending and content."""


def seeds(folder: Path) -> list[Medium]:
    """The clips and sounds of a release, and some of them in other containers."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".mp4", ".wav"))
    originals = [(path.suffix, path.read_bytes()) for path in files]
    some = originals[:: len(_CONTAINERS)]
    moved = [_in_container(medium, name) for name in _CONTAINERS for medium in some]
    return [*originals, *(medium for medium in moved if medium)]


def _in_container(medium: Medium, name: str) -> Medium | None:
    """The streams of a medium in another container; None if the container cannot hold them."""
    target = io.BytesIO()
    try:
        with av.open(io.BytesIO(medium[1])) as source, av.open(target, "w", format=name) as made:
            copies = {stream.index: made.add_stream_from_template(stream) for stream in source.streams}
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = copies[packet.stream_index]
                    made.mux(packet)
    except (av.FFmpegError, ValueError):
        return None
    return _ENDINGS.get(name, f".{name}"), target.getvalue()


def damaged_medium(draw: random.Random, media: Sequence[Medium]) -> tuple[str, Medium]:
    """A medium with one kind of damage, and the name of the kind."""
    ending, content = draw.choice(media)
    kind = draw.choice(sorted(_DAMAGES))
    return kind, _DAMAGES[kind](draw, ending, content, media)


def _bits(draw: random.Random, content: bytes, first: int, last: int, count: int) -> bytes:
    changed = bytearray(content)
    for _ in range(count):
        place = draw.randrange(first, max(first + 1, min(last, len(content))))
        changed[place] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _bit_flips(draw: random.Random, ending: str, content: bytes, media: Sequence[Medium]) -> Medium:
    return ending, _bits(draw, content, 0, len(content), draw.choice((1, 10, 100, 1000)))


def _bit_flips_in_the_index(draw: random.Random, ending: str, content: bytes, media: Sequence[Medium]) -> Medium:
    place = max(0, content.rfind(b"moov"))
    return ending, _bits(draw, content, place, place + _HEAD, draw.choice((1, 5, 50)))


def _extreme_numbers(draw: random.Random, ending: str, content: bytes, media: Sequence[Medium]) -> Medium:
    """Impossible sizes, counts and times."""
    changed = bytearray(content)
    begin = draw.choice((0, max(0, content.rfind(b"moov"))))
    for _ in range(draw.choice((1, 3, 10))):
        width = draw.choice((2, 4))
        place = draw.randrange(begin, max(begin + 1, min(begin + _HEAD, len(content) - width)))
        changed[place : place + width] = (draw.choice(_EXTREMES) & (256**width - 1)).to_bytes(width, "big")
    return ending, bytes(changed)


def _truncation(draw: random.Random, ending: str, content: bytes, media: Sequence[Medium]) -> Medium:
    return ending, content[: draw.randrange(len(content))]


def _hole(draw: random.Random, ending: str, content: bytes, media: Sequence[Medium]) -> Medium:
    """A part that was not downloaded."""
    begin = draw.randrange(len(content))
    length = draw.randrange(1, len(content) // 2)
    return ending, content[:begin] + bytes(len(content[begin : begin + length])) + content[begin + length :]


def _missing_part(draw: random.Random, ending: str, content: bytes, media: Sequence[Medium]) -> Medium:
    begin = draw.randrange(len(content))
    return ending, content[:begin] + content[begin + draw.randrange(1, 10_000) :]


def _wrong_ending(draw: random.Random, ending: str, content: bytes, media: Sequence[Medium]) -> Medium:
    return draw.choice([other for other, _ in media if other != ending]), content


def _two_in_one(draw: random.Random, ending: str, content: bytes, media: Sequence[Medium]) -> Medium:
    other = draw.choice(media)[1]
    return ending, content[: draw.randrange(len(content))] + other[draw.randrange(len(other)) :]


def _no_medium(draw: random.Random, ending: str, content: bytes, media: Sequence[Medium]) -> Medium:
    texts = (
        b"",
        b"#EXTM3U\nhttp://127.0.0.1:1/x.mp4\n",
        b"<!DOCTYPE html><p>404",
        b"PK\x03\x04",
        b"version https://git-lfs",
    )
    return ending, draw.choice((*texts, draw.randbytes(draw.choice((1, 100, 50_000)))))


_DAMAGES: dict[str, Callable[[random.Random, str, bytes, Sequence[Medium]], Medium]] = {
    "bit flips": _bit_flips,
    "bit flips in the index": _bit_flips_in_the_index,
    "extreme numbers": _extreme_numbers,
    "truncation": _truncation,
    "hole": _hole,
    "missing part": _missing_part,
    "wrong ending": _wrong_ending,
    "two in one": _two_in_one,
    "no medium": _no_medium,
}

_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, float("nan"), float("inf"), 10**30, "", " ", "\0", "\ud800", "A" * 100_000, [], {}, [[]],
    ["A"], {"A": "B"}, "../../etc/passwd", "/dev/zero", "videos", "Ａ", "<|video_pad|><|im_end|>", [None] * 1000,
)  # fmt: skip


_HOSTILE: tuple[Any, ...] = (
    *_VALUES, "a$b$c", "_a", "a\n\\input{b}", "=1+1", "\x1b[2J", "a/../b", "humansense_omni", "9" * 5000, "many", 2,
    0.5, [0.5], -0.1, [["A"]], "ZZ", "VQA-0", "VQA--1", "VQA-999999999", {"score": 1, "clip": []}, "nowhere://x",
    "x" * 300,
)  # fmt: skip


_KINDS = ("bit flips", "truncation", "other values", "missing fields", "other shape", "encoding", "nesting")


def damaged_annotations(draw: random.Random, text: str) -> tuple[str, bytes]:
    """Annotations with one kind of damage, and the name of the kind."""
    kind = draw.choice(_KINDS)
    if (damaged := _damaged_bytes(draw, kind, text.encode())) is not None:
        return kind, damaged
    items = json.loads(text)
    if kind == "nesting":
        return kind, _nested(draw, [items])
    if kind == "other shape":
        return kind, _dumped(draw.choice(({"data": items}, items[0], [items], [], None, "", [*items, []], items * 3)))
    for item in draw.sample(items, draw.choice((1, 2, len(items)))):
        # Half of the fields are one level down.
        holder = item["questions"] if draw.random() < 0.5 else item
        field = draw.choice(sorted(holder))
        if kind == "missing fields":
            del holder[field]
        else:
            holder[field] = draw.choice(_HOSTILE)
    return kind, _dumped(items)


def _damaged_bytes(draw: random.Random, kind: str, content: bytes) -> bytes | None:
    """The content with damage that needs no parsing; None for the other kinds."""
    if kind == "bit flips":
        return _bits(draw, content, 0, len(content), draw.choice((1, 10, 100)))
    if kind == "truncation":
        return content[: draw.randrange(len(content))]
    return _encoded(draw, content) if kind == "encoding" else None


def damaged_json(draw: random.Random, content: bytes, lines: bool = False) -> tuple[str, bytes]:
    """JSON with one kind of damage, and the name of the kind.

    Args:
        draw: Chooses the damage.
        content: The JSON.
        lines: Whether each line of it is a value of its own.

    Returns:
        The kind of damage, and the damaged content.
    """
    kind = draw.choice(_KINDS)
    if (damaged := _damaged_bytes(draw, kind, content)) is not None:
        return kind, damaged
    values = [json.loads(line) for line in content.splitlines()] if lines else [json.loads(content)]
    if kind == "nesting":
        return kind, _nested(draw, values)
    if kind == "other shape":
        changed = [draw.choice(([], {}, None, 0, "", [value], {"data": value})) for value in values[:1]]
        values = draw.choice((changed + values[1:], values * 3, values[::-1], [*values, {}]))
        return kind, b"\n".join(map(_dumped, values)) + b"\n"
    for _ in range(draw.choice((1, 1, 2, 20))):
        if not values:
            break
        if kind == "missing fields":
            holder, field = _somewhere(draw, values)
            del holder[field]
        else:
            _put_somewhere(draw, values, draw.choice(_HOSTILE))
    return kind, b"\n".join(map(_dumped, values)) + b"\n"


def _encoded(draw: random.Random, content: bytes) -> bytes:
    """The text in another encoding, or with bytes that are no text, or with half a character."""
    place = draw.randrange(len(content))
    torn = content[:place] + draw.choice((b"\xff", b"\\ud800", b"\xed\xa0\x80", b"\0")) + content[place:]
    return draw.choice((content.decode().encode("utf-16"), b"\xef\xbb\xbf" + content, bytes(1000), torn, torn))


def _nested(draw: random.Random, values: list[Any]) -> bytes:
    """The values as lines, with lists or objects nested deep in one place."""
    depth = draw.choice((90, 900, 200_000))
    deep = b"[" * depth + b"]" * depth if draw.random() < 0.5 else b'{"a":' * depth + b"1" + b"}" * depth
    _put_somewhere(draw, values, "\0deep")
    return b"\n".join(map(_dumped, values)).replace(b'"\\u0000deep"', deep) + b"\n"


def _put_somewhere(draw: random.Random, values: Any, new: Any) -> None:
    holder, field = _somewhere(draw, values)
    holder[field] = new


def _somewhere(draw: random.Random, values: Any) -> tuple[Any, Any]:
    """A place below the top of one of the values: its object or list, and its name there."""
    holder, field = values, draw.randrange(len(values))
    while isinstance(holder[field], dict | list) and holder[field] and (holder is values or draw.random() < 0.8):
        holder = holder[field]
        field = draw.choice(sorted(holder)) if isinstance(holder, dict) else draw.randrange(len(holder))
    return holder, field


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()
