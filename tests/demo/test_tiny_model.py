"""The tiny checkpoints: they load like published ones, answer every kind of prompt, and are the same every time."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors import safe_open
from transformers import AutoConfig, AutoProcessor, Qwen2_5OmniProcessor, Qwen2_5OmniThinkerForConditionalGeneration
from typer.testing import CliRunner

from lmms_humansense import cli
from lmms_humansense.demo import tiny_model
from lmms_humansense.demo.tiny_model import write_tiny_model
from lmms_humansense.demo.tiny_recipes import RECIPES

SPECIAL_TOKENS = RECIPES["qwen2_5_omni"].special_tokens
SYSTEM = "You are Qwen."
QUESTION = "Question: who speaks?\n"
FRAMES = {"do_sample_frames": False, "size": {"shortest_edge": 4 * 28 * 28, "longest_edge": 768 * 28 * 28}}


class Tiny(NamedTuple):
    folder: Path
    model: Any
    loading: dict[str, Any]
    processor: Any


@pytest.fixture(scope="module", autouse=True)
def no_network() -> Iterator[None]:
    """Neither the hub's client nor anything else may look for the network."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError(f"tried to reach {args}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setattr(socket.socket, "connect", refuse)
        yield


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = write_tiny_model(tmp_path_factory.mktemp("tiny") / "model")
    thinker = Qwen2_5OmniThinkerForConditionalGeneration
    model, loading = thinker.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    return Tiny(folder, model.eval(), loading, Qwen2_5OmniProcessor.from_pretrained(folder))


def video(shade: int = 0) -> torch.Tensor:
    """4 frames of 84 x 56 noise: 2 steps in time, 3 x 2 tokens each."""
    noise = np.random.default_rng(shade).integers(0, 256, (4, 3, 56, 84), dtype=np.uint8)
    return torch.from_numpy(noise)


def image(shade: int = 0) -> Image.Image:
    return Image.fromarray(video(shade)[0].permute(1, 2, 0).numpy())


def sound(hertz: int = 200) -> np.ndarray:
    """3 s of a tone at 16 kHz: 75 tokens."""
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(48000) / 16000)).astype(np.float32)


# What is shown, and whether the sound is that of the video.
SHOWN: dict[str, tuple[dict[str, Any], bool]] = {
    "silent video": ({"video": [video()]}, False),
    "video with its sound": ({"video": [video()], "audio": [sound()]}, True),
    "audio": ({"audio": [sound()]}, False),
    "image": ({"image": [image()]}, False),
    "text": ({}, False),
}


