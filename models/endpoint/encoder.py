"""Conversations in, what a server is sent out: the forms in which OpenAI-compatible endpoints take media.

"frames" and "frames-only" send what `inputs.decoding` gives, which is what the local model is shown; "vllm" sends
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
"""What height and width of frames are multiples of: as the release's model wants them."""


class EndpointEncoder:
    """How things are shown to a served model. Raises ValueError for a system prompt that can not be read."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        given = settings.system_prompt
        self.system_prompt = None if given is None else system_prompt_text(given)
        never = settings.media == "frames-only"
        self._policy: Policy = replace(settings, use_audio_in_video="never") if never else settings
        self._last: tuple[Any, _Packed, MediaCache] | None = None

    def read(self, messages: Sequence[Mapping[str, Any]]) -> Conversation:
        """The conversation of raw messages, with the system prompt.

        Raises ValueError for messages that can not be read, or hold a sound that is not sent.
        """
        conversation = with_system_prompt(read_messages(messages, self._policy), self.system_prompt)
        if self.settings.media == "frames-only" and any(isinstance(part, AudioPart) for part in media_of(conversation)):
            raise ValueError(
                "media=frames-only sends no sound, and this is asked about one: run the group humansense_video, or "
                "media=frames."
            )
        return conversation

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        """What is sent for each conversation; media that several are about are read and packed once."""
        packed, media = self._kept(conversations)
        kind: type[_FileForm | _DecodedForm] = _FileForm if self.settings.media == "vllm" else _DecodedForm
        return [_result(kind(self.settings, packed, media), conversation) for conversation in conversations]

    def _kept(self, conversations: Sequence[Conversation]) -> tuple["_Packed", MediaCache]:
        """What is decoded and packed already: of the last call, if this one is about the same unchanged files."""
        about = [(path, _state(path)) for path in paths_of(conversations)]
        known = self._last is not None and about and self._last[0] == about and None not in dict(about).values()
        if self._last is None or not known:
            self._last = about, _Packed(), MediaCache(FRAME_FACTOR)
        return self._last[1:]


def _state(path: str) -> tuple[int, int] | None:
    """What changes when a file does; None where there is none."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _result(form: "_FileForm | _DecodedForm", conversation: Conversation) -> EncodingResult:
    # Whatever is wrong with one request must not cost the others; it is counted, never scored as an answer.
    try:
        return form.result(conversation)
    except Exception as error:
        return error_result(error, NOTHING_SHOWN)


class _Packed:
    """What is packed already, by what it was made of: the same tensor for the same thing."""

    def __init__(self) -> None:
        self._known: dict[Hashable, bytes] = {}
        self._kept: list[Any] = []

    def once(self, key: Hashable, pack: Callable[[], bytes], *sources: Any) -> bytes:
        """The part with this key, packed now if it is not known; `sources` are kept, as the key may hold their ids."""
        if key not in self._known:
            self._known[key] = pack()
            self._kept += sources
        return self._known[key]


class _DecodedForm:
    """Pictures and sounds, decoded here."""

    def __init__(self, settings: EndpointSettings, packed: _Packed, media: MediaCache) -> None:
        self._form = settings.frame_format
        self._packed = packed
        self._media = media

    def result(self, conversation: Conversation) -> EncodingResult:
        decoded = decode(conversation, FRAME_FACTOR, self._media)
        media = _InOrder(decoded)
        turns = [
            (message["role"], [self._part(item, media) for item in message["content"]]) for message in decoded.messages
        ]
        shown = replace(decoded.stats, time_axis=None)  # pictures have none
        return EncodingResult(Payload(messages_of(turns)), shown, tuple(decoded.remarks))

    def _part(self, item: Mapping[str, Any], media: "_InOrder") -> bytes:
        kind = item["type"]
        if kind == "text":
            return text_part(item["text"])
        if kind == "image":
            return image_part(media.image(), self._form)
        if kind == "audio":
            return self._sound(media.sound())
        frames, sound = media.video()
        pack = partial(clip_part, frames, sound, self._form)
        return self._packed.once((id(frames), id(sound)), pack, frames, sound)

    def _sound(self, samples: NDArray[np.float32]) -> bytes:
        return self._packed.once(id(samples), lambda: sound_part(samples), samples)


class _InOrder:
    """The media of a decoded conversation, one after the other."""

    def __init__(self, decoded: DecodedConversation) -> None:
        of_video = dict(zip(decoded.sound_of_video, decoded.sounds, strict=True))
        self._images = iter(decoded.images)
        self._videos = ((frames, of_video.get(place)) for place, frames in enumerate(decoded.videos))
        alone = (place for place, video in enumerate(decoded.sound_of_video) if video is None)
        self._sounds = (decoded.sounds[place] for place in alone)

    def image(self) -> PillowImage.Image:
        return next(self._images)

    def sound(self) -> NDArray[np.float32]:
        return next(self._sounds)

    def video(self) -> tuple[torch.Tensor, NDArray[np.float32] | None]:
        return next(self._videos)


class _FileForm:
    """Whole clips and sounds, which the server decodes."""

    def __init__(self, settings: EndpointSettings, packed: _Packed, media: MediaCache) -> None:
        self._allowed = settings.allowed_path
        self._packed = packed
        self._media = media

    def result(self, conversation: Conversation) -> EncodingResult:
        media = media_of(conversation)
        fields, shown, remarks = fields_of([part for part in media if isinstance(part, VideoPart)])
        turns = [(turn.role, [self._part(part) for part in turn.parts]) for turn in conversation]
        heard = sum(_seconds(part) for part in media if isinstance(part, AudioPart))
        shown = replace(shown, seconds_heard=shown.seconds_heard + heard, seconds_present=shown.seconds_present + heard)
        return EncodingResult(Payload(messages_of(turns), fields), shown, tuple(remarks))

    def _part(self, part: Part) -> bytes:
        if isinstance(part, TextPart):
            return text_part(part.text)
        if isinstance(part, VideoPart):
            return self._file("video_url", part.path)
        if isinstance(part, AudioPart) and isinstance(part.source, str):
            return self._file("audio_url", part.source)
        # What is in memory is sent as a picture or a sound.
        decoded = decode((Turn("user", (part,)),), FRAME_FACTOR, self._media)
        if isinstance(part, ImagePart):
            return image_part(decoded.images[0], "png")
        return sound_part(decoded.sounds[0])

    def _file(self, kind: str, path: str) -> bytes:
        return self._packed.once((kind, path), lambda: address_part(kind, self._address(Path(path))))

    def _address(self, path: Path) -> str:
        if self._allowed is None:
            return data_url(path)
        file = path.resolve()
        if not file.is_relative_to(Path(self._allowed).resolve()):
            raise MediaError(f"{path} is not in allowed_path={self._allowed}, which the server reads from.")
        return file.as_uri()


def _seconds(sound: AudioPart) -> float:
    return (sound_seconds(sound.source) or 0.0) if isinstance(sound.source, str) else 0.0
