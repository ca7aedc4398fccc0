"""The parts of the tiny checkpoint of each family: its tokens, its templates and its settings.

Everything that the pipeline depends on is as published: patch and merge sizes, time axis, mel bins, sampling rate,
window, special tokens, chat format. In every table the first rows are as published, in the JSON files of checkpoints or
as defaults of transformers' classes. The tiny values follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .tiny_tokenizer import EOS, PAD

Ids = dict[str, int]  # the id of every token
Settings = dict[str, Any]

HIDDEN, HEADS, LAYERS = 64, 2, 2  # of each tower: heads of 32 numbers, the smallest that vLLM takes on a CPU
EXPERTS = 4


@dataclass(frozen=True)
class Recipe:
    """One family.

    Attributes:
        special_tokens: In the order of the published ids, without those that no prompt uses.
        chat_template: Renders the same text as the published template.
        settings: Returns the content of every JSON file by its name, given the ids of this tokenizer.
        model_class: The name of the class in transformers that loads the checkpoint.
        published_names: Patterns and replacements that turn the name of a weight in transformers 5 into its name in a
            published checkpoint. Names of transformers 4 stay unchanged, or only get the prefix.
    """

    special_tokens: tuple[str, ...]
    chat_template: str
    settings: Callable[[Ids], dict[str, Settings]]
    model_class: str
    published_names: tuple[tuple[str, str], ...]


# One turn per message; a medium becomes its placeholder between two marks.
DEFAULT_SYSTEM = r"""
{%- if messages[0].role != "system" %}{{ "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n" }}{% endif -%}
"""
TURNS = r"""
{%- for message in messages %}
    {{- "<|im_start|>" ~ message.role ~ "\n" }}
    {%- if message.content is string %}{{ message.content }}{% else %}
        {%- for part in message.content %}
            {{- marks.get((part.type or "text").removesuffix("_url"), part.text) }}
        {%- endfor %}
    {%- endif %}
    {{- "<|im_end|>\n" }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ "<|im_start|>assistant\n" }}{% endif -%}
"""

# transformers 5 moved the towers into `model` and the text model into `model.language_model`.
THINKER_NAMES = (
    (r"^model\.language_model\.", "model."),
    (r"^model\.(audio_tower|visual)\.", r"\1."),
    (r"^", "thinker."),
)

# fmt: off
GREEDY = {"do_sample": False}  # so that an answer is the same every time


def _ends(ids: Ids) -> Settings:
    """The ids that begin, end and fill a sequence."""
    return {"bos_token_id": ids["<|im_start|>"], "eos_token_id": ids[EOS], "pad_token_id": ids[PAD]}


def _audio_input(seconds: int) -> Settings:
    """The feature extractor, with a window of `seconds`."""
    return {
        "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 128, "sampling_rate": 16000, "n_fft": 400,
        "hop_length": 160, "chunk_length": seconds, "n_samples": seconds * 16000, "nb_max_frames": seconds * 100,
        "padding_side": "right", "padding_value": 0.0, "dither": 0.0, "return_attention_mask": True,
    }


def _tokenizer_config(processor: str, length: int, **more: Any) -> Settings:
    return {
        "tokenizer_class": "Qwen2Tokenizer", "processor_class": processor, "model_max_length": length,
        "eos_token": EOS, "pad_token": PAD, "bos_token": None, "unk_token": None,
        "add_prefix_space": False, "clean_up_tokenization_spaces": False, "errors": "replace", **more,
    }


def _preprocessor_configs(vision: Settings, audio: Settings, pixels: int) -> dict[str, Settings]:
    """The files for images, sound and video. A token covers `pixels` pixels."""
    image = {"image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 4 * 28 * 28, "max_pixels": 16384 * 28 * 28}
    # Numbers of pixels of a frame, despite the names.
    video = {"video_processor_type": "Qwen2VLVideoProcessor",
             "size": {"shortest_edge": 128 * pixels, "longest_edge": 768 * pixels}}
    return {
        "preprocessor_config.json": {**vision, **image, **audio},
        "video_preprocessor_config.json": {**vision, **video},
    }


# --- Qwen2.5-Omni ---

QWEN2_5_OMNI_MARKS = r"""
{%- set marks = {"image": "<|vision_bos|><|IMAGE|><|vision_eos|>", "audio": "<|audio_bos|><|AUDIO|><|audio_eos|>",
                 "video": "<|vision_bos|><|VIDEO|><|vision_eos|>"} -%}
