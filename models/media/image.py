"""A picture, from a file or from memory, becomes an RGB picture."""

import base64
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from qwen_omni_utils.v2_5 import vision_process as qwen

from .errors import MediaError


def read_image(source: Any, name: str) -> tuple[PillowImage.Image, bool]:
    """A picture as RGB, by qwen-omni-utils' own rule: what is transparent becomes white.

    `source` is a PIL image, an array uint8 (height, width, 3), a path, a data URI, or `{"bytes", "path"}`; `name` is
    what a message calls it. The second value says whether more pictures follow in it, as in an animation.

    Raises:
        MediaError: there is no picture that can be read.
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
        raise MediaError(f"{name} is no picture that can be read ({reason}).") from error


def _file(source: Any) -> Any:
    """What Pillow opens: a path, or the content of a file that comes as bytes or as a data URI."""
    if isinstance(source, dict):
        source = source["bytes"] if source.get("bytes") is not None else source["path"]
    if isinstance(source, bytes):
        return BytesIO(source)
    text = str(source)
    if text.startswith("data:"):
        return BytesIO(base64.b64decode(text.partition(",")[2]))
    return text.removeprefix("file://")
