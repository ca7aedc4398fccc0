"""Turns conversations into the messages of requests, in the forms in which OpenAI-compatible endpoints take media.

"frames" and "frames-only" send what `inputs.decoding` returns, which is also what a local model gets; "vllm" sends
files.
"""

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ..inputs.conversation import (
    AudioPart,
    Conversation,
    ImagePart,
    Part,
    TextPart,
    Turn,
    VideoPart,
    media_of,
    paths_of,
    read_messages,
    with_system_prompt,
)
from ..inputs.decoding import DecodedConversation, decode
from ..inputs.media_cache import MediaCache
from ..inputs.policy import Policy, system_prompt_text
from ..media.audio import sound_seconds
from ..media.errors import MediaError
from ..runtime.request import NOTHING_SHOWN, EncodingResult, error_result
from .payload import (
    Payload,
    address_part,
    clip_part,
    data_url,
    image_part,
    messages_of,
    sound_part,
    text_part,
)
from .settings import EndpointSettings
from .vllm import fields_of

FRAME_FACTOR = 28
"""Height and width of frames are multiples of it, in pixels, as for the release's model."""


class EndpointEncoder:
    """Encodes conversations for a served model.

    Args:
        settings: How media are shown and sent.

    Attributes:
        settings: The settings.
        system_prompt: The text of the system prompt; None if the server's chat template decides.

    Raises:
        ValueError: The system prompt cannot be read.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        given = settings.system_prompt
        self.system_prompt = None if given is None else system_prompt_text(given)
        never = settings.media == "frames-only"
        self._policy: Policy = replace(settings, use_audio_in_video="never") if never else settings
        self._store = settings.clip_store()
        self._last: tuple[Any, _PackedParts, MediaCache] | None = None

    def read(self, messages: Sequence[Mapping[str, Any]]) -> Conversation:
        """Turn raw messages into a conversation with the system prompt.

        Args:
            messages: Chat messages, as `inputs.conversation.read_messages` takes them.

        Returns:
            The conversation.

        Raises:
            ValueError: The messages cannot be read, or contain a sound, which `frames-only` does not send.
        """
        conversation = with_system_prompt(read_messages(messages, self._policy), self.system_prompt)
        if self.settings.media == "frames-only" and any(isinstance(part, AudioPart) for part in media_of(conversation)):
            raise ValueError(
                "media=frames-only sends no sound, but this question is about one; run the group humansense_video, or "
                "set media=frames."
            )
        return conversation

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        """Encode conversations. Media that several of them share are read and packed once.

        Args:
            conversations: What `read` returned.

        Returns:
            For each conversation, its `Payload`, or the reason why it cannot be encoded.
        """
        packed, media = self._caches(conversations)
        kind: type[_FileForm | _DecodedForm] = _FileForm if self.settings.media == "vllm" else _DecodedForm
        return [_result(kind(self.settings, packed, media), conversation) for conversation in conversations]

    def _caches(self, conversations: Sequence[Conversation]) -> tuple["_PackedParts", MediaCache]:
        """Return the caches of the last call if this call is about the same unchanged files, else empty ones."""
        files = [(path, _state(path)) for path in paths_of(conversations)]
        known = self._last is not None and files and self._last[0] == files and None not in dict(files).values()
        if self._last is None or not known:
            self._last = files, _PackedParts(), MediaCache(FRAME_FACTOR, self._store)
        return self._last[1:]


def _state(path: str) -> tuple[int, int] | None:
    """Return the size and the modification time of a file; None if there is no such file."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _result(form: "_FileForm | _DecodedForm", conversation: Conversation) -> EncodingResult:
    # An error of one request must not affect the others. It is counted, and never scored as an answer.
    try:
        return form.result(conversation)
    except Exception as error:
        return error_result(error, NOTHING_SHOWN)


class _PackedParts:
    """The packed parts of messages, each made once."""

    def __init__(self) -> None:
        self._known: dict[Hashable, bytes] = {}
        self._kept: list[Any] = []

    def once(self, key: Hashable, pack: Callable[[], bytes], *sources: Any) -> bytes:
        """Return the part with this key; pack it if it is new. `sources` are kept, as the key may contain their ids."""
        if key not in self._known:
            self._known[key] = pack()
            self._kept += sources
        return self._known[key]


