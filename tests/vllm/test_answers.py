"""vLLM's prompts and answers are those of the local model, in every question of the sample and its variants.

Only answers to prompts with frames between whole positions may differ, which Qwen3-Omni has on the true time axis.
"""

from collections.abc import Callable
from typing import Any

import pytest

from lmms_humansense.models.local.settings import read_local_settings
from tests.helpers.vllm_runs import (
    between_whole_positions,
    differences,
    local_answers,
    questions,
    requests_of,
    shown_as,
    with_ids,
)

CASES = [
    ("qwen2_5_omni", "release"),
    ("qwen2_5_omni", "true"),
    ("qwen3_omni_moe", "release"),
    ("qwen3_omni_moe", "true"),
    ("qwen2_audio", "release"),
]


@pytest.mark.parametrize(("family", "axis"), CASES)
def test_ids_and_answers_are_those_of_the_local_model(start: Callable[..., Any], family: str, axis: str) -> None:
    engine = shown_as(start(family), time_axis=axis)
    requests = requests_of(questions(sees=family != "qwen2_audio"))
    theirs = dict(local_answers(engine, requests))
    ours = with_ids(engine, requests)
    assert [name for name in theirs if ours[name].ids != theirs[name].ids] == []
    between = set()
    if (family, axis) == ("qwen3_omni_moe", "true"):
        between = between_whole_positions(
            read_local_settings({"pretrained": engine.settings.pretrained, "device": "cpu", "time_axis": axis}),
            requests,
        )
        assert 0 < len(between) < len(requests) / 2
    differ = differences(ours, theirs)
    print(f"{len(differ)} of {len(requests)} answers differ; {len(between)} prompts have frames between positions")
    assert differ.keys() <= between
    assert len({answered.text for answered in theirs.values()}) > 10
