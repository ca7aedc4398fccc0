"""A Qwen2.5-Omni checkpoint of a few hundred kilobytes, for trying the whole pipeline without a download.

The folder it writes is laid out like the published checkpoints (`model_type: qwen2_5_omni`, weights under `thinker.`),
so the same loading code runs. What the pipeline can notice is as published: patch and merge sizes, time axis, mel bins,
sampling rate, 300 s window, special tokens, chat format. The rest is tiny and the weights are random: its answers mean
nothing. Talker and vocoder are left out, as nothing here speaks.
"""

from __future__ import annotations

import json
import math
import tempfile
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

RECIPE = 1  # raise it when anything below changes what is written
MARKER = "tiny_model.json"  # written last; says which recipe, seed and libraries made the folder, and what is in it

EOS, PAD = "<|im_end|>", "<|endoftext|>"
# fmt: off
SPECIAL_TOKENS = (  # in the order of the published ids, 151643 to 151656, without the ones that no prompt uses
    PAD, "<|im_start|>", EOS, "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>",
    "<|vision_bos|>", "<|vision_eos|>", "<|vision_pad|>", "<|IMAGE|>", "<|VIDEO|>",
)
# fmt: on
BASE_VOCABULARY = 373  # 256 bytes and 117 merges: 384 tokens with the special ones

# What the byte-pair encoding is trained on: the benchmark's own phrases.
TRAINING_LINES = (
    *("system\nuser\nassistant\n",) * 9,  # often enough for each role to become one token, as published
    "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and "
    "visual inputs, as well as generating text and speech.",
    "You are an advanced multimodal analysis AI assistant. You have been provided with video content and a question.",
    "Question: , which one of the following is correct?\n\nOptions:\nA. \nB. \nC. \nD. ",
    "Question: , Which of the following are correct? (Select all)\n\nOptions:\nA. \nB. \nC. \nD. ",
    "answer one correct letter only, do not include any extra text or explanation:",
    "answer correct letters only, do not include any extra text or explanation:",
    "answer a single Arabic numeral between 0 and 10, do not include any extra text or explanation:",
    "Output the thinking process in <think> </think> and final answer in <answer> </answer> tags, i.e., "
    "<think> reasoning process here </think><answer> answer one correct letter only here </answer>.",
    "The following provides the ASR (Automatic Speech Recognition) text from the video:",
)

