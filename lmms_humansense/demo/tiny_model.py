"""Writes a checkpoint of a few hundred kilobytes, to try the whole pipeline without a download.

Its folder has the layout of the published checkpoints of its family (for Qwen2.5-Omni, weights under `thinker.`, and so
on), so the same loading code runs. Everything that the pipeline depends on is as published. The rest is tiny, and the
weights are random, so its answers mean nothing. Talker and vocoder are left out, because speech is never generated.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .tiny_recipes import RECIPES, Recipe
from .tiny_tokenizer import EOS, write_tokenizer

if TYPE_CHECKING:
    import numpy as np

RECIPE = 3  # raise it if the written files change, here or in the recipes
MARKER = "tiny_model.json"  # written last; names the family, seed and libraries that made the folder, and its files
DEFAULT_FAMILY = "qwen2_5_omni"
LOUDNESS = 3  # the factor by which the rows of tokens that can be an answer are larger than others
# Spectrograms pass three convolutions in a row, and each makes them smaller. Without this gain the positions would hide
# them. Only Qwen3-Omni has these convolutions.
CONVOLUTION_GAIN = 3

Shape = tuple[int, ...]


def write_tiny_model(directory: Path, seed: int = 0, family: str = DEFAULT_FAMILY) -> Path:
    """Writes the checkpoint of a family with its processor. Needs no network.

    The folder appears complete or not at all. A folder that already has this family, recipe and seed is not changed. It
    is written again if it is damaged or was written with other libraries.

    Args:
        directory: The folder to write.
        seed: Chooses the weights; a non-negative integer. The same seed and libraries give the same bytes, with
            transformers 4.57.6, 5.10.4 and 5.23.0 alike.
        family: A key of `RECIPES`.

    Returns:
        `directory`.

    Raises:
        ValueError: `family` is unknown, or `directory` is a file, a folder with files that were not written here, or a
            tiny model of another family, recipe or seed.
    """
    if family not in RECIPES:
        raise ValueError(f"{family!r} is not a family of tiny models; choose one of {', '.join(RECIPES)}.")
    target = Path(directory).resolve()
    versions = {name: version(name) for name in ("numpy", "tokenizers")}
    made_by = {"recipe": RECIPE, "family": family, "seed": seed, "versions": versions}
    if _is_complete(target, made_by):
        return directory
    _refuse_foreign(target)
    _refuse_other(target, made_by)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        staged = Path(scratch, "new")
        staged.mkdir()
        _write_files(staged, seed, RECIPES[family])
        sizes = {path.name: path.stat().st_size for path in sorted(staged.iterdir())}
        _write_json(staged / MARKER, {**made_by, "files": sizes})
        try:
            if target.exists():
                target.replace(Path(scratch, "old"))
            staged.replace(target)
        except OSError:  # another process was faster, which is fine if it wrote the same
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
    """The marker of `folder`; empty if there is none, or one that was not written here."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) and isinstance(marker.get("files"), dict) else {}


def _refuse_foreign(folder: Path) -> None:
    """Raises ValueError if `folder` has files that its marker does not list; absent and empty folders pass."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, not a folder: choose another place for the tiny model.")
    ours = {MARKER, *_read_marker(folder).get("files", {})}
    foreign = sorted({path.name for path in folder.iterdir()} - ours) if folder.exists() else []
    if foreign:
        raise ValueError(
            f"{folder} contains {foreign[0]!r}, which is not part of a tiny model: empty the folder or choose another."
        )


def _refuse_other(folder: Path, made_by: dict[str, Any]) -> None:
    """Raises ValueError if `folder` has a tiny model that is not only made by other libraries than `made_by`."""
    marker = _read_marker(folder)
    names = ("family", "recipe", "seed")
    if marker and any(marker.get(name) != made_by[name] for name in names):
        found = ", ".join(f"{name} {marker.get(name)}" for name in names)
        raise ValueError(
            f"{folder} holds another tiny model ({found}), which is not overwritten: choose another or delete it."
        )


def _write_files(folder: Path, seed: int, recipe: Recipe) -> None:
    """Writes every file but the marker into the empty `folder`."""
    from safetensors.numpy import save_file

    ids = write_tokenizer(folder / "tokenizer.json", recipe.special_tokens)
    for name, settings in recipe.settings(ids).items():
        # The mark is copied into all results, so that their scores are not mistaken for those of a trained model.
        _write_json(folder / name, {**settings, "random_weights": True} if name == "config.json" else settings)
    (folder / "chat_template.jinja").write_text(recipe.chat_template, encoding="utf-8")
    shapes = _published_shapes(folder, recipe)
    weights = {name: _random_weight(name, shape, seed) for name, shape in shapes.items()}
    _choose_answers(next(weights[name] for name in weights if name.endswith("lm_head.weight")), ids, recipe)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _choose_answers(head: np.ndarray, ids: dict[str, int], recipe: Recipe) -> None:
    """Changes `head`, which has one row per token, so that answers look like answers."""
    # Answers are one line of plain ASCII, and they can end: other special tokens and parts of characters are excluded
    # (Ġ stands for a space).
    plain = {token for token in ids if token.replace("Ġ", "").isascii()} - set(recipe.special_tokens) | {EOS}
    head[[number for token, number in ids.items() if token not in plain]] = 0
    # Many answers begin with a letter or a digit, so that not all scores are 0.
    head[[ids[token] for token in (*"ABCDE12345", EOS)]] *= LOUDNESS


def _published_shapes(folder: Path, recipe: Recipe) -> dict[str, Shape]:
    """The name in a published checkpoint and the shape of every parameter of the model that `folder` configures."""
    import torch
    import transformers

    model_class = getattr(transformers, recipe.model_class)
    with torch.device("meta"):  # shapes only: takes no memory and no random numbers
        model = model_class(model_class.config_class.from_pretrained(folder))
    shapes: dict[str, Shape] = {}
    for name, parameter in model.named_parameters():
        for pattern, replacement in recipe.published_names:
            name = re.sub(pattern, replacement, name)
        shapes.update(_one_by_one(name, tuple(parameter.shape)))
    return shapes


def _one_by_one(name: str, shape: Shape) -> dict[str, Shape]:
    """The parameter as published: transformers 5 stacks the experts of a layer, checkpoints do not."""
    prefix, experts, projection = name.rpartition(".mlp.experts.")
    if not experts or projection not in ("gate_up_proj", "down_proj"):
        return {name: shape}
    count, rows, columns = shape
    parts = ("gate_proj", "up_proj") if projection == "gate_up_proj" else ("down_proj",)
    return {
        f"{prefix}{experts}{expert}.{part}.weight": (rows // len(parts), columns)
        for expert in range(count)
        for part in parts
    }


def _random_weight(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A float32 array of `shape`, drawn from `seed` and `name` alone.

    It is ones for a norm, and normal numbers otherwise: with a standard deviation of 0.1 for a bias, else with one that
    keeps the size of a layer's input, or increases it for a two-dimensional convolution.
    """
    import numpy as np

    if len(shape) == 1 and name.endswith("weight"):
        return np.ones(shape, dtype=np.float32)
    gain = CONVOLUTION_GAIN if len(shape) == 4 else 1
    scale = 0.1 if len(shape) == 1 else gain / math.sqrt(math.prod(shape[1:]))
    numbers: np.ndarray = np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(shape, np.float32)
    numbers *= scale
    return numbers


def _write_json(path: Path, value: dict[str, Any]) -> None:
    """Writes `value` as indented JSON with sorted keys."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
