"""vLLM's prompts and answers are those of the local model, in every question of the sample and its variants."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.vllm_runs import differences, local_answers, questions, requests_of, shown_as, with_ids

CASES = [
    ("qwen2_5_omni", "release"),
    ("qwen2_5_omni", "true"),
    ("qwen3_omni_moe", "release"),
    ("qwen2_audio", "release"),
]


@pytest.mark.parametrize(("family", "axis"), CASES)
def test_ids_and_answers_are_those_of_the_local_model(start: Callable[..., Any], family: str, axis: str) -> None:
    engine = shown_as(start(family), time_axis=axis)
    requests = requests_of(questions(sees=family != "qwen2_audio"))
    theirs = dict(local_answers(engine, requests))
    ours = with_ids(engine, requests)
    assert [name for name in theirs if ours[name].ids != theirs[name].ids] == []
    assert differences(ours, theirs) == {}
    assert len({answered.text for answered in theirs.values()}) > 10
