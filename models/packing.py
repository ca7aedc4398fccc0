"""Words, pictures and sounds as parts of the content of an OpenAI chat message, in JSON."""

import base64
import io
import json
import mimetypes
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage

from .media import SAMPLE_RATE

_QUALITY = 95
"""Of JPEG pictures; colours are not thinned out."""

_FULL_SCALE = 2**15
"""Of the 16-bit samples of WAV."""


def text_part(text: str) -> str:
    """Words."""
    return json.dumps({"type": "text", "text": text})


def image_part(image: PillowImage.Image, form: str) -> str:
    """A picture, as "png" (every bit of it) or "jpeg"."""
    packed = io.BytesIO()
    if form == "png":
        image.save(packed, "PNG", compress_level=1)
    else:
        image.save(packed, "JPEG", quality=_QUALITY, subsampling=0)
    url = f"data:image/{form};base64,{_base64(packed.getvalue())}"
    return json.dumps({"type": "image_url", "image_url": {"url": url}})


def frames_part(frames: torch.Tensor, form: str) -> str:
    """The frames of a clip, uint8 (frames, 3, height, width), as pictures one after the other."""
    pictures = (PillowImage.fromarray(frame.permute(1, 2, 0).contiguous().numpy()) for frame in frames)
    return ", ".join(image_part(picture, form) for picture in pictures)


def sound_part(samples: NDArray[np.float32]) -> str:
    """A sound, float32 (samples,) at 16 kHz, as WAV with 16 bits."""
    packed = io.BytesIO()
    whole = np.clip(np.round(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(whole.tobytes())
    return json.dumps({"type": "input_audio", "input_audio": {"data": _base64(packed.getvalue()), "format": "wav"}})


def address_part(kind: str, url: str) -> str:
    """A medium of the `kind` "video_url" or "audio_url" behind an address."""
    return json.dumps({"type": kind, kind: {"url": url}})


def data_url(path: Path) -> str:
    """A file as an address that holds it. Raises OSError where it can not be read."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{_base64(path.read_bytes())}"


def piece(text: str) -> torch.Tensor:
    """A text as bytes in UTF-8: uint8 (bytes,)."""
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def messages_of(turns: Sequence[tuple[str, Sequence[torch.Tensor]]]) -> tuple[torch.Tensor, ...]:
    """The pieces of a JSON array of messages, each a role and the pieces of its content."""
    pieces: list[torch.Tensor] = []
    opening = "["
    for role, parts in turns:
        pieces.append(piece(f'{opening}{{"role": {json.dumps(role)}, "content": ['))
        for number, part in enumerate(parts):
            pieces += [piece(", "), part] if number else [part]
        opening = "]}, "
    return (*pieces, piece("]}]"))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
