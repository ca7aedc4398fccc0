"""Qwen3-Omni: the mixture of experts, Instruct and Thinking."""

from .qwen_omni import QwenOmni


class Qwen3OmniMoe(QwenOmni):
    """A loaded Qwen3-Omni thinker. Its authors evaluate it without a system prompt (model card).

    Its processor cuts no sound.
    """

    processor_class = "Qwen3OmniMoeProcessor"
    model_class = "Qwen3OmniMoeThinkerForConditionalGeneration"
    # Video fails before 5.10, and in 4.57 sounds in a batch differ from sounds alone.
    least_transformers = "5.10.4"
    frame_factor = 32


FAMILY = Qwen3OmniMoe
