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
