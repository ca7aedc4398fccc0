"""Runs with vLLM's engine: what fails, what is asked together, stop strings, workers, and memory."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from lmms_humansense.models.runtime.worker_pool import WorkerPool
from lmms_humansense.models.vllm.encoder import VllmEncoder
from lmms_humansense.tasks.humansense_sample.utils import ROOT
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


@pytest.fixture(scope="module")
def engine(start: Callable[..., Any]) -> Any:
    return start("qwen2_5_omni")


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


def test_pictures_and_sounds_have_an_effect(engine: Any) -> None:
    senses = engine.senses()
    assert (senses.sight, senses.sound) == ("arrives", "arrives")
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
    names = list(asked)
    used = []
    for part in range(3):
        chosen = {f"{part}-{number}": asked[names[(part * 100 + number) % len(names)]] for number in range(100)}
        responses = run_vllm(engine, requests_of(chosen), workers=pool)
        assert not [response.error for response in responses.values() if response.error]
        me = psutil.Process(os.getpid())
        used.append([sum(one.memory_info().rss for one in me.children(recursive=True)), me.memory_info().rss])
    grown = [(after - before) / 1e6 for before, after in zip(used[1], used[2], strict=True)]
    assert max(grown) < 100, used
