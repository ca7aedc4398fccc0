"""The names of this package's models and tasks in lmms-eval."""

from typing import Any

MODELS = {
    "humansense_omni": "lmms_humansense.models.omni.HumanSenseOmni",
    "humansense_server": "lmms_humansense.models.server.HumanSenseServer",
}
"""Names for `--model`, and the classes behind them."""

TASK_PREFIX = "humansense"
"""The names of all tasks of this package begin with it."""

SAMPLE = "humansense_sample"
"""The group of the embedded sample, whose tasks' names begin with it."""


def is_ours(model: Any) -> bool:
    """Whether a model, given as an object or by its name, is one of this package's."""
    if isinstance(model, str):
        return model in MODELS
    return f"{type(model).__module__}.{type(model).__qualname__}" in MODELS.values()


def name_of(model: Any) -> str:
    """The name for `--model` of a model.

    Args:
        model: A name, or an object.

    Returns:
        The name; "" if lmms-eval has none for the class of the object.
    """
    if isinstance(model, str):
        return model
    path = f"{type(model).__module__}.{type(model).__qualname__}"
    ours = next((name for name, known in MODELS.items() if known == path), None)
    return ours if ours is not None else _registered(path)


def _registered(path: str) -> str:
    from lmms_eval import models

    try:
        registry = models.MODEL_REGISTRY_V2
        manifests = [registry.get_manifest(name) for name in registry.list_canonical_model_ids()]
    except AttributeError:  # a release of lmms-eval with another registry
        return ""
    names = [each.model_id for each in manifests if path in (each.chat_class_path, each.simple_class_path)]
    return names[0] if names else ""
