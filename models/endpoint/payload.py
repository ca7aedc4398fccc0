"""Packs texts, pictures and sounds as parts of OpenAI chat messages, in JSON."""

import base64
import io
import json
import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ..media.types import SAMPLE_RATE

_SLICE = 1 << 20
"""Bytes that are passed to a socket at once."""

_QUALITY = 95
"""Quality of JPEG pictures. Their chroma is not subsampled."""

_FULL_SCALE = 2**15
"""Full scale of the 16-bit samples of WAV."""


@dataclass(frozen=True)
class Payload:
    """One request without the name of the model and the arguments of generation.

    Attributes:
        pieces: The JSON text of `messages`, in UTF-8, in several parts. Requests about the same clip share the part
            that contains the clip.
        fields: The fields that belong beside `messages`.
    """

    pieces: tuple[bytes, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """0, as only the server knows the number of tokens. It reports the number in its reply."""
        return 0

    @property
    def messages(self) -> bytes:
        """The JSON text of `messages`, in UTF-8."""
        return b"".join(self.pieces)

    def within(self, before: bytes, after: bytes) -> "ByteParts":
        """Put the JSON text between two other texts.

        Args:
            before: Bytes before the text.
            after: Bytes after the text.

        Returns:
            The three texts in this order, without a copy.
        """
        return ByteParts((before, *self.pieces, after))


@dataclass(frozen=True)
class ByteParts:
    """Bytes in several parts, which are sent one after the other.

    The parts may have megabytes and be sent hundreds of times a second. So they are never joined: each copy would cost
    more time than everything else.
    """

    parts: tuple[bytes, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[memoryview]:
        """Yield slices of at most 1 MiB, so that after a partial send little is copied again."""
        for part in self.parts:
            for start in range(0, len(part), _SLICE):
                yield memoryview(part)[start : start + _SLICE]

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)


def text_part(text: str) -> bytes:
    """Pack a text."""
    return _json({"type": "text", "text": text})


def image_part(image: PillowImage.Image, form: str) -> bytes:
    """Pack a picture.

    Args:
        image: The picture.
        form: "png", which is lossless, or "jpeg".

    Returns:
        The JSON text of an `image_url` part.
    """
    packed = io.BytesIO()
    if form == "png":
        image.save(packed, "PNG", compress_level=1)
    else:
        image.save(packed, "JPEG", quality=_QUALITY, subsampling=0)
    url = f"data:image/{form};base64,{_base64(packed.getvalue())}"
    return _json({"type": "image_url", "image_url": {"url": url}})


def clip_part(frames: torch.Tensor, sound: NDArray[np.float32] | None, form: str) -> bytes:
    """Pack a clip: its frames in their order, and then its sound.

    Args:
        frames: Tensor of shape (frames, 3, height, width), dtype uint8.
        sound: Array of shape (samples,), dtype float32, at 16 kHz; None if the clip is not heard.
        form: How frames are packed; see `image_part`.

    Returns:
        The JSON texts of the parts, joined with commas.
    """
    pictures = (PillowImage.fromarray(frame.permute(1, 2, 0).contiguous().numpy()) for frame in frames)
    parts = [image_part(picture, form) for picture in pictures]
    return b", ".join(parts if sound is None else [*parts, sound_part(sound)])


def sound_part(samples: NDArray[np.float32]) -> bytes:
    """Pack a sound of shape (samples,), dtype float32, at 16 kHz, as WAV with 16 bits."""
    packed = io.BytesIO()
    whole = np.clip(np.round(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(whole.tobytes())
    return _wav_part(packed)


def exact_sound_part(samples: NDArray[np.float32]) -> bytes:
    """Pack a sound of shape (samples,), dtype float32, at 16 kHz, as WAV with these floats."""
    from scipy.io import wavfile  # its import takes half a second, and few questions need it

    packed = io.BytesIO()
    wavfile.write(packed, SAMPLE_RATE, samples)
    return _wav_part(packed)


def _wav_part(packed: io.BytesIO) -> bytes:
    return _json({"type": "input_audio", "input_audio": {"data": _base64(packed.getvalue()), "format": "wav"}})


def movie_part(content: bytes, identity: str) -> bytes:
    """Pack a clip in a QuickTime file, in the form that vLLM takes.

    Args:
        content: The content of the file.
        identity: What identifies it in vLLM's caches.

    Returns:
        The JSON text of a `video_url` part.
    """
    url = f"data:video/quicktime;base64,{_base64(content)}"
    return _json({"type": "video_url", "video_url": {"url": url}, "uuid": identity})


def messages_of(turns: Sequence[tuple[str, Sequence[bytes]]]) -> tuple[bytes, ...]:
    """Make the JSON text of an array of messages.

    Args:
        turns: For each message, its role and the packed parts of its content.

    Returns:
        The text in pieces. Each part is a piece of its own, and is not copied.
    """
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
