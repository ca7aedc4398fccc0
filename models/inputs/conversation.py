"""From raw chat messages to a conversation: who says what, and which file is shown or heard at which place.

Raw messages are what tasks of lmms-eval return from `doc_to_messages`, or what lmms-eval makes of their
`doc_to_visual`: a list of `{"role", "content"}`. The content is a text or a list of
`{"type": "text" | "image" | "video" | "audio", …}` with the medium under `url`. A sound in memory is
`{"array", "sampling_rate"}`; lmms-eval's own conversion gives it the type "video".
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
    """A text."""

    text: str


@dataclass(frozen=True)
class ImagePart:
    """A picture: a path or a PIL image."""

    image: Any


@dataclass(frozen=True)
class AudioPart:
    """A sound.

    Attributes:
        source: A path, `{"array", "sampling_rate"}`, or the content of a file as `{"bytes", "path"}`.
        clip: The same file as a video, if its name does not show whether it has pictures; else None.
    """

    source: Any
    clip: "VideoPart | None" = None


@dataclass(frozen=True)
class VideoPart:
    """A clip, and how it is shown.

    Attributes:
        path: The path of the file.
        rule: The rule that chooses the frames.
        start: Start of the part to show, in seconds. None means the start of the clip.
        end: End of the part to show, in seconds. None means the end of the clip.
        heard: Whether the sound is heard with the frames, if there is one.
        needs_sound: Whether the task needs the sound, so that a clip without one is an error.
        true_time: Whether the model is given the rate of the frames.
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
    """Return the path of a part's medium as it was given; None for a text and for a medium in memory."""
    if isinstance(part, TextPart):
        return None
    source = part.path if isinstance(part, VideoPart) else part.image if isinstance(part, ImagePart) else part.source
    is_path = isinstance(source, (str, os.PathLike)) and not str(source).startswith("data:")
    return str(source) if is_path else None


@dataclass(frozen=True)
class Turn:
    """What one role says: its texts and media, in their order."""

    role: str
    parts: tuple[Part, ...]


Conversation = tuple[Turn, ...]


_AS_THE_TASK_SAYS = Policy()


def read_messages(messages: Sequence[Mapping[str, Any]], policy: Policy = _AS_THE_TASK_SAYS) -> Conversation:
    """Turn raw messages into a conversation.

    A video and an audio content of the same file in one turn become that video with its sound. A video alone is silent.

    Args:
        messages: Raw messages, as described at the top of this module.
        policy: How a user overrides what the messages say.

    Returns:
        One turn for each message.

    Raises:
        ValueError: A content has an unknown type, or lacks what its type needs.
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
    """The absolute path of a part's file, the same for all spellings of the path; None for a medium in memory."""
    path = path_of(part)
    return os.path.abspath(path) if path else None


def _with_sound(video: VideoPart, heard: bool, policy: Policy) -> VideoPart:
    """The video with or without its sound: as the messages say, unless the policy overrides them."""
    if policy.use_audio_in_video == "never":
        return video
    return replace(video, heard=heard or policy.use_audio_in_video == "always", needs_sound=heard)


def _part(item: Mapping[str, Any], policy: Policy) -> Part:
    kind = item.get("type")
    if kind not in ("text", "image", "audio", "video"):
        raise ValueError(f"A message has content of type {kind!r}; the known types are text, image, video and audio.")
    key = "text" if kind == "text" else "url"
    url = item.get(key)
    if url is None:
        raise ValueError(f"A message has content of type {kind!r} without a field {key!r}.")
    if kind == "text":
        return TextPart(url)
    if isinstance(url, Mapping) and ("array" in url or (kind == "audio" and url.get("bytes") is not None)):
        return AudioPart(url)
    if kind == "image":
        return ImagePart(url)
    if kind == "audio":
        return _sound(item, _path(url), policy)
    # lmms-eval's conversion gives a path the type "video" unless it knows the ending.
    if not isinstance(url, Mapping) and _path(url).lower().endswith(_ENDINGS_OF_SOUND):
        return AudioPart(_path(url))
    return _video(item, url, policy)


def _sound(item: Mapping[str, Any], path: str, policy: Policy) -> AudioPart:
    """A sound. lmms-eval's conversion calls every .webm a sound, so a .webm may also be a clip with pictures."""
    if not path.lower().endswith(".webm"):
        return AudioPart(path)
    return AudioPart(path, clip=replace(_video(item, path, policy), heard=policy.use_audio_in_video != "never"))


def _video(item: Mapping[str, Any], url: Any, policy: Policy) -> VideoPart:
    """A video. After lmms-eval's conversion, start and end stand beside the path; else they stand in the content."""
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
    """How many frames are shown and how large: as the message says, unless the policy overrides it."""
    hints = item if policy.frames == "release" else {}
    counted = policy.fps is not None or policy.nframes is not None
    return FrameRule(
        fps=policy.fps if counted else hints.get("fps"),
        nframes=policy.nframes,
        max_pixels=hints.get("max_pixels") if policy.max_pixels is None else policy.max_pixels,
        reader=policy.video_reader,
    )


def _seconds(where: Mapping[str, Any], *names: str) -> float | None:
    value = next((where[name] for name in names if where.get(name) is not None), None)
    return None if value is None else float(value)


def _path(url: Any) -> str:
    if isinstance(url, Mapping):
        found = next((url[name] for name in ("url", "path", "video", "video_path") if url.get(name)), None)
        if found is None:
            raise ValueError(f"A message has a medium with the keys {', '.join(map(str, url))}, none of them a file.")
        url = found
    if isinstance(url, (str, bytes)) or hasattr(url, "__fspath__"):
        return str(url).removeprefix("file://")
    raise ValueError(f"A message has a medium of type {type(url).__name__}, which is neither a path nor a waveform.")


def with_system_prompt(conversation: Conversation, prompt: str | None) -> Conversation:
    """Put a system turn before a conversation that has none.

    Args:
        conversation: The conversation, with or without a system turn.
        prompt: The system prompt. None or an empty text adds no turn.

    Returns:
        The conversation with its own system turn, with one of `prompt`, or without one.
    """
    if not prompt or (conversation and conversation[0].role == "system"):
        return conversation
    return (Turn("system", (TextPart(prompt),)), *conversation)


def media_of(conversation: Conversation) -> list[Part]:
    """Return the pictures, videos and sounds of a conversation, in their order."""
    return [part for turn in conversation for part in turn.parts if not isinstance(part, TextPart)]


def paths_of(conversations: Sequence[Conversation]) -> list[str]:
    """Return the paths of the media of conversations, each once."""
    paths = [path_of(part) for conversation in conversations for part in media_of(conversation)]
    return list(dict.fromkeys(path for path in paths if path))


def media_names(conversations: Sequence[Conversation]) -> str:
    """Name the media of conversations in a sentence."""
    return ", ".join(paths_of(conversations)) or "media in memory"
