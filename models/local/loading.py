"""Plans how a checkpoint is loaded (device, dtype, attention, quantisation), and identifies its content."""

import hashlib
import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import BitsAndBytesConfig, PretrainedConfig
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .settings import LocalSettings

_SAMPLES, _SAMPLE_BYTES = 16, 65_536
"""How many pieces of a large file are read for its fingerprint, and the bytes of each piece."""


@dataclass(frozen=True)
class Loading:
    """How to load a checkpoint.

    Attributes:
        pretrained: The folder or the Hub name of the checkpoint.
        config: The configuration of the checkpoint, the content of its `config.json`.
        device: The device that the settings choose. Without `device_map`, the whole model is put there.
        arguments: The arguments of `from_pretrained`.
    """

    pretrained: str
    config: dict[str, Any]
    device: torch.device
    arguments: dict[str, Any]

    @property
    def model_type(self) -> str:
        """The `model_type` of the configuration."""
        return str(self.config["model_type"])


def plan(settings: LocalSettings) -> Loading:
    """Plan how to load the checkpoint that the settings name.

    Args:
        settings: The settings. Values that are "auto" are decided for this machine.

    Returns:
        How to load the checkpoint.

    Raises:
        ValueError: The configuration of the checkpoint cannot be read, the device or the attention does not exist, or
            the package for the quantisation is not installed.
    """
    config = read_config(settings.pretrained)
    device = _device(settings.device)
    dtype = _dtype(settings.dtype, device)
    arguments: dict[str, Any] = {
        "dtype": dtype,
        "attn_implementation": _attention(settings.attn_implementation, device, dtype),
        "device_map": _device_map(settings.device_map, device),
    }
    if settings.quantization:
        arguments["quantization_config"] = _quantization(settings.quantization, dtype)
    return Loading(settings.pretrained, config, device, arguments)


def read_config(pretrained: str) -> dict[str, Any]:
    """Read the configuration of a checkpoint.

    Args:
        pretrained: The folder or the Hub name of the checkpoint.

    Returns:
        The content of its `config.json`.

    Raises:
        ValueError: It cannot be read, or names no `model_type`.
    """
    try:
        # Only the dictionary: the configuration object would warn of token ids of a talker that is not loaded.
        config: dict[str, Any] = PretrainedConfig.get_config_dict(pretrained)[0]
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"pretrained={pretrained} is not a checkpoint that can be read: {reason}") from error
    if "model_type" not in config:
        raise ValueError(f"pretrained={pretrained} is not a checkpoint: it has no config.json that names a model_type.")
    return config


def refuse_missing_files(pretrained: str) -> None:
    """Refuse a folder that lacks files of weights. They are loaded late, and that is no time to say so.

    Args:
        pretrained: The folder or the Hub name of a checkpoint.

    Raises:
        ValueError: The folder has no weights, or its index names files that are not there.
    """
    folder = Path(pretrained)
    if not folder.is_dir():
        return
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        raise ValueError(f"pretrained={pretrained} has no weights: no file in it ends in .safetensors or .bin.")
    index = folder / "model.safetensors.index.json"
    try:
        named = set(json.loads(index.read_bytes())["weight_map"].values()) if index.is_file() else set()
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"{index} cannot be read ({error}): the checkpoint is not complete.") from error
    missing = sorted(name for name in named if not (folder / str(name)).is_file())
    if missing:
        raise ValueError(
            f"pretrained={pretrained} lacks {len(missing)} files of weights, such as {missing[0]}: it is not complete."
        )


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return _own_gpu()
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device={name} is not a device that torch knows; use cuda, cuda:1, mps or cpu.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={name}, but torch finds no CUDA GPU.")
    if device.type == "cuda" and device.index is None:
        return _own_gpu()
    if device.type == "cuda" and _processes() > 1:
        raise ValueError(f"device={name} would put every process on one GPU; device=cuda gives each its own.")
    return device


def _own_gpu() -> torch.device:
    """Return the GPU of this process. Each process has its own, by the number that its launcher gives it."""
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def _processes() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _device_map(name: str | None, device: torch.device) -> Any:
    if name is None:
        return {"": device}
    if _processes() > 1:
        raise ValueError(
            f"device_map={name} spreads one model over several GPUs, and here each of several processes would do so; "
            "start only one process, or leave device_map out to give each process its own GPU."
        )
    return name


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        # The released weights are bfloat16. A CPU is slow with it, and MPS lacks kernels for it.
        return {"cuda": torch.bfloat16, "mps": torch.float16}.get(device.type, torch.float32)
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _attention(name: str, device: torch.device, dtype: torch.dtype) -> str:
    if name != "auto":
        known = ("eager", *ALL_ATTENTION_FUNCTIONS.valid_keys())
        if name not in known and "/" not in name:  # a slash: a kernel of the Hub
            raise ValueError(
                f"attn_implementation={name} is not one that transformers knows: {', '.join(sorted(known))}."
            )
        return name
    flash = importlib.util.find_spec("flash_attn") is not None
    return "flash_attention_2" if flash and device.type == "cuda" and dtype != torch.float32 else "sdpa"


def _quantization(name: str, dtype: torch.dtype) -> BitsAndBytesConfig:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ValueError(f"quantization={name} needs the package bitsandbytes: pip install bitsandbytes.")
    if name == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)


def checkpoint_identity(loading: Loading) -> dict[str, str]:
    """Return what distinguishes this checkpoint from others: a fingerprint of its folder, or its commit on the Hub."""
    folder = Path(loading.pretrained)
    if folder.is_dir():
        return {"fingerprint": fingerprint(folder)}
    return {"revision": str(loading.config.get("_commit_hash") or "")}


def fingerprint(folder: Path) -> str:
    """Compute a fingerprint of the files of a checkpoint. Hidden files and subfolders are ignored.

    Of a file above 1 MiB, only 16 pieces of 64 KiB are read, evenly spread over the file. Training changes weights
    everywhere, and reading all of them would take longer than loading.

    Args:
        folder: The folder of the checkpoint.

    Returns:
        SHA-256 of the names, sizes and contents of the files, as hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
            for piece in _pieces(path):
                digest.update(piece)
    return digest.hexdigest()


def _pieces(path: Path) -> list[bytes]:
    size = path.stat().st_size
    if size <= _SAMPLES * _SAMPLE_BYTES:
        return [path.read_bytes()]
    with path.open("rb") as file:
        pieces = []
        for number in range(_SAMPLES):
            file.seek(number * (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
            pieces.append(file.read(_SAMPLE_BYTES))
    return pieces
