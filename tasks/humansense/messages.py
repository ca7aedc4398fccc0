"""From a doc to what a model is sent: media references, then the prompt. Standard library only."""

from pathlib import Path
from typing import Any

from .annotations import Doc
from .taxonomy import BY_CODE

MAX_PIXELS = 360 * 420
"""The most pixels of a frame, as the release sets it for Qwen2.5-Omni."""


def frame_rate(frame_count: int, fps: float) -> float:
    """The release's sampling rate for a clip, in frames shown per second of the clip.

    1 fps; 0.5 for more than 300 and less than 600 frames; 0.2 from 600 frames on; then less if more than 24 frames
    would be shown. The clip's own rate is cut to a whole number, as in the release's code.
    """
    rate = 1.0
    if 300 < frame_count < 600:
        rate = 0.5
    elif frame_count >= 600:
        rate = 0.2
    seconds = frame_count / int(fps)
    return 24 / seconds if seconds * rate > 24 else rate


def build(doc: Doc, media: Path | None, prompt: str, hears: bool) -> list[dict[str, Any]]:
    """The chat messages of a doc: one user turn with its media, then the prompt.

    Without `media` there is only the prompt. A video whose sound matters is followed by an audio content of the same
    file, if it is to be heard (`hears`). The video's `fps` and `max_pixels` say how the release shows it, `time_axis`
    that it does not tell the model the rate of the frames; models that do not know these keys ignore them.
    """
    task = BY_CODE[doc["code"]]
    content: list[dict[str, Any]] = []
    if media is not None and not task.is_audio:
        fps = frame_rate(doc["frame_count"], doc["fps"])
        video = {"type": "video", "url": str(media), "fps": fps, "max_pixels": MAX_PIXELS, "time_axis": "release"}
        content.append(video)
    if media is not None and task.has_sound and (hears or task.is_audio):
        content.append({"type": "audio", "url": str(media)})
    return [{"role": "user", "content": [*content, {"type": "text", "text": prompt}]}]
