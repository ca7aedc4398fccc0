"""From a conversation to decoded media and the messages of a chat template."""

from dataclasses import dataclass, field
from typing import Any

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage

from .conversation import Conversation, Image, Part, Sound, Text, Video
from .media import SAMPLE_RATE, MediaError
from .sound import has_sound, read_waveform
from .video import read_frames


@dataclass
class Prepared:
    """A conversation with its media decoded, in the order in which they appear.

    `messages` is what the chat template takes, `images` are RGB pictures, `videos` uint8 tensors (frames, 3, height,
    width), `sounds` float32 arrays (samples,) at 16 kHz. `sound_of_video` says for each sound the place of its video,
    or None where it stands for itself. `soundless` lists the videos that were to be heard and have no sound track.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    images: list[PillowImage.Image] = field(default_factory=list)
    videos: list[torch.Tensor] = field(default_factory=list)
    sounds: list[NDArray[np.float32]] = field(default_factory=list)
    sound_of_video: list[int | None] = field(default_factory=list)
    soundless: list[str] = field(default_factory=list)

    @property
    def interleaved(self) -> bool:
        """Whether a video is heard."""
        return any(video is not None for video in self.sound_of_video)


def prepare(conversation: Conversation, frame_factor: int) -> Prepared:
    """Decode all media of a conversation; frame sizes are multiples of `frame_factor` pixels.

    Raises MediaError when a file can not be used.
    """
    prepared = Prepared()
    for turn in conversation:
        content = [_add(part, prepared, frame_factor) for part in turn.parts]
        prepared.messages.append({"role": turn.role, "content": content})
    return prepared


def _add(part: Part, prepared: Prepared, frame_factor: int) -> dict[str, Any]:
    """Decode one part into `prepared`, and return its place in the message."""
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Image):
        prepared.images.append(_picture(part))
        return {"type": "image"}
    if isinstance(part, Sound):
        prepared.sounds.append(_waveform(part))
        prepared.sound_of_video.append(None)
        return {"type": "audio"}
    _add_video(part, prepared, frame_factor)
    return {"type": "video"}


def _add_video(video: Video, prepared: Prepared, frame_factor: int) -> None:
    prepared.videos.append(read_frames(video.path, video.rule, frame_factor, video.start, video.end).pixels)
    if not video.heard:
        return
    if not has_sound(video.path):
        prepared.soundless.append(video.path)
        return
    prepared.sounds.append(read_waveform(video.path, video.start, video.end).samples)
    prepared.sound_of_video.append(len(prepared.videos) - 1)


def _picture(part: Image) -> PillowImage.Image:
    if isinstance(part.image, PillowImage.Image):
        return part.image.convert("RGB")
    try:
        with PillowImage.open(part.image) as image:
            return image.convert("RGB")
    except OSError as error:
        raise MediaError(f"{part.image} is no picture that can be read ({error}).") from error


def _waveform(part: Sound) -> NDArray[np.float32]:
    if not isinstance(part.source, dict):
        return read_waveform(part.source).samples
    samples = np.asarray(part.source["array"], dtype=np.float32)
    if samples.ndim > 1:
        samples = samples.mean(axis=int(samples.shape[0] > samples.shape[-1]))
    resampled: NDArray[np.float32] = librosa.resample(
        samples, orig_sr=part.source["sampling_rate"], target_sr=SAMPLE_RATE
    )
    return resampled
