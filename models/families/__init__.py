"""What differs between model families: how they are loaded, encoded for and asked. One module each."""

from importlib import import_module
from typing import Any, Protocol

import torch

from ..prepare import Prepared

MODULES = {
    "qwen2_5_omni": "qwen2_5_omni",
    "qwen2_5_omni_thinker": "qwen2_5_omni",
}
"""The `model_type` of a checkpoint's configuration and the module of its family."""


class Family(Protocol):
    """A loaded checkpoint of one family."""

    frame_factor: int
    """Height and width of a frame are multiples of this many pixels."""
    system_prompt: str
    """The system message when none is given."""

    def __init__(self, pretrained: str, device: torch.device, dtype: torch.dtype, attention: str) -> None: ...

    def encode(self, prepared: Prepared) -> dict[str, torch.Tensor]:
        """The model's inputs for one prepared conversation, on the CPU."""

    def generate(self, inputs: dict[str, torch.Tensor], interleaved: bool, arguments: dict[str, Any]) -> str:
        """The response to the inputs of one sample; `interleaved` says that a video is heard in it."""


def family_of(model_type: str) -> type[Family]:
    """The family of a `model_type`. Raises ValueError with the known ones for any other."""
    if model_type not in MODULES:
        raise ValueError(
            f"humansense_omni cannot run a checkpoint of type {model_type!r}; it runs {', '.join(sorted(MODULES))}."
        )
    family: type[Family] = import_module(f".{MODULES[model_type]}", __package__).FAMILY
    return family
