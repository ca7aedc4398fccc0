"""Runs with vLLM's engine: what fails, what is asked together, stop strings, workers, and memory."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from lmms_humansense.models.runtime.request import Request
from lmms_humansense.models.runtime.signals import SigtermGuard
from lmms_humansense.models.runtime.worker_pool import WorkerPool
from lmms_humansense.models.vllm.encoder import VllmEncoder
from lmms_humansense.models.vllm.runner import VllmRunner
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.ledgers import open_ledger
from tests.helpers.vllm_runs import (
    GREEDY,
    differences,
    local_answers,
    of_tasks,
    questions,
    requests_of,
    run_vllm,
    with_ids,
)

HEARD, SILENT, SOUND = "-TR-0", "-AR-0", "-FR2-0"

BLOCKS = 260
"""Blocks of the engine's cache of keys and values: as many as the longest prompt needs. Memory is taken when a block is
used for the first time, so with more of them it would grow until all have been."""


@pytest.fixture(scope="module")
def engine(start: Callable[..., Any]) -> Any:
    return start("qwen2_5_omni", num_gpu_blocks_override=BLOCKS)


@pytest.fixture(scope="module")
def pool(engine: Any) -> Iterator[WorkerPool]:
    made = WorkerPool(partial(VllmEncoder, engine.settings, "qwen2_5_omni"), 2, engine.settings.media_timeout)
    yield made
    made.close()


def text(words: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": words}]}]


def test_silent_heard_audio_only_and_text_only_prompts_together(engine: Any) -> None:
    asked = of_tasks("AR", "TR", "FR2", "HC", "ES", "PC")
    mixed = {name: said for name, said in asked.items() if name.endswith("-0")}
    mixed |= {"plain": text("Who are you?"), "long": text("Who? " * 900)}
    kinds: dict[str, dict[str, Any]] = {
        HEARD: {"max_new_tokens": 40, "min_new_tokens": 30},
        SILENT: {"max_new_tokens": 1},
        SOUND: {"max_new_tokens": 40, "until": ["3", "D"]},
        "plain": {"max_new_tokens": 20, "repetition_penalty": 1.3},
    }
    requests = requests_of(mixed, **kinds)
    theirs = dict(local_answers(engine, requests))
    assert differences(with_ids(engine, requests), theirs) == {}


def test_a_stop_string_ends_an_answer_and_is_cut_off(engine: Any) -> None:
    (whole,) = run_vllm(engine, requests_of({"q": text("Who?")}, {"max_new_tokens": 30})).values()
    assert whole.text is not None
    stop = whole.text[2]
    (cut,) = run_vllm(engine, requests_of({"q": text("Who?")}, {"max_new_tokens": 30, "until": [stop]})).values()
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.truncated is False
    assert cut.output_tokens <= whole.output_tokens


def test_what_cannot_be_asked_fails_alone(engine: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes((ROOT / "videos" / "count" / "parade.mp4").read_bytes()[:20_000])
    clip = {"type": "video", "url": str(broken), "fps": 1.0}
    asked = {
        "long": text("Who? " * 40_000),
        "unreadable": [{"role": "user", "content": [clip, {"type": "text", "text": "Who?"}]}],
        "beams": text("Who?"),
        **of_tasks("TR"),
    }
    responses = run_vllm(engine, requests_of(asked, beams={**GREEDY, "num_beams": 4}))
    failed = {name: response.error for name, response in responses.items() if response.text is None}
    assert list(failed) == ["long", "unreadable", "beams"]
    assert "PromptTooLongError: The prompt has" in failed["long"]
    assert "the model's context holds 32,768" in failed["long"]
    assert "MediaError" in failed["unreadable"]
    assert str(broken) in failed["unreadable"]
    assert failed["beams"].endswith("num_beams=4: engine=vllm has no beam search; engine=local has.")
    assert not engine._engine.has_unfinished_requests()


def test_what_vllm_refuses_fails_alone(engine: Any) -> None:
    """vLLM's errors about single questions are no ValueErrors."""
    asked = {"few": text("Who?"), "top_p": text("Who?"), **of_tasks("TR")}
    few, top_p = {**GREEDY, "min_new_tokens": 9}, {"max_new_tokens": 8, "temperature": 1.0, "top_p": 0.0}
    responses = run_vllm(engine, requests_of(asked, few=few, top_p=top_p))
    failed = {name: response.error for name, response in responses.items() if response.text is None}
    assert list(failed) == ["few", "top_p"]
    assert failed["few"].startswith("ValueError: vLLM refuses the question: min_tokens must be")
    assert failed["top_p"].startswith("ValueError: vLLM refuses the question: top_p must be")
    assert not engine._engine.has_unfinished_requests()


