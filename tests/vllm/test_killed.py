"""A process of the engine that is killed, by the system's lack of memory for example, ends the run, which can go on."""

import threading
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from lmms_humansense.models.runtime.signals import RunStopped
from tests.helpers.vllm_runs import of_tasks, requests_of, run_vllm

LIMIT = 120.0
"""Seconds after which a run that goes on is given up."""


def process_of_the_engine(name: str) -> psutil.Process:
    (found,) = (one for one in psutil.Process().children(recursive=True) if name in " ".join(one.cmdline()))
    return found


def outcomes(engine: Any, requests: list[Any]) -> list[BaseException | None]:
    """How a run ended, None if well; nothing if it did not end."""
    ended: list[BaseException | None] = []

    def run() -> None:
        try:
            run_vllm(engine, requests)
            ended.append(None)
        except BaseException as error:
            ended.append(error)

    running = threading.Thread(target=run, daemon=True)
    running.start()
    running.join(LIMIT)
    return ended


@pytest.mark.parametrize(("name", "seats"), [("EngineCore", 3), ("Worker", 5)])  # so that no test gets a dead engine
def test_a_killed_process_of_the_engine_ends_the_run(start: Callable[..., Any], name: str, seats: int) -> None:
    engine = start("qwen2_5_omni", max_num_seqs=seats)
    add, victim = engine.add, process_of_the_engine(name)
    given: list[str] = []

    def killed_at_the_third(request: str, *rest: Any) -> None:
        add(request, *rest)
        given.append(request)
        if len(given) == 3:
            victim.kill()

    engine.add = killed_at_the_third
    requests = requests_of(of_tasks("AR", "TR", "HC"), {"max_new_tokens": 200, "min_new_tokens": 200})
    (ended,) = outcomes(engine, requests)
    assert isinstance(ended, RunStopped)
    assert "vLLM broke down (EngineDeadError: " in str(ended)
