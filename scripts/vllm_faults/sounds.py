"""vLLM gives some sounds a token more than transformers (Qwen3-Omni). Loads no weights.

    python scripts/vllm_faults/sounds.py

`_get_hf_mm_inputs` pads each sound to a whole number of frames of the spectrogram, so a sound that ends within a frame
has a frame more than in transformers.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
from transformers import WhisperFeatureExtractor
from transformers.models.qwen3_omni_moe.processing_qwen3_omni_moe import _get_feat_extract_output_lengths
from vllm.model_executor.models.qwen3_omni_moe_thinker import Qwen3OmniMoeThinkerMultiModalProcessor
from vllm.multimodal.parse import AudioProcessorItems, MultiModalDataItems

EXTRACTOR = WhisperFeatureExtractor(feature_size=128)


def padded(sound: Any) -> Any:
    """The sound as vLLM gives it to the processor of transformers."""
    processor: Any = Qwen3OmniMoeThinkerMultiModalProcessor.__new__(Qwen3OmniMoeThinkerMultiModalProcessor)
    processor.info = SimpleNamespace(
        get_hf_processor=lambda **_: SimpleNamespace(feature_extractor=EXTRACTOR),
        ctx=SimpleNamespace(get_merged_mm_kwargs=lambda kwargs: kwargs),
    )
    processor.dummy_inputs = SimpleNamespace(get_dummy_text=lambda counts: "")
    made = processor._get_hf_mm_inputs(MultiModalDataItems({"audio": AudioProcessorItems([sound])}), {})
    return made.hf_data["audio"][0]


def tokens(sound: Any) -> int:
    """How many tokens the processor of transformers gives a sound."""
    made = EXTRACTOR(sound, sampling_rate=16_000, padding=True, truncation=False, return_attention_mask=True)
    return int(_get_feat_extract_output_lengths(made["attention_mask"].sum(-1))[0])


def main() -> None:
    """Print the tokens of sounds of 3 s, and of 3 s and a moment."""
    for samples in (48_000, 48_050):
        sound = np.zeros(samples, np.float32)
        given = padded(sound)
        ours, theirs = tokens(given), tokens(sound)
        print(f"{samples} samples: transformers {theirs} tokens; vLLM pads to {len(given)}, {ours} tokens:", end=" ")
        print("right" if ours == theirs else "wrong")


if __name__ == "__main__":
    main()