def encode(processor: Any, media: dict[str, Any], its_sound: bool, **arguments: Any) -> Any:
    kinds = [kind for kind in media if not (its_sound and kind == "audio")]
    content = [*({"type": kind} for kind in kinds), {"type": "text", "text": QUESTION}]
    system = {"role": "system", "content": [{"type": "text", "text": SYSTEM}]}
    prompt = processor.apply_chat_template(
        [system, {"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    names = {"image": "images", "video": "videos", "audio": "audio"}
    arguments.update({names[kind]: shown for kind, shown in media.items()})
    if "video" in media:
        arguments.update(FRAMES)
    if its_sound and hasattr(Qwen2_5OmniProcessor, "load_audio_from_video"):  # transformers 5.23 and later
        arguments.update(load_audio_from_video=True, audio_from_video_indices=[0])
    elif its_sound:
        arguments.update(use_audio_in_video=True)
    return processor(text=[prompt], return_tensors="pt", padding=True, **arguments)


def generate(tiny: Tiny, media: dict[str, Any], its_sound: bool, **more: Any) -> Any:
    tokenizer = tiny.processor.tokenizer
    return tiny.model.generate(
        **encode(tiny.processor, media, its_sound),
        use_audio_in_video=its_sound,
        do_sample=False,
        max_new_tokens=4,
        eos_token_id=tokenizer.eos_token_id,  # the thinker alone does not know its end of sequence
        pad_token_id=tokenizer.pad_token_id,
        **more,
    )


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_is_tiny_and_loads_like_a_published_checkpoint(tiny: Tiny) -> None:
    assert sum(parameter.numel() for parameter in tiny.model.parameters()) < 1_000_000
    assert not any(tiny.loading[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert AutoConfig.from_pretrained(tiny.folder).model_type == "qwen2_5_omni"
    assert isinstance(AutoProcessor.from_pretrained(tiny.folder), Qwen2_5OmniProcessor)


@pytest.mark.parametrize("family", list(RECIPES))
def test_heads_have_32_numbers(family: str, tmp_path: Path) -> None:
    """The smallest heads that vLLM takes on a CPU."""
    folder = write_tiny_model(tmp_path / "model", family=family)
    config = json.loads((folder / "config.json").read_text())
    config = config.get("thinker_config", config)
    text, audio = config["text_config"], config["audio_config"]
    assert text["hidden_size"] // text["num_attention_heads"] == 32
    assert audio["d_model"] // audio["encoder_attention_heads"] == 32
    if "vision_config" in config:
        vision = config["vision_config"]
        assert vision["hidden_size"] // vision["num_heads"] == 32
        assert 2 * sum(text["rope_scaling"]["mrope_section"]) == 32


def test_generation_is_greedy_and_names_no_end(tiny: Tiny) -> None:
    settings = tiny.model.generation_config
    assert not settings.do_sample
    assert settings.eos_token_id is None


def test_keeps_the_published_geometry(tiny: Tiny) -> None:
    config, processor = tiny.model.config, tiny.processor
    vision = config.vision_config
    assert (vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size) == (14, 2, 2)
    assert (config.position_id_per_seconds, config.seconds_per_chunk) == (25, 2)
    assert config.audio_config.num_mel_bins == 128
    for pictures in (processor.image_processor, processor.video_processor):
        assert (pictures.patch_size, pictures.merge_size, pictures.temporal_patch_size) == (14, 2, 2)
    extractor = processor.feature_extractor
    assert (extractor.feature_size, extractor.sampling_rate, extractor.n_samples) == (128, 16000, 300 * 16000)


def test_tokenizer_and_config_agree_on_the_special_tokens(tiny: Tiny) -> None:
    config, tokenizer = tiny.model.config, tiny.processor.tokenizer
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    assert sorted(ids.values()) == list(ids.values()) == list(range(len(tokenizer) - len(ids), len(tokenizer)))
    assert config.text_config.vocab_size == len(tokenizer)
    assert config.image_token_id == ids["<|IMAGE|>"] == tokenizer.image_token_id
    assert config.audio_token_id == ids["<|AUDIO|>"] == tokenizer.audio_token_id
    assert config.video_token_id == ids["<|VIDEO|>"] == tokenizer.video_token_id
    assert (config.vision_start_token_id, config.vision_end_token_id) == (ids["<|vision_bos|>"], ids["<|vision_eos|>"])
    assert (config.audio_start_token_id, config.audio_end_token_id) == (ids["<|audio_bos|>"], ids["<|audio_eos|>"])
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")


@pytest.mark.parametrize(
    "text", ["Which one?\n\nOptions:\nA. \t yes", "你好，世界！", "😀👩‍👩‍👧 café\n", "a" * 300, ""]
)
def test_text_round_trips(tiny: Tiny, text: str) -> None:
    tokenizer = tiny.processor.tokenizer
    ids = tokenizer(text).input_ids
    assert tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) == text


def test_special_tokens_are_one_token_each_and_can_be_skipped(tiny: Tiny) -> None:
    tokenizer = tiny.processor.tokenizer
    ids = tokenizer("".join(SPECIAL_TOKENS)).input_ids
    assert ids == tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS))
    assert tokenizer.decode(ids, skip_special_tokens=True) == ""


def test_chat_template_renders_exactly(tiny: Tiny) -> None:
    content = [{"type": "video", "video": "clip.mp4"}, {"type": "text", "text": "\nWho is it?\n"}]
    messages = [
        {"role": "system", "content": [{"type": "text", "text": SYSTEM}]},
        {"role": "user", "content": content},
    ]
    assert tiny.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) == (
        "<|im_start|>system\nYou are Qwen.<|im_end|>\n"
        "<|im_start|>user\n<|vision_bos|><|VIDEO|><|vision_eos|>\nWho is it?\n<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_chat_template_adds_a_system_message_and_takes_every_kind_of_content(tiny: Tiny) -> None:
    content = [
        *({"type": "image"}, {"type": "image_url", "image_url": "a.png"}, {"type": "audio"}, {"type": "video"}),
        {"text": "  both  "},
    ]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "A\n"}]
    assert tiny.processor.tokenizer.apply_chat_template(messages, tokenize=False) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n<|vision_bos|><|IMAGE|><|vision_eos|><|vision_bos|><|IMAGE|><|vision_eos|>"
        "<|audio_bos|><|AUDIO|><|audio_eos|><|vision_bos|><|VIDEO|><|vision_eos|>  both  <|im_end|>\n"
        "<|im_start|>assistant\nA\n<|im_end|>\n"
    )


