"""What has to be known of Qwen's omni models outside their own processors: sizes, rates and the system prompt."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OmniFamily:
    """Facts of a model family.

    Attributes:
        name: The `model_type` of its checkpoints.
        frame_factor: Height and width of frames are multiples of it, in pixels (patch size times merge size).
        assumed_rate: Frames per second that its processor assumes if it is given none.
        exact_positions: Positions for each second of its time axis (`position_id_per_seconds`), if a frame may lie
            between two of them; None if they are rounded down.
        system_prompt: The system prompt if the user gives none; None for no system prompt.
        marks: The texts of the tokens that stand for frames and for sound. In its tokenizer, each is one token.
    """

    name: str
    frame_factor: int
    assumed_rate: float
    exact_positions: int | None
    system_prompt: str | None
    marks: tuple[str, str]


QWEN2_5_OMNI = OmniFamily(
    "qwen2_5_omni",
    frame_factor=28,
    assumed_rate=2.0,
    exact_positions=None,
    # From the model's documentation; the talker needs exactly this system prompt.
    system_prompt=(
        "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and "
        "visual inputs, as well as generating text and speech."
    ),
    marks=("<|VIDEO|>", "<|AUDIO|>"),
)
"""Qwen2.5-Omni: 3B, 7B and their fine-tunes."""

QWEN3_OMNI = OmniFamily(
    "qwen3_omni_moe",
    frame_factor=32,
    assumed_rate=1.0,
    exact_positions=13,
    system_prompt=None,  # its authors evaluate it without one (model card)
    marks=("<|video_pad|>", "<|audio_pad|>"),
)
"""Qwen3-Omni, a mixture of experts: Instruct and Thinking."""

OMNI_FAMILIES = {family.name: family for family in (QWEN2_5_OMNI, QWEN3_OMNI)}
"""The families by name."""
