"""The arguments of engine=vllm, and what they become in vLLM."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from lmms_humansense.models import omni
from lmms_humansense.models.local.families.base import Answer
from lmms_humansense.models.vllm import mends
from lmms_humansense.models.vllm.engine import cut_answer, own_gpus, sampling_arguments
from lmms_humansense.models.vllm.settings import VllmSettings, read_vllm_settings

DEFAULTS = {"max_tokens": 1024, "min_tokens": 0, "temperature": 0.0, "repetition_penalty": 1.0}


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_the_extra_is_named(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match=r"pip install 'lmms-humansense\[vllm\]'"):
        read_vllm_settings({"pretrained": str(tiny_model)})
    with pytest.raises(ValueError, match="engine=vllm needs vLLM, which is not installed"):
        omni.HumanSenseOmni(pretrained=str(tiny_model), engine="vllm")


def test_an_unknown_engine_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match="engine=vlm: humansense_omni knows the engines local and vllm"):
        omni.HumanSenseOmni(pretrained=str(tiny_model), engine="vlm")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"max_new_tokens": 7, "min_new_tokens": 3}, {"max_tokens": 7, "min_tokens": 3}),
        ({"temperature": 0.5, "top_p": 0.9, "top_k": 5}, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}),
        ({"temperature": 0, "top_p": 0.9}, {}),
        ({"do_sample": True}, {"temperature": 1.0}),
        ({"do_sample": False, "temperature": 0.7}, {"temperature": 0.7}),
        ({"repetition_penalty": 1.2, "num_beams": 1}, {"repetition_penalty": 1.2}),
    ],
)
def test_arguments_of_generation(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert sampling_arguments(given) == {**DEFAULTS, **expected}


def test_beam_search_is_refused() -> None:
    with pytest.raises(ValueError, match="num_beams=4: engine=vllm has no beam search"):
        sampling_arguments({"num_beams": 4})


@pytest.mark.parametrize(
    ("text", "truncated", "expected"),
    [("one two", True, ("one two", True)), ("one STOP", True, ("one ", False)), ("one", False, ("one", False))],
)
def test_an_answer_with_a_stop_string_is_cut_and_not_truncated(
    text: str, truncated: bool, expected: tuple[str, bool]
) -> None:
    cut = cut_answer(Answer(text, 5, truncated), {"until": ["STOP"]})
    assert (cut.text, cut.truncated, cut.tokens) == (*expected, 5)


def settings(**engine_args: Any) -> VllmSettings:
    return VllmSettings("model", engine_args=engine_args)


@pytest.mark.parametrize(
    ("rank", "visible", "engine_args", "expected"),
    [
        ("0", None, {}, ["0"]),
        ("1", None, {}, ["1"]),
        ("1", None, {"tensor_parallel_size": 2}, ["2", "3"]),
        ("1", "4,5,6,7", {"tensor_parallel_size": 2}, ["6", "7"]),
        ("0", None, {"tensor_parallel_size": 2, "pipeline_parallel_size": 2}, ["0", "1", "2", "3"]),
    ],
)
def test_each_process_has_gpus_of_its_own(
    rank: str, visible: str | None, engine_args: dict[str, Any], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert own_gpus(settings(**engine_args), 4) == expected


def test_too_few_gpus_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(ValueError, match="2 processes with 2 GPUs each need more than the 2 GPUs here"):
        own_gpus(settings(tensor_parallel_size=2), 2)


def test_mends_that_are_off_are_named() -> None:
    assert set(mends.states("qwen2_5_omni", wanted=False).values()) == {"off"}
    assert mends.states("qwen2_audio", wanted=True) == {}


def test_vllm_finds_the_mends() -> None:
    assert mends._is_called()


def test_the_plugin_does_nothing_in_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(mends.VARIABLE, raising=False)
    monkeypatch.setattr(mends, "_applied", lambda mend: pytest.fail("a mend was applied"))
    mends.apply()


def test_another_source_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here, the module has another source: it does not exist."""
    monkeypatch.setattr(mends, "_done", {})
    mend = mends.Mend("x", ("a",), "no.such.module", ("f",), "0" * 64, lambda module: pytest.fail("it was changed"))
    assert not mends._applied(mend)
