"""The arguments of engine=vllm, and what they become in vLLM."""

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from loguru import logger

from lmms_humansense.models import omni
from lmms_humansense.models.local.families.base import Answer
from lmms_humansense.models.media.digests import FileDigests
from lmms_humansense.models.vllm import mends
from lmms_humansense.models.vllm.description import identity
from lmms_humansense.models.vllm.engine import _environment, cut_answer, own_gpus, sampling_arguments
from lmms_humansense.models.vllm.settings import VllmSettings, _refuse, read_vllm_settings

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
    ("name", "sentence"),
    [
        ("generation_config", "engine=vllm sets generation_config itself; leave it out"),
        ("revision", "engine=vllm does not take revision, because .* give pretrained=FOLDER"),
        ("tokenizer", "engine=vllm does not take tokenizer"),
        ("hf_config_path", "engine=vllm does not take hf_config_path"),
    ],
)
def test_arguments_that_only_vllm_would_follow_are_refused(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        _refuse({"max_num_seqs": 4, name: "main"})


@pytest.mark.parametrize(
    ("states", "left_out"),
    [
        ({}, True),
        ({"one": "applied"}, True),
        ({"one": "applied", "two": "not applied"}, False),
        ({"one": "off"}, False),
    ],
)
def test_what_only_decides_how_fast_it_is_changes_answers_unless_faults_are_corrected(
    states: dict[str, str], left_out: bool, tiny_model: Path
) -> None:
    names = ("engine", "dtype", "quantization", "tensor_parallel_size", "versions")
    described = {**dict.fromkeys(names), "vllm_mends": states, "model_type": "qwen2_5_omni", "checkpoint": {}}

    def key(**engine_args: Any) -> Any:
        made = VllmSettings(str(tiny_model), engine_args=engine_args)
        return identity(made, {**described, "pretrained": str(tiny_model)}, FileDigests())

    assert (key(max_num_batched_tokens=96) == key(max_num_batched_tokens=8192)) is left_out
    assert key(max_model_len=96) != key(max_model_len=8192)


@pytest.mark.parametrize(
    ("before", "within"), [(None, mends.VARIABLE), ("A,B", f"A,B,{mends.VARIABLE}")], ids=["none", "some"]
)
def test_the_processes_of_ray_get_the_variable_of_the_mends(
    before: str | None, within: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "VLLM_RAY_EXTRA_ENV_VARS_TO_COPY"
    monkeypatch.delenv(name, raising=False)
    if before:
        monkeypatch.setenv(name, before)
    with _environment(settings(), torch.device("cpu")):
        assert (os.environ[name], os.environ[mends.VARIABLE]) == (within, "1")
    assert os.environ.get(name) == before


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"max_new_tokens": 7, "min_new_tokens": 3}, {"max_tokens": 7, "min_tokens": 3}),
        ({"temperature": 0.5, "top_p": 0.9, "top_k": 5}, {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "seed": 7}),
        ({"temperature": 0, "top_p": 0.9}, {}),
        ({"do_sample": True}, {"temperature": 1.0, "seed": 7}),
        ({"do_sample": False, "temperature": 0.7}, {"temperature": 0.7, "seed": 7}),
        ({"repetition_penalty": 1.2, "num_beams": 1}, {"repetition_penalty": 1.2}),
    ],
)
def test_arguments_of_generation(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert sampling_arguments(given, seed=7) == {**DEFAULTS, **expected}


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
    mend = mends.Mend("x", ("a",), "no.such", ("no.such:f",), "0" * 64, lambda module: pytest.fail("it was changed"))
    assert not mends._applied(mend)


def plain() -> str:
    return "plain"


def mend_of_this_module(replacements: Any) -> mends.Mend:
    found = mends.Mend("answers", ("a",), __name__, (f"{__name__}:plain",), "", replacements)
    return replace(found, digest=mends.source_digest(found))


@pytest.fixture
def no_mends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mends, "_done", {})
    monkeypatch.setitem(globals(), "plain", plain)  # put back at the end


def other(original: Any) -> Any:
    return lambda: f"not {original()}"


def test_a_mend_is_made_once_and_knows_the_source_that_it_replaced(no_mends: None) -> None:
    mend = mend_of_this_module(lambda module: iter([(module, "plain", other)]))
    assert mends._applied(mend)
    assert mends._applied(mend)
    assert plain() == "not plain"
    assert mends.source_digest(mend) == mend.digest
    assert mends.made() == ["answers"]


def test_a_mend_that_cannot_be_made_changes_nothing_and_is_named(no_mends: None) -> None:
    """An error would end every process of vLLM, also those of other programs' servers."""

    def replacements(module: ModuleType) -> Iterator[mends.Replacement]:
        yield module, "plain", other
        yield module, "not_there", other

    said: list[str] = []
    heard = logger.add(lambda line: said.append(str(line)), level="WARNING", format="{message}")
    try:
        assert not mends._applied(mend_of_this_module(replacements))
    finally:
        logger.remove(heard)
    assert plain() == "plain"
    assert mends.made() == []
    assert "The answers are left as this release of vLLM has them, because AttributeError: " in said[0]
    assert "not_there" in said[0]


@pytest.mark.parametrize("mend", mends.MENDS, ids=lambda mend: mend.name.replace(" ", "_"))
def test_the_source_of_every_module_that_a_mend_changes_is_known(mend: mends.Mend) -> None:
    assert mend.module in {source.partition(":")[0] for source in mend.sources}
    assert all(source.count(":") == 1 for source in mend.sources)
