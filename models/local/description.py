"""What a result says about a checkpoint, known before its weights are loaded, and what identifies its answers."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import GenerationConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from ..caching.cache_key import digest_of_code, digest_of_folder, frame_limits, versions_of
from ..media.digests import FileDigests
from .encoder import LocalReader
from .families import family_of, modules_of_others
from .loading import Loading, checkpoint_identity
from .settings import LocalSettings

_LIBRARIES = ("transformers", "torch", "torchvision", "accelerate", "av", "decord", "librosa", "soxr",
              "qwen-omni-utils")  # fmt: skip
"""The libraries that responses depend on."""


def description(settings: LocalSettings, loading: Loading, reader: LocalReader) -> dict[str, Any]:
    """Describe what a result depends on.

    Args:
        settings: The arguments of the model.
        loading: How its checkpoint is loaded.
        reader: Reads its messages.

    Returns:
        The settings, and what `config.json` and `generation_config.json` say. JSON can represent it. A loaded model
        says the same about itself.
    """
    return {
        **asdict(settings),
        "model_type": loading.model_type,
        "random_weights": bool(loading.config.get("random_weights")),
        "checkpoint": checkpoint_identity(loading),
        "device": str(loading.device),
        "dtype": str(loading.arguments["dtype"]).removeprefix("torch."),
        "attn_implementation": loading.arguments["attn_implementation"],
        "system_prompt": reader.system_prompt,
        "context": context_of(loading.config),
        "generation_config": _generation_config(loading).to_diff_dict(),
        "versions": versions_of(_LIBRARIES),
    }


def identity(described: Mapping[str, Any], files: FileDigests) -> dict[str, Any]:
    """Collect what responses to equal conversations depend on. Reads files of a checkpoint in a folder if they changed.

    Args:
        described: What `description` returned.
        files: Computes the digests of the checkpoint's files.

    Returns:
        What distinguishes the answers of this model from those of others. JSON can represent it.
    """
    names = ("model_type", "dtype", "attn_implementation", "quantization", "versions")
    return {
        **{name: described[name] for name in names},
        "checkpoint": checkpoint_digest(described, files),
        "code": digest_of_code("local", left_out=modules_of_others(family_of(described["model_type"]))),
        "frame_limits": frame_limits(),
    }


def checkpoint_digest(described: Mapping[str, Any], files: FileDigests) -> str:
    """The digest of a checkpoint's folder, or its commit on the Hub. Without a known commit, each run has its own.

    Args:
        described: A description with `pretrained` and `checkpoint`.
        files: Computes the digests of its files.

    Returns:
        Hexadecimal digits.
    """
    folder = Path(described["pretrained"])
    if folder.is_dir():
        return digest_of_folder(folder, files)
    return described["checkpoint"].get("revision") or uuid.uuid4().hex


def context_of(config: Mapping[str, Any]) -> int:
    """The largest number of tokens of a prompt, as a `config.json` or the default of its configuration says it."""
    text = config.get("thinker_config", config).get("text_config") or {}
    if "max_position_embeddings" in text:
        return int(text["max_position_embeddings"])
    whole = CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))
    return int(whole.get_text_config().max_position_embeddings)


def _generation_config(loading: Loading) -> GenerationConfig:
    try:
        return GenerationConfig.from_pretrained(loading.pretrained)
    except OSError:  # there is none, and the model makes one of its configuration
        config = CONFIG_MAPPING[loading.model_type].from_dict(dict(loading.config))
        return GenerationConfig.from_model_config(getattr(config, "thinker_config", config))
