"""From a conversation to decoded media and the messages of a chat template."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ..media.audio_memory import resampled, waveform_of_bytes
from ..media.errors import MediaError
from ..media.image import read_image
from ..media.types import SAMPLE_RATE
from ..media.video import has_pictures
from .conversation import AudioPart, Conversation, ImagePart, Part, TextPart, VideoPart, path_of
from .media_cache import MediaCache
from .stats import MediaStats

_GRID = 1024
"""A step of the time axis is a whole number of 1/1024 s, so that the processor in float64 and the model in float32
compute the same times. Other steps put sound tokens where the model expects pictures (seen in 145 of 15,360 clips)."""

_POSITIONS_PER_SECOND = 25
"""Positions per second on Qwen2.5-Omni's time axis. Qwen3-Omni has 13; the larger number is safe for both."""

_EXACT = 2**24
"""Whole numbers up to this one are exact in float32."""

_FRAMES_PER_STEP = 2
"""Frames in one step of the time axis: `temporal_patch_size` of every Qwen omni model."""

SOUNDLESS = "Shown without sound, as there is none"
_APART = "Heard after its pictures, because another video of the question is silent or has another frame rate"
_BOTH = "Shown and heard, because lmms-eval calls every .webm a sound"
_STILL = "Only the first picture of an animation is shown"

_LEAST_SAMPLES = 400
"""Samples of the shortest sound that a model can take: one window of the mel spectrogram, 25 ms (`n_fft` of the feature
extractors)."""


