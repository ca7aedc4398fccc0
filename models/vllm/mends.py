"""Corrects faults of vLLM at run time, in every process of an engine. docs/vllm.md describes them.

`plugin.py` calls `apply` in each of them. It does nothing unless an environment variable asks for it, which `engine.py`
sets. Each correction is made only to the source that it was written for.
"""

import hashlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
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
_PROCESSOR = "transformers.models.qwen2_5_omni.processing_qwen2_5_omni"


Replacement = tuple[Any, str, Callable[[Any], Any]]
"""A class or module, the name of one of its functions, and what makes the new function of the original one."""


@dataclass(frozen=True)
class Mend:
    """A correction of vLLM.

    Attributes:
        name: What it corrects, for results and messages.
        model_types: The types of checkpoints that need it with engine=vllm. None of them if only a server needs it,
            which makes its inputs itself.
        module: The module that it corrects.
        sources: The functions that it was written for, each as "module:name": those that it replaces, those that call
            them, and those that it calls.
        digest: SHA-256 of their source.
        replacements: Takes the module, and says which functions are replaced.
    """

    name: str
    model_types: tuple[str, ...]
    module: str
    sources: tuple[str, ...]
    digest: str
    replacements: Callable[[Any], Iterator[Replacement]]


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
        For each correction that concerns the model: "applied", "off", or "not applied" if the source is another one, if
        it cannot be made, or if vLLM does not load the plugin.
    """
    concerned = [mend for mend in MENDS if model_type.removesuffix("_thinker") in mend.model_types]
    if not wanted:
        return dict.fromkeys((mend.name for mend in concerned), "off")
    if concerned and not _is_called():
        logger.warning("vLLM does not load the plugin of lmms-humansense, so its faults are not corrected.")
        return dict.fromkeys((mend.name for mend in concerned), "not applied")
    return {mend.name: "applied" if _applied(mend) else "not applied" for mend in concerned}


def made() -> list[str]:
    """The names of the corrections that this process has."""
    return [name for name, applied in _done.items() if applied]


def _is_called() -> bool:
    """Whether vLLM finds the entry point of `plugin.py`, and is not told to leave it out."""
    chosen = os.environ.get("VLLM_PLUGINS")
    ours = f"{__package__}.plugin:load"
    found = [one for one in entry_points(group="vllm.general_plugins") if one.value == ours]
    return any(chosen is None or one.name in chosen.split(",") for one in found)


def source_digest(mend: Mend) -> str:
    """Compute the digest of the installed source that a correction was written for; "" if some of it is missing."""
    try:
        return hashlib.sha256("".join(map(_source, mend.sources)).encode()).hexdigest()
    except (ImportError, AttributeError, OSError, TypeError):
        return ""


def _source(name: str) -> str:
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return inspect.getsource(getattr(found, "mended", found))


_done: dict[str, bool] = {}


def _applied(mend: Mend) -> bool:
    """Make a correction, unless this process has it already. Returns whether it is made."""
    if mend.name not in _done:
        _done[mend.name] = False
        reason = "its source is not the one that lmms-humansense corrects"
        if source_digest(mend) == mend.digest:
            try:
                _make(mend)
                _done[mend.name] = True
            except Exception as error:  # an error here would end every process of vLLM
                reason = f"{type(error).__name__}: {error}"
        if not _done[mend.name]:
            logger.warning(
                "The {} are left as this release of vLLM has them, because {}; docs/vllm.md says what may be wrong.",
                mend.name, reason,
            )  # fmt: skip
    return _done[mend.name]


def _make(mend: Mend) -> None:
    """Make all replacements of a correction, or none of them."""
    new = []
    for owner, name, made in mend.replacements(importlib.import_module(mend.module)):
        original = getattr(owner, name)
        function = made(original)
        plain: Any = getattr(function, "__func__", function)
        plain.mended = original
        new.append((owner, name, function))
    for owner, name, function in new:
        setattr(owner, name, function)


# --- The positions of heard clips ---


def _positions_of_qwen2_5(module: Any) -> Iterator[Replacement]:
    model = module.Qwen2_5OmniThinkerForConditionalGeneration
    yield model, "get_mrope_input_positions", lambda original: _mended_positions(original, shared_marks=True)


def _positions_of_qwen3(module: Any) -> Iterator[Replacement]:
    model = module.Qwen3OmniMoeThinkerForConditionalGeneration
    yield model, "get_mrope_input_positions", lambda original: _mended_positions(original, shared_marks=False)


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


def _merging(module: Any) -> Iterator[Replacement]:
    """Let vLLM tell frames and sounds apart by their tokens wherever a step has both.

    vLLM does so only if it finds them interleaved. A part of a heard clip that begins with sound and ends with frames
    does not look interleaved, and then the frames get the embeddings of the sound.
    """

    def check_interleaved_audio_video(is_video: Any, is_audio: Any, num_video: int, num_audio: int) -> bool:
        return num_video > 0 and num_audio > 0

    for owner in (module, importlib.import_module(_QWEN3)):
        yield owner, "check_interleaved_audio_video", lambda original: check_interleaved_audio_video


# --- What a server makes of clips and sounds itself ---


def _layout_of_qwen2_5(module: Any) -> Iterator[Replacement]:
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

    yield (
        module.Qwen2_5OmniThinkerMultiModalProcessor,
        "omni_get_updates_use_audio_in_video",
        lambda original: classmethod(omni_get_updates_use_audio_in_video),
    )


def _sounds_of_qwen3(module: Any) -> Iterator[Replacement]:
    """Give sounds as they are to the processor of Qwen3-Omni, and take its number of frames of the spectrogram.

    vLLM pads each sound to a whole number of such frames, and so has one more than transformers.
    """
    plain = module.Qwen2_5OmniThinkerMultiModalProcessor

    def as_in_qwen2_5(name: str) -> Callable[..., Any]:
        def inherited(self: Any, *args: Any) -> Any:
            return getattr(plain, name)(self, *args)

        return lambda original: inherited

    for name in _OF_SOUNDS:
        yield module.Qwen3OmniMoeThinkerMultiModalProcessor, name, as_in_qwen2_5(name)


_OMNI = ("qwen2_5_omni", "qwen3_omni_moe")
_MODEL2_5 = f"{_QWEN2_5}:Qwen2_5OmniThinkerForConditionalGeneration"
_MODEL3 = f"{_QWEN3}:Qwen3OmniMoeThinkerForConditionalGeneration"
_INPUTS2_5 = f"{_QWEN2_5}:Qwen2_5OmniThinkerMultiModalProcessor"
_INPUTS3 = f"{_QWEN3}:Qwen3OmniMoeThinkerMultiModalProcessor"
_OF_MERGING = ("check_interleaved_audio_video", "merge_interleaved_embeddings")
_OF_SOUNDS = ("_get_hf_mm_inputs", "_postprocess_hf_mm_data")
_OF_POSITIONS = (
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
        sources=tuple(f"{_MODEL2_5}.{name}" for name in _OF_POSITIONS),
        digest="d7f56c050058a217895a890cddf6dc1c09fe5aadf6a3b5ecb5c9bd6c66dd8d48",
        replacements=_positions_of_qwen2_5,
    ),
    Mend(
        name="positions of heard clips (Qwen3-Omni)",
        model_types=("qwen3_omni_moe",),
        module=_QWEN3,
        sources=tuple(f"{_MODEL3}.{name}" for name in _OF_POSITIONS),
        digest="490a3beaead7f85bdf6a12adfdd367a3f45bf352165c791fdedc77716cf79be6",
        replacements=_positions_of_qwen3,
    ),
    Mend(
        name="frames and sounds of parts of heard clips",
        model_types=_OMNI,
        module=_QWEN2_5,
        sources=(
            *(f"{module}:{name}" for module in (_QWEN2_5, _QWEN3) for name in _OF_MERGING),
            *(f"{model}.embed_input_ids" for model in (_MODEL2_5, _MODEL3)),
        ),
        digest="36c1dd7bd960f31a193b54ed533b40ffe806ae2614ca181d28b58fe7b75ddb93",
        replacements=_merging,
    ),
    Mend(
        name="order of tokens of heard clips",
        model_types=(),
        module=_QWEN2_5,
        sources=(
            f"{_INPUTS2_5}.omni_get_updates_use_audio_in_video",
            f"{_PROCESSOR}:Qwen2_5OmniProcessor.get_chunked_index",
        ),
        digest="b4a05141ad1d056710e8308f2301c7f2987850ddf94ff8868c75433402bd0354",
        replacements=_layout_of_qwen2_5,
    ),
    Mend(
        name="ends of sounds (Qwen3-Omni)",
        model_types=(),
        module=_QWEN3,
        sources=tuple(f"{inputs}.{name}" for inputs in (_INPUTS3, _INPUTS2_5) for name in _OF_SOUNDS),
        digest="e1b568352b435a72c43f7fb6e20fc3cd90cb32f922388dd97d9f98167074be52",
        replacements=_sounds_of_qwen3,
    ),
)
