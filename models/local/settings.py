"""The arguments of `--model humansense_omni`, checked before anything is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import PositiveInt

from ..runtime.arguments import read_settings
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
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    attn_implementation: str = "auto"
    quantization: Literal["4bit", "8bit"] | None = None
    batch_size: PositiveInt = 1


def read_local_settings(arguments: Mapping[str, Any]) -> LocalSettings:
    """Read the arguments of `humansense_omni`; None is the same as no value.

    Raises:
        ValueError: See `read_settings`.
    """
    needed = {"pretrained": "the folder or Hub name of a checkpoint"}
    settings = read_settings(LocalSettings, arguments, needed, "humansense_omni")
    if settings.device_map is not None and settings.device != "auto":
        raise ValueError("humansense_omni takes device or device_map, not both.")
    return settings
