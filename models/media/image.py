"""Turns a picture, from a file or from memory, into an RGB picture."""

import base64
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from qwen_omni_utils.v2_5 import vision_process as qwen

from .errors import MediaError


def read_image(source: Any, name: str) -> tuple[PillowImage.Image, bool]:
    """Read a picture as RGB. As in qwen-omni-utils, transparent parts become white.

    Args:
        source: A PIL image, an array of shape (H, W, 3) and dtype uint8, a path, a data URI, or `{"bytes", "path"}`.
        name: What an error message calls the picture.

    Returns:
        The picture, and whether it is the first one of several, as in an animation.

    Raises:
        MediaError: The source cannot be read as a picture.
    """
    if isinstance(source, PillowImage.Image):
        return qwen.to_rgb(source), False
    try:
        if isinstance(source, np.ndarray):
            return qwen.to_rgb(PillowImage.fromarray(source)), False
        with PillowImage.open(_file(source)) as image:
            return qwen.to_rgb(image), getattr(image, "n_frames", 1) > 1
    except (OSError, TypeError, ValueError, KeyError, PillowImage.DecompressionBombError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise MediaError(f"{name} cannot be read as a picture ({reason}).") from error


def _file(source: Any) -> Any:
    """What Pillow opens: a path, or a stream of the bytes that `source` holds."""
    if isinstance(source, dict):
        source = source["bytes"] if source.get("bytes") is not None else source["path"]
    if isinstance(source, bytes):
        return BytesIO(source)
    text = str(source)
    if text.startswith("data:"):
        return BytesIO(base64.b64decode(text.partition(",")[2]))
    return text.removeprefix("file://")
