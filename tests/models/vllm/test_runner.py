"""Runs of the runner. The engine answers with transformers, one prompt per step and the newest first."""

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lmms_humansense.models.inputs.vllm_faults import PARTS, POSITIONS, corrected_by
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.families.base import Answer
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.runtime.ledger import Ledger
from lmms_humansense.models.runtime.request import Request, Response
from lmms_humansense.models.runtime.settings import RunSettings
from lmms_humansense.models.runtime.signals import RunStopped, SigtermGuard, Terminated
from lmms_humansense.models.runtime.worker_pool import WorkerPool
from lmms_humansense.models.vllm.encoder import VllmEncoder
from lmms_humansense.models.vllm.prompts import VllmPrompt
from lmms_humansense.models.vllm.runner import VllmRunner, seeds_of
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.ledgers import open_ledger

COUNT = ROOT / "videos" / "count"


class InThisProcess:
    """An engine in this process."""

    def __init__(self, local: Engine) -> None:
        self._local = local
        self.settings = local.settings
        self.encoder = VllmEncoder(local.settings, "qwen2_5_omni")
        self.capacity = 4
        self.corrected = corrected_by({POSITIONS: "applied"})
        self.open: dict[str, tuple[VllmPrompt, Mapping[str, Any]]] = {}
        self.most = 0
        self.aborted: list[str] = []
        self.newest_first = True
        self.seeds: dict[str, int] = {}

    def fitting(self, prompt: VllmPrompt) -> VllmPrompt:
        self._local.fitting(prompt.prompt)
        return prompt

    def add(self, name: str, prompt: VllmPrompt, generation_kwargs: Mapping[str, Any], seed: int) -> None:
        if generation_kwargs.get("num_beams", 1) > 1:
            raise ValueError("no beams")
        self.open[name] = prompt, generation_kwargs
        self.seeds[name] = seed
        self.most = max(self.most, len(self.open))

    def step(self) -> list[tuple[str, Answer | ValueError]]:
        name = list(self.open)[-1 if self.newest_first else 0]
        prompt, generation_kwargs = self.open.pop(name)
        if generation_kwargs.get("max_new_tokens") == 13:
            return [(name, ValueError("given up"))]
        return [(name, self._local.respond([prompt.prompt], generation_kwargs)[0])]

    def abort(self, names: list[str]) -> None:
        self.aborted += names


@pytest.fixture(scope="module")
def local(tiny_model: Path) -> Engine:
    return Engine(read_local_settings({"pretrained": str(tiny_model), "device": "cpu"}))


@pytest.fixture
def engine(local: Engine) -> Any:
    return InThisProcess(local)


def question(number: int, file: Path | None = None, **generation: Any) -> Request:
    video = [{"type": "video", "url": str(file), "fps": 1.0}] if file else []
    messages = [{"role": "user", "content": [*video, {"type": "text", "text": "Who? " * (number + 1)}]}]
    kwargs = {"max_new_tokens": 3, **generation}
    return Request("task", number, kwargs, lambda: messages, clip=str(file) if file else None)


def questions(count: int = 12) -> list[Request]:
    files = [COUNT / "park.mp4", None, COUNT / "parade.mp4"]
    return [question(number, files[number % 3]) for number in range(count)]


def runner(engine: Any, workers: WorkerPool | None = None, ledger: Ledger | None = None) -> VllmRunner:
    return VllmRunner(engine, workers, ledger or open_ledger(), SigtermGuard())


def test_a_response_is_marked_with_the_faults_that_are_not_corrected(engine: Any) -> None:
    heard = question(0, COUNT / "parade.mp4")
    messages: Any = list(heard.messages())
    messages[0]["content"].insert(1, {"type": "audio", "url": str(COUNT / "parade.mp4")})
    silent, loud = runner(engine).run([question(1, COUNT / "park.mp4"), replace(heard, messages=lambda: messages)])
    assert (silent.stats.vllm_faults, loud.stats.vllm_faults) == ((), (PARTS,))


def answers(responses: list[Response]) -> list[tuple[str | None, int, int]]:
    return [(response.text, response.input_tokens, response.output_tokens) for response in responses]


