"""vLLM takes frames for sound, and the reverse, in clips whose time axis has fractions (Qwen3-Omni). Loads no weights.

    python scripts/vllm_faults/positions_qwen3.py

A clip of 8 s with sound and a step of the time axis every 0.7 s. The processor of transformers puts the frames of a
step before the first sound that is not earlier, and compares the times as they are. `_compute_interleaved_positions`
rounds them down before it compares, so the frames are one place too early. Positions between whole ones, which
transformers has and vLLM has not, are compared rounded down.
"""

import torch
from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration
from vllm.model_executor.models.qwen3_omni_moe_thinker import (
    Qwen3OmniMoeThinkerForConditionalGeneration as VllmModel,
)
from vllm.multimodal.inputs import MultiModalFeatureSpec, MultiModalFieldConfig, MultiModalKwargsItems, PlaceholderRange

TEXT, SECONDS, MEL_FRAMES = 1000, 8, 800
SOUNDS = SECONDS * 13
"""Tokens of the sound: 13 a second."""


def layout(config: Qwen3OmniMoeThinkerConfig, step: float, steps: int, tokens_per_step: int) -> list[int]:
    """The tokens of a clip, as transformers' processor lays them out."""
    times = [number * step * config.position_id_per_seconds for number in range(steps) for _ in range(tokens_per_step)]
    tokens = [(time, 0, config.video_token_id) for time in times]
    tokens += [(float(number), 1, config.audio_token_id) for number in range(SOUNDS)]
    return [token for _, _, token in sorted(tokens)]


def compare(step: float) -> None:
    """Print how many tokens have other positions, and the first of them."""
    marks = {"vision_start_token_id": 151652, "vision_end_token_id": 151653, "audio_end_token_id": 151670}
    config = Qwen3OmniMoeThinkerConfig(**marks)
    grid = torch.tensor([[int(SECONDS / step), 4, 4]])
    inner = layout(config, step, int(grid[0, 0]), 4)
    marked = [config.audio_start_token_id, *inner, config.audio_end_token_id]
    ids = [TEXT, config.vision_start_token_id, *marked, config.vision_end_token_id, TEXT, TEXT]
    with torch.device("meta"):
        model = Qwen3OmniMoeThinkerForConditionalGeneration(config)
    theirs, _ = model.get_rope_index(
        torch.tensor([ids]), None, grid, torch.ones(1, len(ids)), use_audio_in_video=True,
        audio_seqlens=torch.tensor([MEL_FRAMES]), second_per_grids=torch.tensor([step]),
    )  # fmt: skip

    fields = {
        "video_grid_thw": (grid, MultiModalFieldConfig.batched("video")),
        "second_per_grid_ts": (torch.tensor([step]), MultiModalFieldConfig.batched("video")),
        "use_audio_in_video": (torch.tensor(True), MultiModalFieldConfig.shared("video", 1)),
        "audio_feature_lengths": (torch.tensor([MEL_FRAMES]), MultiModalFieldConfig.batched("audio")),
    }
    items = MultiModalKwargsItems.from_hf_inputs(
        {name: value for name, (value, _) in fields.items()}, {name: field for name, (_, field) in fields.items()}
    )
    features = [
        MultiModalFeatureSpec(
            items[kind][0], kind, kind, PlaceholderRange(2, len(marked), torch.tensor(marked) == token)
        )
        for kind, token in (("video", config.video_token_id), ("audio", config.audio_token_id))
    ]
    vllm_model = VllmModel.__new__(VllmModel)  # only its configuration is needed
    vllm_model.__dict__["config"] = config
    ours, _ = vllm_model.get_mrope_input_positions(ids, features)
    wrong = (ours != theirs[:, 0].floor().long()).any(0).nonzero().flatten().tolist()
    print(f"a step of {step:g} s: {len(wrong)} of {len(ids)} tokens have other positions", end="")
    if wrong:
        first = wrong[0]
        print(f"; token {first}: vLLM {ours[:, first].tolist()}, transformers {theirs[:, 0, first].tolist()}", end="")
    print()


if __name__ == "__main__":
    compare(1.0)
    compare(0.7)
