"""From raw chat messages to a conversation: who says what, and which file is shown or heard where.

Raw messages are what tasks of lmms-eval return from `doc_to_messages`, or what lmms-eval makes of their
`doc_to_visual`: a list of `{"role", "content"}`, the content a text or a list of
`{"type": "text" | "image" | "video" | "audio", …}` with the medium under `url`. A sound in memory comes as
`{"array", "sampling_rate"}`, and lmms-eval's own conversion calls it a video.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..media.types import FrameRule
from .policy import Policy

_ENDINGS_OF_SOUND = (".aac", ".aif", ".aiff", ".amr", ".au", ".caf", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus",
                     ".wav", ".wma")  # fmt: skip


@dataclass(frozen=True)
class TextPart:
    """Words."""

    text: str


@dataclass(frozen=True)
class ImagePart:
    """A picture: a path or a PIL image."""

    image: Any


@dataclass(frozen=True)
class AudioPart:
    """Something to hear: a path, `{"array", "sampling_rate"}`, or a file's content as `{"bytes", "path"}`.

    `clip` is the same file as a video, where its name does not tell whether there is something to see.
    """

    source: Any
    clip: "VideoPart | None" = None


@dataclass(frozen=True)
class VideoPart:
    """A clip, the rule that picks its frames, and the part of it in seconds.

    `heard` says whether its sound is heard with it, `needs_sound` whether it makes no sense without, `true_time`
    whether the model is told the rate of the frames.
    """

    path: str
    rule: FrameRule
    start: float | None = None
    end: float | None = None
    heard: bool = False
    needs_sound: bool = False
    true_time: bool = True


Part = TextPart | ImagePart | AudioPart | VideoPart


def path_of(part: Part) -> str | None:
    """The path under which a part's medium was given; None for words and for what is in memory."""
    if isinstance(part, TextPart):
        return None
    source = part.path if isinstance(part, VideoPart) else part.image if isinstance(part, ImagePart) else part.source
    is_path = isinstance(source, (str, os.PathLike)) and not str(source).startswith("data:")
    return str(source) if is_path else None


@dataclass(frozen=True)
class Turn:
    """What one role says."""

    role: str
    parts: tuple[Part, ...]


Conversation = tuple[Turn, ...]


AS_THE_TASK_SAYS = Policy()


def read_messages(messages: Sequence[Mapping[str, Any]], policy: Policy = AS_THE_TASK_SAYS) -> Conversation:
    """The conversation of raw messages.

    A video and an audio content of the same file in one turn are that video with its sound; a video alone is silent.
    Raises ValueError for a content that is none of the four types, or lacks what its type needs.
    """
    return tuple(Turn(message["role"], _parts(message["content"], policy)) for message in messages)


def _parts(content: str | Sequence[Mapping[str, Any]], policy: Policy) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (TextPart(content),)
    parts = [_part(item, policy) for item in content]
    heard = {_file(part) for part in parts if isinstance(part, VideoPart)}
    heard &= {_file(part) for part in parts if isinstance(part, AudioPart)}
    return tuple(
        _with_sound(part, _file(part) in heard, policy) if isinstance(part, VideoPart) else part
        for part in parts
        if not (isinstance(part, AudioPart) and _file(part) in heard)
    )


def _file(part: Part) -> str | None:
    """The file of a part, one name for all of its spellings; None for what is in memory."""
    path = path_of(part)
    return os.path.abspath(path) if path else None


def _with_sound(video: VideoPart, heard: bool, policy: Policy) -> VideoPart:
    """The video with or without its sound: as the messages say, unless the policy overrules them."""
    if policy.use_audio_in_video == "never":
        return video
    return replace(video, heard=heard or policy.use_audio_in_video == "always", needs_sound=heard)


