"""Which of vLLM's faults a question is marked with."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from lmms_humansense.models.inputs.decoding import DecodedConversation
from lmms_humansense.models.inputs.omni_families import QWEN2_5_OMNI, QWEN3_OMNI
from lmms_humansense.models.inputs.stats import MediaStats
from lmms_humansense.models.inputs.vllm_faults import (
    BETWEEN,
    CORRECTED,
    ENDS,
    ORDER,
    PARTS,
    POSITIONS,
    corrected_by,
    faults_of,
    is_between,
    without,
)
from lmms_humansense.models.vllm import mends

QWEN2_5, QWEN3 = "qwen2_5_omni", "qwen3_omni_moe"


def decoded(frames: int, rate: float | None, samples: int, interleaved: bool) -> DecodedConversation:
    """A question about one clip, a sound, or a clip with its sound."""
    made = DecodedConversation()
    if frames:
        made.videos, made.rates = [torch.zeros(frames, 3, 28, 28, dtype=torch.uint8)], [rate]
    if samples:
        made.sounds, made.sound_of_video = [np.zeros(samples, np.float32)], [0 if interleaved else None]
    return made


HEARD = decoded(4, None, 16_000, interleaved=True)
HEARD_TRUE = decoded(4, 2 / 1.28125, 16_000, interleaved=True)
HEARD_WHOLE = decoded(4, 2.0, 16_000, interleaved=True)
SILENT_TRUE = decoded(4, 2 / 1.28125, 0, interleaved=False)
SOUND = decoded(0, None, 16_100, interleaved=False)
WHOLE_SOUND = decoded(0, None, 16_000, interleaved=False)


@pytest.mark.parametrize(
    ("question", "model_type", "faults", "left_when_corrected"),
    [
        (HEARD, QWEN2_5, [POSITIONS, PARTS], []),
        (HEARD, QWEN3, [PARTS], []),
        (HEARD_TRUE, QWEN2_5, [POSITIONS, PARTS, ORDER], []),
        (HEARD_TRUE, QWEN2_5 + "_thinker", [POSITIONS, PARTS, ORDER], []),
        (HEARD_TRUE, QWEN3, [POSITIONS, PARTS, BETWEEN], [BETWEEN]),
        (HEARD_WHOLE, QWEN3, [POSITIONS, PARTS], []),
        (SILENT_TRUE, QWEN2_5, [], []),
        (SILENT_TRUE, QWEN3, [BETWEEN], [BETWEEN]),
        (SOUND, QWEN2_5, [], []),
        (SOUND, QWEN3, [ENDS], []),
        (WHOLE_SOUND, QWEN3, [], []),
        (HEARD_TRUE, "qwen2_audio", [], []),
    ],
)
def test_a_question_is_marked_with_what_may_change_its_answer(
    question: DecodedConversation, model_type: str, faults: Sequence[str], left_when_corrected: Sequence[str]
) -> None:
    assert list(faults_of(question, model_type)) == faults
    assert list(faults_of(question, model_type, CORRECTED)) == left_when_corrected


def test_only_steps_of_a_whole_number_of_positions_are_exact() -> None:
    assert not is_between(QWEN3_OMNI, 2.0, 24)  # 13 positions
    assert is_between(QWEN3_OMNI, 1.6, 24)  # 16.25
    assert not is_between(QWEN3_OMNI, 1.6, 2), "the first step has the position 0"
    assert not is_between(QWEN3_OMNI, None, 24)  # 26
    assert not is_between(QWEN2_5_OMNI, 1.6, 24), "it rounds them down itself"


def test_the_corrections_have_the_names_of_their_faults() -> None:
    assert {mend.name.partition(" (")[0] for mend in mends.MENDS} == CORRECTED


def test_an_engine_has_the_faults_that_are_not_corrected_in_it() -> None:
    states = {POSITIONS + " (Qwen3-Omni)": "applied", PARTS: "off"}
    assert corrected_by(states) == {POSITIONS, ORDER, ENDS}
    assert corrected_by({POSITIONS: "not applied"}) == {ORDER, ENDS}
    stats = MediaStats(4, 1.0, 1.0, "true", faults_of(HEARD_TRUE, QWEN3))
    assert without(stats, corrected_by(states)) == MediaStats(4, 1.0, 1.0, "true", (PARTS, BETWEEN))