@pytest.mark.parametrize(
    ("shown", "counts"),
    [
        ("silent video", {"<|VIDEO|>": 12}),
        ("video with its sound", {"<|VIDEO|>": 12, "<|AUDIO|>": 75}),
        ("audio", {"<|AUDIO|>": 75}),
        ("image", {"<|IMAGE|>": 6}),
        ("text", {}),
    ],
)
def test_processor_places_the_media(tiny: Tiny, shown: str, counts: dict[str, int]) -> None:
    ids = encode(tiny.processor, *SHOWN[shown])["input_ids"][0].tolist()
    tokenizer = tiny.processor.tokenizer
    found = {token: ids.count(tokenizer.convert_tokens_to_ids(token)) for token in SPECIAL_TOKENS}
    assert {token: found[token] for token in ("<|VIDEO|>", "<|AUDIO|>", "<|IMAGE|>") if found[token]} == counts


def test_processor_interleaves_a_video_with_its_sound(tiny: Tiny) -> None:
    ids = encode(tiny.processor, *SHOWN["video with its sound"], fps=1.0)["input_ids"][0]
    # A step of two frames takes 2 s, as long as a chunk: each chunk has one step, then the sound of its time.
    middle = "<|VIDEO|>" * 6 + "<|AUDIO|>" * 50 + "<|VIDEO|>" * 6 + "<|AUDIO|>" * 25
    marked = f"<|vision_bos|><|audio_bos|>{middle}<|audio_eos|><|vision_eos|>"
    assert marked in tiny.processor.tokenizer.decode(ids)


@pytest.mark.parametrize("shown", SHOWN)
def test_generates_the_same_plain_text_twice(tiny: Tiny, shown: str) -> None:
    first, second = (generate(tiny, *SHOWN[shown])[0].tolist() for _ in range(2))
    assert first == second
    answer = first[encode(tiny.processor, *SHOWN[shown])["input_ids"].shape[1] :]
    assert 1 <= len(answer) <= 4
    text = tiny.processor.tokenizer.decode(answer, skip_special_tokens=True)
    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize(
    ("shown", "other"),
    [
        ("silent video", {"video": [video(1)]}),
        ("video with its sound", {"video": [video()], "audio": [sound(3000)]}),
        ("video with its sound", {"video": [video(1)], "audio": [sound()]}),
        ("audio", {"audio": [sound(3000)]}),
        ("image", {"image": [image(1)]}),
    ],
)
def test_answers_depend_on_what_is_shown(tiny: Tiny, shown: str, other: dict[str, Any]) -> None:
    media, its_sound = SHOWN[shown]
    outputs = (generate(tiny, m, its_sound, output_logits=True, return_dict_in_generate=True) for m in (media, other))
    first, second = (output.logits[0] for output in outputs)
    assert (first - second).abs().max() > 0.01


def test_same_seed_same_files_other_seed_other_weights(tiny: Tiny, tmp_path: Path) -> None:
    assert hashes(write_tiny_model(tmp_path / "again")) == hashes(tiny.folder)
    other = hashes(write_tiny_model(tmp_path / "other", seed=1))
    assert {name for name, value in hashes(tiny.folder).items() if other[name] != value} == {
        "model.safetensors",
        tiny_model.MARKER,
    }


def test_leaves_random_numbers_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    write_tiny_model(tmp_path / "model")
    assert torch.equal(torch.get_rng_state(), before)


def test_leaves_a_complete_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_model(tmp_path / "model")
    monkeypatch.setattr(tiny_model, "_write_files", None)
    assert write_tiny_model(tmp_path / "model") == tmp_path / "model"


