"""With the mends, vLLM gives all tokens the positions that transformers gives them. Needs no engine."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lmms_humansense.models.local.collation import IDS, MEL_MASK, SECONDS
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.vllm import mends
from lmms_humansense.models.vllm.encoder import VllmEncoder
from lmms_humansense.models.vllm.prompts import VllmPrompt
from lmms_humansense.tasks.humansense.variants import BENCHMARK
from tests.helpers.vllm_runs import local_positions, questions

FAULTS = Path(__file__).parents[2] / "scripts" / "vllm_faults"
CLASSES = {
    "qwen2_5_omni": "Qwen2_5OmniThinkerForConditionalGeneration",
    "qwen3_omni_moe": "Qwen3OmniMoeThinkerForConditionalGeneration",
}


@pytest.fixture(scope="module", params=CLASSES)
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def thinker(family: str, checkpoint: Callable[[str], Path]) -> Any:
    settings = read_local_settings({"pretrained": str(checkpoint(family)), "device": "cpu"})
    return Engine(settings).family.model


@pytest.fixture
def mended(family: str, thinker: Any) -> Any:
    """vLLM's model with the mends and a configuration, without weights."""
    assert set(mends.states(family, wanted=True).values()) == {"applied"}
    module = importlib.import_module({"qwen2_5_omni": mends._QWEN2_5, "qwen3_omni_moe": mends._QWEN3}[family])
    model_class = getattr(module, CLASSES[family])
    model = model_class.__new__(model_class)
    model.__dict__["config"] = thinker.config
    return model


def features_of(prompt: VllmPrompt) -> list[Any]:
    """What vLLM knows about the media when it computes positions."""
    from vllm.multimodal.inputs import (
        MultiModalFeatureSpec,
        MultiModalFieldConfig,
        MultiModalKwargsItems,
        PlaceholderRange,
    )

    tensors = prompt.prompt.tensors
    values: dict[str, tuple[str, torch.Tensor]] = {}
    if "video_grid_thw" in tensors:
        heard = torch.full((len(tensors[SECONDS]),), prompt.prompt.has_heard_video)
        values |= {"video_grid_thw": ("video", tensors["video_grid_thw"])}
        values |= {"second_per_grid_ts": ("video", tensors[SECONDS]), "use_audio_in_video": ("video", heard)}
    if MEL_MASK in tensors:
        values["audio_feature_lengths"] = "audio", tensors[MEL_MASK].sum(-1)
    items = MultiModalKwargsItems.from_hf_inputs(
        {name: value for name, (_, value) in values.items()},
        {name: MultiModalFieldConfig.batched(kind) for name, (kind, _) in values.items()},
    )
    left = {kind: iter(found) for kind, found in items.items()}
    return [
        MultiModalFeatureSpec(
            next(left[one.kind]), one.kind, one.identity, PlaceholderRange(one.offset, one.length, one.tokens)
        )
        for one in prompt.media
    ]


@pytest.mark.parametrize("axis", ["release", "true"])
def test_positions_are_those_of_transformers(
    mended: Any, thinker: Any, family: str, axis: Any, checkpoint: Callable[[str], Path]
) -> None:
    settings = read_local_settings({"pretrained": str(checkpoint(family)), "time_axis": axis})
    encoder = VllmEncoder(settings, family)
    whole = 0
    for said in questions(variants=[BENCHMARK]).values():
        (result,) = encoder.encode([encoder.read(said)])
        prompt = result.encoded
        assert isinstance(prompt, VllmPrompt), result.reason
        theirs = local_positions(thinker, prompt.prompt)
        ours, delta = mended.get_mrope_input_positions(prompt.prompt.tensors[IDS][0].tolist(), features_of(prompt))
        if not torch.equal(theirs, theirs.floor()):
            # Only Qwen3-Omni, on the true axis: transformers puts frames between whole positions, vLLM has none there.
            assert (family, axis) == ("qwen3_omni_moe", "true")
            assert (ours - theirs).abs().max() < 2
            continue
        whole += 1
        assert torch.equal(ours, theirs.long())
        assert delta == int(theirs.max()) + 1 - theirs.shape[1]
    assert whole == 39 or (family, axis) == ("qwen3_omni_moe", "true")


def test_a_mend_is_not_applied_to_another_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mends, "_done", {})
    monkeypatch.setattr(mends, "MENDS", [replace(mend, digest="0" * 64) for mend in mends.MENDS])
    monkeypatch.setattr(mends, "_make", lambda *_: pytest.fail("vLLM was changed"))
    assert set(mends.states("qwen2_5_omni", wanted=True).values()) == {"not applied"}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("positions.py", "tokens have other positions; token"),
        ("positions_qwen3.py", "a step of 0.7 s: 37 of 155 tokens have other positions; token"),
        ("merging.py", "wrong"),
        ("prefixes.py", "wrong"),
        ("order.py", "a step of 4 s: wrong order"),
        ("sounds.py", "40 tokens: wrong"),
        ("pairs.py", "wrong"),
        ("heads.py", "wrong"),
    ],
)
def test_the_scripts_show_vllms_faults(script: str, said: str) -> None:
    done = subprocess.run([sys.executable, str(FAULTS / script)], capture_output=True, text=True, check=True)
    assert said in done.stdout
