"""How vLLM is sent what a local model gets: the same frames, sounds and time axis.

The frames of a clip and its sound are sent as one QuickTime file, without loss: PNG frames, and samples in 32-bit
floats. vLLM takes it for a clip, reads all its frames, and interleaves its sound. The fields beside the messages keep
vLLM and the model's processor from choosing or resizing frames, and give them the time axis. vLLM takes these fields
only if it is started with `--trust-request-mm-kwargs`. docs/serving.md says what was seen with which versions.
"""

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray

from ..inputs.decoding import DecodedConversation
from ..inputs.omni_families import QWEN3_OMNI, OmniFamily
from ..inputs.vllm_faults import HOP
from ..media.types import SAMPLE_RATE

_FRAMES_PER_STEP = 2
"""Frames in one step of the time axis: `temporal_patch_size` of every Qwen omni model."""

_RATE = 2
"""The frame rate of the files. Nothing depends on it."""

_CHUNK = 1 << 16
"""Samples that are given to the encoder at once."""

MENDED = "+humansense"
"""The end of the version that a vLLM with all corrections of this package reports; see `models/vllm/mends.py`."""


@dataclass(frozen=True)
class VllmServer:
    """What requests to a vLLM server depend on.

    Attributes:
        family: The family of the model that it serves.
        version: Its version; None if it does not say.
    """

    family: OmniFamily
    version: str | None

    @property
    def mended(self) -> bool:
        """Whether this package's corrections of vLLM are applied there."""
        return self.version is not None and self.version.endswith(MENDED)

    @property
    def info(self) -> dict[str, Any]:
        """For results. JSON can represent it."""
        return {"family": self.family.name, "version": self.version, "mended": self.mended}


def fields_of(decoded: DecodedConversation, family: OmniFamily) -> dict[str, Any]:
    """Make the fields of a request that say how its clips are shown.

    Args:
        decoded: The decoded conversation.
        family: The family of the served model.

    Returns:
        The fields by name; none if there is no clip.

    Raises:
        ValueError: One request to vLLM cannot show these media.
    """
    if not decoded.videos:
        return {}
    if decoded.images:
        raise ValueError("media=vllm cannot show pictures beside clips in one question; media=frames can.")
    rates = set(decoded.rates)
    if len(rates) > 1:
        raise ValueError(
            "media=vllm gives all clips of a question one frame rate, and those of this question have different ones; "
            "set time_axis=release or media=frames."
        )
    rate = rates.pop()
    seconds = _FRAMES_PER_STEP / (rate or family.assumed_rate)
    processor: dict[str, Any] = {
        "do_resize": False,
        "do_sample_frames": False,
        "use_audio_in_video": decoded.interleaved,
        "second_per_grid_ts": [seconds] * len(decoded.videos),
        **({} if rate is None else {"fps": rate}),
    }
    frames = max(len(video) for video in decoded.videos)
    # This reader takes evenly spaced frames of a file; of a file with no more than `num_frames`, it takes all.
    reader = {"video_backend": "opencv", "num_frames": frames}
    return {"mm_processor_kwargs": processor, "media_io_kwargs": {"video": reader}}


def heard_as(sound: NDArray[np.float32], server: VllmServer) -> NDArray[np.float32]:
    """Return the part of a sound that is sent.

    vLLM pads the sounds of Qwen3-Omni to a whole number of frames of the spectrogram, the processor leaves out what is
    over. So a vLLM without correction gets at most 10 ms less, and finds the same number of tokens.

    Args:
        sound: Array of shape (samples,), at 16 kHz.
        server: The server.

    Returns:
        The sound, or its beginning.
    """
    if server.family is not QWEN3_OMNI or server.mended:
        return sound
    return sound[: len(sound) // HOP * HOP]


def movie(frames: torch.Tensor, sound: NDArray[np.float32] | None) -> bytes:
    """Write a QuickTime file with exactly these frames and samples.

    Args:
        frames: Tensor of shape (frames, 3, height, width), dtype uint8.
        sound: Array of shape (samples,), dtype float32, at 16 kHz; None for a silent file.

    Returns:
        The content of the file. Equal for equal arguments.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="mov") as container:
        # Of PNG's settings, these are fast, and make files nearly as small as the slow ones.
        pictures = container.add_stream("png", rate=_RATE, options={"compression_level": "1", "pred": "up"})
        pictures.height, pictures.width = frames.shape[2:]
        pictures.pix_fmt = "rgb24"
        track = None if sound is None else container.add_stream("pcm_f32le", rate=SAMPLE_RATE, layout="mono")
        for frame in frames:
            pixels = frame.permute(1, 2, 0).contiguous().numpy()
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(pictures.encode())
        if track is not None and sound is not None:
            for start in range(0, len(sound), _CHUNK):
                part = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(sound[None, start : start + _CHUNK]), format="flt", layout="mono"
                )
                part.sample_rate = SAMPLE_RATE
                part.pts = start
                container.mux(track.encode(part))
            container.mux(track.encode())
    return file.getvalue()


def identity_of(content: bytes) -> str:
    """Compute what identifies a clip for vLLM, which keeps its frames and its sound once they are processed.

    Without this, vLLM identifies the frames and the sound apart. It would then give frames that it knows the order of
    tokens that belongs to another sound, and refuse new frames whose sound it knows.

    Args:
        content: The content of its file.

    Returns:
        Equal for files with the same frames and the same sound.
    """
    return hashlib.sha256(content).hexdigest()
