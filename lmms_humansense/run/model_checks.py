"""What is checked of the arguments of this package's models before torch is imported, which takes many seconds."""

import difflib
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..models.inputs.policy import system_prompt_text
from ..models.runtime.arguments import read_model_args
from ..plugin import checks
from .device_checks import check_attention, check_device
from .engine_names import engine_arguments
from .reach import why_out_of_reach

_CACHES = ("TRANSFORMERS_CACHE", "VLLM_USE_MODELSCOPE")
"""Variables by which a checkpoint may be somewhere else than on the Hub and in its cache."""


def check_model_args(model: str, text: str | None, beside: Mapping[str, Any], loads: bool = True) -> None:
    """Refuse arguments with which a model of this package cannot be made.

    Args:
        model: Its name.
        text: `--model_args`.
        beside: The arguments that lmms-eval takes from its own options, such as `--batch_size`.
        loads: Whether the model will be loaded, or its server asked, on this machine now.

    Raises:
        ValueError: One is not known, is missing, or has a value that cannot be used; or the checkpoint or the server
            that it names is not there.
    """
    arguments = {**read_model_args(text or "", beside), **beside}
    if arguments.get("system_prompt"):
        system_prompt_text(str(arguments["system_prompt"]))
    if model == "humansense_server":
        _check_server(arguments, loads)
    else:
        _check_local(arguments, loads)
    _check_media_cache(arguments)


def _check_server(arguments: dict[str, Any], loads: bool) -> None:
    from ..models.endpoint.settings import read_endpoint_settings

    settings = read_endpoint_settings(
        {name: value for name, value in arguments.items() if name not in ("batch_size", "device")}
    )
    if str(arguments.get("batch_size") or 1) != "1":
        raise ValueError(
            f"humansense_server makes no batches (batch_size={arguments['batch_size']}); set how many requests are "
            "open at once with concurrency=."
        )
    reason = why_out_of_reach(settings.base_url) if loads else None
    if reason is not None:
        raise ValueError(f"base_url={settings.shown_url} cannot be reached ({reason}); is the server running?")


def _check_local(arguments: dict[str, Any], loads: bool) -> None:
    from ..models.local.settings import read_local_settings

    engine = arguments.pop("engine", "local")
    if engine == "local":
        settings = read_local_settings(arguments)
        _check_checkpoint(settings.pretrained)
        if loads:
            check_device(settings.device)
        check_attention(settings.attn_implementation)
    elif engine == "vllm":
        if importlib.util.find_spec("vllm") is None:
            raise ValueError("engine=vllm needs vLLM, which is not installed: pip install 'lmms-humansense[vllm]'.")
        _check_engine_arguments(arguments)
        if not arguments.get("pretrained"):
            raise ValueError("humansense_omni needs pretrained=, the folder or Hub name of a checkpoint.")
        _check_checkpoint(str(arguments["pretrained"]))
    else:
        raise ValueError(f"engine={engine}: humansense_omni knows the engines local and vllm.")


def _check_engine_arguments(arguments: Mapping[str, Any]) -> None:
    """Refuse names that neither this package nor the engine of the installed vLLM has."""
    from ..models.vllm.settings import VllmSettings

    theirs = engine_arguments()
    if theirs is None:
        return
    ours = [each.name for each in fields(VllmSettings) if each.name != "engine_args"]
    known = {*ours, *theirs, "batch_size", "device"}
    unknown = sorted(name for name in arguments if name not in known)
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ValueError(
            f"humansense_omni with engine=vllm has no argument {unknown[0]!r}.{hint} It takes {', '.join(ours)}, and "
            "the arguments of vLLM's engine."
        )


def _check_checkpoint(pretrained: str) -> None:
    """Refuse what can only be a folder, and is none with a checkpoint."""
    place = Path(pretrained).expanduser()
    if place.is_dir() and not (place / "config.json").is_file():
        raise ValueError(f"pretrained={pretrained} is not a checkpoint: the folder has no config.json.")
    if place.exists():
        return
    meant = _similar_folder(place)
    if pretrained.startswith((".", "/", "~")) or pretrained.count("/") > 1:
        raise ValueError(
            f"pretrained={pretrained} is not a checkpoint that can be read: there is no such folder"
            + (f"; did you mean {meant}?" if meant else ".")
        )
    if meant and "/" not in pretrained and not _is_cached(pretrained):  # names on the Hub have an owner
        raise ValueError(f"pretrained={pretrained}: there is no such folder; did you mean {meant}?")


def _similar_folder(place: Path) -> str | None:
    """The folder of a checkpoint whose name is most like a place, beside it."""
    try:
        beside = [each.parent.name for each in place.parent.glob("*/config.json")]
    except OSError:  # a folder that must not be read
        return None
    close = difflib.get_close_matches(place.name, beside, 1, 0.75)
    return str(place.with_name(close[0])) if close else None


def _is_cached(pretrained: str) -> bool:
    """Whether the Hub's cache has anything of a checkpoint."""
    from huggingface_hub import constants

    folder = f"models--{pretrained.replace('/', '--')}"
    return Path(constants.HF_HUB_CACHE, folder).is_dir() or any(os.environ.get(name) for name in _CACHES)


def checkpoint_to_fetch(model: str | None, text: str | None) -> str | None:
    """The checkpoint that a model of this package has to fetch from the Hub.

    Args:
        model: The name of the model.
        text: `--model_args`, which `check_model_args` accepts.

    Returns:
        Its name on the Hub; None if no checkpoint is needed, or if it is on this machine.
    """
    pretrained = str(read_model_args(text or "").get("pretrained") or "")
    if model != "humansense_omni" or Path(pretrained).expanduser().exists() or _is_cached(pretrained):
        return None
    return pretrained or None


def _check_media_cache(arguments: Mapping[str, Any]) -> None:
    """Refuse a folder for decoded clips that cannot be made. One that is there may be for reading only."""
    named = arguments.get("media_cache")
    folder = Path(str(named)).expanduser().absolute() if named else None
    reason = None if folder is None or folder.exists() else checks.why_unwritable(checks.existing(folder))
    if reason is not None:
        raise ValueError(f"media_cache={named} cannot be made ({reason}); name another folder.")
