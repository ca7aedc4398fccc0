"""vLLM gives the tokens of a clip with sound other M-RoPE positions than transformers (Qwen2.5-Omni). Loads no weights.

    python scripts/vllm_faults/positions.py

Two clips of 8 s, whose sound is interleaved with the frames: one with a step of the time axis each second, one with a
step every 4 s, so that a chunk of 2 s has no frame.
"""

import torch
from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration
from vllm.model_executor.models.qwen2_5_omni_thinker import (
    Qwen2_5OmniThinkerForConditionalGeneration as VllmModel,
)
from vllm.multimodal.inputs import MultiModalFeatureSpec, MultiModalFieldConfig, MultiModalKwargsItems, PlaceholderRange

TEXT, SECONDS, MEL_FRAMES = 1000, 8, 800
CONFIG = Qwen2_5OmniThinkerConfig(vision_start_token_id=151652, vision_end_token_id=151653)
VIDEO, SOUND = CONFIG.video_token_index, CONFIG.audio_token_index
PER_CHUNK = CONFIG.position_id_per_seconds * CONFIG.seconds_per_chunk


def layout(step: float, tokens_per_step: int) -> list[int]:
    """The tokens of a clip, as transformers' processor lays them out: in each chunk the frames, then the sound."""
    sounds = ((MEL_FRAMES - 1) // 2 + 1 - 2) // 2 + 1
    times = [int(number * step * CONFIG.position_id_per_seconds) for number in range(int(SECONDS / step))]
    ids: list[int] = []
    for chunk in range(-(-SECONDS // CONFIG.seconds_per_chunk)):
        low = chunk * PER_CHUNK
        ids += [VIDEO] * tokens_per_step * sum(low <= time < low + PER_CHUNK for time in times)
        ids += [SOUND] * max(0, min(PER_CHUNK, sounds - low))
    return ids


def compare(step: float) -> None:
    """Print how many positions differ, and the first of them."""
    grid = torch.tensor([[int(SECONDS / step), 4, 4]])
    inner = layout(step, 4)
    marked = [CONFIG.audio_start_token_id, *inner, CONFIG.audio_end_token_id]
    ids = [TEXT, CONFIG.vision_start_token_id, *marked, CONFIG.vision_end_token_id, TEXT, TEXT]
    with torch.device("meta"):
        model = Qwen2_5OmniThinkerForConditionalGeneration(CONFIG)
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
        for kind, token in (("video", VIDEO), ("audio", SOUND))
    ]
    vllm_model = VllmModel.__new__(VllmModel)  # only its configuration is needed
    vllm_model.__dict__["config"] = CONFIG
    ours, _ = vllm_model.get_mrope_input_positions(ids, features)
    wrong = (ours != theirs[:, 0]).any(0).nonzero().flatten().tolist()
    print(f"a step of {step:g} s: {len(wrong)} of {len(ids)} tokens have other positions", end="")
    if wrong:
        first = wrong[0]
        print(f"; token {first}: vLLM {ours[:, first].tolist()}, transformers {theirs[:, 0, first].tolist()}", end="")
    print()


if __name__ == "__main__":
    compare(1.0)
    compare(4.0)
