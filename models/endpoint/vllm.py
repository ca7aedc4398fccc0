"""The fields with which vLLM, which decodes clips itself, shows the frames, sizes and sounds that a local model gets.

Source: vLLM's documentation of its chat API. `media_io_kwargs` gives the number of frames, which are evenly spaced over
the clip, as with qwen-omni-utils; `mm_processor_kwargs` go to the model's processor. With `use_audio_in_video`, the
server reads the sound from the clip itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..inputs.conversation import VideoPart
from ..inputs.decoding import SOUNDLESS, hears, snapped
from ..inputs.stats import MediaStats
from ..media.types import FramePlan
from ..media.video import plan_frames

_ASSUMED_RATE = 2.0
"""Frames per second that Qwen2.5-Omni's processor assumes if it is given none, as in the release."""


@dataclass(frozen=True)
class _ClipOptions:
    """How clips are shown. All clips of a request share the same options."""

    frames: int
    heard: bool
    rate: float
    least_pixels: int
    most_pixels: int


def fields_of(videos: Sequence[VideoPart]) -> tuple[dict[str, Any], MediaStats, list[tuple[str, str]]]:
    """Make the fields of a request that say how its clips are shown.

    Args:
        videos: The videos of the conversation.

    Returns:
        The fields, how much is shown and heard, and remarks: a sentence and the name of the file.

    Raises:
        ValueError: One request cannot show the videos as the conversation says.
        MediaError: A clip cannot be used.
    """
    if not videos:
        return {}, MediaStats(), []
    if any(video.start is not None or video.end is not None for video in videos):
        raise ValueError(
            "media=vllm sends whole clips, but this question is about a part of one; media=frames sends parts."
        )
    plans = [plan_frames(video.path, video.rule) for video in videos]
    options_of_clips = [_options(video, plan) for video, plan in zip(videos, plans, strict=True)]
    if len(set(options_of_clips)) > 1:
        raise ValueError(
            "media=vllm shows all clips of a request with the same number of frames, frame rate, size and sound, but "
            "the clips of this question differ; media=frames can show them."
        )
    options, seconds = options_of_clips[0], sum(plan.sound_seconds or 0.0 for plan in plans)
    axis = "true" if videos[0].true_time else "release"
    stats = MediaStats(sum(plan.frames for plan in plans), seconds if options.heard else 0.0, seconds, axis)
    remarks = [(SOUNDLESS, video.path) for video in videos if video.heard and not options.heard]
    processor = {
        "use_audio_in_video": options.heard,
        "fps": options.rate,
        "min_pixels": options.least_pixels,
        "max_pixels": options.most_pixels,
    }
    fields = {"mm_processor_kwargs": processor, "media_io_kwargs": {"video": {"num_frames": options.frames}}}
    return fields, stats, remarks


def _options(video: VideoPart, plan: FramePlan) -> _ClipOptions:
    least, most = plan.pixels
    return _ClipOptions(
        frames=plan.frames,
        heard=hears(video, plan.sound_seconds),
        rate=snapped(plan.sample_fps, plan.frames) if video.true_time else _ASSUMED_RATE,
        least_pixels=least,
        most_pixels=int(most),
    )
