"""The arguments of `humansense_omni` with `engine=vllm`. They are checked before an engine is started."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from ..local.settings import CheckpointSettings
from ..runtime.arguments import read_settings

_SET_HERE = ("model", "generation_config", "mm_processor_cache_gb", "video_pruning_rate", "worker_extension_cls")
"""Arguments of vLLM on which it depends that the model gets what this package prepares."""

_OTHER_FILES = (
    "revision", "code_revision", "tokenizer", "tokenizer_revision", "tokenizer_mode", "hf_config_path", "config_format",
    "hf_overrides", "model_weights",
)  # fmt: skip
"""Arguments by which vLLM would read other files, or otherwise, than the encoder of prompts and the results."""


@dataclass(frozen=True)
class VllmSettings(CheckpointSettings):
    """The arguments of a checkpoint that vLLM runs.

    Attributes:
        dtype: The number format of the weights. "auto" is bfloat16 on a GPU and float32 on the CPU.
        quantization: How weights are quantised, by vLLM's name of it (`fp8`, `awq`). Without it: as the checkpoint
            says.
        vllm_mends: Whether faults of vLLM are corrected ("on") or not ("off").
        engine_args: Any other argument of vLLM's engine, such as `max_num_seqs`, `max_model_len`,
            `gpu_memory_utilization` or `tensor_parallel_size`, by its name in vLLM's `EngineArgs`, if its value is a
            number, a truth value or a word.
    """

    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    quantization: str | None = None
    vllm_mends: Literal["on", "off"] = "on"
    engine_args: dict[str, Any] = field(default_factory=dict)


def read_vllm_settings(arguments: Mapping[str, Any]) -> VllmSettings:
    """Read the arguments of `humansense_omni` with `engine=vllm`.

    Args:
        arguments: The values by name. None is the same as no value. Names that are not in `VllmSettings` are arguments
            of vLLM's engine.

    Returns:
        The checked settings.

    Raises:
        ValueError: vLLM is not installed, or an argument is not valid.
    """
    if importlib.util.find_spec("vllm") is None:
        raise ValueError("engine=vllm needs vLLM, which is not installed: pip install 'lmms-humansense[vllm]'.")
    from vllm.engine.arg_utils import EngineArgs

    given = {name: value for name, value in arguments.items() if value is not None}
    if str(given.pop("batch_size", 1)) != "1":
        raise ValueError(
            "engine=vllm makes its own batches, so batch_size has no effect; max_num_seqs= says how many questions are "
            "answered at once."
        )
    if str(given.pop("device", "auto")) not in ("auto", _device_type()):
        raise ValueError(f"The installed vLLM runs on {_device_type()} only; leave device out.")
    known = {one.name for one in fields(EngineArgs)} - {one.name for one in fields(VllmSettings)}
    _refuse(given)
    ours = {name: value for name, value in given.items() if name not in known}
    engine_args = {name: value for name, value in given.items() if name in known}
    needed = {"pretrained": "the folder or Hub name of a checkpoint"}
    return read_settings(VllmSettings, {**ours, "engine_args": engine_args}, needed, "humansense_omni")


def _refuse(given: Mapping[str, Any]) -> None:
    """Refuse arguments of vLLM by which answers would not be those that results say."""
    for name in given:
        if name in _SET_HERE:
            raise ValueError(f"engine=vllm sets {name} itself; leave it out.")
        if name in _OTHER_FILES:
            raise ValueError(
                f"engine=vllm does not take {name}, because only vLLM would follow it, not the prompts and results; "
                "put the files of the checkpoint that you mean into a folder, and give pretrained=FOLDER."
            )


def _device_type() -> str:
    from vllm.platforms import current_platform

    return str(current_platform.device_type)
