"""Small questions about a clip, from whose outcomes one sees whether pictures and sounds arrive at a model."""

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..media.types import SAMPLE_RATE
from .decoding import DecodedConversation

TEXT, LONGER, CLIP, OTHER_FRAMES, HEARD, OTHER_SOUND = (
    "text alone", "longer text", "clip", "clip with other frames", "clip with sound", "clip with another sound"
)  # fmt: skip
"""The names of the questions."""

State = Literal["arrives", "dropped", "refused", "unknown", "not sent"]

_SIDE = 224
"""Height and width of frames in pixels: a multiple of 28 and of 32."""

_FRAMES = 4
_SECONDS = 2
"""Duration of the sounds."""

_LEAST_TOKENS = 8
"""Tokens that frames or a sound of this size add at least, as opposed to a mere mark that something was left out.
Qwen2.5-Omni has 128 for the frames and 50 for a sound, Qwen3-Omni 98 and 26."""

_NOISE = 1e-4
"""Differences of logits up to this come from the order of computations."""

_QUESTION = "Describe what you see and hear, in a few words."
_MORE = " Name each thing once, say which one is the largest, and do not explain your answer. Be brief and exact."


@dataclass(frozen=True)
class Outcome:
    """What came of one question.

    Attributes:
        tokens: Tokens of the prompt; 0 if they are not known.
        said: What the model said: a text, or something else that two equal answers have in common.
        refused: Why the question was refused; empty if it was answered.
    """

    tokens: int = 0
    said: Hashable = None
    refused: str = ""


@dataclass(frozen=True)
class Senses:
    """What arrives at a model.

    Attributes:
        sight: Whether pictures do. "arrives", "dropped" (taken, but the model does not get them), "refused", "unknown",
            or "not sent".
        sound: The same for sounds.
        because: What showed it, or why nothing could be concluded; for "refused", the words of the refusal.
        prompt_tokens: The tokens of the questions, as far as they are known.
    """

    sight: State
    sound: State
    because: str
    prompt_tokens: Mapping[str, int]

    @property
    def info(self) -> dict[str, Any]:
        """For results. JSON can represent it."""
        return asdict(self)


def probes(sees: bool = True, hears: bool = True) -> dict[str, DecodedConversation]:
    """Make the questions, by name: at most six.

    Args:
        sees: Whether pictures are shown.
        hears: Whether sounds are. Without pictures, sounds are heard alone.

    Returns:
        The decoded conversations.
    """
    asked = {TEXT: _asked(_QUESTION), LONGER: _asked(_QUESTION + _MORE)}
    frames = _frames(0) if sees else None
    if sees:
        asked |= {CLIP: _asked(_QUESTION, frames), OTHER_FRAMES: _asked(_QUESTION, _frames(1))}
    if hears:
        asked |= {HEARD: _asked(_QUESTION, frames, _tone()), OTHER_SOUND: _asked(_QUESTION, frames, _clicks())}
    return asked


def _asked(
    text: str, frames: torch.Tensor | None = None, sound: NDArray[np.float32] | None = None
) -> DecodedConversation:
    media = [{"type": "audio"}] if frames is None and sound is not None else []
    media += [] if frames is None else [{"type": "video"}]
    decoded = DecodedConversation([{"role": "user", "content": [*media, {"type": "text", "text": text}]}])
    if frames is not None:
        decoded.videos, decoded.rates = [frames], [None]
    if sound is not None:
        decoded.sounds, decoded.sound_of_video = [sound], [None if frames is None else 0]
    return decoded


def _frames(which: int) -> torch.Tensor:
    """A red disk that moves to the right on white, or blue stripes that move down on black."""
    rows, columns = torch.meshgrid(torch.arange(_SIDE), torch.arange(_SIDE), indexing="ij")
    frames = []
    for number in range(_FRAMES):
        inside = (
            (rows - _SIDE // 2) ** 2 + (columns - 50 - 40 * number) ** 2 < 40**2
            if which == 0
            else (rows + 14 * number) // 28 % 2 == 0
        )
        colours = ((220, 30, 30), (255, 255, 255)) if which == 0 else ((30, 60, 220), (0, 0, 0))
        one, other = (torch.tensor(colour).view(3, 1, 1) for colour in colours)
        frames.append(torch.where(inside, one, other))
    return torch.stack(frames).to(torch.uint8)


def _tone() -> NDArray[np.float32]:
    times = np.arange(_SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)


def _clicks() -> NDArray[np.float32]:
    samples = np.zeros(_SECONDS * SAMPLE_RATE, np.float32)
    for start in range(0, len(samples), SAMPLE_RATE // 4):
        samples[start : start + 80] = 0.8
    return samples


def served_senses(outcomes: Mapping[str, Outcome]) -> Senses:
    """Conclude from the replies of a server what arrives at its model.

    Args:
        outcomes: The outcome of each question of `probes`, by its name.

    Returns:
        The conclusion. Nothing is "dropped" because of equal answers alone: models may answer two questions alike.
    """
    tokens = {name: outcome.tokens for name, outcome in outcomes.items()}
    refused = [outcome.refused for name, outcome in outcomes.items() if outcome.refused and name in (CLIP, HEARD)]
    text, longer = outcomes[TEXT], outcomes[LONGER]
    counted = 0 < text.tokens < longer.tokens
    sight = _sense(outcomes, TEXT, CLIP, OTHER_FRAMES, counted)
    sound = _sense(outcomes, CLIP if CLIP in outcomes else TEXT, HEARD, OTHER_SOUND, counted)
    if refused:
        because = refused[0]
    elif text.refused or longer.refused:
        because = f"Texts alone are refused ({text.refused or longer.refused}), so nothing can be concluded."
    elif counted:
        because = f"Prompt tokens: {', '.join(f'{name} {count:,}' for name, count in tokens.items())}."
    else:
        because = "The server reports no prompt tokens, or as many for every text, so nothing can be concluded."
    return Senses(sight, sound, because, tokens)


def _sense(outcomes: Mapping[str, Outcome], without: str, given: str, other: str, counted: bool) -> State:
    """Compare a question with a medium with the one without it, and with the one with another medium."""
    if given not in outcomes:
        return "not sent"
    before, after = outcomes[without], outcomes[given]
    if after.refused:
        return "unknown" if before.refused else "refused"
    if before.refused or not counted:
        return "unknown"
    if after.tokens - before.tokens >= _LEAST_TOKENS:
        return "arrives"
    said = {after.said, outcomes[other].said}
    return "dropped" if len(said) == 1 else "unknown"


def local_senses(outcomes: Mapping[str, Outcome]) -> Senses:
    """Conclude from logits what arrives at a model: what has no effect on them does not.

    Args:
        outcomes: The outcome of each question of `probes`, by its name, with a tuple of numbers as `said`.

    Returns:
        The conclusion.
    """

    def sense(given: str, other: str) -> State:
        if given not in outcomes:
            return "not sent"
        one, another = (np.array(outcomes[name].said) for name in (given, other))
        return "dropped" if np.allclose(one, another, rtol=_NOISE, atol=_NOISE) else "arrives"

    sight, sound = sense(CLIP, OTHER_FRAMES), sense(HEARD, OTHER_SOUND)
    tokens = {name: outcome.tokens for name, outcome in outcomes.items()}
    return Senses(sight, sound, "Logits with one clip or sound and with another one were compared.", tokens)
