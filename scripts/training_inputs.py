"""What the tiny model is shown in training: frames, sound and prompts of an example, equal to what the pipeline makes.

Frames have the times, the number and the size that the release's rule gives, and prompts come from the benchmark's own
code. Nothing is written to a file. Beside the inputs there are targets: what each media token shows, by `ATTRIBUTES`.
"""

import io
import random
import string
import subprocess
import wave
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
from sample_scene import POSES, Actor, Prop, interpolate, state_at
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resize
from training_scenes import HATS, MOODS, SHIRTS, Example
from training_speech import FILLERS, KINDS, SPOKEN, random_voice

from lmms_humansense.tasks.humansense import messages, prompts
from lmms_humansense.tasks.humansense.prompts import Pattern

TOKEN = 28  # pixels of the side of a token
SAMPLES_A_SECOND = 16_000
SPEECH_RATE = 22050  # of espeak-ng's voices
TOKENS_A_SECOND = 25

SEEN = (
    "person", *(f"shirt {name}" for name in SHIRTS), *(f"hat {name}" for name in HATS), "glasses", "bandage", *MOODS,
    *(f"pose {name}" for name in POSES), "left", "right", *KINDS, "bubble yes", "bubble no",
    *(f"prop {name}" for name in ("bench", "table", "cake", "plate", "bag")), "bag taken",
)  # fmt: skip
HEARD = ("speech", *(f"voice {kind}" for kind in KINDS), *SPOKEN)
OF_HEADS = {*(f"hat {name}" for name in HATS), "glasses", *MOODS, "left", "right", "bubble yes", "bubble no"}
ATTRIBUTES = (*SEEN, *HEARD)
"""What a media token can show. The first are seen, the others are heard."""
NUMBER = {name: index for index, name in enumerate(ATTRIBUTES)}

_SHIRT = {colour: name for name, colour in SHIRTS.items()}
_HAT = {colour: name for name, colour in HATS.items()}


@dataclass(frozen=True)
class Sound:
    """A waveform at 16 kHz, and who says what: kind of voice, concept, start and end in seconds."""

    samples: NDArray[np.float32]
    spans: tuple[tuple[str, str, float, float], ...]


def frame_times(example: Example) -> list[float]:
    """The times of the frames that the release's rule shows, in seconds."""
    total = round(example.seconds * example.fps)
    rate = messages.frame_rate(total, example.fps)
    count = qwen.smart_nframes({"fps": rate}, total_frames=total, video_fps=example.fps)
    return [index / example.fps for index in torch.linspace(0, total - 1, count).round().long().tolist()]


@cache
def frame_size(width: int, height: int) -> tuple[int, int]:
    """Height and width of the frames that a model is shown of a clip."""
    least = qwen.VIDEO_MIN_TOKEN_NUM * TOKEN * TOKEN
    result = qwen.smart_resize(height, width, TOKEN, min_pixels=least, max_pixels=messages.MAX_PIXELS)
    return int(result[0]), int(result[1])


def _times(example: Example, step: int | None) -> list[float]:
    times = frame_times(example)
    return times if step is None else times[2 * step : 2 * step + 2]


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
    size = frame_size(*example.size)
    shown = []
    for t in _times(example, step):
        picture = compressed(draw_frame(example.scene, example.size, t, {}), rng.randint(55, 90))
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        shown.append(resize(pixels, list(size), interpolation=InterpolationMode.BICUBIC, antialias=True))
    return torch.stack(shown)