@dataclass
class DecodedConversation:
    """A conversation with its media decoded, in the order in which they appear.

    Attributes:
        messages: What the chat template takes.
        images: RGB pictures.
        videos: Tensors of shape (frames, 3, height, width), dtype uint8.
        rates: For each video, the frames per second that the model is given, or None if it is given none.
        sounds: Arrays of shape (samples,), dtype float32, at 16 kHz.
        sound_of_video: For each sound, the index of its video in `videos`, or None for a sound without a video.
        remarks: What is shown in another way than requested: a sentence and the name of the file.
        stats: How much is shown and heard.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    images: list[PillowImage.Image] = field(default_factory=list)
    videos: list[torch.Tensor] = field(default_factory=list)
    rates: list[float | None] = field(default_factory=list)
    sounds: list[NDArray[np.float32]] = field(default_factory=list)
    sound_of_video: list[int | None] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    stats: MediaStats = field(default_factory=MediaStats)

    @property
    def interleaved(self) -> bool:
        """Whether the sound of a video is interleaved with it."""
        return any(video is not None for video in self.sound_of_video)


@dataclass
class _DecodedPart:
    """A part with its medium decoded: at most one picture, one clip and one sound."""

    part: Part
    image: PillowImage.Image | None = None
    frames: torch.Tensor | None = None
    rate: float | None = None
    sound: NDArray[np.float32] | None = None
    seconds_present: float = 0.0
    remarks: tuple[str, ...] = ()


def decode(conversation: Conversation, frame_factor: int, media: MediaCache | None = None) -> DecodedConversation:
    """Decode all media of a conversation.

    The sound of a video is interleaved with it. A model takes one frame rate for all videos of a prompt, and
    interleaves the sound of all of them or of none. If a conversation mixes these, the sound of each video follows the
    video as a sound of its own, and a remark says so.

    Args:
        conversation: What to decode.
        frame_factor: Height and width of frames are multiples of it, in pixels. `media` has to have the same.
        media: Media that are decoded already, from other conversations about the same clips. What is missing is added.

    Returns:
        The messages for the chat template, with the media in their order.

    Raises:
        MediaError: A file cannot be used.
    """
    media = media or MediaCache(frame_factor)
    turns = [(turn, [_decoded(part, media) for part in turn.parts]) for turn in conversation]
    everything = [one for _, parts in turns for one in parts]
    clips = [one for one in everything if one.frames is not None]
    alike = all(one.sound is not None for one in clips) and len({one.rate for one in clips}) == 1
    decoded = DecodedConversation(stats=_stats(everything))
    decoded.remarks += [(remark, _name(one.part)) for one in everything for remark in one.remarks]
    if not alike:
        decoded.remarks += [(_APART, _name(one.part)) for one in clips if one.sound is not None]
    for turn, parts in turns:
        content = [item for one in parts for item in _place(one, decoded, interleave=alike)]
        decoded.messages.append({"role": turn.role, "content": content})
    return decoded


def _decoded(part: Part, media: MediaCache) -> _DecodedPart:
    if isinstance(part, ImagePart):
        image, is_animated = read_image(part.image, _name(part))
        return _DecodedPart(part, image=image, remarks=(_STILL,) if is_animated else ())
    if isinstance(part, AudioPart) and part.clip is not None and has_pictures(part.clip.path):
        clip = _clip(part.clip, media)
        return clip if SOUNDLESS in clip.remarks else replace(clip, remarks=(_BOTH, *clip.remarks))
    if isinstance(part, AudioPart):
        sound, seconds = _waveform(part.source, media)
        return _DecodedPart(part, sound=_audible(sound, part.source), seconds_present=seconds)
    if isinstance(part, VideoPart):
        return _clip(part, media)
    return _DecodedPart(part)


def _clip(video: VideoPart, media: MediaCache) -> _DecodedPart:
    clip = media.clip(video, lambda seconds: hears(video, seconds))
    decoded = _DecodedPart(video, frames=clip.frames.pixels, seconds_present=clip.sound_seconds or 0.0)
    decoded.remarks = clip.frames.remarks
    if video.true_time:
        decoded.rate = snapped(clip.frames.sample_fps, len(clip.frames.indices))
    if clip.sound is not None:
        decoded.sound = _audible(clip.sound.samples, video.path)
    elif video.heard:
        decoded.remarks = (SOUNDLESS, *decoded.remarks)
    return decoded


def hears(video: VideoPart, seconds: float | None) -> bool:
    """Whether to read the sound of a clip.

    Args:
        video: How the clip is shown.
        seconds: Duration of the sound track of the whole file; None if there is no sound track.

    Returns:
        True if the video is to be heard and has sound in the shown part.

    Raises:
        MediaError: The task needs the sound, and there is no sound track.
    """
    if video.needs_sound and seconds is None:
        raise MediaError(
            f"{video.path} has no sound track, but the task needs it (use_audio_in_video=never shows it silent)."
        )
    over = seconds is not None and video.start is not None and video.start >= seconds and not video.needs_sound
    return video.heard and seconds is not None and not over


def snapped(rate: float, frames: int) -> float:
    """Find a frame rate near `rate` at which the steps of the time axis are the same numbers in float32 and float64.

    Each step is a multiple of 1/1024 s. For clips of more than 11 minutes the unit is longer, because float32 could not
    represent their positions exactly.

    Args:
        rate: Shown frames per second.
        frames: Number of shown frames.

    Returns:
        Frames per second.
    """
    grid = _GRID
    while grid > 1 and frames / rate * _POSITIONS_PER_SECOND * grid >= _EXACT:
        grid //= 2
    nearest = max(1, round(_FRAMES_PER_STEP / rate * grid))
    steps = sorted(range(max(1, nearest - 9), nearest + 10), key=lambda step: abs(step - nearest))
    rates = (_FRAMES_PER_STEP * grid / step for step in steps)
    # The processor divides again, and not every quotient is again a whole number of units.
    return next(rate for rate in rates if (_FRAMES_PER_STEP / rate * grid).is_integer())


def _place(one: _DecodedPart, decoded: DecodedConversation, interleave: bool) -> Iterator[dict[str, Any]]:
    """Add a decoded part to `decoded`, and yield its items for the content of the message."""
    if isinstance(one.part, TextPart):
        yield {"type": "text", "text": one.part.text}
    if one.image is not None:
        decoded.images.append(one.image)
        yield {"type": "image"}
    if one.frames is not None:
        decoded.videos.append(one.frames)
        decoded.rates.append(one.rate)
        yield {"type": "video"}
    if one.sound is not None:
        joined = one.frames is not None and interleave
        decoded.sounds.append(one.sound)
        decoded.sound_of_video.append(len(decoded.videos) - 1 if joined else None)
        if not joined:
            yield {"type": "audio"}


def _stats(parts: Sequence[_DecodedPart]) -> MediaStats:
    axes = {"true" if one.rate is not None else "release" for one in parts if one.frames is not None}
    return MediaStats(
        frames=sum(len(one.frames) for one in parts if one.frames is not None),
        seconds_heard=sum(len(one.sound) / SAMPLE_RATE for one in parts if one.sound is not None),
        seconds_present=sum(one.seconds_present for one in parts),
        time_axis=None if not axes else axes.pop() if len(axes) == 1 else "mixed",
    )


def _name(part: Part) -> str:
    """The name of a medium in a sentence: its path, or the path of the file from which it was read into memory."""
    source = getattr(part, "source", None) or getattr(part, "image", None)
    named = source.get("path") if isinstance(source, dict) else None
    return named or path_of(part) or f"A {'picture' if isinstance(part, ImagePart) else 'sound'} in memory"


def _waveform(source: Any, media: MediaCache) -> tuple[NDArray[np.float32], float]:
    """A sound from a file or from memory, and the seconds of sound in the source."""
    if isinstance(source, dict):
        if "array" in source:
            samples = resampled(source["array"], source["sampling_rate"])
        else:
            samples = waveform_of_bytes(source["bytes"], source.get("path") or "")
        return samples, len(samples) / SAMPLE_RATE
    waveform, seconds = media.sound(source)
    return waveform.samples, seconds or waveform.seconds


def _audible(samples: NDArray[np.float32], source: Any) -> NDArray[np.float32]:
    if len(samples) < _LEAST_SAMPLES:
        seconds = len(samples) / SAMPLE_RATE
        least = _LEAST_SAMPLES / SAMPLE_RATE
        raise MediaError(f"{_name(AudioPart(source))} has {seconds:.3g} s of sound, and a model needs {least:g} s.")
    return samples
