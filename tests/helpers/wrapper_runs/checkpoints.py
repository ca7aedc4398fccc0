"""Tiny checkpoints with random weights, of the families that lmms-eval's wrappers load from transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
TEXT = {**SIZES, "num_key_value_heads": 1, "max_position_embeddings": 65536}
QWEN_EYE = {
    "depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64, "out_hidden_size": 32,
}  # fmt: skip
QWEN_MARKS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
QWEN_PLACES = {kind: f"<|vision_start|><|{kind}_pad|><|vision_end|>" for kind in ("image", "video")}
TURNS = r"""
{%- for message in messages %}{{- "<|im_start|>" ~ message.role ~ "\n" }}
{%- if message.content is string %}{{ message.content }}{% else %}
{%- for part in message.content %}{{- marks.get((part.type or "text"), part.text) }}{%- endfor %}{%- endif %}
{{- "<|im_end|>\n" }}{%- endfor -%}{%- if add_generation_prompt %}{{ "<|im_start|>assistant\n" }}{% endif -%}
"""


def template(places: dict[str, str]) -> str:
    """A chat template; `places` has the placeholder of each kind of medium, others are left out."""
    marks = {"image": "", "video": "", "audio": "", **places}
    return "{%- set marks = " + repr(marks) + " -%}" + TURNS


def tokenizer(folder: Path, special: tuple[str, ...], **named: str) -> tuple[Any, dict[str, int]]:
    """The tokenizer of a checkpoint, and the id of each token."""
    from transformers import PreTrainedTokenizerFast

    from lmms_humansense.demo.tiny_tokenizer import EOS, PAD, write_tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    ids = write_tokenizer(folder / "tokenizer.json", (PAD, "<|im_start|>", EOS, *special))
    made = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), eos_token=EOS, pad_token=PAD, extra_special_tokens=named
    )
    return made, ids


def text_model(ids: dict[str, int], **more: Any) -> dict[str, Any]:
    """The settings of a text model for these tokens."""
    from lmms_humansense.demo.tiny_tokenizer import EOS, PAD

    ends = {"bos_token_id": ids["<|im_start|>"], "eos_token_id": ids[EOS], "pad_token_id": ids[PAD]}
    return {**TEXT, "vocab_size": len(ids), **ends, **more}


def save(folder: Path, model: Any, processor: Any) -> None:
    """Write a model and its processor."""
    model.generation_config.do_sample = False
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _qwen_ids(ids: dict[str, int]) -> dict[str, int]:
    names = ("image_token_id", "<|image_pad|>"), ("video_token_id", "<|video_pad|>")
    marks = ("vision_start_token_id", "<|vision_start|>"), ("vision_end_token_id", "<|vision_end|>")
    return {name: ids[token] for name, token in (*names, *marks)}


def qwen2_vl(folder: Path) -> None:
    import transformers as t

    words, ids = tokenizer(folder, QWEN_MARKS)
    text = text_model(ids, rope_scaling={"mrope_section": [2, 3, 3], "rope_type": "default"})
    config = t.Qwen2VLConfig(text_config=text, vision_config={**QWEN_EYE, "mlp_ratio": 2}, **_qwen_ids(ids))
    pictures, videos = t.Qwen2VLImageProcessor(), t.Qwen2VLVideoProcessor()
    processor = t.Qwen2VLProcessor(pictures, words, videos, chat_template=template(QWEN_PLACES))
    save(folder, t.Qwen2VLForConditionalGeneration(config), processor)


def qwen2_5_vl(folder: Path) -> None:
    import transformers as t

    words, ids = tokenizer(folder, QWEN_MARKS)
    text = text_model(ids, rope_scaling={"mrope_section": [2, 3, 3], "rope_type": "default"})
    eye = {**QWEN_EYE, "fullatt_block_indexes": [1]}
    config = t.Qwen2_5_VLConfig(text_config=text, vision_config=eye, **_qwen_ids(ids))
    pictures, videos = t.Qwen2VLImageProcessor(), t.Qwen2VLVideoProcessor()
    processor = t.Qwen2_5_VLProcessor(pictures, words, videos, chat_template=template(QWEN_PLACES))
    save(folder, t.Qwen2_5_VLForConditionalGeneration(config), processor)


def qwen3_vl(folder: Path) -> None:
    import transformers as t

    words, ids = tokenizer(folder, QWEN_MARKS)
    rope = {"mrope_section": [4, 2, 2], "mrope_interleaved": True, "rope_type": "default"}
    eye = {**QWEN_EYE, "num_position_embeddings": 48 * 48, "deepstack_visual_indexes": [0, 1]}
    del eye["embed_dim"]
    text = text_model(ids, head_dim=16, rope_scaling=rope)
    config = t.Qwen3VLConfig(text_config=text, vision_config=eye, **_qwen_ids(ids))
    pictures, videos = t.Qwen2VLImageProcessor(patch_size=16), t.Qwen3VLVideoProcessor()
    processor = t.Qwen3VLProcessor(pictures, words, videos, chat_template=template(QWEN_PLACES))
    save(folder, t.Qwen3VLForConditionalGeneration(config), processor)


def qwen3_5(folder: Path) -> None:
    import transformers as t

    words, ids = tokenizer(folder, QWEN_MARKS)
    rope = {"mrope_section": [2, 1, 1], "mrope_interleaved": True, "rope_type": "default", "rope_theta": 10000.0}
    heads = {f"linear_{part}": size for part, size in (("num_key_heads", 2), ("num_value_heads", 2),
             ("key_head_dim", 16), ("value_head_dim", 16))}  # fmt: skip
    text = text_model(
        ids, head_dim=16, rope_parameters={**rope, "partial_rotary_factor": 0.5},
        layer_types=["linear_attention", "full_attention"], **heads,
    )  # fmt: skip
    eye = {**QWEN_EYE, "num_position_embeddings": 48 * 48, "deepstack_visual_indexes": []}
    del eye["embed_dim"]
    config = t.Qwen3_5Config(text_config=text, vision_config=eye, **_qwen_ids(ids))
    pictures, videos = t.Qwen2VLImageProcessor(patch_size=16), t.Qwen3VLVideoProcessor()
    processor = t.Qwen3VLProcessor(pictures, words, videos, chat_template=template(QWEN_PLACES))
    save(folder, t.Qwen3_5ForConditionalGeneration(config), processor)


def audio_flamingo(folder: Path) -> None:
    import transformers as t

    words, ids = tokenizer(folder, ("<sound>",))
    ear = {**SIZES, "num_mel_bins": 128, "max_source_positions": 1500}
    config = t.AudioFlamingo3Config(
        audio_config=ear, text_config=text_model(ids, model_type="qwen2"), audio_token_id=ids["<sound>"]
    )
    processor = t.AudioFlamingo3Processor(
        t.WhisperFeatureExtractor(feature_size=128, return_attention_mask=True), words,
        chat_template=template({"audio": "<sound>"}),
    )  # fmt: skip
    save(folder, t.AudioFlamingo3ForConditionalGeneration(config), processor)


def internvl(folder: Path) -> None:
    import transformers as t

    named = {
        "start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }  # fmt: skip
    words, ids = tokenizer(folder, (*named.values(), "<image>"), **named)
    eye = {**SIZES, "image_size": [448, 448], "patch_size": [14, 14]}
    text = text_model(ids, model_type="qwen2")
    config = t.InternVLConfig(vision_config=eye, text_config=text, image_token_id=ids["<IMG_CONTEXT>"])
    tile = {"height": 448, "width": 448}
    pictures, videos = t.GotOcr2ImageProcessor(size=tile), t.InternVLVideoProcessor(size=tile)
    places = template({"image": "<IMG_CONTEXT>\n", "video": "<video>\n"})
    processor = t.InternVLProcessor(pictures, words, videos, image_seq_length=256, chat_template=places)
    save(folder, t.InternVLForConditionalGeneration(config), processor)


def llava_onevision(folder: Path) -> None:
    import transformers as t

    words, ids = tokenizer(folder, ("<image>", "<video>"))
    eye = {**SIZES, "model_type": "siglip_vision_model", "image_size": 384, "patch_size": 14, "vision_use_head": False}
    config = t.LlavaOnevisionConfig(
        vision_config=eye, text_config=text_model(ids, model_type="qwen2"), vision_feature_layer=-1,
        image_token_id=ids["<image>"], video_token_id=ids["<video>"], vision_feature_select_strategy="full",
    )  # fmt: skip
    processor = t.LlavaOnevisionProcessor(
        t.LlavaOnevisionImageProcessor(), words, t.LlavaOnevisionVideoProcessor(), num_image_tokens=729,
        vision_feature_select_strategy="full", chat_template=template({"image": "<image>\n", "video": "<video>\n"}),
    )  # fmt: skip
    save(folder, t.LlavaOnevisionForConditionalGeneration(config), processor)


def video_salmonn(folder: Path) -> None:
    """An adapter for Qwen2.5-VL."""
    import peft
    import transformers as t

    root = folder.parent.parent
    base = t.Qwen2_5_VLForConditionalGeneration.from_pretrained(checkpoint(root, QWEN2_5_VL))
    peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(str(folder))
    t.AutoProcessor.from_pretrained(root / QWEN2_5_VL).save_pretrained(folder)


def qwen2_5_omni(folder: Path) -> None:
    import torch

    _tiny("qwen2_5_omni")(folder)
    torch.save(
        {"Chelsie": {}}, folder / "spk_dict.pt"
    )  # the whole class looks for its voices, also where it does not speak


def _stand_in(model: str, processor: str | None = None) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        from . import remote_code

        remote_code.write(folder, model, processor)

    return write


def _nothing(folder: Path) -> None:
    folder.mkdir(parents=True)


def _tiny(family: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        from lmms_humansense.demo.tiny_model import write_tiny_model

        write_tiny_model(folder, family=family)

    return write


QWEN2_5_VL = "Qwen/Qwen2.5-VL-7B-Instruct"

FAMILIES: dict[str, Callable[[Path], None]] = {
    "Qwen/Qwen2-VL-7B-Instruct": qwen2_vl,
    QWEN2_5_VL: qwen2_5_vl,
    "Qwen/Qwen3-VL-8B-Instruct": qwen3_vl,
    "Qwen/Qwen3.5-9B": qwen3_5,
    "nvidia/audio-flamingo-3-hf": audio_flamingo,
    "OpenGVLab/InternVL3-8B-hf": internvl,
    "llava-hf/llava-onevision-qwen2-7b-ov-hf": llava_onevision,
    "tsinghua-ee/video-SALMONN-2_plus_7B": video_salmonn,
    "Qwen/Qwen2-Audio-7B-Instruct": _tiny("qwen2_audio"),
    "Qwen/Qwen2.5-Omni-7B": qwen2_5_omni,
    "Qwen/Qwen3-Omni-30B-A3B-Instruct": _tiny("qwen3_omni_moe"),
    "OpenGVLab/InternVL3-8B": _stand_in("InternVL"),
    "OpenGVLab/InternVL3_5-8B": _stand_in("InternVL"),
    "OpenGVLab/InternVL2-8B": _stand_in("InternVL"),
    "moonshotai/Kimi-Audio-7B-Instruct": _nothing,
    "openbmb/MiniCPM-o-2_6": _stand_in("MiniCPMO"),
    "microsoft/Phi-4-multimodal-instruct": _stand_in("Generating", "Phi4Processor"),
    "DAMO-NLP-SG/VideoLLaMA3-7B": _stand_in("Generating", "VideoLLaMA3Processor"),
}
"""Writers by the published name: the folder has this name too, so that wrappers find it where they run."""


def checkpoint(root: Path, name: str) -> Path:
    """Write the checkpoint of a published name below `root`, once."""
    import torch

    folder = root / name
    if not folder.exists():
        torch.manual_seed(0)
        FAMILIES[name](folder)
    return folder
