"""Tiny checkpoints whose attention heads have 32 numbers: vLLM's attention on a CPU knows no smaller ones."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lmms_humansense.demo import tiny_model
from lmms_humansense.demo.tiny_recipes import RECIPES

WIDTH = 64
"""The width of every tower, with two heads each."""

_WIDTHS = ("hidden_size", "d_model", "output_dim", "out_hidden_size")
_SECTIONS = {"qwen2_5_omni": [4, 6, 6], "qwen3_omni_moe": [6, 5, 5]}


def write_wide_model(folder: Path, family: str, seed: int = 0) -> Path:
    """Write a checkpoint of a family into an empty or absent folder.

    Args:
        folder: The folder.
        family: A key of `RECIPES`.
        seed: Chooses the weights.

    Returns:
        `folder`.
    """
    recipe = RECIPES[family]

    def settings(ids: dict[str, int]) -> dict[str, dict[str, Any]]:
        made = recipe.settings(ids)
        return {**made, "config.json": _widened(made["config.json"], family)}

    folder.mkdir(parents=True, exist_ok=True)
    tiny_model._write_files(folder, seed, replace(recipe, settings=settings))
    return folder


def _widened(config: Mapping[str, Any], family: str) -> dict[str, Any]:
    wide: dict[str, Any] = {}
    for name, value in config.items():
        if name in _WIDTHS:
            wide[name] = WIDTH
        elif name == "head_dim":
            wide[name] = WIDTH // 2
        elif name == "mrope_section":
            wide[name] = _SECTIONS[family]
        elif name == "downsample_hidden_size":
            wide[name] = WIDTH // 4
        else:
            wide[name] = _widened(value, family) if isinstance(value, dict) else value
    if config.get("model_type") == "qwen3_omni_moe_vision_encoder":  # vLLM reads them, transformers has defaults
        wide |= {"image_size": 768, "apply_vit_abs_pos_embed": True, "tokens_per_second": 2}
    return wide
