"""What the tiny model is shown in training: frames, sound and prompts of an example, equal to what the pipeline makes.

Frames have the times, the number and the size that the release's rule gives, and prompts come from the benchmark's own
code. Nothing but the bank of voices is written to a file. Beside the inputs there are targets: the concepts that the
media tokens of two frames or of a spoken line show.
"""

import io
import random
import string
import subprocess
import wave
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from PIL import Image
from qwen_omni_utils.v2_5 import vision_process as qwen
from sample_clips import Voice
from sample_drawing import draw_frame
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resize
from training_scenes import CONCEPTS, SECONDS, SLOT, SMALL, Example, Speech
from training_speech import FILLERS, KINDS, SPOKEN, random_voice
from training_states import Training, save_voices

from lmms_humansense.tasks.humansense import messages, prompts
from lmms_humansense.tasks.humansense.prompts import Pattern

FPS = 25  # of the clips of the training; the demo's have fewer, so their frames are at slightly other times
TOKEN = 28  # pixels of the side of a token
SAMPLES_A_SECOND = 16_000
TELEPHONE = 8000  # samples of the recordings in the demo's data
SPEECH_RATE = 22050  # of espeak-ng's voices
TOKENS_A_SLOT = 50  # audio tokens of 2 s
QUIET = 0.01  # samples below are silence
NUMBER = {name: index for index, name in enumerate(CONCEPTS)}


def frame_times() -> list[float]:
    """The times of the frames that the release's rule shows of a clip of the training, in seconds."""
    total = round(SECONDS * FPS)
    rate = messages.frame_rate(total, FPS)
    count = qwen.smart_nframes({"fps": rate}, total_frames=total, video_fps=FPS)
    return [index / FPS for index in torch.linspace(0, total - 1, count).round().long().tolist()]


@cache
def frame_size() -> tuple[int, int]:
    """Height and width of the frames that a model is shown of a clip."""
    width, height = SMALL
    least = qwen.VIDEO_MIN_TOKEN_NUM * TOKEN * TOKEN
    result = qwen.smart_resize(height, width, TOKEN, min_pixels=least, max_pixels=messages.MAX_PIXELS)
    return int(result[0]), int(result[1])


def frames(example: Example, rng: random.Random, step: int | None = None) -> torch.Tensor:
    """The frames of a clip or of one step, with the faults of a compressed video.

    Args:
        example: The clip.
        rng: Chooses how much is lost.
        step: The step of two frames; None for all of them.

    Returns:
        uint8 of shape (frames, 3, height, width).
    """
    assert example.scene is not None
    times = frame_times()
    shown = []
    for t in times if step is None else times[2 * step : 2 * step + 2]:
        picture = compressed(draw_frame(example.scene, SMALL, t, {}), rng.randint(55, 90))
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        shown.append(resize(pixels, list(frame_size()), interpolation=InterpolationMode.BICUBIC, antialias=True))
    return torch.stack(shown)


def compressed(picture: Image.Image, quality: int) -> Image.Image:
    """A picture as JPEG stores it, which loses about what H.264 loses."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def target(concepts: Sequence[str]) -> torch.Tensor:
    """Which concepts are shown, of shape (concepts,)."""
    row = torch.zeros(len(CONCEPTS))
    row[[NUMBER[name] for name in concepts]] = 1
    return row


def say(text: str, voice: Voice) -> NDArray[np.float32]:
    """Let espeak-ng say a text; samples at 16 kHz, without the silence around it."""
    options = ["-v", voice.variant, "-p", str(voice.pitch), "-s", str(voice.speed)]
    spoken = subprocess.run(["espeak-ng", *options, "--stdout", text], capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        words = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    samples = soxr.resample(words, SPEECH_RATE, SAMPLES_A_SECOND).astype(np.float32)
    loud = np.flatnonzero(np.abs(samples) > QUIET)
    return samples[loud[0] : loud[-1] + 1]


class SpeechBank:
    """Every line said by several voices, made once, as espeak-ng is started for each.

    Args:
        file: Where the bank is kept.
        voices: Voices for each line and kind of person.
        seed: Chooses the voices.
        training: Named in the file, as the bank belongs to it.
    """

    def __init__(self, file: Path, voices: int, seed: str, training: Training) -> None:
        rng = random.Random(f"voices {seed}")
        lines = [*FILLERS, *(text for texts in SPOKEN.values() for text in texts)]
        jobs = [(text, kind, random_voice(rng, kind)) for text in lines for kind in KINDS for _ in range(voices)]
        if not file.exists():
            with ThreadPoolExecutor(2) as pool:
                said = list(pool.map(lambda job: say(job[0], job[2]).astype(np.float16), jobs))
            save_voices(said, training, file)
        with np.load(file) as stored:
            parts = np.split(stored["samples"], np.cumsum(stored["sizes"])[:-1])
        self._parts: dict[tuple[str, str], list[NDArray[np.float16]]] = {}
        for (text, kind, _), part in zip(jobs, parts, strict=True):
            self._parts.setdefault((text, kind), []).append(part)

    def slot(self, line: Speech, rng: random.Random) -> NDArray[np.float32]:
        """A line in its slot, in a voice of the bank."""
        samples = np.zeros(round(SLOT * SAMPLES_A_SECOND), np.float32)
        words = rng.choice(self._parts[line.text, line.kind]).astype(np.float32)
        start = round(line.start * SAMPLES_A_SECOND)
        words = words[: samples.size - start]
        samples[start : start + words.size] = words
        return noisy(samples, rng)

    def silence(self, rng: random.Random) -> NDArray[np.float32]:
        """A slot without speech."""
        return noisy(np.zeros(round(SLOT * SAMPLES_A_SECOND), np.float32), rng)

    def sound(self, example: Example, rng: random.Random) -> NDArray[np.float32] | None:
        """The sound of an example, in voices of the bank instead of its own; samples at 16 kHz. None without lines."""
        return np.concatenate([self.slot(line, rng) for line in example.lines]) if example.lines else None


def noisy(samples: NDArray[np.float32], rng: random.Random) -> NDArray[np.float32]:
    """A sound at another loudness, with the noise and the lost high tones of a recording."""
    noise = np.random.default_rng(rng.randrange(2**32)).standard_normal(samples.size, np.float32)
    heard = samples * rng.uniform(0.5, 1.2) + noise * rng.choice((0, 1e-4, 1e-3))
    if rng.random() < 0.4:
        low = soxr.resample(heard, SAMPLES_A_SECOND, TELEPHONE)
        heard = soxr.resample(low, TELEPHONE, SAMPLES_A_SECOND)[: samples.size]
    return np.clip(heard, -1, 1).astype(np.float32)


def pattern(example: Example) -> Pattern:
    """The form of the answer."""
    return "multi" if example.question.multi else "single" if example.question.options else "count"


def prompt(example: Example) -> str:
    """The prompt of the question, as the benchmark writes it."""
    question = example.question
    letters = string.ascii_uppercase
    options = [f"{letter}. {text}" for letter, text in zip(letters, question.options, strict=False)]
    return prompts.build(question.text, pattern(example), options)


def answer(example: Example) -> str:
    """The right answer."""
    return str(example.question.answer)
