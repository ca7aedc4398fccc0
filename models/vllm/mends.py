"""Corrects faults of vLLM at run time, in every process of an engine. docs/vllm.md describes them.

`plugin.py` calls `apply` in each of them. It does nothing unless an environment variable asks for it, which `engine.py`
sets. Each correction is made only to the source that it was written for.
"""

import hashlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from itertools import pairwise, zip_longest
from typing import Any

import numpy as np
import torch
from loguru import logger

VARIABLE = "LMMS_HUMANSENSE_VLLM_MENDS"
"""The environment variable that asks for the corrections, with the value "1"."""

MENDED = "+humansense"
"""The end of the version of a server with all corrections. `models/endpoint/vllm.py` has the same."""

_QWEN2_5 = "vllm.model_executor.models.qwen2_5_omni_thinker"
_QWEN3 = "vllm.model_executor.models.qwen3_omni_moe_thinker"


@dataclass(frozen=True)
class Mend:
    """A correction of one module of vLLM.

    Attributes:
        name: What it corrects, for results and messages.
        model_types: The types of checkpoints that need it with engine=vllm. None of them if only a server needs it,
            which makes its inputs itself.
        module: The module.
        sources: The functions of the module that it was written for.
        digest: SHA-256 of their source.
        change: Makes the correction.
    """

    name: str
    model_types: tuple[str, ...]
    module: str
    sources: tuple[str, ...]
    digest: str
    change: Callable[[Any], None]


def apply() -> None:
    """Make all corrections in this process, if the environment variable asks for them. May be called again.

    If all can be made, a server says so at its address `/version`.
    """
    if os.environ.get(VARIABLE) == "1":
        applied = [_applied(mend) for mend in MENDS]
        if all(applied):
            _announce()


def _announce() -> None:
    """Add `MENDED` to the version that a server reports."""
    for name in ("vllm.version", "vllm.entrypoints.serve.instrumentator.basic"):
        module = sys.modules.get(name)  # if the second one is imported later, it takes the version of the first one
        for constant in ("__version__", "VLLM_VERSION"):
            version = getattr(module, constant, MENDED)
            if not version.endswith(MENDED):
                setattr(module, constant, version + MENDED)


def states(model_type: str, wanted: bool) -> dict[str, str]:
    """Say which corrections the answers of a model depend on.

    Args:
        model_type: The `model_type` of the checkpoint.
        wanted: Whether they are asked for.

    Returns:
        For each correction that concerns the model: "applied", "off", or "not applied" if the source is another one, or
        if vLLM does not load the plugin.
    """
    concerned = [mend for mend in MENDS if model_type.removesuffix("_thinker") in mend.model_types]
    if not wanted:
        return dict.fromkeys((mend.name for mend in concerned), "off")
    if concerned and not _is_called():
        logger.warning("vLLM does not load the plugin of lmms-humansense, so its faults are not corrected.")
        return dict.fromkeys((mend.name for mend in concerned), "not applied")
    return {mend.name: "applied" if _applied(mend) else "not applied" for mend in concerned}


def _is_called() -> bool:
    """Whether vLLM finds the entry point of `plugin.py`, and is not told to leave it out."""
    chosen = os.environ.get("VLLM_PLUGINS")
    ours = f"{__package__}.plugin:load"
    found = [one for one in entry_points(group="vllm.general_plugins") if one.value == ours]
    return any(chosen is None or one.name in chosen.split(",") for one in found)


def source_digest(mend: Mend) -> str:
    """Compute the digest of the installed source that a correction changes; "" if vLLM no longer has it."""
    try:
        module = importlib.import_module(mend.module)
        return hashlib.sha256("".join(_source(module, name) for name in mend.sources).encode()).hexdigest()
    except (ImportError, AttributeError, OSError):
        return ""


def _source(module: Any, name: str) -> str:
    found = module
    for part in name.split("."):
        found = getattr(found, part)
    return inspect.getsource(getattr(found, "mended", found))


_done: dict[str, bool] = {}


def _applied(mend: Mend) -> bool:
    """Make a correction, unless this process has it already. Returns whether it is made."""
    if mend.name not in _done:
        _done[mend.name] = source_digest(mend) == mend.digest
        if _done[mend.name]:
            mend.change(importlib.import_module(mend.module))
        else:
            logger.warning(
                "This release of vLLM has another source for the {} than the one that lmms-humansense corrects, so it "
                "is left as it is; docs/vllm.md says what may be wrong.", mend.name,
            )  # fmt: skip
    return _done[mend.name]


def _replace(owner: Any, name: str, made: Callable[[Any], Any]) -> None:
    original = getattr(owner, name)
    new = made(original)
    getattr(new, "__func__", new).mended = original
    setattr(owner, name, new)


