"""A step of vLLM's engine may end anywhere in a heard clip; without the mends, answers are then wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.vllm_runs import differences, local_answers, of_tasks, requests_of, shown_as, with_ids

SMALL = {"max_num_batched_tokens": 96, "enable_prefix_caching": False}
"""Steps that end within the frames and within the sounds of a heard clip."""


@pytest.mark.parametrize("family", ["qwen2_5_omni", "qwen3_omni_moe"])
def test_answers_do_not_depend_on_where_steps_end(start: Callable[..., Any], family: str) -> None:
    engine = start(family, **SMALL)
    assert set(engine.info["vllm_mends"].values()) == {"applied"}
    requests = requests_of(of_tasks("TR", "FR1", "FR2", "RR1", "RR2", "ES"))
    assert differences(with_ids(engine, requests), dict(local_answers(engine, requests))) == {}


def test_without_the_mends_answers_are_wrong(start: Callable[..., Any]) -> None:
    """If this fails with a new vLLM, its faults may be corrected there: see docs/vllm.md and `mends.py`."""
    engine = start("qwen2_5_omni", vllm_mends="off", **SMALL)
    assert set(engine.info["vllm_mends"].values()) == {"off"}
    requests = requests_of(of_tasks("TR", "FR1", "RR1", "RR2", "ES"))
    release, true = shown_as(engine, time_axis="release"), shown_as(engine, time_axis="true")
    for shown in (release, true):
        assert differences(with_ids(shown, requests), dict(local_answers(shown, requests))) != {}
