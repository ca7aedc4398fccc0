"""Clips that a server decodes itself: what has it show the frames, sizes and sounds that the local model is shown.

Source: vLLM's documentation of its chat API. `media_io_kwargs` says how many frames are taken from a clip, evenly as
qwen-omni-utils takes them; `mm_processor_kwargs` go to the model's processor. With `use_audio_in_video` the server
takes the sound out of the clip by itself.
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
"""Frames per second that Qwen2.5-Omni's processor assumes where it is told none, as the release tells none."""


@dataclass(frozen=True)
class _Way:
    """How the clips of one request are shown: there is one way for all of them."""

    frames: int
    heard: bool
    rate: float
    least_pixels: int
    most_pixels: int


def fields_of(videos: Sequence[VideoPart]) -> tuple[dict[str, Any], MediaStats, list[tuple[str, str]]]:
    """The fields of a request that have clips shown as is asked, what is shown so, and remarks.

    Raises ValueError for what one request can not ask for, and MediaError for a clip that can not be used.
    """
    if not videos:
        return {}, MediaStats(), []
    if any(video.start is not None or video.end is not None for video in videos):
        raise ValueError("media=vllm sends whole clips, and a part of one is asked for; media=frames sends parts.")
    plans = [plan_frames(video.path, video.rule) for video in videos]
    ways = [_way(video, plan) for video, plan in zip(videos, plans, strict=True)]
    if len(set(ways)) > 1:
        raise ValueError("media=vllm has one number of frames, rate, size and sound for all clips of a request.")
    way, seconds = ways[0], sum(plan.sound_seconds or 0.0 for plan in plans)
    axis = "true" if videos[0].true_time else "release"
    shown = MediaStats(sum(plan.frames for plan in plans), seconds if way.heard else 0.0, seconds, axis)
    remarks = [(SOUNDLESS, video.path) for video in videos if video.heard and not way.heard]
    processor = {
        "use_audio_in_video": way.heard,
        "fps": way.rate,
        "min_pixels": way.least_pixels,
        "max_pixels": way.most_pixels,
    }
    fields = {"mm_processor_kwargs": processor, "media_io_kwargs": {"video": {"num_frames": way.frames}}}
    return fields, shown, remarks


def _way(video: VideoPart, plan: FramePlan) -> _Way:
    least, most = plan.pixels
    return _Way(
        frames=plan.frames,
        heard=hears(video, plan.sound_seconds),
        rate=snapped(plan.sample_fps, plan.frames) if video.true_time else _ASSUMED_RATE,
        least_pixels=least,
        most_pixels=int(most),
    )