@pytest.mark.parametrize(
    ("made", "named"),
    [({"seed": 1}, "seed 1"), ({"family": "qwen2_audio"}, "family qwen2_audio")],
    ids=["another seed", "another family"],
)
def test_refuses_to_overwrite_another_tiny_model(tmp_path: Path, made: dict[str, Any], named: str) -> None:
    folder = write_tiny_model(tmp_path / "model", **made)
    before = hashes(folder)
    with pytest.raises(ValueError, match=rf"{named}.*not overwritten: choose another or delete it"):
        write_tiny_model(folder)
    assert hashes(folder) == before


def test_refuses_to_overwrite_a_tiny_model_of_another_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_tiny_model(tmp_path / "model")
    monkeypatch.setattr(tiny_model, "RECIPE", tiny_model.RECIPE + 1)
    with pytest.raises(ValueError, match=rf"recipe {tiny_model.RECIPE - 1}, seed 0\), which is not overwritten"):
        write_tiny_model(folder)


def test_repairs_what_it_made_itself(tiny: Tiny, tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"cut short")
    (folder / "config.json").unlink()
    write_tiny_model(folder)
    assert hashes(folder) == hashes(tiny.folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_writes_again_what_other_libraries_wrote(tiny: Tiny, tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "model")
    marker = json.loads((folder / tiny_model.MARKER).read_text())
    (folder / tiny_model.MARKER).write_text(json.dumps({**marker, "versions": {"numpy": "1.0"}}))
    write_tiny_model(folder)
    assert hashes(folder) == hashes(tiny.folder)


def test_fills_an_empty_folder_and_makes_parents(tmp_path: Path) -> None:
    assert (write_tiny_model(tmp_path) / "config.json").is_file()
    assert (write_tiny_model(tmp_path.with_name(tmp_path.name + "-deep") / "a" / "b") / "config.json").is_file()


@pytest.mark.parametrize("marker", ["", "[]", json.dumps({"recipe": 1})])
def test_refuses_a_foreign_folder(tmp_path: Path, marker: str) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / tiny_model.MARKER).write_text(marker)
    with pytest.raises(ValueError, match=r"contains 'thesis\.tex', which is not part of a tiny model"):
        write_tiny_model(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_refuses_to_replace_a_folder_that_something_was_added_to(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "model")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"notes\.txt"):
        write_tiny_model(folder, seed=1)


def test_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("not a folder")
    with pytest.raises(ValueError, match="is a file, not a folder"):
        write_tiny_model(tmp_path / "model")


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        write_tiny_model(tmp_path / "model", seed=-1)
    assert list(tmp_path.iterdir()) == []


def test_another_process_may_be_faster(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.replace

    def be_late(self: Path, target: Path) -> Path:
        if self.name == "new":
            shutil.copytree(tiny.folder, target)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", be_late)
    assert hashes(write_tiny_model(tmp_path / "model")) == hashes(tiny.folder)


class Other(NamedTuple):
    """A family other than the first, and how it differs."""

    fixture: str
    model: str
    processor: str
    sound: str  # the token for sound, and how many there are in a second
    sounds: int
    names: tuple[str, ...]  # some weights of a published checkpoint


OTHERS = {
    "qwen3_omni_moe": Other(
        "tiny_qwen3",
        "Qwen3OmniMoeThinkerForConditionalGeneration",
        "Qwen3OmniMoeProcessor",
        "<|audio_pad|>",
        13,
        (
            "thinker.audio_tower.conv2d1.weight",
            "thinker.visual.merger_list.1.mlp.2.weight",
            "thinker.model.layers.1.mlp.gate.weight",
            *(f"thinker.model.layers.0.mlp.experts.3.{part}_proj.weight" for part in ("gate", "up", "down")),
            "thinker.lm_head.weight",
        ),
    ),
    "qwen2_audio": Other(
        "tiny_qwen2_audio",
        "Qwen2AudioForConditionalGeneration",
        "Qwen2AudioProcessor",
        "<|AUDIO|>",
        25,
        (
            "audio_tower.embed_positions.weight",
            "multi_modal_projector.linear.weight",
            "language_model.model.layers.1.self_attn.q_proj.bias",
            "language_model.lm_head.weight",
        ),
    ),
}


@pytest.fixture(scope="module", params=OTHERS)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def other(family: str, request: pytest.FixtureRequest) -> Tiny:
    folder = request.getfixturevalue(OTHERS[family].fixture)
    model_class, processor = (getattr(transformers, name) for name in OTHERS[family][1:3])
    model, loading = model_class.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    return Tiny(folder, model.eval(), loading, processor.from_pretrained(folder))


def tone(hertz: int = 200) -> np.ndarray:
    return sound(hertz)[:16000]


def frames() -> torch.Tensor:
    """4 frames of 64 x 64 noise: 2 steps in time, 2 x 2 tokens each."""
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 64, 64), dtype=np.uint8))


