"""A run with the tiny model: the order of responses, what is done once, and which requests share a batch."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lmms_humansense.models.inputs import media_cache
from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.runner import Effort
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.media.video import read_clip
from lmms_humansense.models.runtime.request import Request
from lmms_humansense.models.runtime.worker_pool import WorkerPool
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.engines import local_runner, local_workers
from tests.helpers.responses import text_and_tokens
from tests.helpers.waits import LIMIT

COUNT = ROOT / "videos" / "count"
GREEDY = {"max_new_tokens": 3}


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine(read_local_settings({"pretrained": str(tiny_model), "device": "cpu", "batch_size": 2}))


@pytest.fixture(scope="module")
def pool(engine: Engine) -> Iterator[WorkerPool]:
    made = local_workers(engine.settings)
    yield made
    made.close()


def question(number: int, file: Path | None = None, words: str = "Who?", **more: Any) -> Request:
    video = [{"type": "video", "url": str(file), "fps": 1.0}] if file else []
    messages = [{"role": "user", "content": [*video, {"type": "text", "text": words}]}]
    clip = str(file) if file and more.pop("hint", True) else None
    return Request("task", number, more.pop("generation", GREEDY), lambda: messages, clip=clip, **more)


@pytest.fixture
def batches(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The lengths of the prompts of each batch that the model answers."""
    lengths: list[list[int]] = []
    respond = engine.respond

    def noted(prompts: Any, generation_kwargs: Any) -> Any:
        lengths.append([prompt.tokens for prompt in prompts])
        return respond(prompts, generation_kwargs)

    monkeypatch.setattr(engine, "respond", noted)
    return lengths


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def noted(path: Any, *rest: Any, **options: Any) -> Any:
        names.append(Path(path).name)
        return read_clip(path, *rest, **options)

    monkeypatch.setattr(media_cache, "read_clip", noted)
    return names


