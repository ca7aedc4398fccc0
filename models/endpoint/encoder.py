"""Turns conversations into the messages of requests, in the forms in which OpenAI-compatible endpoints take media.

All of them send what `inputs.decoding` returns, which is also what a local model gets.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ..inputs.conversation import AudioPart, Conversation, media_of, paths_of, read_messages, with_system_prompt
from ..inputs.decoding import DecodedConversation, decode
from ..inputs.media_cache import MediaCache
from ..inputs.omni_families import QWEN2_5_OMNI
from ..inputs.policy import Policy, system_prompt_text
from ..inputs.stats import MediaStats
from ..inputs.vllm_faults import CORRECTED, faults_of
from ..media.digests import FileState, state_of
from ..runtime.request import NOTHING_SHOWN, EncodingResult, error_result
from .payload import (
    Payload,
    clip_part,
    exact_sound_part,
    image_part,
    messages_of,
    movie_part,
    sound_part,
    text_part,
)
from .settings import EndpointSettings
from .vllm import VllmServer, fields_of, heard_as, identity_of, movie


class EndpointEncoder:
    """Encodes conversations for a served model.

    Args:
        settings: How media are shown and sent.
        server: What is known of the server, with media=vllm; None with other values.

    Attributes:
        settings: The settings.
        system_prompt: The text of the system prompt; None if the server's chat template decides.

    Raises:
        ValueError: The system prompt cannot be read.
    """

    def __init__(self, settings: EndpointSettings, server: VllmServer | None = None) -> None:
        assert (server is not None) == (settings.media == "vllm"), settings.media
        self.settings = settings
        self._server = server
        # Without a server that says what it serves, frames have the sizes for the release's model.
        family = QWEN2_5_OMNI if server is None else server.family
        self._frame_factor = family.frame_factor
        own = None if server is None else family.system_prompt
        given = settings.system_prompt
        self.system_prompt = own if given is None else system_prompt_text(given)
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
        form = self._form(packed)
        return [self._result(form, conversation, media) for conversation in conversations]

    def payload(self, decoded: DecodedConversation) -> Payload:
        """Make the payload of one conversation whose media are decoded already.

        Raises:
            ValueError: One request cannot show these media.
        """
        return self._form(_PackedParts()).payload(decoded)

    def _form(self, packed: "_PackedParts") -> "_DecodedForm":
        return (
            _DecodedForm(self.settings.frame_format, packed)
            if self._server is None
            else _VllmForm(self._server, packed)
        )

    def _result(self, form: "_DecodedForm", conversation: Conversation, media: MediaCache) -> EncodingResult:
        # An error of one request must not affect the others. It is counted, and never scored as an answer.
        try:
            decoded = decode(conversation, self._frame_factor, media)
            return EncodingResult(form.payload(decoded), form.stats(decoded), tuple(decoded.remarks))
        except Exception as error:
            return error_result(error, NOTHING_SHOWN)

    def _caches(self, conversations: Sequence[Conversation]) -> tuple["_PackedParts", MediaCache]:
        """Return the caches of the last call if this call is about the same unchanged files, else empty ones."""
        files = [(path, _state(path)) for path in paths_of(conversations)]
        known = self._last is not None and files and self._last[0] == files and None not in dict(files).values()
        if self._last is None or not known:
            self._last = files, _PackedParts(), MediaCache(self._frame_factor, self._store)
        return self._last[1:]


def _state(path: str) -> FileState | None:
    """Return the state of a file; None if there is no such file."""
    try:
        return state_of(path)
    except OSError:
        return None


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

    def __init__(self, frame_format: str, packed: _PackedParts) -> None:
        self._format = frame_format
        self._packed = packed

    def payload(self, decoded: DecodedConversation) -> Payload:
        media = _MediaInOrder(decoded)
        turns = [
            (message["role"], [self._part(item, media) for item in message["content"]]) for message in decoded.messages
        ]
        return Payload(messages_of(turns))

    def stats(self, decoded: DecodedConversation) -> MediaStats:
        return replace(decoded.stats, time_axis=None)  # a sequence of pictures has no time axis

    def _part(self, item: Mapping[str, Any], media: "_MediaInOrder") -> bytes:
        kind = item["type"]
        if kind == "text":
            return text_part(item["text"])
        if kind == "image":
            return image_part(media.image(), self._format)
        if kind == "audio":
            return self._sound(media.sound())
        frames, sound = media.video()
        return self._packed.once((id(frames), id(sound)), partial(self._clip, frames, sound), frames, sound)

    def _clip(self, frames: torch.Tensor, sound: NDArray[np.float32] | None) -> bytes:
        return clip_part(frames, sound, self._format)

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


class _VllmForm(_DecodedForm):
    """Sends each clip as one file with exactly the frames and the sound that a local model gets."""

    def __init__(self, server: VllmServer, packed: _PackedParts) -> None:
        super().__init__("png", packed)
        self._server = server

    def payload(self, decoded: DecodedConversation) -> Payload:
        return replace(super().payload(decoded), fields=fields_of(decoded, self._server.family))

    def stats(self, decoded: DecodedConversation) -> MediaStats:
        faults = faults_of(decoded, self._server.family.name, CORRECTED if self._server.mended else ())
        return replace(decoded.stats, vllm_faults=faults)

    def _clip(self, frames: torch.Tensor, sound: NDArray[np.float32] | None) -> bytes:
        content = movie(frames, None if sound is None else heard_as(sound, self._server))
        return movie_part(content, identity_of(content))

    def _sound(self, samples: NDArray[np.float32]) -> bytes:
        return self._packed.once(id(samples), lambda: exact_sound_part(heard_as(samples, self._server)), samples)