def answer(tiny: Tiny, **media: Any) -> tuple[Any, Any]:
    """The ids of a prompt with `media` in it, and what generate returns."""
    shown = [{"type": {"audio": "audio", "videos": "video"}[kind]} for kind in media]
    messages = [{"role": "user", "content": [*shown, {"type": "text", "text": QUESTION}]}]
    prompt = tiny.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    small = {"do_sample_frames": False, "size": {"shortest_edge": 4 * 32 * 32, "longest_edge": 768 * 32 * 32}}
    inputs = tiny.processor(
        text=[prompt], return_tensors="pt", padding=True, **media, **(small if "videos" in media else {})
    )
    tokenizer = tiny.processor.tokenizer
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    output = tiny.model.generate(
        **inputs, do_sample=False, max_new_tokens=4, output_logits=True, return_dict_in_generate=True, **ends
    )
    return inputs["input_ids"][0], output


def check_answer(tiny: Tiny, ids: Any, output: Any, counts: dict[str, int]) -> None:
    """The prompt holds `counts` of the media's tokens; the answer is a short line of plain text."""
    tokenizer = tiny.processor.tokenizer
    assert {token: ids.tolist().count(tokenizer.convert_tokens_to_ids(token)) for token in counts} == counts
    new = output.sequences[0, len(ids) :]
    assert 1 <= len(new) <= 4
    text = tokenizer.decode(new, skip_special_tokens=True)
    assert text.isascii()
    assert text.isprintable()