def _part(item: Mapping[str, Any], policy: Policy) -> Part:
    kind = item.get("type")
    if kind not in ("text", "image", "audio", "video"):
        raise ValueError(f"A message holds a content of type {kind!r}; known are text, image, video and audio.")
    key = "text" if kind == "text" else "url"
    url = item.get(key)
    if url is None:
        raise ValueError(f"A message holds a content of type {kind!r} without a {key}.")
    if kind == "text":
        return TextPart(url)
    if isinstance(url, Mapping) and ("array" in url or (kind == "audio" and url.get("bytes") is not None)):
        return AudioPart(url)
    if kind == "image":
        return ImagePart(url)
    if kind == "audio":
        return _sound(item, _path(url), policy)
    # lmms-eval's conversion calls a path a video unless it knows the ending.
    if not isinstance(url, Mapping) and _path(url).lower().endswith(_ENDINGS_OF_SOUND):
        return AudioPart(_path(url))
    return _video(item, url, policy)


def _sound(item: Mapping[str, Any], path: str, policy: Policy) -> AudioPart:
    """A sound content. lmms-eval's conversion calls every .webm one, so that nobody saw the pictures of a clip."""
    if not path.lower().endswith(".webm"):
        return AudioPart(path)
    return AudioPart(path, clip=replace(_video(item, path, policy), heard=policy.use_audio_in_video != "never"))


def _video(item: Mapping[str, Any], url: Any, policy: Policy) -> VideoPart:
    """A video content. Where it came through lmms-eval's conversion, its part is told beside its path."""
    where = url if isinstance(url, Mapping) else item
    true_time = policy.time_axis == "true" or (policy.time_axis == "auto" and item.get("time_axis") != "release")
    return VideoPart(
        path=_path(url),
        rule=_rule(item, policy),
        start=_seconds(where, "start_time", "video_start"),
        end=_seconds(where, "end_time", "video_end"),
        true_time=true_time,
    )


def _rule(item: Mapping[str, Any], policy: Policy) -> FrameRule:
    """How many frames are shown and how large: what the message hints at, unless the policy overrules it."""
    hints = item if policy.frames == "release" else {}
    counted = policy.fps is not None or policy.nframes is not None
    return FrameRule(
        fps=policy.fps if counted else hints.get("fps"),
        nframes=policy.nframes,
        max_pixels=hints.get("max_pixels") if policy.max_pixels is None else policy.max_pixels,
    )


def _seconds(where: Mapping[str, Any], *names: str) -> float | None:
    value = next((where[name] for name in names if where.get(name) is not None), None)
    return None if value is None else float(value)


def _path(url: Any) -> str:
    if isinstance(url, Mapping):
        found = next((url[name] for name in ("url", "path", "video", "video_path") if url.get(name)), None)
        if found is None:
            raise ValueError(f"A message holds a medium of the keys {', '.join(map(str, url))}, which names no file.")
        url = found
    if isinstance(url, (str, bytes)) or hasattr(url, "__fspath__"):
        return str(url).removeprefix("file://")
    raise ValueError(f"A message holds a medium of type {type(url).__name__}, which is neither a path nor a waveform.")


def with_system_prompt(conversation: Conversation, prompt: str | None) -> Conversation:
    """The conversation, begun by a system turn with `prompt` unless it has one of its own or there is no prompt."""
    if not prompt or (conversation and conversation[0].role == "system"):
        return conversation
    return (Turn("system", (TextPart(prompt),)), *conversation)


def media_of(conversation: Conversation) -> list[Part]:
    """The pictures, videos and sounds of a conversation."""
    return [part for turn in conversation for part in turn.parts if not isinstance(part, TextPart)]


def paths_of(conversations: Sequence[Conversation]) -> list[str]:
    """The paths of the media of conversations, each once."""
    paths = [path_of(part) for conversation in conversations for part in media_of(conversation)]
    return list(dict.fromkeys(path for path in paths if path))


def media_names(conversations: Sequence[Conversation]) -> str:
    """How the media of conversations are called in a sentence."""
    return ", ".join(paths_of(conversations)) or "media in memory"