def compressed(picture: Image.Image, quality: int) -> Image.Image:
    """A picture as JPEG stores it, which loses about what H.264 loses."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _actor_attributes(actor: Actor, t: float) -> list[str]:
    state, look = state_at(actor, t), actor.look
    pose = [beat.pose for beat in actor.beats if beat.at <= t] or [actor.beats[0].pose]
    kind = "child" if actor.height < 0.63 and actor.ground == 1.0 else _kind(look.hair)
    names = ["person", f"shirt {_SHIRT[look.shirt]}", state.mood, f"pose {pose[-1]}", kind]
    names += [f"hat {_HAT[look.hat]}"] if look.hat else []
    names += [name for name, there in (("glasses", look.glasses), ("bandage", look.bandage)) if there]
    names += [{-1: "left", 1: "right"}[state.facing]] if state.facing else []
    if state.bubble:
        names.append("bubble yes" if state.bubble.startswith("Yes") else "bubble no")
    return names


def _kind(hair: str) -> str:
    return "woman" if hair in ("long", "bun") else "man"


def _mark(grid: NDArray[np.float32], box: tuple[float, float, float, float], names: list[str]) -> None:
    """Give all tokens whose middle is in `box` (left, top, right, bottom in fractions of the picture) attributes."""
    rows, columns, _ = grid.shape
    left, top, right, bottom = box
    x = (np.arange(columns) + 0.5) / columns
    y = (np.arange(rows) + 0.5) / rows
    inside = ((y >= top) & (y <= bottom))[:, None] & ((x >= left) & (x <= right))[None, :]
    for name in names:
        grid[inside, NUMBER[name]] = 1


def _prop_attributes(prop: Prop, t: float) -> list[str]:
    name = f"prop {prop.kind}"
    if name not in NUMBER:
        return []
    moved = prop.kind == "bag" and interpolate([point[:2] for point in prop.path], t) != prop.path[0][1]
    return [name, *(["bag taken"] if moved else [])]


def seen(example: Example, step: int | None = None) -> NDArray[np.float32]:
    """What the tokens of a clip or of one step show, of shape (steps, rows, columns, attributes).

    A step is the mean of two frames.
    """
    assert example.scene is not None
    height, width = frame_size(*example.size)
    ratio = example.size[1] / example.size[0]
    grids = []
    for t in _times(example, step):
        grid = np.zeros((height // TOKEN, width // TOKEN, len(ATTRIBUTES)), np.float32)
        for actor in example.scene.actors:
            state, tall = state_at(actor, t), actor.height
            names = _actor_attributes(actor, t)
            if state.joints.tilt > 45:
                end = state.x + (-1 if state.facing < 0 else 1) * tall * ratio
                box = (min(state.x, end), actor.ground - 0.4 * tall, max(state.x, end), actor.ground)
            else:
                half = 0.24 * tall * ratio
                box = (state.x - half, actor.ground - 1.02 * tall, state.x + half, actor.ground)
            _mark(grid, box, [name for name in names if name not in OF_HEADS])
            if state.joints.tilt <= 45:
                box = (state.x - half, actor.ground - 1.05 * tall, state.x + half, actor.ground - 0.6 * tall)
            _mark(grid, box, [name for name in names if name in OF_HEADS])
        for prop in example.scene.props:
            if prop.start <= t < prop.end and (names := _prop_attributes(prop, t)):
                x, y = (interpolate([(point[0], point[axis]) for point in prop.path], t) for axis in (1, 2))
                half = 0.55 * prop.size * ratio
                _mark(grid, (x - half, y - 0.9 * prop.size, x + half, y), names)
        grids.append(grid)
    stacked = np.stack(grids)
    mean: NDArray[np.float32] = (stacked[0::2] + stacked[1::2]) / np.float32(2)
    return mean


def heard(sound: Sound, tokens: int) -> NDArray[np.float32]:
    """What the tokens of a sound let hear, of shape (tokens, attributes)."""
    grid = np.zeros((tokens, len(ATTRIBUTES)), np.float32)
    for kind, concept, start, end in sound.spans:
        part = slice(round(start * TOKENS_A_SECOND), max(round(end * TOKENS_A_SECOND), 1))
        for name in ("speech", f"voice {kind}", *([concept] if concept else [])):
            grid[part, NUMBER[name]] = 1
    return grid


def say(text: str, voice: Voice) -> NDArray[np.float32]:
    """Let espeak-ng say a text; samples at 16 kHz."""
    options = ["-v", voice.variant, "-p", str(voice.pitch), "-s", str(voice.speed)]
    spoken = subprocess.run(["espeak-ng", *options, "--stdout", text], capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        words = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    return soxr.resample(words, SPEECH_RATE, SAMPLES_A_SECOND).astype(np.float32)


class SpeechBank:
    """Every line said by several voices, made once, as espeak-ng is started for each.

    Args:
        file: Where the bank is kept.
        voices: Voices for each line and kind of person.
        seed: Chooses the voices.
    """

    def __init__(self, file: Path, voices: int, seed: str) -> None:
        rng = random.Random(f"voices {seed}")
        lines = [*FILLERS, *(text for texts in SPOKEN.values() for text in texts)]
        jobs = [(text, kind, random_voice(rng, kind)) for text in lines for kind in KINDS for _ in range(voices)]
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            with ThreadPoolExecutor(2) as pool:
                said = list(pool.map(lambda job: say(job[0], job[2]).astype(np.float16), jobs))
            np.savez(file, sizes=[part.size for part in said], samples=np.concatenate(said))
        with np.load(file) as stored:
            parts = np.split(stored["samples"], np.cumsum(stored["sizes"])[:-1])
        self._parts: dict[tuple[str, str], list[NDArray[np.float16]]] = {}
        for (text, kind, _), part in zip(jobs, parts, strict=True):
            self._parts.setdefault((text, kind), []).append(part)

    def sound(self, example: Example, rng: random.Random) -> Sound:
        """The sound of an example, in voices of the bank instead of its own."""
        chosen: dict[Voice, int] = {}
        parts, spans, at = [], [], 0.0
        for line in example.lines:
            said = self._parts[line.text, line.kind]
            index = chosen.setdefault(line.voice, rng.randrange(len(said)))
            words = said[index].astype(np.float32)
            pause = np.zeros(round(line.pause * SAMPLES_A_SECOND), np.float32)
            start = at + line.pause
            at = start + words.size / SAMPLES_A_SECOND
            spans.append((line.kind, line.concept, start, at))
            parts += [pause, words]
        samples = np.concatenate(parts)
        if example.scene is not None:
            samples = np.pad(samples, (0, max(0, round(example.seconds * SAMPLES_A_SECOND) - samples.size)))
        else:
            samples = telephone(samples, rng)
        noise = np.random.default_rng(rng.randrange(2**32)).standard_normal(samples.size, np.float32)
        samples = samples * rng.uniform(0.6, 1.1) + noise * rng.choice((0, 1e-4, 1e-3))
        return Sound(np.clip(samples, -1, 1).astype(np.float32), tuple(spans))


def telephone(samples: NDArray[np.float32], rng: random.Random) -> NDArray[np.float32]:
    """A recording at one of the rates of the sample's recordings, back at 16 kHz."""
    rate = rng.choice((8000, 11025, SAMPLES_A_SECOND))
    if rate == SAMPLES_A_SECOND:
        return samples
    low = soxr.resample(samples, SAMPLES_A_SECOND, rate)
    return soxr.resample(low, rate, SAMPLES_A_SECOND).astype(np.float32)


def imagined(example: Example) -> Sound:
    """Silence as long as the example's sound, with the spans of its lines."""
    spans, at = [], 0.0
    for line in example.lines:
        start = at + line.pause
        at = start + 0.25 + 0.058 * len(line.text)
        spans.append((line.kind, line.concept, start, at))
    seconds = max(example.seconds if example.scene else 0.0, round(at * 4) / 4)
    return Sound(np.zeros(round(seconds * SAMPLES_A_SECOND), np.float32), tuple(spans))


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
