"""Model families, one module each: what differs between them, such as classes, sizes and how a prompt is encoded."""

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
"""The module of the family for each `model_type` of a checkpoint's configuration."""


def family_of(model_type: str) -> type[Family]:
    """Import the family of a `model_type`.

    Raises:
        ValueError: The `model_type` is unknown. The message names the known ones.
    """
    if model_type not in MODULES:
        raise ValueError(
            f"humansense_omni cannot run a checkpoint of type {model_type!r}; it runs {', '.join(sorted(MODULES))}."
        )
    family: type[Family] = import_module(f".{MODULES[model_type]}", __package__).FAMILY
    return family


def modules_of_others(family: type[Family]) -> frozenset[str]:
    """Find the modules of other families, which have no influence on the answers of this one.

    Args:
        family: The class of a family.

    Returns:
        The paths, relative to `models`, of the modules that define none of the base classes of `family`.
    """
    own = {cls.__module__.rpartition(".")[2] for cls in family.__mro__}
    names = {path.name for path in Path(__file__).parent.glob("*.py") if path.stem not in {"__init__", *own}}
    return frozenset(f"local/families/{name}" for name in names)