"""
QWEN2_5_OMNI_AUDIO = {
    "model_type": "qwen2_5_omni_audio_encoder", "num_mel_bins": 128, "max_source_positions": 1500,
    "n_window": 100,  # half of the 200 mel frames (2 s) that are encoded together
    "d_model": HIDDEN, "encoder_layers": LAYERS, "encoder_attention_heads": HEADS, "encoder_ffn_dim": 2 * HIDDEN,
    "output_dim": HIDDEN,
}
QWEN2_5_OMNI_VISION = {
    "model_type": "qwen2_5_omni_vision_encoder",
    "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112,
    "hidden_size": HIDDEN, "depth": LAYERS, "num_heads": HEADS, "intermediate_size": 2 * HIDDEN,
    "fullatt_block_indexes": [LAYERS - 1],  # one layer looks within windows, one at all patches
    "out_hidden_size": HIDDEN,
}
QWEN2_5_OMNI_TEXT = {
    "model_type": "qwen2_5_omni_text", "tie_word_embeddings": False,
    "rope_theta": 1000000.0, "max_position_embeddings": 32768, "rms_norm_eps": 1e-06,
    # Frequency pairs of a head for time, height and width; published: 16, 24, 24 of 64.
    "rope_scaling": {"mrope_section": [4, 6, 6], "rope_type": "default", "type": "default"},
    "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": 1,
    "intermediate_size": 4 * HIDDEN,
}
QWEN2_5_OMNI_PICTURES = {
    "processor_class": "Qwen2_5OmniProcessor", "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],  # CLIP's
}
QWEN2_5_OMNI_TOKENS = {
    "image_token": "<|IMAGE|>", "audio_token": "<|AUDIO|>", "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>",
}


def _qwen2_5_omni(ids: Ids) -> dict[str, Settings]:
    thinker = {
        "model_type": "qwen2_5_omni_thinker", "torch_dtype": "float32",
        "position_id_per_seconds": 25, "seconds_per_chunk": 2,
        "audio_config": QWEN2_5_OMNI_AUDIO, "vision_config": QWEN2_5_OMNI_VISION,
        "text_config": {**QWEN2_5_OMNI_TEXT, "vocab_size": len(ids)},
        **_ends(ids),
        "audio_token_index": ids["<|AUDIO|>"], "image_token_index": ids["<|IMAGE|>"],
        "video_token_index": ids["<|VIDEO|>"], "vision_token_id": ids["<|vision_pad|>"],
        "audio_start_token_id": ids["<|audio_bos|>"], "audio_end_token_id": ids["<|audio_eos|>"],
        "vision_start_token_id": ids["<|vision_bos|>"], "vision_end_token_id": ids["<|vision_eos|>"],
        "user_token_id": ids["user"],
    }
    return {
        "config.json": {
            "model_type": "qwen2_5_omni", "architectures": ["Qwen2_5OmniModel"], "torch_dtype": "float32",
            "enable_audio_output": False, "thinker_config": thinker,
        },
        # No end of sequence: users report that the published thinker also ends only if the caller names one.
        "generation_config.json": GREEDY,
        "tokenizer_config.json": _tokenizer_config(
            "Qwen2_5OmniProcessor", 32768, extra_special_tokens=QWEN2_5_OMNI_TOKENS
        ),
        **_preprocessor_configs(QWEN2_5_OMNI_PICTURES, _audio_input(300), 28 * 28),
    }


# --- Qwen3-Omni ---

QWEN3_OMNI_MARKS = r"""
{%- set marks = {"image": "<|vision_start|><|image_pad|><|vision_end|>",
                 "audio": "<|audio_start|><|audio_pad|><|audio_end|>",
                 "video": "<|vision_start|><|video_pad|><|vision_end|>"} -%}