# --- The positions of heard clips ---


def _positions_of_qwen2_5(module: Any) -> None:
    model = module.Qwen2_5OmniThinkerForConditionalGeneration
    _replace(model, "get_mrope_input_positions", lambda original: _mended_positions(original, shared_marks=True))


def _positions_of_qwen3(module: Any) -> None:
    model = module.Qwen3OmniMoeThinkerForConditionalGeneration
    _replace(model, "get_mrope_input_positions", lambda original: _mended_positions(original, shared_marks=False))


def _mended_positions(original: Callable[..., Any], shared_marks: bool) -> Callable[..., Any]:
    """Return a function that gives each token of a heard clip the position that belongs to it.

    vLLM computes which tokens of a heard clip are frames and which are sound, instead of reading it in the prompt, and
    the result differs where a step of the time axis is longer than a chunk, or is no whole number of positions.

    Args:
        original: vLLM's function.
        shared_marks: Whether the two tokens before a heard clip share one position, and the two after it as well.
            vLLM counts neither the tokens before, so that all later positions are those of other tokens.
    """

    def get_mrope_input_positions(
        self: Any, input_tokens: list[int], mm_features: list[Any]
    ) -> tuple[torch.Tensor, int]:
        heard = _heard_clips(mm_features)
        if not heard:
            return original(self, input_tokens, mm_features)
        features = [_without_marks(one) if shared_marks and id(one) in heard else one for one in mm_features]
        positions, _ = original(self, input_tokens, features)
        grids = {offset: data for offset, kind, data in self.iter_mm_features(features) if kind == "video"}
        for video, sound in pairwise(features):
            if video.modality != "video" or video.mm_position.offset != sound.mm_position.offset:
                continue
            start, length = video.mm_position.offset, video.mm_position.length
            _place(positions[:, start : start + length], video, sound, grids[start])
            if shared_marks:
                positions[:, start - 1 :] -= 1
                positions[:, start + length + 1 :] -= 1
        return positions, int(positions.max()) + 1 - len(input_tokens)

    return get_mrope_input_positions


def _heard_clips(features: Sequence[Any]) -> set[int]:
    """Return the ids of the features of heard clips: of their frames, and of their sound, which has the same place."""
    places = [(one.modality, one.mm_position.offset) for one in features]
    return {
        id(one)
        for one in features
        if ("video", one.mm_position.offset) in places and ("audio", one.mm_position.offset) in places
    }


def _without_marks(feature: Any) -> Any:
    """Return the feature without the first and the last token of its place, which mark the sound."""
    place = feature.mm_position
    inner = type(place)(place.offset + 1, place.length - 2, place.is_embed[1:-1])
    return replace(feature, mm_position=inner)


def _place(positions: torch.Tensor, video: Any, sound: Any, grid: dict[str, Any]) -> None:
    """Write the positions (3, tokens) of one heard clip: those of the frames, and one after the other for the sound."""
    frames, heard = video.mm_position.is_embed, sound.mm_position.is_embed
    start = positions[0, int(frames.nonzero()[0])].clone()
    height, width = grid["grid_h"], grid["grid_w"]
    steps = torch.arange(grid["grid_t"], dtype=torch.float64).mul(grid["t_factor"]).long()
    shape = (len(steps), height, width)
    axes = (steps.view(-1, 1, 1), torch.arange(height).view(1, -1, 1), torch.arange(width).view(1, 1, -1))
    positions[:, frames] = torch.stack([axis.expand(shape).reshape(-1) for axis in axes]) + start
    positions[:, heard] = torch.arange(int(heard.sum())).expand(3, -1) + start


# --- Which embeddings are those of frames, and which those of sound ---


def _merging(module: Any) -> None:
    """Let vLLM tell frames and sounds apart by their tokens wherever a step has both.

    vLLM does so only if it finds them interleaved. A part of a heard clip that begins with sound and ends with frames
    does not look interleaved, and then the frames get the embeddings of the sound.
    """

    def check_interleaved_audio_video(is_video: Any, is_audio: Any, num_video: int, num_audio: int) -> bool:
        return num_video > 0 and num_audio > 0

    for name in (_QWEN2_5, _QWEN3):
        _replace(
            importlib.import_module(name),
            "check_interleaved_audio_video",
            lambda original: check_interleaved_audio_video,
        )


# --- What a server makes of clips and sounds itself ---


