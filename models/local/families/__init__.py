"""What differs between model families: classes, sizes, and how a sample is encoded. One module each."""

from importlib import import_module
from pathlib import Path

from .base import Family

MODULES = {
    "qwen2_5_omni": "qwen2_5_omni",
    "qwen2_5_omni_thinker": "qwen2_5_omni",
    "qwen3_omni_moe": "qwen3_omni_moe",
    "qwen3_omni_moe_thinker": "qwen3_omni_moe",
    "qwen2_audio": "qwen2_audio",
}
"""The `model_type` of a checkpoint's configuration and the module of its family."""


def family_of(model_type: str) -> type[Family]:
    """The family of a `model_type`. Raises ValueError with the known ones for any other."""
    if model_type not in MODULES:
        raise ValueError(
            f"humansense_omni cannot run a checkpoint of type {model_type!r}; it runs {', '.join(sorted(MODULES))}."
        )
    family: type[Family] = import_module(f".{MODULES[model_type]}", __package__).FAMILY
    return family


def modules_of_others(family: Family) -> frozenset[str]:
    """The modules of families that this one does not build on, by their paths in `models`.

    What the others do decides none of its answers.
    """
    own = {one.__module__.rpartition(".")[2] for one in type(family).__mro__}
    names = {path.name for path in Path(__file__).parent.glob("*.py") if path.stem not in {"__init__", *own}}
    return frozenset(f"local/families/{name}" for name in names)