"""
QWEN3_OMNI_AUDIO = {
    "model_type": "qwen3_omni_moe_audio_encoder", "num_mel_bins": 128, "max_source_positions": 1500,
    "n_window": 50,  # half of the 100 mel frames (1 s) that are convolved together
    "n_window_infer": 800,  # mel frames (8 s) that attend to each other
    "conv_chunksize": 500,
    "d_model": HIDDEN, "encoder_layers": LAYERS, "encoder_attention_heads": HEADS, "encoder_ffn_dim": 2 * HIDDEN,
    "downsample_hidden_size": HIDDEN // 4, "output_dim": HIDDEN,
}
QWEN3_OMNI_VISION = {
    "model_type": "qwen3_omni_moe_vision_encoder",
    "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2, "in_channels": 3,
    "num_position_embeddings": 48 * 48, "hidden_act": "gelu_pytorch_tanh",
    "image_size": 768, "apply_vit_abs_pos_embed": True, "tokens_per_second": 2,  # vLLM reads these
    "hidden_size": HIDDEN, "depth": LAYERS, "num_heads": HEADS, "intermediate_size": 2 * HIDDEN,
    "deepstack_visual_indexes": [0, 1],  # layers whose output joins the text model's; published: 8, 16, 24 of 27
    "out_hidden_size": HIDDEN,
}
QWEN3_OMNI_TEXT = {
    "model_type": "qwen3_omni_moe_text", "tie_word_embeddings": False,
    "rope_theta": 1000000.0, "max_position_embeddings": 65536, "rms_norm_eps": 1e-06, "attention_bias": False,
    "decoder_sparse_step": 1, "mlp_only_layers": [], "norm_topk_prob": True, "shared_expert_intermediate_size": 0,
    "use_sliding_window": False, "sliding_window": None,
    # Frequency pairs of a head for time, height and width, in turns; published: 24, 20, 20 of 64.
    "rope_scaling": {"mrope_section": [6, 5, 5], "mrope_interleaved": True, "interleaved": True,
                     "rope_type": "default", "type": "default"},
    "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": 1,
    "head_dim": HIDDEN // HEADS, "num_experts": EXPERTS, "num_experts_per_tok": EXPERTS // 2,
    "moe_intermediate_size": 2 * HIDDEN, "intermediate_size": 2 * HIDDEN,
}
QWEN3_OMNI_PICTURES = {
    "processor_class": "Qwen3OmniMoeProcessor", "patch_size": 16, "merge_size": 2, "temporal_patch_size": 2,
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
}
QWEN3_OMNI_TOKENS = {
    "image_token": "<|image_pad|>", "audio_token": "<|audio_pad|>", "video_token": "<|video_pad|>",
    "vision_bos_token": "<|vision_start|>", "vision_eos_token": "<|vision_end|>",
    "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>",
}


def _qwen3_omni_moe(ids: Ids) -> dict[str, Settings]:
    thinker = {
        "model_type": "qwen3_omni_moe_thinker", "dtype": "float32",
        "position_id_per_seconds": 13, "seconds_per_chunk": 2,
        "audio_config": QWEN3_OMNI_AUDIO, "vision_config": QWEN3_OMNI_VISION,
        "text_config": {**QWEN3_OMNI_TEXT, "vocab_size": len(ids)},
        **_ends(ids),
        "audio_token_id": ids["<|audio_pad|>"], "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "audio_start_token_id": ids["<|audio_start|>"], "audio_end_token_id": ids["<|audio_end|>"],
        "vision_start_token_id": ids["<|vision_start|>"], "vision_end_token_id": ids["<|vision_end|>"],
        "user_token_id": ids["user"],
    }
    return {
        "config.json": {
            "model_type": "qwen3_omni_moe", "architectures": ["Qwen3OmniMoeForConditionalGeneration"],
            "dtype": "float32", "enable_audio_output": False, "thinker_config": thinker,
            "im_start_token_id": ids["<|im_start|>"], "im_end_token_id": ids[EOS],
            "system_token_id": ids["system"], "user_token_id": ids["user"], "assistant_token_id": ids["assistant"],
        },
        "generation_config.json": GREEDY,  # no end of sequence, as for Qwen2.5-Omni
        "tokenizer_config.json": _tokenizer_config(
            "Qwen3OmniMoeProcessor", 131072, extra_special_tokens=QWEN3_OMNI_TOKENS
        ),
        **_preprocessor_configs(QWEN3_OMNI_PICTURES, _audio_input(30), 32 * 32),
    }


# --- Qwen2-Audio ---

# It numbers the sounds of a whole conversation.
QWEN2_AUDIO_TURNS = r"""
{%- set sounds = namespace(count=0) -%}
{%- for message in messages %}
    {{- "<|im_start|>" ~ message.role ~ "\n" }}
    {%- if message.content is string %}{{ message.content }}{% else %}
        {%- for part in message.content %}
            {%- if "audio" in part or "audio_url" in part or part.type == "audio" %}
                {%- set sounds.count = sounds.count + 1 %}
                {{- "Audio " ~ sounds.count ~ ": <|audio_bos|><|AUDIO|><|audio_eos|>\n" }}
            {%- elif "text" in part %}{{ part.text }}{% endif %}
        {%- endfor %}
    {%- endif %}
    {{- "<|im_end|>\n" }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ "<|im_start|>assistant\n" }}{% endif -%}
