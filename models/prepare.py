"""From a conversation to decoded media and the messages of a chat template."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage
from qwen_omni_utils.v2_5 import vision_process as qwen

from .conversation import Conversation, Image, Part, Sound, Text, Turn, Video, path_of
from .media import SAMPLE_RATE, MediaError
from .shared import SharedMedia
from .sound import read_waveform
from .video import has_pictures

_GRID = 1024
"""A step of the time axis is a whole number of 1/1024 s, so that the processor's float64 and the model's float32 reckon
the same times. Other steps put sound tokens where the model looks for pictures (seen in 145 of 15,360 clips)."""

_POSITIONS_PER_SECOND = 25
"""Of Qwen2.5-Omni's time axis; Qwen3-Omni has 13."""

_EXACT = 2**24
"""Whole numbers up to this are exact in float32."""

_FRAMES_PER_STEP = 2
"""Frames that become one step of the time axis: `temporal_patch_size` of every Qwen omni model."""

SOUNDLESS = "Shown without sound, as there is none"
_APART = "Heard after the picture instead of with it, beside silent videos or other frame rates"
_BOTH = "Shown and heard, as lmms-eval calls every .webm a sound"
_STILL = "Only the first picture of an animation is shown"

_SAMPLES = ("f2", "f4", "f8", "i1", "i2", "i4")
"""Number formats of samples. What full scale is of others, such as a list of whole numbers, nobody says."""

_LEAST_SAMPLES = 400
"""The shortest sound that can be heard: one window of the mel spectrogram, 25 ms (`n_fft` of the extractors)."""


@dataclass(frozen=True)
class Shown:
    """What a model gets of one sample: frames, and seconds heard of the seconds of sound that its files hold."""

    frames: int = 0
    seconds_heard: float = 0.0
    seconds_present: float = 0.0
    time_axis: str | None = None
    """"release" or "true" where there is a video, "mixed" where there are both."""


