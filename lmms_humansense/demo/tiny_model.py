"""A checkpoint of a few hundred kilobytes, for trying the whole pipeline without a download.

The folder it writes is laid out like the published checkpoints of its family (Qwen2.5-Omni with weights under
`thinker.`, and so on), so the same loading code runs. What the pipeline can notice is as published; the rest is tiny
and the weights are random: its answers mean nothing. Talker and vocoder are left out, as nothing here speaks.
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

RECIPE = 2  # raise it when what is written changes, here or in the recipes
MARKER = "tiny_model.json"  # written last; says which family, seed and libraries made the folder, and what is in it
DEFAULT_FAMILY = "qwen2_5_omni"
LOUDNESS = 3  # how much louder than other tokens those are that an answer may be
# Images of sound pass three convolutions in a row, each quieter than the last: without it they would say nothing beside
# their positions. Only Qwen3-Omni hears this way.
CONVOLUTION_GAIN = 3

Shape = tuple[int, ...]


def write_tiny_model(directory: Path, seed: int = 0, family: str = DEFAULT_FAMILY) -> Path:
    """Writes the checkpoint of `family` and its processor into `directory`, and returns `directory`.

    `seed` is a non-negative integer that picks the weights; the same seed and libraries give the same bytes
    (transformers 4.57.6, 5.10.4 and 5.23.0 alike). The folder appears complete or not at all. One that already holds
    this family, recipe and seed is left alone; one made here with another of these, or other libraries, is replaced.
    Needs no network.

    Raises ValueError for an unknown `family`, and where `directory` is a file, or a folder that holds anything not
    written here.
    """
    if family not in RECIPES:
        raise ValueError(f"{family!r} is no family of tiny models; there are {', '.join(RECIPES)}.")
    target = Path(directory).resolve()
    versions = {name: version(name) for name in ("numpy", "tokenizers")}
    made_by = {"recipe": RECIPE, "family": family, "seed": seed, "versions": versions}
    if _is_complete(target, made_by):
        return directory
    _refuse_foreign(target)
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


def _write_files(folder: Path, seed: int, recipe: Recipe) -> None:
    """Writes every file but the marker into the empty `folder`."""
    from safetensors.numpy import save_file

    ids = write_tokenizer(folder / "tokenizer.json", recipe.special_tokens)
    for name, settings in recipe.settings(ids).items():
        # The mark stands in every result, so that nobody takes such numbers for a model's.
        _write_json(folder / name, {**settings, "random_weights": True} if name == "config.json" else settings)
    (folder / "chat_template.jinja").write_text(recipe.chat_template, encoding="utf-8")
    shapes = _published_shapes(folder, recipe)
    weights = {name: _random_weight(name, shape, seed) for name, shape in shapes.items()}
    _choose_answers(next(weights[name] for name in weights if name.endswith("lm_head.weight")), ids, recipe)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _choose_answers(head: np.ndarray, ids: dict[str, int], recipe: Recipe) -> None:
    """Changes `head`, which has one row per token, so that answers look like answers."""
    # They are one line of plain ASCII, and may end: no marks, no halves of characters (a space is written Ġ).
    plain = {token for token in ids if token.replace("Ġ", "").isascii()} - set(recipe.special_tokens) | {EOS}
    head[[number for token, number in ids.items() if token not in plain]] = 0
    # Many begin with a letter or a digit, so that scores are those of chance and not all 0.
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
    """The parameter as published: transformers 5 stacks the experts of a layer, checkpoints have them one by one."""
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

    Ones for a norm, a tenth of normal numbers for a bias, else normal numbers that keep the size of a layer's input, or
    raise it in a two-dimensional convolution.
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