def test_other_families_are_tiny_and_load_completely(other: Tiny, family: str) -> None:
    assert sum(parameter.numel() for parameter in other.model.parameters()) < 1_000_000
    assert not any(other.loading[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert AutoConfig.from_pretrained(other.folder).model_type == family
    assert type(AutoProcessor.from_pretrained(other.folder)).__name__ == OTHERS[family].processor


def test_other_families_name_their_weights_as_published(other: Tiny, family: str) -> None:
    with safe_open(other.folder / "model.safetensors", "np") as weights:
        names = set(weights.keys())
    assert set(OTHERS[family].names) <= names
    assert not any("gate_up_proj" in name or name.startswith(("model.", "lm_head.")) for name in names)


def test_other_families_same_seed_same_files_other_seed_other_weights(other: Tiny, family: str, tmp_path: Path) -> None:
    assert hashes(write_tiny_model(tmp_path / "again", family=family)) == hashes(other.folder)
    reseeded = hashes(write_tiny_model(tmp_path / "other", 1, family))
    changed = {name for name, value in hashes(other.folder).items() if reseeded[name] != value}
    assert changed == {"model.safetensors", tiny_model.MARKER}


def test_other_families_have_a_window_of_30_seconds(other: Tiny) -> None:
    extractor = other.processor.feature_extractor
    assert (extractor.feature_size, extractor.sampling_rate) == (128, 16000)
    assert (extractor.n_samples, extractor.nb_max_frames) == (480000, 3000)


def test_other_families_hear(other: Tiny, family: str) -> None:
    ids, output = answer(other, audio=[tone()])
    check_answer(other, ids, output, {OTHERS[family].sound: OTHERS[family].sounds})
    _, again = answer(other, audio=[tone()])
    assert torch.equal(output.sequences, again.sequences)
    _, different = answer(other, audio=[tone(3000)])
    assert (output.logits[0] - different.logits[0]).abs().max() > 0.01


@pytest.mark.parametrize("family", ["qwen3_omni_moe"], indirect=True)
def test_qwen3_omni_sees(other: Tiny) -> None:
    ids, output = answer(other, videos=[frames()], audio=[tone()])
    check_answer(other, ids, output, {"<|video_pad|>": 8, "<|audio_pad|>": 13})
    _, different = answer(other, videos=[255 - frames()], audio=[tone()])
    assert (output.logits[0] - different.logits[0]).abs().max() > 0.01


@pytest.mark.parametrize("family", ["qwen3_omni_moe"], indirect=True)
def test_qwen3_omni_keeps_the_published_geometry(other: Tiny) -> None:
    config, processor = other.model.config, other.processor
    vision, audio, tokenizer = config.vision_config, config.audio_config, processor.tokenizer
    assert (vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size) == (16, 2, 2)
    assert (config.position_id_per_seconds, config.seconds_per_chunk) == (13, 2)
    assert (audio.num_mel_bins, audio.n_window, audio.n_window_infer) == (128, 50, 800)
    for pictures in (processor.image_processor, processor.video_processor):
        assert (pictures.patch_size, pictures.merge_size, pictures.temporal_patch_size) == (16, 2, 2)
        assert list(pictures.image_mean) == list(pictures.image_std) == [0.5, 0.5, 0.5]
    for kind in ("image", "audio", "video"):
        token = tokenizer.convert_tokens_to_ids(f"<|{kind}_pad|>")
        assert getattr(config, f"{kind}_token_id") == getattr(tokenizer, f"{kind}_token_id") == token


@pytest.mark.parametrize("family", ["qwen3_omni_moe"], indirect=True)
def test_qwen3_omni_template_adds_no_system_message(other: Tiny) -> None:
    content = [{"type": "image"}, {"type": "audio"}, {"type": "video"}, {"type": "text", "text": "Who?"}]
    messages = [{"role": "user", "content": content}]
    assert other.processor.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) == (
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|><|audio_start|><|audio_pad|><|audio_end|>"
        "<|vision_start|><|video_pad|><|vision_end|>Who?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("family", ["qwen2_audio"], indirect=True)
@pytest.mark.parametrize("system", [True, False])
def test_qwen2_audio_template_says_what_the_published_one_says(other: Tiny, system: bool) -> None:
    content = [{"type": "audio", "audio_url": "a.wav"}, {"type": "text", "text": "Who?"}, {"type": "audio"}]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "A"}]
    messages = [*([{"role": "system", "content": SYSTEM}] if system else []), *messages]
    rendered = other.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered == (
        f"<|im_start|>system\n{SYSTEM if system else 'You are a helpful assistant.'}<|im_end|>\n"
        "<|im_start|>user\nAudio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\nWho?"
        "Audio 2: <|audio_bos|><|AUDIO|><|audio_eos|>\n<|im_end|>\n"
        "<|im_start|>assistant\nA<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    # As the class says it where a checkpoint brings no template.
    published = other.processor.default_chat_template
    again = other.processor.apply_chat_template(
        messages, chat_template=published, tokenize=False, add_generation_prompt=True
    )
    assert rendered == again


@pytest.mark.parametrize("family", ["qwen2_audio"], indirect=True)
def test_qwen2_audio_keeps_the_published_settings(other: Tiny) -> None:
    config, tokenizer = other.model.config, other.processor.tokenizer
    assert (config.audio_config.num_mel_bins, config.audio_config.max_source_positions) == (128, 1500)
    assert (config.text_config.model_type, config.text_config.max_position_embeddings) == ("qwen2", 8192)
    assert config.audio_token_index == tokenizer.convert_tokens_to_ids("<|AUDIO|>")
    assert other.model.generation_config.eos_token_id == [tokenizer.pad_token_id, tokenizer.eos_token_id]


def test_refuses_an_unknown_family(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'gpt' is not a family .* qwen2_5_omni, qwen3_omni_moe, qwen2_audio"):
        write_tiny_model(tmp_path / "model", family="gpt")
    assert list(tmp_path.iterdir()) == []


def test_the_command_takes_a_family(tmp_path: Path) -> None:
    folder = str(tmp_path / "model")
    result = CliRunner().invoke(cli.app, ["tiny-model", folder, "--family", "qwen2_audio"])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "model" / "config.json").read_text())["model_type"] == "qwen2_audio"
    refused = CliRunner().invoke(cli.app, ["tiny-model", folder, "--family", "gpt"])
    assert refused.exit_code == 2
    assert "qwen3_omni_moe" in refused.output


def test_importing_the_module_loads_nothing_heavy() -> None:
    check = (
        "import sys, lmms_humansense.demo.tiny_model; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout == "[]\n"
