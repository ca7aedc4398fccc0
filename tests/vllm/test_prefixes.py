"""Clips with the same frames and other sounds are never taken for each other by vLLM's prefix cache."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lmms_humansense.models.inputs.decoding import DecodedConversation
from lmms_humansense.models.inputs.senses import HEARD, OTHER_SOUND, probes
from lmms_humansense.models.local.collation import IDS
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.media.types import SAMPLE_RATE
from lmms_humansense.models.vllm.encoder import VllmEncoder
from lmms_humansense.models.vllm.prompts import VllmPrompt
from tests.helpers.vllm_runs import GREEDY

BLOCK = 32
"""Tokens of a block of the cache. A GPU has 16, and a CPU 128 by default, but prefers multiples of 32."""


def blocks(prompt: VllmPrompt, size: int) -> Iterator[tuple[Any, ...]]:
    """What vLLM knows each full block of a prompt by: its tokens, and the media in it."""
    from vllm.v1.core.kv_cache_utils import _gen_mm_extra_hash_keys

    ids = prompt.prompt.tensors[IDS][0].tolist()
    features = [
        SimpleNamespace(identifier=one.identity, mm_position=SimpleNamespace(offset=one.offset, length=one.length))
        for one in prompt.media
    ]
    following = 0
    for start in range(0, len(ids) - size + 1, size):
        request: Any = SimpleNamespace(mm_features=features)
        keys, following = _gen_mm_extra_hash_keys(request, start, start + size, following)
        yield tuple(ids[start : start + size]), tuple(keys)


@pytest.mark.parametrize("family", ["qwen2_5_omni", "qwen3_omni_moe"])
@pytest.mark.parametrize("size", [16, 128])
def test_no_block_with_sound_is_shared_with_another_sound(
    checkpoint: Callable[[str], Path], family: str, size: int
) -> None:
    encoder = VllmEncoder(read_local_settings({"pretrained": str(checkpoint(family))}), family)
    asked = probes()
    one, other = (encoder.prompt(asked[name]) for name in (HEARD, OTHER_SOUND))
    assert one.prompt.tensors[IDS].tolist() == other.prompt.tensors[IDS].tolist()
    pairs = list(zip(blocks(one, size), blocks(other, size), strict=True))
    shared = next((number for number, (ours, theirs) in enumerate(pairs) if ours != theirs), len(pairs))
    assert shared * size <= one.media[0].offset


def with_sound(pitch: float, words: str) -> DecodedConversation:
    """A question about the clip of the questions about senses, with 8 s of another sound."""
    asked = probes()[HEARD]
    asked.messages[0]["content"][-1]["text"] = words
    times = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
    asked.sounds = [np.sin(2 * np.pi * pitch * times).astype(np.float32)]
    return asked


def test_answers_about_the_same_frames_with_other_sounds_are_those_of_the_local_model(
    start: Callable[..., Any], checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start("qwen2_5_omni", block_size=BLOCK)
    local = Engine(read_local_settings({"pretrained": str(checkpoint("qwen2_5_omni")), "device": "cpu"}))
    asked = {
        f"{words} {pitch}": with_sound(pitch, words)
        for words in ("Who?", "What is it?")
        for pitch in (110.0, 440.0, 1760.0, 7040.0)
    }
    expected = {name: local.respond([local.family.encode(said)], GREEDY)[0] for name, said in asked.items()}
    assert len({answer.text for answer in expected.values()}) > 2
    cached: dict[str, int] = {}
    answer = engine._answer

    def noting(output: Any) -> Any:
        cached[output.request_id] = output.num_cached_tokens
        return answer(output)

    monkeypatch.setattr(engine, "_answer", noting)
    found: dict[str, Any] = {}
    for name, said in asked.items():
        engine.add(name, engine.encoder.prompt(said), GREEDY)
        while name not in found:
            found.update(engine.step())
    assert found == expected
    (seen, _) = engine.encoder.prompt(said).media
    for name, tokens in cached.items():
        if name.startswith("Who"):  # the first question about this clip
            assert tokens <= seen.offset
        else:
            assert tokens > seen.offset + seen.length - BLOCK
