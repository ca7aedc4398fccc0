"""Which of vLLM's faults may give a question another answer than that of transformers. docs/vllm.md describes them."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from .decoding import DecodedConversation
from .omni_families import OMNI_FAMILIES, QWEN2_5_OMNI, QWEN3_OMNI, OmniFamily
from .stats import MediaStats

POSITIONS, PARTS, ORDER, ENDS, BETWEEN = (
    "positions of heard clips", "frames and sounds of parts of heard clips", "order of tokens of heard clips",
    "ends of sounds", "frames between whole positions",
)  # fmt: skip
"""The faults. All but the last are those that `models/vllm/mends.py` corrects."""

CORRECTED = frozenset({POSITIONS, PARTS, ORDER, ENDS})
"""The faults that a server with all corrections does not have."""

_OF_SERVERS = frozenset({ORDER, ENDS})
"""The faults of what only a server does: it makes the inputs of the model itself."""

HOP = 160
"""Audio samples between two frames of the mel spectrogram (`hop_length` of the feature extractor)."""

_FRAMES_PER_STEP = 2
"""Frames in one step of the time axis: `temporal_patch_size` of every Qwen omni model."""


def faults_of(decoded: DecodedConversation, model_type: str, corrected: Collection[str] = ()) -> tuple[str, ...]:
    """Find the faults that may change the answer to a question.

    Args:
        decoded: The question.
        model_type: The `model_type` of the checkpoint.
        corrected: The faults that are corrected.

    Returns:
        The names of the faults.
    """
    family = OMNI_FAMILIES.get(model_type.removesuffix("_thinker"))
    if family is None:
        return ()
    is_true = any(rate is not None for rate in decoded.rates)
    found = {
        POSITIONS: decoded.interleaved and (is_true or family is QWEN2_5_OMNI),
        PARTS: decoded.interleaved,
        ORDER: decoded.interleaved and is_true and family is QWEN2_5_OMNI,
        ENDS: family is QWEN3_OMNI and any(len(sound) % HOP for sound in decoded.sounds),
        BETWEEN: any(
            is_between(family, rate, len(frames)) for frames, rate in zip(decoded.videos, decoded.rates, strict=True)
        ),
    }
    return tuple(name for name, is_there in found.items() if is_there and name not in corrected)


def is_between(family: OmniFamily, rate: float | None, frames: int) -> bool:
    """Whether a frame of a clip lies between two whole positions of the time axis.

    Args:
        family: The family of the model. Some families round such positions down.
        rate: Frames per second that the model is given; None if it is given none.
        frames: Number of frames.

    Returns:
        True if one does, so that vLLM gives it another position.
    """
    if family.exact_positions is None or frames <= _FRAMES_PER_STEP:
        return False
    return not (_FRAMES_PER_STEP / (rate or family.assumed_rate) * family.exact_positions).is_integer()


def corrected_by(mends: Mapping[str, str]) -> frozenset[str]:
    """Return the faults that an engine in this process does not have.

    Args:
        mends: The state of each correction, as results have it under `vllm_mends`.

    Returns:
        Their names.
    """
    applied = {name.partition(" (")[0] for name, state in mends.items() if state == "applied"}
    return _OF_SERVERS | (CORRECTED & applied)


def without(stats: MediaStats, corrected: Collection[str]) -> MediaStats:
    """Take corrected faults out of what is known of a sample.

    Args:
        stats: What is known of it.
        corrected: The names of the faults that are corrected.

    Returns:
        The stats with the other faults.
    """
    return replace(stats, vllm_faults=tuple(name for name in stats.vllm_faults if name not in corrected))
