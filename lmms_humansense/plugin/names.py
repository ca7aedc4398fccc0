"""The names of this package's models and tasks in lmms-eval."""

from typing import Any

MODELS = {
    "humansense_omni": "lmms_humansense.models.omni.HumanSenseOmni",
    "humansense_server": "lmms_humansense.models.server.HumanSenseServer",
}
"""Names for `--model` and the classes behind them."""

TASK_PREFIX = "humansense"
"""What the names of this package's tasks begin with."""


def is_ours(model: Any) -> bool:
    """Whether a model, or the name of one, is this package's."""
    if isinstance(model, str):
        return model in MODELS
    return f"{type(model).__module__}.{type(model).__qualname__}" in MODELS.values()
