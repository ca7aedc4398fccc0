"""vLLM takes a sound before a clip with sound for the sound of the clip (Qwen2.5-Omni, Qwen3-Omni). Loads no weights.

    python scripts/vllm_faults/pairs.py

`_get_audio_for_video_mapping` pairs the clips with the sounds by their order in the prompt.
"""

import torch
from vllm.model_executor.models.qwen2_5_omni_thinker import Qwen2_5OmniThinkerForConditionalGeneration
from vllm.model_executor.models.qwen3_omni_moe_thinker import Qwen3OmniMoeThinkerForConditionalGeneration
from vllm.multimodal.inputs import MultiModalFeatureSpec, MultiModalFieldConfig, MultiModalKwargsItems, PlaceholderRange

ALONE, OF_CLIP = 300, 800
"""Frames of the spectrograms of the two sounds."""


def main() -> None:
    """Print which sound each model takes for that of the clip."""
    values = {
        "use_audio_in_video": (torch.tensor([True]), MultiModalFieldConfig.batched("video")),
        "audio_feature_lengths": (torch.tensor([ALONE, OF_CLIP]), MultiModalFieldConfig.batched("audio")),
    }
    items = MultiModalKwargsItems.from_hf_inputs(
        {name: value for name, (value, _) in values.items()}, {name: field for name, (_, field) in values.items()}
    )
    alone, clip = PlaceholderRange(1, 75), PlaceholderRange(80, 300)
    features = [
        MultiModalFeatureSpec(items["audio"][0], "audio", "sound alone", alone),
        MultiModalFeatureSpec(items["video"][0], "video", "clip", clip),
        MultiModalFeatureSpec(items["audio"][1], "audio", "sound of the clip", clip),
    ]
    for model_class in (Qwen2_5OmniThinkerForConditionalGeneration, Qwen3OmniMoeThinkerForConditionalGeneration):
        model = model_class.__new__(model_class)  # nothing of it is needed
        lengths, _ = model._get_audio_for_video_mapping(features)
        taken = lengths[clip.offset]
        print(f"{model_class.__name__}: the clip's sound has {OF_CLIP} frames, the one that vLLM takes has {taken}")
        print("right" if taken == OF_CLIP else "wrong")


if __name__ == "__main__":
    main()
