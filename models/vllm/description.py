"""What a result says about a checkpoint that vLLM runs, known before the engine starts, and what identifies answers."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..caching.cache_key import digest_of_code, frame_limits, versions_of
from ..local.description import checkpoint_digest
from ..local.encoder import LocalReader
from ..local.families import family_of, modules_of_others
from ..local.loading import Loading, checkpoint_identity
from ..media.digests import FileDigests
from . import mends
from .settings import VllmSettings

_LIBRARIES = ("transformers", "torch", "torchvision", "av", "decord", "librosa", "soxr", "qwen-omni-utils")
"""The libraries that answers depend on, besides vLLM."""

_WITHOUT_EFFECT = {
    "gpu_memory_utilization", "kv_cache_memory_bytes", "max_num_seqs", "max_num_batched_tokens", "disable_log_stats",
    "enable_prefix_caching", "enable_chunked_prefill", "enforce_eager", "seed", "download_dir", "use_tqdm_on_load",
}  # fmt: skip
"""Arguments of vLLM that answers do not depend on, except for the last bits of half precision, and unless a fault of
vLLM is not corrected: then answers depend on where steps end, and on what else is asked."""


def description(settings: VllmSettings, loading: Loading, reader: LocalReader, config: Any = None) -> dict[str, Any]:
    """Describe what a result depends on.

    Args:
        settings: The arguments of the model.
        loading: What `engine.plan` returned for them.
        reader: Reads messages.
        config: The configuration of the running engine; None for the one that vLLM makes of the arguments.

    Returns:
        The settings, and what vLLM makes of them. JSON can represent it.

    Raises:
        ValueError: vLLM refuses the arguments.
    """
    import vllm

    config = config or _config(loading)
    return {
        **{name: value for name, value in asdict(settings).items() if name != "engine_args"},
        **{name: _plain(value) for name, value in settings.engine_args.items()},
        "engine": "vllm",
        "model_type": loading.model_type,
        "random_weights": bool(loading.config.get("random_weights")),
        "checkpoint": checkpoint_identity(loading),
        "device": loading.device.type,
        "dtype": str(config.model_config.dtype).removeprefix("torch."),
        "quantization": config.model_config.quantization,
        "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
        "max_num_seqs": int(config.scheduler_config.max_num_seqs),
        "vllm_mends": mends.states(loading.model_type, settings.vllm_mends == "on"),
        "system_prompt": reader.system_prompt,
        "context": int(config.model_config.max_model_len),
        "versions": {"vllm": vllm.__version__, **versions_of(_LIBRARIES)},
    }


def identity(settings: VllmSettings, described: Mapping[str, Any], files: FileDigests) -> dict[str, Any]:
    """Collect what responses to equal conversations depend on. Reads files of a checkpoint in a folder if they changed.

    Args:
        settings: The arguments of the model.
        described: What `description` returned for them.
        files: Computes the digests of the checkpoint's files.

    Returns:
        What distinguishes the answers of this model from those of others. JSON can represent it.
    """
    corrected = set(described["vllm_mends"].values()) <= {"applied"}
    names = ("engine", "model_type", "dtype", "quantization", "tensor_parallel_size", "vllm_mends", "versions")
    arguments = {name: settings.engine_args[name] for name in sorted(settings.engine_args)}
    others = modules_of_others(family_of(described["model_type"]))
    return {
        **{name: described[name] for name in names},
        "engine_args": {
            name: repr(value) for name, value in arguments.items() if not (corrected and name in _WITHOUT_EFFECT)
        },
        "checkpoint": checkpoint_digest(described, files),
        "code": [digest_of_code("local", left_out=others), digest_of_code("vllm")],
        "frame_limits": frame_limits(),
    }


def _config(loading: Loading) -> Any:
    from vllm import EngineArgs
    from vllm.usage.usage_lib import UsageContext

    try:
        return EngineArgs(**loading.arguments).create_engine_config(UsageContext.ENGINE_CONTEXT)
    except Exception as error:  # vLLM and pydantic raise errors of many types
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"vLLM cannot run pretrained={loading.pretrained}: {type(error).__name__}: {reason}"
        ) from error


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)