def _layout_of_qwen2_5(module: Any) -> None:
    """Order the tokens of a heard clip as transformers' processor does.

    vLLM puts a chunk of sound after each chunk of frames that is not empty, and rounds the times of frames down. So the
    order differs where a step of the time axis is longer than a chunk of 2 s, or is no whole number of positions.
    """
    processor = module.Qwen2_5OmniProcessor

    def omni_get_updates_use_audio_in_video(
        cls: Any, thinker_config: Any, audio_len: int, video_grid_thw: Any, video_second_per_grid_t: float
    ) -> list[int]:
        steps, height, width = (int(size) for size in video_grid_thw)
        per_second = getattr(thinker_config.vision_config, "tokens_per_second", 25)
        merged = thinker_config.vision_config.spatial_merge_size**2
        times = np.arange(steps).repeat(height * width // merged) * video_second_per_grid_t * per_second
        chunk = int(per_second * thinker_config.seconds_per_chunk)
        seen = processor.get_chunked_index(None, times, chunk)
        heard = processor.get_chunked_index(None, np.arange(audio_len), chunk)
        tokens = [thinker_config.audio_start_token_id]
        for frames, sound in zip_longest(seen, heard, fillvalue=(0, 0)):
            tokens += [thinker_config.video_token_index] * (frames[1] - frames[0])
            tokens += [thinker_config.audio_token_index] * (sound[1] - sound[0])
        return [*tokens, thinker_config.audio_end_token_id]

    _replace(
        module.Qwen2_5OmniThinkerMultiModalProcessor,
        "omni_get_updates_use_audio_in_video",
        lambda original: classmethod(omni_get_updates_use_audio_in_video),
    )


def _sounds_of_qwen3(module: Any) -> None:
    """Give sounds as they are to the processor of Qwen3-Omni, and take its number of frames of the spectrogram.

    vLLM pads each sound to a whole number of such frames, and so has one more than transformers.
    """
    plain = module.Qwen2_5OmniThinkerMultiModalProcessor

    def as_in_qwen2_5(name: str) -> None:
        def inherited(self: Any, *args: Any) -> Any:
            return getattr(plain, name)(self, *args)

        _replace(module.Qwen3OmniMoeThinkerMultiModalProcessor, name, lambda original: inherited)

    as_in_qwen2_5("_get_hf_mm_inputs")
    as_in_qwen2_5("_postprocess_hf_mm_data")


_OMNI = ("qwen2_5_omni", "qwen3_omni_moe")
_POSITIONS = (
    "get_mrope_input_positions",
    "iter_mm_features",
    "_get_audio_for_video_mapping",
    "_compute_interleaved_positions",
)

MENDS = (
    Mend(
        name="positions of heard clips",
        model_types=("qwen2_5_omni",),
        module=_QWEN2_5,
        sources=tuple(f"Qwen2_5OmniThinkerForConditionalGeneration.{name}" for name in _POSITIONS),
        digest="d7f56c050058a217895a890cddf6dc1c09fe5aadf6a3b5ecb5c9bd6c66dd8d48",
        change=_positions_of_qwen2_5,
    ),
    Mend(
        name="positions of heard clips (Qwen3-Omni)",
        model_types=("qwen3_omni_moe",),
        module=_QWEN3,
        sources=tuple(f"Qwen3OmniMoeThinkerForConditionalGeneration.{name}" for name in _POSITIONS),
        digest="490a3beaead7f85bdf6a12adfdd367a3f45bf352165c791fdedc77716cf79be6",
        change=_positions_of_qwen3,
    ),
    Mend(
        name="frames and sounds of parts of heard clips",
        model_types=_OMNI,
        module=_QWEN2_5,
        sources=("check_interleaved_audio_video", "merge_interleaved_embeddings"),
        digest="e92600aa72773fb4a2cc996fa78e4a7d5a1edbf62be0f6b1297436a192896dab",
        change=_merging,
    ),
    Mend(
        name="order of tokens of heard clips",
        model_types=(),
        module=_QWEN2_5,
        sources=("Qwen2_5OmniThinkerMultiModalProcessor.omni_get_updates_use_audio_in_video",),
        digest="eb4ddded51f4dba8d4eb15b6472d698824fbc9b22d1731f7591abc7df2fcb570",
        change=_layout_of_qwen2_5,
    ),
    Mend(
        name="ends of sounds (Qwen3-Omni)",
        model_types=(),
        module=_QWEN3,
        sources=tuple(
            f"Qwen3OmniMoeThinkerMultiModalProcessor.{name}"
            for name in ("_get_hf_mm_inputs", "_postprocess_hf_mm_data")
        ),
        digest="f099505f919e6946349402457cecf8e7ffe09ce5deffb9421d99b19c6cf61a87",
        change=_sounds_of_qwen3,
    ),
)
