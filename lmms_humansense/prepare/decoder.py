"""Decodes clips into a store, in worker processes: the part of an encoder that a checkpoint has no share in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..models.inputs.conversation import AudioPart, Conversation, Part, VideoPart, media_of, read_messages
from ..models.inputs.decoding import hears
from ..models.inputs.media_cache import MediaCache
from ..models.media.store import ClipStore
from ..models.media.video import has_pictures
from ..models.runtime.request import EncodingResult, error_result


@dataclass(frozen=True)
class Decoded:
    """What the store holds of one file. In place of a prompt, whose attributes it has.

    Attributes:
        size: Bytes of its entries.
        written: How many of them are new.
        seconds: The duration of the clip, or of a sound without pictures.
    """

    size: int
    written: int
    seconds: float
    pieces: Sequence[torch.Tensor | bytes] = ()
    tokens: int = 0


class ClipDecoder:
    """Decodes the media of conversations, and keeps them.

    Args:
        folder: The folder of the store.
        factor: Height and width of frames are multiples of it, in pixels.
        checking: Whether to decode nothing, and to check the store instead.
    """

    def __init__(self, folder: Path, factor: int, checking: bool) -> None:
        self._folder = folder
        self._factor = factor
        self._checking = checking

    def read(self, messages: Sequence[Mapping[str, Any]]) -> Conversation:
        """Read raw messages into a conversation."""
        return read_messages(messages)

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        """Decode the media of all conversations, which are about one file. If one fails, the others do not.

        Returns:
            For each conversation, what the store holds for it that it does not hold for those before it, as `Decoded`,
            or the reason why it holds nothing.
        """
        store = ClipStore(self._folder, checking=self._checking, must_write=not self._checking)
        media = MediaCache(self._factor, store)
        return [_kept(conversation, media, store) for conversation in conversations]


def _kept(conversation: Conversation, media: MediaCache, store: ClipStore) -> EncodingResult:
    size, written = store.bytes_used, store.written
    try:
        seconds = max((_seconds(part, media) for part in media_of(conversation)), default=0.0)
    except Exception as error:  # of one way to show one file, which does not stop the others
        return error_result(error)
    return EncodingResult(Decoded(store.bytes_used - size, store.written - written, seconds))


def _seconds(part: Part, media: MediaCache) -> float:
    """Decode a medium, as `inputs.decoding` does, and return how long it lasts."""
    if isinstance(part, AudioPart) and part.clip is not None and has_pictures(part.clip.path):
        part = part.clip
    if isinstance(part, VideoPart):
        frames = media.clip(part, partial(hears, part)).frames
        return frames.total_frames / frames.video_fps
    if isinstance(part, AudioPart):
        sound, seconds = media.sound(str(part.source))
        return seconds or sound.seconds
    return 0.0
