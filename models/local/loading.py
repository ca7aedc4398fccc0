"""Where a checkpoint is loaded to and how: device, number format, attention, quantisation; and what was loaded."""

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import BitsAndBytesConfig, PretrainedConfig

from .settings import LocalSettings

_SAMPLES, _SAMPLE_BYTES = 16, 65_536
"""How many places of a large file are read for its fingerprint, and how much at each."""


@dataclass(frozen=True)
class Loading:
    """What `from_pretrained` is told, and what the results say of it.

    `config` is the checkpoint's configuration as a dictionary; `device` is where inputs go when the model says nothing
    else; `arguments` are those of `from_pretrained`.
    """

    pretrained: str
    config: dict[str, Any]
    device: torch.device
    arguments: dict[str, Any]

    @property
    def model_type(self) -> str:
        """The architecture that the configuration names."""
        return str(self.config["model_type"])


def plan(settings: LocalSettings) -> Loading:
    """How to load what the settings ask for, with "auto" decided for this machine.

    Raises ValueError when the checkpoint's configuration can not be read, a device is not there, or quantisation is
    asked for where it is not available.
    """
    config = _config(settings.pretrained)
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


def _config(pretrained: str) -> dict[str, Any]:
    try:
        # The bare dictionary: building the configuration object warns of token ids of a talker that is not loaded.
        config: dict[str, Any] = PretrainedConfig.get_config_dict(pretrained)[0]
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"pretrained={pretrained} is no checkpoint that can be read: {reason}") from error
    if "model_type" not in config:
        raise ValueError(f"pretrained={pretrained} is no checkpoint: it has no config.json that names a model_type.")
    return config


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return _own_gpu()
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device={name} is no device that torch knows; use cuda, cuda:1, mps or cpu.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={name}, but torch finds no CUDA GPU here.")
    if device.type == "cuda" and _processes() > 1:
        if device.index is not None:
            raise ValueError(f"device={name} would put every process on one GPU; device=cuda gives each its own.")
        return _own_gpu()
    return device


def _own_gpu() -> torch.device:
    """The GPU of this process: one each, as their launcher numbers them."""
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def _processes() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _device_map(name: str | None, device: torch.device) -> Any:
    if name is None:
        return {"": device}
    if _processes() > 1:
        raise ValueError(
            f"device_map={name} spreads one model over several GPUs, and each of several processes would do so: start "
            "one process, or leave device_map out to give each process a GPU of its own."
        )
    return name


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        # The released weights are bfloat16; a CPU is slow in it, and MPS lacks kernels.
        return {"cuda": torch.bfloat16, "mps": torch.float16}.get(device.type, torch.float32)
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _attention(name: str, device: torch.device, dtype: torch.dtype) -> str:
    if name != "auto":
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
    """What tells this checkpoint from another: the Hub's commit, or a fingerprint of the folder."""
    folder = Path(loading.pretrained)
    if folder.is_dir():
        return {"fingerprint": fingerprint(folder)}
    return {"revision": str(loading.config.get("_commit_hash") or "")}


def fingerprint(folder: Path) -> str:
    """SHA-256 over names, sizes and contents of the files of a checkpoint, as hexadecimal digits.

    Of files above a megabyte, 16 places of 64 KiB are read, spread evenly: training changes weights everywhere, and
    reading all of them would take longer than loading.
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
