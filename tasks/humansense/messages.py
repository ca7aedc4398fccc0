"""Converts a doc to the messages for a model: media references, then the prompt. Standard library only."""

from typing import Any

from .annotations import Doc

MAX_PIXELS = 360 * 420
"""The most pixels of a frame that the release allows Qwen2.5-Omni."""


def frame_rate(frame_count: int, fps: float) -> float:
    """The release's sampling rate for a clip.

    1 fps; 0.5 for more than 300 and less than 600 frames; 0.2 from 600 frames on; then less if more than 24 frames
    would be shown. The clip's own rate is cut to a whole number, as in the release's code.

    Args:
        frame_count: The clip's number of frames.
        fps: The clip's own frames per second, at least 1.

    Returns:
        Frames to show for each second of the clip.
    """
    rate = 1.0
    if 300 < frame_count < 600:
        rate = 0.5
    elif frame_count >= 600:
        rate = 0.2
    seconds = frame_count / int(fps)
    return 24 / seconds if seconds * rate > 24 else rate


def build(doc: Doc, video: str | None, sound: str | None, prompt: str) -> list[dict[str, Any]]:
    """Build the chat messages of a doc: one user turn with its media, then the prompt.

    The video's `fps` and `max_pixels` say how the release shows it; `time_axis` says that the release does not give the
    model the rate of the frames. Models that do not know these keys ignore them.

    Args:
        doc: The question.
        video: The path of its video; None without a video.
        sound: The path or the address of its sound; None if the messages have no sound beside the video.
        prompt: The text of the question.

    Returns:
        The messages in the form of lmms-eval's `doc_to_messages`.
    """
    content: list[dict[str, Any]] = []
    if video is not None:
        fps = frame_rate(doc["frame_count"], doc["fps"])
        content.append({"type": "video", "url": video, "fps": fps, "max_pixels": MAX_PIXELS, "time_axis": "release"})
    if sound is not None:
        content.append({"type": "audio", "url": sound})
    return [{"role": "user", "content": [*content, {"type": "text", "text": prompt}]}]
