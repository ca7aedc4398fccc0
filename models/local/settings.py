"""The arguments of `--model humansense_omni`, checked before anything is loaded. Standard library only."""

import inspect
from dataclasses import dataclass
from typing import Any

from ..runtime.arguments import check_arguments, given_of
from ..runtime.settings import RunSettings


@dataclass(frozen=True)
class LocalSettings(RunSettings):
    """What a user may say about a model that is loaded, and about how it is shown things.

    `pretrained` is a folder or a Hub name. `device` is what torch calls it, or "auto"; `device_map` is accelerate's
    ("auto", "balanced", a device) and spreads one model over several GPUs. `dtype`, `attn_implementation` and
    `quantization` ("4bit", "8bit") say how weights are held and attention is computed. `batch_size` is requests per
    call of the model.
    """

    pretrained: str
    device: str = "auto"
    device_map: str | None = None
    dtype: str = "auto"
    attn_implementation: str = "auto"
    quantization: str | None = None
    batch_size: int = 1


NAMES = tuple(inspect.signature(LocalSettings).parameters)


def read_local_settings(arguments: dict[str, Any]) -> LocalSettings:
    """The settings that arguments name; None is the same as not given.

    Raises ValueError, in one sentence that names the argument, for an unknown one (with the nearest known one), a
    value that it does not take, and two that contradict each other.
    """
    given = given_of(arguments)
    checked = check_arguments(given, NAMES, "humansense_omni")
    if not given.get("pretrained"):
        raise ValueError("humansense_omni needs pretrained=, the folder or Hub name of a checkpoint.")
    if "device_map" in checked and checked.get("device", "auto") != "auto":
        raise ValueError("humansense_omni takes device or device_map, not both.")
    return LocalSettings(**checked)