def test_responses_come_in_the_order_of_requests_and_are_those_of_single_prompts(engine: Any, local: Engine) -> None:
    asked, seen = questions(), []
    responses = list(runner(engine).run(asked, lambda: seen.append(1)))
    assert [response.request for response in responses] == asked
    assert len(seen) == len(asked)
    prompts = [local.encoder.encode([local.encoder.read(request.messages())])[0].encoded for request in asked]
    expected = [local.respond([prompt], {"max_new_tokens": 3})[0] for prompt in prompts]  # type: ignore[list-item]
    assert [response.text for response in responses] == [answer.text for answer in expected]
    assert [response.input_tokens for response in responses] == [prompt.tokens for prompt in prompts if prompt]


def test_the_engine_gets_no_more_than_it_has_room_for(engine: Any) -> None:
    made = runner(engine)
    list(made.run([question(number, COUNT / "park.mp4") for number in range(8)]))
    assert engine.most == made.usage.most_open == 5  # its four, and one that waits


def test_workers_change_nothing(engine: Any, local: Engine) -> None:
    pool = WorkerPool(partial(VllmEncoder, local.settings, "qwen2_5_omni"), 2, 300.0)
    try:
        assert answers(list(runner(engine, pool).run(questions()))) == answers(list(runner(engine).run(questions())))
    finally:
        pool.close()


def test_failures_are_counted_and_leave_the_others_alone(engine: Any) -> None:
    asked = [question(0, num_beams=2), question(1, Path("/no/such.mp4")), question(2, max_new_tokens=13), question(3)]
    ledger = open_ledger()
    errors = [response.error for response in runner(engine, ledger=ledger).run(asked)]
    assert errors[0] == "ValueError: no beams"
    assert "/no/such.mp4" in errors[1]
    assert errors[2:] == ["ValueError: given up", ""]
    assert len(ledger.failures) == 3


def test_too_many_failures_end_the_run(engine: Any) -> None:
    asked = [question(number, COUNT / "park.mp4", max_new_tokens=13) for number in range(8)]
    with pytest.raises(RunStopped, match="max_failures=0 allows 0"):
        list(runner(engine, ledger=Ledger(RunSettings(max_failures=0), 8)).run(asked))
    assert engine.aborted


@pytest.mark.parametrize("where", ["step", "add"])
def test_a_broken_engine_ends_the_run_and_says_how_to_go_on(
    engine: Any, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("out of memory\nand more")

    monkeypatch.setattr(engine, where, broken)
    with pytest.raises(RunStopped, match=r"vLLM broke down \(RuntimeError: out of memory\)\. Answers are not kept"):
        list(runner(engine).run(questions()))


def test_seeds_depend_on_the_run_the_doc_and_the_repeat_alone(engine: Any) -> None:
    asked = [question(number) for number in (0, 1, 0, 2, 0)]
    seeds = seeds_of(asked, 5)
    assert len(set(seeds.values())) == 5
    assert all(0 <= seed < 2**63 for seed in seeds.values())
    assert seeds_of([asked[3]], 5)[asked[3]] == seeds[asked[3]]
    assert seeds_of([asked[0], asked[2]], 5) == {asked[0]: seeds[asked[0]], asked[2]: seeds[asked[2]]}
    assert not set(seeds_of(asked, 6).values()) & set(seeds.values())
    list(VllmRunner(engine, None, open_ledger(), SigtermGuard(), seed=5).run(asked))
    assert engine.seeds == {str(place): seed for place, seed in enumerate(seeds.values(), 1)}


class Kept:
    """A store of answers."""

    folder = "there"
    recalled = kept = 0

    def __init__(self) -> None:
        self.responses: list[Response] = []

    def recall(self, request: Request, conversation: Any) -> Any:
        return None, None

    def keep(self, response: Response) -> None:
        self.responses.append(response)


def test_answers_that_come_soon_after_sigterm_are_kept(engine: Any) -> None:
    engine.newest_first = False
    store, taken = Kept(), []
    of_one_clip = [question(number, COUNT / "park.mp4") for number in range(12)]  # one job, so the engine is full

    def asked() -> Iterator[Response]:
        with SigtermGuard() as guard:
            yield from VllmRunner(engine, None, Ledger(RunSettings(), 12, store), guard).run(of_one_clip)

    def ask() -> None:
        for response in asked():
            taken.append(response)
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Terminated):
        ask()
    assert not engine.open
    assert len(taken) == 1
    assert len(store.responses) == 5


def test_a_run_that_is_left_early_drops_its_open_requests(engine: Any) -> None:
    engine.newest_first = False
    responses = runner(engine).run([question(number, COUNT / "park.mp4") for number in range(8)])
    next(responses)
    responses.close()
    assert sorted(engine.aborted) == sorted(engine.open)
    assert engine.open