def test_sampled_answers_depend_on_the_seed_and_the_doc_and_not_on_what_else_is_asked(engine: Any) -> None:
    sampled = {"max_new_tokens": 12, "min_new_tokens": 12, "temperature": 1.0}
    requests = requests_of({name: text("Who?") for name in "abcdef"}, sampled)

    def answers(seed: int, *asked: Request) -> list[str | None]:
        runner = VllmRunner(engine, None, open_ledger(), SigtermGuard(), seed)
        return [response.text for response in runner.run(asked)]

    first = answers(1, *requests)
    assert len(set(first)) == len(requests)
    assert answers(1, *reversed(requests)) == first[::-1]
    assert answers(1, requests[3]) == [first[3]]
    once, again = answers(1, requests[3], replace(requests[3]))
    assert once == first[3]
    assert again not in first
    assert not set(answers(2, *requests)) & set(first)


def test_all_workers_of_an_engine_have_the_mends(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {name for name, state in engine.info["vllm_mends"].items() if state == "applied"}
    (found,) = engine._engine.collective_rpc("humansense_mends")
    assert wanted <= set(found)
    monkeypatch.setattr(engine, "close", lambda: None)
    monkeypatch.setitem(engine.info, "vllm_mends", {**engine.info["vllm_mends"], "another": "applied"})
    with pytest.raises(ValueError, match=r"Not all of vLLM's workers correct its faults \(another\): install the same"):
        engine._ask_workers()


def test_pictures_and_sounds_have_an_effect(engine: Any) -> None:
    senses = engine.senses()
    assert (senses.sight, senses.sound) == ("arrives", "arrives")
    assert not engine._engine.has_unfinished_requests()


def test_a_context_too_small_for_the_questions_about_senses_is_named(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_context", 64)
    with pytest.raises(
        ValueError, match=r"The prompt has .* tokens and the model's context holds 64; .*max_model_len="
    ):
        engine.senses()
    assert not engine._engine.has_unfinished_requests()


def test_workers_change_nothing(engine: Any, pool: WorkerPool) -> None:
    requests = requests_of(of_tasks("AR", "TR", "FR2", "ES"))
    alone, helped = run_vllm(engine, requests), run_vllm(engine, requests, workers=pool)
    assert {name: one.text for name, one in helped.items()} == {name: one.text for name, one in alone.items()}


def test_a_clip_is_encoded_once_for_all_questions_about_it(engine: Any) -> None:
    """Prefix caching knows a clip again, and never takes another way of showing it for the same."""
    clip = {"type": "video", "url": str(ROOT / "videos" / "emotion" / "gift.mp4")}  # not in the tests before

    def asked(words: str, **rule: Any) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [{**clip, **rule}, {"type": "text", "text": words}]}]

    different = {
        "one": asked("Who?", fps=1.0),
        "two": asked("Who?", fps=2.0),
        "release": asked("Who?", fps=1.0, time_axis="release"),
        "small": asked("Who?", fps=1.0, max_pixels=128 * 28 * 28 // 2),
        "again": asked("What is it?", fps=1.0),
    }
    requests = requests_of(different)
    cached: dict[str, int] = {}
    answer = engine._answer

    def noting(output: Any) -> Any:
        cached[output.request_id] = output.num_cached_tokens
        return answer(output)

    engine._answer = noting
    try:
        for request in requests:
            run_vllm(engine, [request])
            cached[request.task] = cached.pop("1")
    finally:
        del engine._answer
    assert differences(with_ids(engine, requests), dict(local_answers(engine, requests))) == {}
    shared = 64  # tokens of text before the clip, at most
    assert {name for name, tokens in cached.items() if tokens > shared} == {"again"}


def test_many_questions_take_no_more_memory(engine: Any, pool: WorkerPool) -> None:
    asked = questions()
    names = list(asked)[::2]  # the same each time: vLLM's worker grows with new ones
    used = []
    for part in range(3):
        chosen = {f"{part}-{number}": asked[names[number % len(names)]] for number in range(100)}
        responses = run_vllm(engine, requests_of(chosen), workers=pool)
        assert not [response.error for response in responses.values() if response.error]
        me = psutil.Process(os.getpid())
        vllms = [one for one in me.children(recursive=True) if one.name().startswith("VLLM")]
        used.append({one.name(): one.memory_info().rss / 1e6 for one in [me, *vllms]})
    print("MB of each process after each 100 questions:", used)
    assert len(used[2]) == 3
    grown = {name: after - used[1][name] for name, after in used[2].items()}
    # vLLM's worker grows ever slower. 49 MB were seen here.
    assert grown.pop("VLLM::Worker") < 90, used
    assert max(grown.values()) < 40, used
