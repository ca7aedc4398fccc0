"""From raw chat messages to a conversation: who says what, and which file is shown or heard where.

Raw messages are what tasks of lmms-eval return from `doc_to_messages`: a list of `{"role", "content"}`, the content a
text or a list of `{"type": "text" | "image" | "video" | "audio", …}` with the medium under `url`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .media import FrameRule


@dataclass(frozen=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True)
class Image:
    """A picture: a path or a PIL image."""

    image: Any


@dataclass(frozen=True)
class Sound:
    """Something to hear: a path, or `{"array", "sampling_rate"}`."""

    source: Any


@dataclass(frozen=True)
class Video:
    """A clip, the rule that picks its frames, the part of it in seconds, and whether its sound is heard with it."""

    path: str
    rule: FrameRule
    start: float | None = None
    end: float | None = None
    heard: bool = False


Part = Text | Image | Sound | Video


@dataclass(frozen=True)
class Turn:
    """What one role says."""

    role: str
    parts: tuple[Part, ...]


Conversation = tuple[Turn, ...]


def read_messages(messages: Sequence[Mapping[str, Any]]) -> Conversation:
    """The conversation of raw messages.

    A video and an audio content of the same file in one turn are that video with its sound; a video alone is silent.
    Raises ValueError for a content that is none of the four types.
    """
    return tuple(Turn(message["role"], _parts(message["content"])) for message in messages)


def _parts(content: str | Sequence[Mapping[str, Any]]) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),)
    videos = {item["url"] for item in content if item["type"] == "video"}
    heard = {item["url"] for item in content if item["type"] == "audio" and isinstance(item["url"], str)} & videos
    return tuple(
        _part(item, heard) for item in content if not (item["type"] == "audio" and _names_one_of(item["url"], heard))
    )


def _names_one_of(url: Any, paths: set[str]) -> bool:
    return isinstance(url, str) and url in paths


def _part(item: Mapping[str, Any], heard: set[str]) -> Part:
    if item["type"] == "text":
        return Text(item["text"])
    if item["type"] == "image":
        return Image(item["url"])
    if item["type"] == "audio":
        return Sound(item["url"])
    if item["type"] == "video":
        rule = FrameRule(fps=item.get("fps"), max_pixels=item.get("max_pixels"))
        return Video(item["url"], rule, item.get("start_time"), item.get("end_time"), item["url"] in heard)
    raise ValueError(f"A message holds a content of type {item['type']!r}; known are text, image, video and audio.")