def mixed() -> list[Request]:
    """Alternating questions about two clips, questions without a clip, and a clip that does not exist."""
    files = [COUNT / "park.mp4", COUNT / "parade.mp4", None, COUNT / "park.mp4", Path("/no/such.mp4"), None]
    return [question(number, file, "Who? " * (number + 1)) for number, file in enumerate([*files, *files])]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_with_and_without_workers_batches_and_answers_are_the_same(
    engine: Engine, pool: WorkerPool, batches: list[list[int]], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(engine, "settings", read_local_settings({"pretrained": "x", "batch_size": size}))
    alone = list(local_runner(engine).run(mixed()))
    made, batches[:] = list(batches), []
    ahead = list(local_runner(engine, pool).run(mixed()))
    assert batches == made
    assert [one.request.doc_id for one in ahead] == list(range(12))
    assert [(text_and_tokens(one), one.error) for one in ahead] == [(text_and_tokens(one), one.error) for one in alone]
    assert [bool(one.error) for one in ahead] == [False, False, False, False, True, False] * 2


@pytest.mark.parametrize("workers", [0, 2])
def test_prompts_are_freed_after_their_use(
    engine: Engine, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    used: list[weakref.ref[EncodedPrompt]] = []
    respond = engine.respond

    def noted(prompts: Any, generation_kwargs: Any) -> Any:
        used.extend(weakref.ref(prompt) for prompt in prompts)
        return respond(prompts, generation_kwargs)

    monkeypatch.setattr(engine, "respond", noted)
    answered = list(local_runner(engine, pool if workers else None).run(mixed()))
    gc.collect()
    assert len(answered) == 12
    assert used
    assert not [one for one in used if one() is not None]


def test_an_answer_is_yielded_as_soon_as_those_before_it_exist(engine: Engine, batches: list[list[int]]) -> None:
    answers = local_runner(engine).run([question(number, words="Who? " * number) for number in range(20)])
    next(answers)
    assert len(batches) == 1
    rest = list(answers)
    assert [one.request.doc_id for one in rest] == list(range(1, 20))


def test_progress_counts_each_response_once_before_it_is_yielded(engine: Engine) -> None:
    counted: list[int] = []
    for given, _ in enumerate(local_runner(engine).run(mixed(), lambda: counted.append(1)), start=1):
        assert len(counted) >= given
    assert len(counted) == 12


def test_a_clip_is_decoded_once_even_if_its_questions_are_far_apart(engine: Engine, decoded: list[str]) -> None:
    files = [COUNT / "park.mp4", COUNT / "parade.mp4"]
    requests = [question(number, files[number % 2]) for number in range(8)]
    assert [one.request.doc_id for one in local_runner(engine).run(requests)] == list(range(8))
    assert decoded == ["park.mp4", "parade.mp4"]


def test_consecutive_questions_share_a_clip_even_if_their_task_does_not_name_it(
    engine: Engine, decoded: list[str]
) -> None:
    files = [COUNT / "park.mp4"] * 3 + [COUNT / "parade.mp4"] * 2 + [COUNT / "park.mp4"]
    requests = [question(number, file, hint=False) for number, file in enumerate(files)]
    assert len(list(local_runner(engine).run(requests))) == 6
    assert decoded == ["park.mp4", "parade.mp4", "park.mp4"]


def test_a_wrong_clip_name_does_not_change_answers(engine: Engine) -> None:
    def asked(clip: str | None) -> list[Request]:
        made = [question(0, COUNT / "park.mp4"), question(1, COUNT / "parade.mp4"), question(2, COUNT / "park.mp4")]
        return [replace(one, clip=clip) for one in made]

    right = [text_and_tokens(one) for one in local_runner(engine).run(asked(None))]
    assert [text_and_tokens(one) for one in local_runner(engine).run(asked("all the same"))] == right


def test_prompts_of_similar_length_share_a_batch(engine: Engine, batches: list[list[int]]) -> None:
    requests = [question(number, words="Who? " * (40 if number % 2 else 1)) for number in range(8)]
    runner = local_runner(engine)
    assert [one.request.doc_id for one in runner.run(requests)] == list(range(8))
    assert [len(set(lengths)) for lengths in batches] == [1, 1, 1, 1]
    assert runner.effort.padding.share == 0
    assert runner.effort.padding.batches == 4


def test_requests_with_different_generation_arguments_share_no_batch(engine: Engine, batches: list[list[int]]) -> None:
    requests = [question(number, generation={"max_new_tokens": 1 + number % 2}) for number in range(4)]
    answered = list(local_runner(engine).run(requests))
    assert [one.output_tokens for one in answered if text_and_tokens(one)] == [1, 2, 1, 2]
    assert [len(lengths) for lengths in batches] == [2, 2]


def test_little_memory_makes_small_windows_but_the_same_answers(
    engine: Engine, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [text_and_tokens(one) for one in local_runner(engine).run(mixed())]
    little = read_local_settings({"pretrained": "x", "batch_size": 2, "prefetch_gb": 1e-6})
    monkeypatch.setattr(engine, "settings", little)
    assert [text_and_tokens(one) for one in local_runner(engine, pool).run(mixed())] == expected


def test_an_error_that_ends_a_run_is_raised(engine: Engine, tiny_model: Path) -> None:
    def no_data() -> Any:
        raise SystemExit("HumanSense: no such file")

    workers = local_workers(engine.settings)
    requests = [question(0), question(1), question(2), Request("task", 3, GREEDY, no_data), question(4)]
    for pool in (None, workers):
        run = local_runner(engine, pool).run(requests)
        with pytest.raises(SystemExit, match="no such file"):
            list(run)
    assert workers.closed


def test_closing_a_run_ends_the_workers(engine: Engine) -> None:
    workers = local_workers(engine.settings)
    run = local_runner(engine, workers).run([question(number, COUNT / "park.mp4", hint=False) for number in range(40)])
    next(run)
    run.close()
    assert workers.closed


def test_closing_a_run_does_not_wait_for_a_clip_that_is_being_fetched(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "settings", read_local_settings({"pretrained": "x"}))
    begun, go_on, over = threading.Event(), threading.Event(), threading.Event()

    def fetching() -> Any:
        begun.set()
        go_on.wait(LIMIT)
        over.set()
        return question(1).messages()

    workers = local_workers(read_local_settings({"pretrained": engine.info["pretrained"]}), count=1)
    requests = [question(0, COUNT / "park.mp4"), question(1), question(2), Request("task", 3, GREEDY, fetching)]
    run = local_runner(engine, workers).run(requests)
    next(run)
    assert begun.wait(LIMIT)
    run.close()
    assert not over.is_set()
    go_on.set()
    assert over.wait(LIMIT)


def test_decoding_that_was_given_up_does_not_disturb_later_requests(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without workers, decoding that stalls is left behind in its thread, which may go on much later."""
    expected = [text_and_tokens(one) for one in local_runner(engine).run(mixed())]
    stalled, go_on = threading.Event(), threading.Event()

    def stalling(*arguments: Any, **options: Any) -> Any:
        if not stalled.is_set():
            stalled.set()
            go_on.wait(LIMIT)
        return read_clip(*arguments, **options)

    monkeypatch.setattr(media_cache, "read_clip", stalling)
    hurried = read_local_settings({"pretrained": "x", "batch_size": 2, "media_timeout": 0.3})
    monkeypatch.setattr(engine, "settings", hurried)
    (first,) = local_runner(engine).run([question(0, COUNT / "park.mp4")])
    assert first.error.startswith("StalledError: Decoding ")
    monkeypatch.setattr(engine, "settings", read_local_settings({"pretrained": "x", "batch_size": 2}))
    run = local_runner(engine).run(mixed())
    responses = [text_and_tokens(next(run))]
    go_on.set()
    assert [*responses, *(text_and_tokens(one) for one in run)] == expected


def test_effort_says_how_busy_the_model_was() -> None:
    assert Effort().busy == 0
    assert Effort(model=3.0, waiting=1.0).busy == 0.75


def test_two_runs_can_use_the_same_workers_one_after_the_other(engine: Engine, pool: WorkerPool) -> None:
    make: Callable[[], list[Request]] = lambda: [question(0, COUNT / "park.mp4"), question(1)]  # noqa: E731
    first = [text_and_tokens(one) for one in local_runner(engine, pool).run(make())]
    assert [text_and_tokens(one) for one in local_runner(engine, pool).run(make())] == first
    assert not pool.closed