class _DecodedForm:
    """Sends pictures and sounds, which are decoded here."""

    def __init__(self, settings: EndpointSettings, packed: _PackedParts, media: MediaCache) -> None:
        self._format = settings.frame_format
        self._packed = packed
        self._media = media

    def result(self, conversation: Conversation) -> EncodingResult:
        decoded = decode(conversation, FRAME_FACTOR, self._media)
        media = _MediaInOrder(decoded)
        turns = [
            (message["role"], [self._part(item, media) for item in message["content"]]) for message in decoded.messages
        ]
        stats = replace(decoded.stats, time_axis=None)  # a sequence of pictures has no time axis
        return EncodingResult(Payload(messages_of(turns)), stats, tuple(decoded.remarks))

    def _part(self, item: Mapping[str, Any], media: "_MediaInOrder") -> bytes:
        kind = item["type"]
        if kind == "text":
            return text_part(item["text"])
        if kind == "image":
            return image_part(media.image(), self._format)
        if kind == "audio":
            return self._sound(media.sound())
        frames, sound = media.video()
        pack = partial(clip_part, frames, sound, self._format)
        return self._packed.once((id(frames), id(sound)), pack, frames, sound)

    def _sound(self, samples: NDArray[np.float32]) -> bytes:
        return self._packed.once(id(samples), lambda: sound_part(samples), samples)


class _MediaInOrder:
    """Gives the media of a decoded conversation one after the other."""

    def __init__(self, decoded: DecodedConversation) -> None:
        sound_by_video = dict(zip(decoded.sound_of_video, decoded.sounds, strict=True))
        self._images = iter(decoded.images)
        self._videos = ((frames, sound_by_video.get(index)) for index, frames in enumerate(decoded.videos))
        without_video = (index for index, video in enumerate(decoded.sound_of_video) if video is None)
        self._sounds = (decoded.sounds[index] for index in without_video)

    def image(self) -> PillowImage.Image:
        return next(self._images)

    def sound(self) -> NDArray[np.float32]:
        return next(self._sounds)

    def video(self) -> tuple[torch.Tensor, NDArray[np.float32] | None]:
        return next(self._videos)


class _FileForm:
    """Sends whole clips and sounds, which the server decodes."""

    def __init__(self, settings: EndpointSettings, packed: _PackedParts, media: MediaCache) -> None:
        self._allowed_path = settings.allowed_path
        self._packed = packed
        self._media = media

    def result(self, conversation: Conversation) -> EncodingResult:
        media = media_of(conversation)
        fields, stats, remarks = fields_of([part for part in media if isinstance(part, VideoPart)])
        turns = [(turn.role, [self._part(part) for part in turn.parts]) for turn in conversation]
        seconds = sum(_seconds(part) for part in media if isinstance(part, AudioPart))
        stats = replace(
            stats, seconds_heard=stats.seconds_heard + seconds, seconds_present=stats.seconds_present + seconds
        )
        return EncodingResult(Payload(messages_of(turns), fields), stats, tuple(remarks))

    def _part(self, part: Part) -> bytes:
        if isinstance(part, TextPart):
            return text_part(part.text)
        if isinstance(part, VideoPart):
            return self._file("video_url", part.path)
        if isinstance(part, AudioPart) and isinstance(part.source, str):
            return self._file("audio_url", part.source)
        # A medium in memory is sent as a picture or a sound.
        decoded = decode((Turn("user", (part,)),), FRAME_FACTOR, self._media)
        if isinstance(part, ImagePart):
            return image_part(decoded.images[0], "png")
        return sound_part(decoded.sounds[0])

    def _file(self, kind: str, path: str) -> bytes:
        return self._packed.once((kind, path), lambda: address_part(kind, self._address(Path(path))))

    def _address(self, path: Path) -> str:
        if self._allowed_path is None:
            return data_url(path)
        file = path.resolve()
        if not file.is_relative_to(Path(self._allowed_path).resolve()):
            raise MediaError(f"{path} is not in allowed_path={self._allowed_path}, the folder that the server reads.")
        return file.as_uri()


def _seconds(sound: AudioPart) -> float:
    return (sound_seconds(sound.source) or 0.0) if isinstance(sound.source, str) else 0.0
