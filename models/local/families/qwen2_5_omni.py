"""Qwen2.5-Omni: 3B, 7B and their fine-tunes."""

import math
from typing import Any

from ...inputs.decoding import DecodedConversation
from ...inputs.omni_families import QWEN2_5_OMNI
from .qwen_omni import QwenOmni

_HOP = 160
"""Audio samples between two frames of the mel spectrogram (`hop_length` of the feature extractor)."""


class Qwen25Omni(QwenOmni):
    """A loaded Qwen2.5-Omni thinker."""

    processor_class = "Qwen2_5OmniProcessor"
    model_class = "Qwen2_5OmniThinkerForConditionalGeneration"
    frame_factor = QWEN2_5_OMNI.frame_factor
    system_prompt = QWEN2_5_OMNI.system_prompt

    def audio_arguments(self, decoded: DecodedConversation) -> dict[str, Any]:
        """Fit the window of the feature extractor, 300 s by default, to the longest sound, so that no sound is cut.

        The window is one frame longer than the sound. Then the numbers are the same as with the full window; with a
        window of exactly the length of the sound they are not.
        """
        longest = max(len(sound) for sound in decoded.sounds)
        return {"max_length": (math.ceil(longest / _HOP) + 1) * _HOP}


FAMILY = Qwen25Omni
