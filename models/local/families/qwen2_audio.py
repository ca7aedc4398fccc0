"""Qwen2-Audio: takes sounds, but no pictures or videos."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...inputs.decoding import DecodedConversation
from ...media.types import SAMPLE_RATE
from ..collation import EncodedPrompt, prompt_from
from .base import Family

_WINDOW = 30 * SAMPLE_RATE
"""Audio samples that its encoder, which is that of Whisper, takes at once."""


class Qwen2Audio(Family):
    """A loaded Qwen2-Audio. A sound longer than its window is split into consecutive sounds of equal length."""

    processor_class = "Qwen2AudioProcessor"
    model_class = "Qwen2AudioForConditionalGeneration"
    system_prompt = "You are a helpful assistant."
    sees = False

    def encode(self, decoded: DecodedConversation) -> EncodedPrompt:
        """Make the inputs of the model for one decoded conversation."""
        pieces = [_pieces(sound) for sound in decoded.sounds]
        counts = iter([len(pieces_of_sound) for pieces_of_sound in pieces])
        messages = [{**turn, "content": list(_repeated(turn["content"], counts))} for turn in decoded.messages]
        text = self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        sounds = [piece for pieces_of_sound in pieces for piece in pieces_of_sound]
        audio = {"audio": sounds, "sampling_rate": SAMPLE_RATE} if sounds else {}
        return prompt_from(self.processor(text=[text], return_tensors="pt", **audio), interleaved=False, videos=0)


def _pieces(sound: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return np.array_split(sound, -(-len(sound) // _WINDOW))


def _repeated(content: list[dict[str, Any]], counts: Iterator[int]) -> Iterator[dict[str, Any]]:
    """Repeat each sound of a content as often as it has pieces."""
    for item in content:
        yield from [item] * (next(counts) if item["type"] == "audio" else 1)


FAMILY = Qwen2Audio
