"""Small questions about a clip, from whose outcomes one sees whether pictures and sounds arrive at a model."""

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..media.types import SAMPLE_RATE
from .conversation import AudioPart, Conversation, VideoPart, media_of
from .decoding import DecodedConversation

TEXT, LONGER, CLIP, OTHER_FRAMES, HEARD, OTHER_SOUND, ALONE, OTHER_ALONE = (
    "text alone", "longer text", "clip", "clip with other frames", "clip with sound", "clip with another sound",
    "sound alone", "another sound alone",
)  # fmt: skip
"""The names of the questions."""

State = Literal["arrives", "dropped", "refused", "unknown", "not sent"]

Medium = Literal["pictures", "sounds"]

_SIDE = 224
"""Height and width of frames in pixels: a multiple of 28 and of 32."""

_FRAMES = 4
_SECONDS = 2
"""Duration of the sounds."""

_OF_MARK = 8
"""Up to so many tokens, less one, a server adds to a prompt if it only marks that something was left out."""

_OF_FRAMES, _OF_SOUND = 8 * _FRAMES, 20
"""So many tokens, frames or a sound of this size have at least. Qwen2.5-Omni has 128 and 50, Qwen3-Omni 98 and 26, and
OpenAI's models count ten for each second of sound. Fewer may be those of a sentence that something was left out."""

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
        refused: Why the question was refused; empty if it was not.
        unanswered: Why there is no answer, if the question was not refused: what went wrong in the last try.
    """

    tokens: int = 0
    said: Hashable = None
    refused: str = ""
    unanswered: str = ""

    @property
    def answered(self) -> bool:
        """Whether there is an answer."""
        return not (self.refused or self.unanswered)


@dataclass(frozen=True)
class Senses:
    """What arrives at a model.

    Attributes:
        sight: Whether pictures do. "arrives", "dropped" (taken, but the model does not get them), "refused", "unknown",
            or "not sent".
        sound: The same for sounds.
        because: What showed it, or why nothing could be concluded.
        prompt_tokens: The tokens of the questions; 0 where they are not known.
        refusals: The words of the server that refuses pictures or sounds.
    """

    sight: State
    sound: State
    because: str
    prompt_tokens: Mapping[str, int]
    refusals: Mapping[Medium, str] = field(default_factory=dict)

    @property
    def faults(self) -> dict[Medium, State]:
        """The media that are known not to arrive."""
        states: dict[Medium, State] = {"pictures": self.sight, "sounds": self.sound}
        return {medium: state for medium, state in states.items() if state in ("dropped", "refused")}

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
        one, other = (HEARD, OTHER_SOUND) if sees else (ALONE, OTHER_ALONE)
        asked |= {one: _asked(_QUESTION, frames, _tone()), other: _asked(_QUESTION, frames, _clicks())}
    return asked


def needed(conversation: Conversation) -> set[Medium]:
    """Find out what has to arrive at a model for a question.

    Args:
        conversation: The question.

    Returns:
        The kinds of its media.
    """
    found: set[Medium] = set()
    for part in media_of(conversation):
        if not isinstance(part, AudioPart) or part.clip is not None:
            found.add("pictures")
        if isinstance(part, AudioPart) or (isinstance(part, VideoPart) and part.heard):
            found.add("sounds")
    return found


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
        outcomes: The outcome of each question that was asked, by its name. Sounds may have been asked about with the
            clip or alone.

    Returns:
        The conclusion. Nothing is "dropped" because of equal answers alone: models may answer two questions alike.
    """
    counted = 0 < outcomes[TEXT].tokens < outcomes[LONGER].tokens
    without, heard, other = (TEXT, ALONE, OTHER_ALONE) if ALONE in outcomes else (CLIP, HEARD, OTHER_SOUND)
    sight = _sense(outcomes, (TEXT, CLIP, OTHER_FRAMES), counted, _OF_FRAMES)
    sound = _sense(outcomes, (without, heard, other), counted, _OF_SOUND)
    if sound == "dropped" and _is_seen_uncounted(outcomes):
        sound = "unknown"  # the server may not count sounds either
    refusals: dict[Medium, str] = {}
    if sight == "refused":
        refusals["pictures"] = outcomes[CLIP].refused
    if sound == "refused":
        refusals["sounds"] = outcomes[heard].refused
    tokens = {name: outcome.tokens for name, outcome in outcomes.items()}
    return Senses(sight, sound, _because(outcomes, counted), tokens, refusals)


def _sense(outcomes: Mapping[str, Outcome], names: tuple[str, str, str], counted: bool, real: int) -> State:
    """Compare the question without a medium, the one with it, and the one with another medium, which have these names.

    `real` is how many tokens the medium has at least.
    """
    if names[1] not in outcomes:
        return "not sent"
    before, after, other = (outcomes[name] for name in names)
    if after.refused:
        return "refused" if before.answered else "unknown"
    if not (counted and before.tokens and after.tokens):
        return "unknown"
    added, added_by_other = after.tokens - before.tokens, other.tokens - before.tokens
    if added >= real:
        return "arrives"
    if not other.answered:
        return "unknown"
    differ = after.said != other.said
    if added >= _OF_MARK:
        return "arrives" if differ else "unknown"
    is_dropped = not differ and added >= 0 and 0 <= added_by_other < _OF_MARK
    return "dropped" if is_dropped else "unknown"


def _is_seen_uncounted(outcomes: Mapping[str, Outcome]) -> bool:
    """Whether the answers about two clips differ, and the server does not count the tokens of their frames."""
    text, clip, other = outcomes[TEXT], outcomes.get(CLIP), outcomes.get(OTHER_FRAMES)
    if clip is None or other is None or not (clip.answered and other.answered):
        return False
    return clip.said != other.said and clip.tokens - text.tokens < _OF_MARK


def _because(outcomes: Mapping[str, Outcome], counted: bool) -> str:
    text, longer = outcomes[TEXT], outcomes[LONGER]
    if why := text.refused or longer.refused:
        return f"Texts alone are refused ({why}), so nothing can be concluded."
    unanswered = next(((name, one.unanswered) for name, one in outcomes.items() if one.unanswered), None)
    if unanswered:
        name, why = unanswered
        return f"The server gave no answer to one question ({name}): {why.rstrip('.')}."
    if not counted:
        return "The server reports no prompt tokens, or as many for every text, so nothing can be concluded."
    counts = (f"{name} {one.tokens or 'not reported'}" for name, one in outcomes.items() if one.answered)
    return f"Prompt tokens: {', '.join(counts)}."


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

    heard = (ALONE, OTHER_ALONE) if ALONE in outcomes else (HEARD, OTHER_SOUND)
    sight, sound = sense(CLIP, OTHER_FRAMES), sense(*heard)
    tokens = {name: outcome.tokens for name, outcome in outcomes.items()}
    return Senses(sight, sound, "Logits with one clip or sound and with another one were compared.", tokens)
