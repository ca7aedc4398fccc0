"""How a checkpoint is loaded, and what distinguishes it from others."""

import json
from pathlib import Path

import pytest
import torch

from lmms_humansense.models.local import loading
from lmms_humansense.models.local.settings import LocalSettings


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2_5_omni"}))
    return tmp_path


def test_automatic_values_on_a_cpu(checkpoint: Path) -> None:
    plan = loading.plan(LocalSettings(str(checkpoint), device="cpu"))
    assert plan.model_type == "qwen2_5_omni"
    assert plan.arguments == {
        "dtype": torch.float32,
        "attn_implementation": "sdpa",
        "device_map": {"": torch.device("cpu")},
    }


def test_number_formats_and_attention_are_taken_as_given(checkpoint: Path) -> None:
    settings = LocalSettings(str(checkpoint), device="cpu", dtype="bfloat16", attn_implementation="eager")
    arguments = loading.plan(settings).arguments
    assert (arguments["dtype"], arguments["attn_implementation"]) == (torch.bfloat16, "eager")


def test_a_device_map_is_passed_on_but_not_to_several_processes(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = LocalSettings(str(checkpoint), device_map="auto")
    assert loading.plan(settings).arguments["device_map"] == "auto"
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="device_map=auto spreads one model over several GPUs"):
        loading.plan(settings)


def test_quantisation_needs_its_package(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = LocalSettings(str(checkpoint), device="cpu", quantization="8bit")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="quantization=8bit needs the package bitsandbytes: pip install bitsandbytes"):
        loading.plan(settings)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert loading.plan(settings).arguments["quantization_config"].load_in_8bit


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "is not a checkpoint"),
        ("{", "is not a checkpoint that can be read"),
        ("{}", "is not a checkpoint: it has no config.json that names a model_type"),
    ],
)
def test_an_unreadable_checkpoint_is_refused(content: str | None, sentence: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=f"pretrained={tmp_path} {sentence}"):
        loading.plan(LocalSettings(str(tmp_path)))


def test_the_fingerprint_depends_on_the_content_and_not_on_the_path(checkpoint: Path, tmp_path: Path) -> None:
    weights = bytes(range(256)) * 8192
    (checkpoint / "model.safetensors").write_bytes(weights)
    first = loading.fingerprint(checkpoint)
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in checkpoint.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    assert loading.fingerprint(copy) == first
    (copy / "model.safetensors").write_bytes(bytes([1]) + weights[1:])
    assert loading.fingerprint(copy) != first
    (copy / "model.safetensors").write_bytes(weights[:-1] + bytes([1]))
    assert loading.fingerprint(copy) != first
    (copy / "model.safetensors").write_bytes(weights)
    (copy / "config.json").write_text("{}")
    assert loading.fingerprint(copy) != first
