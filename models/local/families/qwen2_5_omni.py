"""Qwen2.5-Omni: 3B, 7B and fine-tunes of them."""

import math
from typing import Any

from ...inputs.decoding import DecodedConversation
from .qwen_omni import QwenOmni

_HOP = 160
"""Samples between two frames of the mel spectrogram (`hop_length` of the feature extractor)."""


class Qwen25Omni(QwenOmni):
    """A loaded Qwen2.5-Omni thinker."""

    processor_class = "Qwen2_5OmniProcessor"
    model_class = "Qwen2_5OmniThinkerForConditionalGeneration"
    frame_factor = 28
    # The sentence of the model's own documentation; the talker would complain about any other.
    system_prompt = (
        "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and "
        "visual inputs, as well as generating text and speech."
    )

    def audio_arguments(self, decoded: DecodedConversation) -> dict[str, Any]:
        """The extractor's window, which is 300 s: as long as the longest sound, so that none is cut.

        One frame more than the sound has gives the same numbers as the full window; exactly as many do not.
        """
        longest = max(len(sound) for sound in decoded.sounds)
        return {"max_length": (math.ceil(longest / _HOP) + 1) * _HOP}


FAMILY = Qwen25Omni