# Says what the published template says: one turn per message, a medium as its placeholder between two marks.
CHAT_TEMPLATE = r"""
{%- set marks = {"image": "<|vision_bos|><|IMAGE|><|vision_eos|>", "audio": "<|audio_bos|><|AUDIO|><|audio_eos|>",
                 "video": "<|vision_bos|><|VIDEO|><|vision_eos|>"} -%}
{%- if messages[0].role != "system" %}{{ "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n" }}{% endif -%}
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

LOUDNESS = 3  # how much louder than other tokens those are that an answer may be
HIDDEN, HEADS, LAYERS = 32, 2, 2  # of each tower: heads of 16 numbers

# The first rows are as published, in the checkpoints' JSON files and as defaults of transformers' classes.
# fmt: off
AUDIO_CONFIG = {
    "model_type": "qwen2_5_omni_audio_encoder", "num_mel_bins": 128, "max_source_positions": 1500,
    "n_window": 100,  # half of the 200 mel frames (2 s) that are encoded together
    "d_model": HIDDEN, "encoder_layers": LAYERS, "encoder_attention_heads": HEADS, "encoder_ffn_dim": 2 * HIDDEN,
    "output_dim": HIDDEN,
}
VISION_CONFIG = {
    "model_type": "qwen2_5_omni_vision_encoder",
    "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112,
    "hidden_size": HIDDEN, "depth": LAYERS, "num_heads": HEADS, "intermediate_size": 2 * HIDDEN,
    "fullatt_block_indexes": [LAYERS - 1],  # one layer looks within windows, one at all patches
    "out_hidden_size": HIDDEN,
}
TEXT_CONFIG = {
    "model_type": "qwen2_5_omni_text", "tie_word_embeddings": False,
    "rope_theta": 1000000.0, "max_position_embeddings": 32768, "rms_norm_eps": 1e-06,
    # Frequency pairs of a head for time, height and width; published: 16, 24, 24 of 64.
    "rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"},
    "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": 1,
    "intermediate_size": 4 * HIDDEN,
}
VISION_INPUT = {
    "processor_class": "Qwen2_5OmniProcessor", "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],  # CLIP's
}
IMAGE_INPUT = {
    **VISION_INPUT, "image_processor_type": "Qwen2VLImageProcessor",
    "min_pixels": 4 * 28 * 28, "max_pixels": 16384 * 28 * 28,
}
VIDEO_INPUT = {
    **VISION_INPUT, "video_processor_type": "Qwen2VLVideoProcessor",
    "size": {"shortest_edge": 128 * 28 * 28, "longest_edge": 768 * 28 * 28},  # pixels of a frame, despite the names
}
AUDIO_INPUT = {
    "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 128, "sampling_rate": 16000, "n_fft": 400,
    "hop_length": 160, "chunk_length": 300, "n_samples": 300 * 16000, "nb_max_frames": 300 * 100,
    "padding_side": "right", "padding_value": 0.0, "dither": 0.0, "return_attention_mask": True,
}
TOKENIZER_CONFIG = {
    "tokenizer_class": "Qwen2Tokenizer", "processor_class": "Qwen2_5OmniProcessor", "model_max_length": 32768,
    "eos_token": EOS, "pad_token": PAD, "bos_token": None, "unk_token": None,
    "add_prefix_space": False, "clean_up_tokenization_spaces": False, "errors": "replace",
    "extra_special_tokens": {
        "image_token": "<|IMAGE|>", "audio_token": "<|AUDIO|>", "video_token": "<|VIDEO|>",
        "vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_eos|>",
        "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>",
    },
}
# No sampling, and no end of sequence: users report that the published thinker, too, ends only if the caller names it.
GENERATION_CONFIG = {"do_sample": False}
# fmt: on


def write_tiny_model(directory: Path, seed: int = 0) -> Path:
    """Writes the checkpoint and its processor into `directory`, and returns `directory`.

    `seed` is a non-negative integer that picks the weights; the same seed and libraries give the same bytes
    (transformers 4.57.6 and 5.23.0 alike). The folder appears complete or not at all. One that already holds this
    recipe and seed is left alone; one made here with another recipe, seed or library is replaced. Needs no network.

    Raises ValueError where `directory` is a file, or a folder that holds anything not written here.
    """
    target = Path(directory).resolve()
    made_by = {"recipe": RECIPE, "seed": seed, "versions": {name: version(name) for name in ("numpy", "tokenizers")}}
    if _is_complete(target, made_by):
        return directory
    _refuse_foreign(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        staged = Path(scratch, "new")
        staged.mkdir()
        _write_files(staged, seed)
        sizes = {path.name: path.stat().st_size for path in sorted(staged.iterdir())}
        _write_json(staged / MARKER, {**made_by, "files": sizes})
        try:
            if target.exists():
                target.replace(Path(scratch, "old"))
            staged.replace(target)
        except OSError:  # another process was faster: fine, if it wrote the same
            if not _is_complete(target, made_by):
                raise
    return directory


def _is_complete(folder: Path, made_by: dict[str, Any]) -> bool:
    """Whether `folder` was written with `made_by` and still has every file at its full size."""
    marker = _read_marker(folder)
    return {name: marker.get(name) for name in made_by} == made_by and all(
        (folder / name).is_file() and (folder / name).stat().st_size == size for name, size in marker["files"].items()
    )


def _read_marker(folder: Path) -> dict[str, Any]:
    """The marker of `folder`; empty where there is none, or not one of ours."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) and isinstance(marker.get("files"), dict) else {}