@dataclass
class Prepared:
    """A conversation with its media decoded, in the order in which they appear.

    `messages` is what the chat template takes, `images` are RGB pictures, `videos` uint8 tensors (frames, 3, height,
    width), `sounds` float32 arrays (samples,) at 16 kHz. `rates` says for each video the frames per second that the
    model is told, or None where it is told none. `sound_of_video` says for each sound the place of its video, or None
    where it stands for itself. `remarks` say what is shown otherwise than asked, each with the name of its file.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    images: list[PillowImage.Image] = field(default_factory=list)
    videos: list[torch.Tensor] = field(default_factory=list)
    rates: list[float | None] = field(default_factory=list)
    sounds: list[NDArray[np.float32]] = field(default_factory=list)
    sound_of_video: list[int | None] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    shown: Shown = Shown()

    @property
    def interleaved(self) -> bool:
        """Whether a video is heard."""
        return any(video is not None for video in self.sound_of_video)


@dataclass
class _Decoded:
    """One part with its medium decoded: at most one picture, at most one clip, at most one sound."""

    part: Part
    image: PillowImage.Image | None = None
    frames: torch.Tensor | None = None
    rate: float | None = None
    sound: NDArray[np.float32] | None = None
    seconds_present: float = 0.0
    remark: str | None = None


def prepare(conversation: Conversation, frame_factor: int, media: SharedMedia | None = None) -> Prepared:
    """Decode all media of a conversation; frame sizes are multiples of `frame_factor` pixels.

    What `media` holds already, from other conversations about the same clips, is not decoded again.

    The sound of a video is interleaved with it. Models take one frame rate and either all videos with sound or all
    without, so where a conversation mixes these, the sounds of its videos follow them, each on its own, and a remark
    says so.

    Raises MediaError when a file can not be used.
    """
    media = media or SharedMedia(frame_factor)
    turns = [(turn, [_decoded(part, media) for part in turn.parts]) for turn in conversation]
    clips = [one for _, parts in turns for one in parts if one.frames is not None]
    alike = all(one.sound is not None for one in clips) and len({one.rate for one in clips}) == 1
    prepared = Prepared(shown=_shown([one for _, parts in turns for one in parts]))
    prepared.remarks += [(one.remark, _name(one.part)) for _, parts in turns for one in parts if one.remark]
    if not alike:
        prepared.remarks += [(_APART, _name(one.part)) for one in clips if one.sound is not None]
    for turn, parts in turns:
        content = [item for one in parts for item in _place(one, prepared, interleave=alike)]
        prepared.messages.append({"role": turn.role, "content": content})
    return prepared


def with_system_prompt(conversation: Conversation, prompt: str | None) -> Conversation:
    """The conversation, begun by a system turn with `prompt` unless it has one of its own or there is no prompt."""
    if not prompt or (conversation and conversation[0].role == "system"):
        return conversation
    return (Turn("system", (Text(prompt),)), *conversation)


def _decoded(part: Part, media: SharedMedia) -> _Decoded:
    if isinstance(part, Image):
        image, remark = _picture(part)
        return _Decoded(part, image=image, remark=remark)
    if isinstance(part, Sound) and part.clip is not None and has_pictures(part.clip.path):
        clip = _clip(part.clip, media)
        clip.remark = clip.remark or _BOTH
        return clip
    if isinstance(part, Sound):
        sound, seconds = _waveform(part.source, media)
        return _Decoded(part, sound=_audible(sound, part.source), seconds_present=seconds)
    if isinstance(part, Video):
        return _clip(part, media)
    return _Decoded(part)


def _clip(video: Video, media: SharedMedia) -> _Decoded:
    clip = media.clip(video, lambda seconds: hears(video, seconds))
    decoded = _Decoded(video, frames=clip.frames.pixels, seconds_present=clip.sound_seconds or 0.0)
    if video.true_time:
        decoded.rate = snapped(clip.frames.sample_fps, len(clip.frames.indices))
    if clip.sound is not None:
        decoded.sound = _audible(clip.sound.samples, video.path)
    elif video.heard:
        decoded.remark = SOUNDLESS
    return decoded


def hears(video: Video, seconds: float | None) -> bool:
    """Whether the sound of a clip is to be read, of which there are so many seconds, or None where it has none.

    Raises MediaError where the task wants it heard and there is none.
    """
    if video.needs_sound and seconds is None:
        raise MediaError(
            f"{video.path} has no sound track, but the task has it heard (use_audio_in_video=never shows it silent)."
        )
    over = seconds is not None and video.start is not None and video.start >= seconds and not video.needs_sound
    return video.heard and seconds is not None and not over


def snapped(rate: float, frames: int) -> float:
    """The frame rate near `rate` at which the steps of the time axis are the same numbers in both precisions.

    They are whole numbers of 1/1024 s; of a longer unit where `frames` last so long (11 minutes) that float32 could
    not hold their positions exactly.
    """
    grid = _GRID
    while grid > 1 and frames / rate * _POSITIONS_PER_SECOND * grid >= _EXACT:
        grid //= 2
    nearest = max(1, round(_FRAMES_PER_STEP / rate * grid))
    steps = sorted(range(max(1, nearest - 9), nearest + 10), key=lambda step: abs(step - nearest))
    rates = (_FRAMES_PER_STEP * grid / step for step in steps)
    # The processor divides again, and not every quotient comes back as a whole number of units.
    return next(rate for rate in rates if (_FRAMES_PER_STEP / rate * grid).is_integer())


def _place(one: _Decoded, prepared: Prepared, interleave: bool) -> Iterator[dict[str, Any]]:
    """Add what was decoded to `prepared`, and yield its places in the message."""
    if isinstance(one.part, Text):
        yield {"type": "text", "text": one.part.text}
    if one.image is not None:
        prepared.images.append(one.image)
        yield {"type": "image"}
    if one.frames is not None:
        prepared.videos.append(one.frames)
        prepared.rates.append(one.rate)
        yield {"type": "video"}
    if one.sound is not None:
        joined = one.frames is not None and interleave
        prepared.sounds.append(one.sound)
        prepared.sound_of_video.append(len(prepared.videos) - 1 if joined else None)
        if not joined:
            yield {"type": "audio"}


def _shown(parts: Sequence[_Decoded]) -> Shown:
    axes = {"true" if one.rate is not None else "release" for one in parts if one.frames is not None}
    return Shown(
        frames=sum(len(one.frames) for one in parts if one.frames is not None),
        seconds_heard=sum(len(one.sound) / SAMPLE_RATE for one in parts if one.sound is not None),
        seconds_present=sum(one.seconds_present for one in parts),
        time_axis=None if not axes else axes.pop() if len(axes) == 1 else "mixed",
    )


def _picture(part: Image) -> tuple[PillowImage.Image, str | None]:
    """A picture as RGB, by qwen-omni-utils' own rule: what is transparent becomes white; and a remark, if any."""
    if isinstance(part.image, PillowImage.Image):
        return qwen.to_rgb(part.image), None
    try:
        if isinstance(part.image, np.ndarray):
            return qwen.to_rgb(PillowImage.fromarray(part.image)), None
        with PillowImage.open(_picture_file(part.image)) as image:
            return qwen.to_rgb(image), _STILL if getattr(image, "n_frames", 1) > 1 else None
    except (OSError, TypeError, ValueError, KeyError, PillowImage.DecompressionBombError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise MediaError(f"{_name(part)} is no picture that can be read ({reason}).") from error


def _picture_file(source: Any) -> Any:
    """What Pillow opens: a path, or the content of a file that comes as bytes or as a data URI."""
    if isinstance(source, dict):
        source = source["bytes"] if source.get("bytes") is not None else source["path"]
    if isinstance(source, bytes):
        return BytesIO(source)
    text = str(source)
    if text.startswith("data:"):
        return BytesIO(base64.b64decode(text.partition(",")[2]))
    return text.removeprefix("file://")


def _name(part: Part) -> str:
    """How a medium is called in a sentence: by its path, if it has one, or that of the file that it was read from."""
    source = getattr(part, "source", None) or getattr(part, "image", None)
    named = source.get("path") if isinstance(source, dict) else None
    return named or path_of(part) or f"A {'picture' if isinstance(part, Image) else 'sound'} in memory"


def _waveform(source: Any, media: SharedMedia) -> tuple[NDArray[np.float32], float]:
    """A sound from a file or from memory, and how many seconds of sound the source holds."""
    if isinstance(source, dict):
        if "array" in source:
            samples = resampled(source["array"], source["sampling_rate"])
        else:
            samples = waveform_of_bytes(source["bytes"], source.get("path") or "")
        return samples, len(samples) / SAMPLE_RATE
    waveform, seconds = media.sound(source)
    return waveform.samples, seconds or waveform.seconds


def resampled(array: Any, sampling_rate: float) -> NDArray[np.float32]:
    """Samples in memory as float32 (N,) at 16 kHz: mixed to mono, then resampled by librosa.

    `array` holds (N,), (channels, N) or (N, channels) samples: of two dimensions, the longer is time. Raises
    MediaError for other shapes and formats, and for samples that are no numbers.
    """
    samples = np.asarray(array)
    if samples.ndim not in (1, 2) or not samples.size or f"{samples.dtype.kind}{samples.itemsize}" not in _SAMPLES:
        raise MediaError(f"A sound in memory has shape {samples.shape} and type {samples.dtype}, which is no waveform.")
    if np.issubdtype(samples.dtype, np.signedinteger):
        samples = samples / -float(np.iinfo(samples.dtype).min)
    samples = samples.astype(np.float32)
    if samples.ndim == 2:
        samples = samples.mean(axis=int(samples.shape[0] > samples.shape[1]))
    if not np.isfinite(samples).all():
        raise MediaError("A sound in memory holds values that are no numbers (NaN or infinity).")
    result: NDArray[np.float32] = librosa.resample(samples, orig_sr=sampling_rate, target_sr=SAMPLE_RATE)
    return result


def waveform_of_bytes(content: bytes, name: str) -> NDArray[np.float32]:
    """The sound of an audio file that is held in memory, as float32 (N,) at 16 kHz. `name` is for its ending."""
    with TemporaryDirectory() as folder:
        file = Path(folder, f"sound{Path(name).suffix}")
        file.write_bytes(content)
        return read_waveform(file).samples


def _audible(samples: NDArray[np.float32], source: Any) -> NDArray[np.float32]:
    if len(samples) < _LEAST_SAMPLES:
        seconds = len(samples) / SAMPLE_RATE
        raise MediaError(f"{_name(Sound(source))} has {seconds:.3g} s of sound, too little to be heard.")
    return samples
