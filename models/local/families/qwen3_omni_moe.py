"""Qwen3-Omni, a mixture of experts: Instruct and Thinking."""

from ...inputs.omni_families import QWEN3_OMNI
from .qwen_omni import QwenOmni


class Qwen3OmniMoe(QwenOmni):
    """A loaded Qwen3-Omni thinker. Its authors evaluate it without a system prompt (model card).

    Its processor does not cut sounds.
    """

    processor_class = "Qwen3OmniMoeProcessor"
    model_class = "Qwen3OmniMoeThinkerForConditionalGeneration"
    # Before 5.10, videos fail; in 4.57, sounds in a batch also differ from sounds alone.
    least_transformers = "5.10.4"
    frame_factor = QWEN3_OMNI.frame_factor
    system_prompt = QWEN3_OMNI.system_prompt


FAMILY = Qwen3OmniMoe
