"""A thinker of the true size of Qwen2.5-Omni-7B, without its weights."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from transformers import PretrainedConfig, Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

_TOKENS = ("image_token_index", "video_token_index", "audio_token_index", "pad_token_id", "bos_token_id",
           "eos_token_id", "vision_start_token_id", "vision_end_token_id", "audio_start_token_id",
           "audio_end_token_id", "vision_token_id", "user_token_id")  # fmt: skip


def make_sized(checkpoint: Path) -> None:
    """Replace transformers' loader, which then makes the checkpoint's model in the 7B's size, with random weights.

    The published sizes are the defaults of transformers' configuration classes. The weights are made on the device, and
    only once: 18 GB for each attention implementation that is requested.

    Args:
        checkpoint: A tiny checkpoint, whose token ids the model keeps.
    """
    tiny = PretrainedConfig.get_config_dict(checkpoint)[0]["thinker_config"]
    config = Qwen2_5OmniThinkerConfig(**{name: tiny[name] for name in _TOKENS if name in tiny})
    made: dict[str, Any] = {}

    def from_pretrained(
        *_: Any, dtype: torch.dtype, device_map: Any, attn_implementation: str, output_loading_info: bool = False
    ) -> Any:
        if attn_implementation not in made:
            own = deepcopy(config)  # the model reads its attention implementation from it
            own._attn_implementation = attn_implementation
            torch.manual_seed(0)  # equal weights in every process
            with torch.device(device_map[""]):
                model = Qwen2_5OmniThinkerForConditionalGeneration._from_config(own, dtype=dtype)
            made[attn_implementation] = model
        model = made[attn_implementation]
        return (model, {"missing_keys": []}) if output_loading_info else model

    Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained = from_pretrained
