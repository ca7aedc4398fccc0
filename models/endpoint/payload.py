"""What is sent to a server: words, pictures and sounds as parts of OpenAI chat messages, in JSON."""

import base64
import io
import json
import mimetypes
import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ..media.types import SAMPLE_RATE

_SLICE = 1 << 20
"""Bytes that are handed to a socket at once."""

_QUALITY = 95
"""Of JPEG pictures; colours are not thinned out."""

_FULL_SCALE = 2**15
"""Of the 16-bit samples of WAV."""


@dataclass(frozen=True)
class Payload:
    """One request without its model and its arguments of generation.

    Attributes:
        pieces: Together the JSON text of `messages`, in UTF-8. Requests about one clip share the piece that holds it.
        fields: The fields beside `messages`.
    """

    pieces: tuple[bytes, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """0: only the server knows how long the prompt is, and says so in its reply."""
        return 0

    @property
    def messages(self) -> bytes:
        """The JSON text."""
        return b"".join(self.pieces)

    def within(self, before: bytes, after: bytes) -> "ByteParts":
        """The JSON text between two others."""
        return ByteParts((before, *self.pieces, after))


@dataclass(frozen=True)
class ByteParts:
    """Bytes in several parts that are sent one after the other.

    They may be megabytes, hundreds of times a second: they are never joined, as every copy would cost more than
    everything else.
    """

    parts: tuple[bytes, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[memoryview]:
        """Slices of at most 1 MiB, so that a partial send copies little again."""
        for part in self.parts:
            for start in range(0, len(part), _SLICE):
                yield memoryview(part)[start : start + _SLICE]

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)


def text_part(text: str) -> bytes:
    """Words."""
    return _json({"type": "text", "text": text})


def image_part(image: PillowImage.Image, form: str) -> bytes:
    """A picture, as "png" (every bit of it) or "jpeg"."""
    packed = io.BytesIO()
    if form == "png":
        image.save(packed, "PNG", compress_level=1)
    else:
        image.save(packed, "JPEG", quality=_QUALITY, subsampling=0)
    url = f"data:image/{form};base64,{_base64(packed.getvalue())}"
    return _json({"type": "image_url", "image_url": {"url": url}})


def clip_part(frames: torch.Tensor, sound: NDArray[np.float32] | None, form: str) -> bytes:
    """The pictures of a clip in their order, and then its sound.

    Args:
        frames: uint8 (frames, 3, height, width).
        sound: float32 (samples,) at 16 kHz; None if the clip is not heard.
        form: How pictures are packed; see `image_part`.
    """
    pictures = (PillowImage.fromarray(frame.permute(1, 2, 0).contiguous().numpy()) for frame in frames)
    parts = [image_part(picture, form) for picture in pictures]
    return b", ".join(parts if sound is None else [*parts, sound_part(sound)])


def sound_part(samples: NDArray[np.float32]) -> bytes:
    """A sound, float32 (samples,) at 16 kHz, as WAV with 16 bits."""
    packed = io.BytesIO()
    whole = np.clip(np.round(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(whole.tobytes())
    return _json({"type": "input_audio", "input_audio": {"data": _base64(packed.getvalue()), "format": "wav"}})


def address_part(kind: str, url: str) -> bytes:
    """A medium of the `kind` "video_url" or "audio_url" behind an address."""
    return _json({"type": kind, kind: {"url": url}})


def data_url(path: Path) -> str:
    """A file as an address that holds it. Raises OSError where it can not be read."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{_base64(path.read_bytes())}"


def messages_of(turns: Sequence[tuple[str, Sequence[bytes]]]) -> tuple[bytes, ...]:
    """The pieces of a JSON array of messages, each a role and the parts of its content."""
    pieces: list[bytes] = []
    opening = "["
    for role, parts in turns:
        pieces.append(f'{opening}{{"role": {json.dumps(role)}, "content": ['.encode())
        for number, part in enumerate(parts):
            pieces += [b", ", part] if number else [part]
        opening = "]}, "
    return (*pieces, b"]}]")


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