"""
QWEN2_AUDIO_AUDIO = {
    "model_type": "qwen2_audio_encoder", "num_mel_bins": 128, "max_source_positions": 1500, "scale_embedding": False,
    "activation_function": "gelu", "encoder_layerdrop": 0.0,
    "d_model": HIDDEN, "encoder_layers": LAYERS, "encoder_attention_heads": HEADS, "encoder_ffn_dim": 2 * HIDDEN,
}
QWEN2_AUDIO_TEXT = {
    "model_type": "qwen2", "tie_word_embeddings": False,
    "rope_theta": 10000.0, "max_position_embeddings": 8192, "rms_norm_eps": 1e-05, "use_sliding_window": False,
    "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": HEADS,
    "intermediate_size": 4 * HIDDEN,
}


def _qwen2_audio(ids: Ids) -> dict[str, Settings]:
    return {
        "config.json": {
            "model_type": "qwen2_audio", "architectures": ["Qwen2AudioForConditionalGeneration"],
            "torch_dtype": "float32", "audio_config": QWEN2_AUDIO_AUDIO,
            "text_config": {**QWEN2_AUDIO_TEXT, **_ends(ids), "vocab_size": len(ids)},
            "vocab_size": len(ids), "audio_token_index": ids["<|AUDIO|>"], "ignore_index": -100,
        },
        "generation_config.json": {**GREEDY, "eos_token_id": [ids[PAD], ids[EOS]], "pad_token_id": ids[PAD]},
        "tokenizer_config.json": _tokenizer_config("Qwen2AudioProcessor", 8192),
        "preprocessor_config.json": {"processor_class": "Qwen2AudioProcessor", **_audio_input(30)},
    }


RECIPES = {
    "qwen2_5_omni": Recipe(
        special_tokens=(
            PAD, "<|im_start|>", EOS, "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>",
            "<|vision_bos|>", "<|vision_eos|>", "<|vision_pad|>", "<|IMAGE|>", "<|VIDEO|>",
        ),
        chat_template=QWEN2_5_OMNI_MARKS + DEFAULT_SYSTEM.lstrip() + TURNS.lstrip(),
        settings=_qwen2_5_omni,
        model_class="Qwen2_5OmniThinkerForConditionalGeneration",
        published_names=THINKER_NAMES,
    ),
    "qwen3_omni_moe": Recipe(
        special_tokens=(
            PAD, "<|im_start|>", EOS, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>",
            "<|audio_start|>", "<|audio_end|>", "<|audio_pad|>",
        ),
        chat_template=QWEN3_OMNI_MARKS + TURNS.lstrip(),
        settings=_qwen3_omni_moe,
        model_class="Qwen3OmniMoeThinkerForConditionalGeneration",
        published_names=THINKER_NAMES,
    ),
    "qwen2_audio": Recipe(
        special_tokens=(PAD, "<|im_start|>", EOS, "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"),
        chat_template=DEFAULT_SYSTEM + QWEN2_AUDIO_TURNS.lstrip(),
        settings=_qwen2_audio,
        model_class="Qwen2AudioForConditionalGeneration",
        published_names=(
            (r"^model\.language_model\.", "language_model.model."),
            (r"^model\.(audio_tower|multi_modal_projector)\.", r"\1."),
            (r"^lm_head\.", "language_model.lm_head."),
        ),
    ),
}
# fmt: on