def _refuse_foreign(folder: Path) -> None:
    """Raises ValueError where `folder` holds what its marker does not list; absent and empty folders pass."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, not a folder: choose another place for the tiny model.")
    ours = {MARKER, *_read_marker(folder).get("files", {})}
    foreign = sorted({path.name for path in folder.iterdir()} - ours) if folder.exists() else []
    if foreign:
        raise ValueError(
            f"{folder} holds {foreign[0]!r}, which is no part of a tiny model: empty the folder or choose another."
        )


def _write_files(folder: Path, seed: int) -> None:
    """Writes every file but the marker into the empty `folder`."""
    from safetensors.numpy import save_file

    ids = _write_tokenizer(folder)
    _write_json(folder / "config.json", _config(ids))
    _write_json(folder / "generation_config.json", GENERATION_CONFIG)
    _write_json(folder / "preprocessor_config.json", {**IMAGE_INPUT, **AUDIO_INPUT})
    _write_json(folder / "video_preprocessor_config.json", VIDEO_INPUT)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    weights = {name: _random_weight(name, shape, seed) for name, shape in _parameter_shapes(folder).items()}
    # Answers are one line of plain ASCII, and may end: no marks, no halves of characters (a space is written Ġ).
    plain = {token for token in ids if token.replace("Ġ", "").isascii()} - set(SPECIAL_TOKENS) | {EOS}
    head = weights["thinker.lm_head.weight"]
    head[[number for token, number in ids.items() if token not in plain]] = 0
    # Many begin with a letter or a digit, so that scores are those of chance and not all 0.
    head[[ids[token] for token in (*"ABCDE12345", EOS)]] *= LOUDNESS
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _write_tokenizer(folder: Path) -> dict[str, int]:
    """Trains and writes the tokenizer; returns the id of every token."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    words = pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, to_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=BASE_VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TRAINING_LINES, trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS])
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", TOKENIZER_CONFIG)
    return tokenizer.get_vocab()


def _config(ids: dict[str, int]) -> dict[str, Any]:
    """The whole model's configuration, under the published names, with the token ids of this tokenizer."""
    # fmt: off
    thinker = {
        "model_type": "qwen2_5_omni_thinker", "torch_dtype": "float32",
        "position_id_per_seconds": 25, "seconds_per_chunk": 2,
        "audio_config": AUDIO_CONFIG, "vision_config": VISION_CONFIG,
        "text_config": {**TEXT_CONFIG, "vocab_size": len(ids)},
        "bos_token_id": ids["<|im_start|>"], "eos_token_id": ids[EOS], "pad_token_id": ids[PAD],
        "audio_token_index": ids["<|AUDIO|>"], "image_token_index": ids["<|IMAGE|>"],
        "video_token_index": ids["<|VIDEO|>"], "vision_token_id": ids["<|vision_pad|>"],
        "audio_start_token_id": ids["<|audio_bos|>"], "audio_end_token_id": ids["<|audio_eos|>"],
        "vision_start_token_id": ids["<|vision_bos|>"], "vision_end_token_id": ids["<|vision_eos|>"],
        "user_token_id": ids["user"],
    }
    return {
        "model_type": "qwen2_5_omni", "architectures": ["Qwen2_5OmniModel"], "torch_dtype": "float32",
        "enable_audio_output": False, "thinker_config": thinker,
    }
    # fmt: on


def _parameter_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The name in a published checkpoint and the shape of every parameter of the thinker that `folder` configures."""
    import torch
    from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

    with torch.device("meta"):  # shapes only: takes no memory and no random numbers
        thinker = Qwen2_5OmniThinkerForConditionalGeneration(Qwen2_5OmniThinkerConfig.from_pretrained(folder))
    shapes = {}
    for name, parameter in thinker.named_parameters():
        # transformers 5 moved the towers into `model` and the text model into `model.language_model`.
        name = name.replace("model.language_model.", "model.")
        name = name.removeprefix("model.") if name.startswith(("model.audio_tower.", "model.visual.")) else name
        shapes[f"thinker.{name}"] = tuple(parameter.shape)
    return shapes


def _random_weight(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A float32 array of `shape`, drawn from `seed` and `name` alone.

    Ones for a norm, a tenth of normal numbers for a bias, else normal numbers that keep the size of a layer's input.
    """
    import numpy as np

    if len(shape) == 1 and name.endswith("weight"):
        return np.ones(shape, dtype=np.float32)
    scale = 0.1 if len(shape) == 1 else 1 / math.sqrt(math.prod(shape[1:]))
    numbers: np.ndarray = np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(shape, np.float32)
    numbers *= scale
    return numbers


def _write_json(path: Path, value: dict[str, Any]) -> None:
    """Writes `value` as indented JSON with sorted keys."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
