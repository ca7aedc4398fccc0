"""Damaged and unusual replies of a chat server, made by numbered, repeatable mutations."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

_WORDS = (
    "B", "The answer is (C).", "", " \n", "<think>Hm.</think><answer>A</answer>", "\ud83d", "\ude00 A", "\x00B\x1b[2J",
    "\u202eB\ufeff", "[response truncated] B", "é" * 100_000, "</script>", "A\r\n\u2028B", "{}",
)  # fmt: skip
_ODD: tuple[Any, ...] = (
    None, True, 7, -1, 1.5, float("nan"), float("inf"), 10**4000, "", "text", [], {}, [[]], ["B"], [None],
    {"text": "B"}, {"type": "text", "text": "B"}, [{"type": "image_url"}], {"message": {"content": "B"}}, "\udc80",
)  # fmt: skip
_REASONS = ("stop", "length", "content_filter", "abort", "error", "tool_calls", "eos", None, "", "other", 3)
_BODIES = (
    "",
    "{",
    "null",
    "[]",
    "<html><h1>Bad gateway</h1></html>",
    "data: [DONE]",
    "B",
    '{"detail": "?"}',
    "\ufeff{}",
)


@dataclass
class Damaged:
    """What a server sends in place of a good reply.

    Attributes:
        body: The body.
        status: The status code.
        headers: More headers.
        sent: The share of the body that is sent before the connection ends.
        raw: Whether the body is sent alone, without status line and headers.
    """

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    sent: float = 1.0
    raw: bool = False


def good_reply(text: Any = "B", **message: Any) -> dict[str, Any]:
    """A reply of OpenAI's API."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    return {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}


def damaged_reply(draw: random.Random) -> tuple[str, Damaged]:
    """A reply with one kind of damage, and the name of the kind."""
    kind = draw.choice(sorted(_DAMAGES))
    return kind, _DAMAGES[kind](draw)


def _sound(draw: random.Random) -> dict[str, Any]:
    """A reply in one of the forms that servers use."""
    word = draw.choice(_WORDS)
    thought = draw.choice(_WORDS)
    forms: tuple[dict[str, Any], ...] = (
        good_reply(word),
        good_reply(word, reasoning_content=thought),
        good_reply(None, reasoning=thought),
        good_reply([{"type": "text", "text": word}, {"type": "text", "text": "."}]),
        good_reply([{"type": "thinking", "thinking": [{"type": "text", "text": thought}]}, word]),
        good_reply(None, refusal=word),
    )
    reply = draw.choice(forms)
    reply["choices"][0]["finish_reason"] = draw.choice(_REASONS)
    return reply


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything within a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in inside for found in [(*path, key), *_places(item, (*path, key))]]


def _changed(draw: random.Random, change: Callable[[Any, Any], None]) -> Damaged:
    reply = _sound(draw)
    *path, last = draw.choice(_places(reply))
    at: Any = reply
    for key in path:
        at = at[key]
    change(at, last)
    return Damaged(_encoded(reply))


def _other_value(draw: random.Random) -> Damaged:
    def change(at: Any, key: Any) -> None:
        at[key] = draw.choice(_ODD)

    return _changed(draw, change)


def _missing(draw: random.Random) -> Damaged:
    def change(at: Any, key: Any) -> None:
        del at[key]

    return _changed(draw, change)


def _bit_flips(draw: random.Random) -> Damaged:
    content = bytearray(_encoded(_sound(draw)))
    for _ in range(draw.choice((1, 3, 20))):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return Damaged(bytes(content))


def _cut(draw: random.Random) -> Damaged:
    content = _encoded(_sound(draw))
    return Damaged(content[: draw.randrange(len(content))])


def _deep(draw: random.Random) -> Damaged:
    depth = draw.choice((50, 900, 990, 100_000))
    opening, closing = draw.choice((("[", "]"), ('{"a":', "}")))
    inner = opening * depth + "1" + closing * depth
    body = draw.choice(('{"choices": %s}', '{"choices": [{"message": {"content": %s}}]}', '{"error": %s}', "%s",
                        '{"choices": [{"message": {"content": null, "reasoning": %s}}]}'))  # fmt: skip
    return Damaged((body % inner).encode())


def _status(draw: random.Random) -> Damaged:
    usual = {"message": draw.choice(_WORDS), "code": draw.choice(_ODD), "param": draw.choice(_ODD)}
    error = draw.choice(({"error": usual}, {"error": draw.choice(_ODD)}, {"message": "no"}, draw.choice(_ODD)))
    body = draw.choice((_encoded(error), draw.choice(_BODIES).encode()))
    status = draw.choice([*(code.value for code in HTTPStatus if code >= 200), 299, 499, 599, 999])
    headers = {"Retry-After": draw.choice(("0.01", "-1", "nan", "x", "Fri, 27 Nov 2026 21:00:00 GMT", ""))}
    return Damaged(b"" if status in (204, 304) else body, status, headers)


def _reported(draw: random.Random) -> Damaged:
    error = draw.choice(
        (draw.choice(_ODD), {"message": draw.choice(_WORDS), "code": draw.choice((400, 429, 500, "x", None))})
    )
    return Damaged(_encoded({"error": error, "choices": draw.choice((None, []))}))


def _encoding(draw: random.Random) -> Damaged:
    content = json.dumps(_sound(draw), ensure_ascii=False).encode("utf-8", "surrogatepass")
    name = draw.choice(("utf-16", "utf-7", "latin-1", "ascii", "idna", "no-such", "utf-8"))
    headers = draw.choice(({"Content-Type": f"application/json; charset={name}"}, {"Content-Encoding": "gzip"},
                           {"Content-Encoding": "deflate"}, {"Content-Type": "image/png"}))  # fmt: skip
    return Damaged(draw.choice((content, b"\xff\xfe" + content, b"\xef\xbb\xbf" + content)), headers=headers)


_DAMAGES: dict[str, Callable[[random.Random], Damaged]] = {
    "form of a known server": lambda draw: Damaged(_encoded(_sound(draw))),
    "another value": _other_value,
    "missing field": _missing,
    "bit flips": _bit_flips,
    "cut off": _cut,
    "deeply nested": _deep,
    "other status": _status,
    "error with status 200": _reported,
    "other encoding": _encoding,
    "no chat reply": lambda draw: Damaged(draw.choice(_BODIES).encode()),
    "broken connection": lambda draw: Damaged(_encoded(_sound(draw)), sent=draw.random()),
    "no HTTP": lambda draw: Damaged(draw.randbytes(draw.randrange(200)), raw=True),
}
