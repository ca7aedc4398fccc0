"""The arguments of `--model humansense_omni`. They are checked before a checkpoint is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import PositiveInt

from ..runtime.arguments import read_settings
from ..runtime.settings import RunSettings


@dataclass(frozen=True)
class CheckpointSettings(RunSettings):
    """The arguments of every model whose checkpoint is loaded on this machine.

    Attributes:
        pretrained: The folder or the Hub name of the checkpoint.
    """

    pretrained: str


@dataclass(frozen=True)
class LocalSettings(CheckpointSettings):
    """The arguments of a local model.

    Attributes:
        device: A device as torch names it (`cuda:1`), or "auto": a CUDA GPU, else MPS, else the CPU.
        device_map: As in accelerate ("auto", "balanced", a device); spreads one model over several GPUs. Without it:
            one device.
        dtype: The number format of the weights. "auto" is bfloat16 on a GPU, float16 on MPS, float32 on the CPU.
        attn_implementation: As in transformers. "auto" is FlashAttention 2 where it is installed and can be used (on a
            GPU, not in float32), else "sdpa".
        quantization: How weights are quantised; needs bitsandbytes. Without it: they stay as they are.
        batch_size: The largest number of requests in one call of the model. The option `--batch_size` sets it.
    """

    device: str = "auto"
    device_map: str | None = None
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    attn_implementation: str = "auto"
    quantization: Literal["4bit", "8bit"] | None = None
    batch_size: PositiveInt = 1


def read_local_settings(arguments: Mapping[str, Any]) -> LocalSettings:
    """Read the arguments of `humansense_omni`.

    Args:
        arguments: The values by name. None is the same as no value.

    Returns:
        The checked settings.

    Raises:
        ValueError: An argument is not valid (see `read_settings`), or `device` and `device_map` are both given.
    """
    needed = {"pretrained": "the folder or Hub name of a checkpoint"}
    settings = read_settings(LocalSettings, arguments, needed, "humansense_omni")
    if settings.device_map is not None and settings.device != "auto":
        raise ValueError("humansense_omni takes device or device_map, not both.")
    return settings
