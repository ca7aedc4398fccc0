"""Our models under the options of lmms-eval, and from Python: in threads, event loops and new processes."""

import asyncio
import json
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from lmms_humansense.models.server import HumanSenseServer
from tests.helpers.chat_server import ChatServer, answer
from tests.helpers.commands import run

TASKS = ("humansense_sample_ar", "humansense_sample_hc")


def arguments_of(server: ChatServer) -> str:
    return f"base_url={server.url},model=m,media=frames,media_workers=0,senses=off"


def test_a_temperature_and_a_system_instruction_reach_the_server_and_the_results(evaluate: Any) -> None:
    said: list[str] = []
    number = logger.add(said.append, level="WARNING", format="{message}")
    with ChatServer(lambda number, _: answer("B")) as server:
        results = evaluate(
            *TASKS, model="humansense_server", model_args=arguments_of(server), limit=1,
            gen_kwargs="temperature=1,max_new_tokens=9", system_instruction="Answer like a pirate.",
        )  # fmt: skip
    logger.remove(number)
    assert {request["temperature"] for request in server.requests} == {1.0}
    assert {json.dumps(request["messages"][0]) for request in server.requests} == {
        '{"role": "system", "content": [{"type": "text", "text": "Answer like a pirate."}]}'
    }
    info = results["model_info"]
    assert info["system_prompt"] == "Answer like a pirate."
    assert set(info["generation_of_tasks"]) == set(TASKS)
    assert info["generation_of_tasks"][TASKS[0]] == {
        "do_sample": True, "max_new_tokens": 9, "temperature": 1.0, "until": [],
    }  # fmt: skip
    assert any("--system_instruction is the system message of this run" in line for line in said)
    assert not any("has no effect" in line for line in said)


def test_a_token_budget_leaves_partial_results_that_say_so(evaluate: Any) -> None:
    with ChatServer(lambda number, _: answer("B")) as server:
        results = evaluate(
            *TASKS, model="humansense_server", model_args=arguments_of(server), max_tokens=20, log_samples=True
        )
        assert len(server.requests) == 2
    usage = results["usage"]
    assert (usage["budget_exceeded"], usage["total"]["total_tokens"], usage["total"]["n_api_calls"]) == (True, 24, 2)
    responses = [sample["filtered_resps"][0] for task in TASKS for sample in results["samples"][task]]
    marked = [response for response in responses if "[LMMS_EVAL_BUDGET_EXCEEDED]" in response]
    assert len(marked) == len(responses) - 2 > 0
    failed = [sample["failed"]["score"] for task in TASKS for sample in results["samples"][task]]
    assert sum(failed) == len(marked)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cache_requests": True}, "--cache_requests loses the messages of chat models"),
        ({"gen_kwargs": "max_new_tokens=abc"}, "--gen_kwargs: max_new_tokens='abc' cannot be used"),
        ({"gen_kwargs": "do_sample=True"}, "generation_kwargs of humansense_sample_hc: do_sample=True contradicts"),
        ({"batch_size": "auto"}, r"makes no batches \(batch_size=auto\)"),
    ],
)
def test_what_cannot_work_is_refused_before_a_question_is_asked(
    evaluate: Any, options: dict[str, Any], sentence: str
) -> None:
    with ChatServer(lambda number, _: answer("B")) as server:
        with pytest.raises(ValueError, match=f"HumanSense: .*{sentence}"):
            evaluate(*TASKS, model="humansense_server", model_args=arguments_of(server), **options)
        assert server.requests == []


def test_a_model_object_can_be_used_for_several_evaluations(evaluate: Any) -> None:
    with ChatServer(lambda number, _: answer("B")) as server:
        model = HumanSenseServer(base_url=server.url, model="m", media="frames", media_workers=0, senses="off")
        for instruction in ("Be brief.", None):
            results = evaluate(TASKS[0], model=model, limit=1, system_instruction=instruction)
            assert results["results"][TASKS[0]]["failed,none"] == 0
            assert results["model_info"]["system_prompt"] == instruction
    assert [len(request["messages"]) for request in server.requests] == [2, 1]


@pytest.mark.slow
def test_a_local_model_runs_in_threads_and_event_loops_and_twice(
    evaluate: Any, tiny_model: Path, task_manager: Any
) -> None:
    arguments = f"pretrained={tiny_model},media_workers=1"

    def responses(model: Any = "humansense_omni", **more: Any) -> Any:
        task_manager.task_group_map.clear()
        results = evaluate("humansense_sample_tr", model=model, limit=1, log_samples=True, **more)
        (sample,) = results["samples"]["humansense_sample_tr"]
        assert "model_info" in results
        return sample["filtered_resps"], sample["token_counts"]

    expected = responses(model_args=arguments, device="cpu")
    found = []
    thread = threading.Thread(target=lambda: found.append(responses(model_args=arguments, device="cpu")))
    thread.start()
    thread.join()

    async def cell() -> None:
        """Notebooks run their cells in an event loop."""
        found.append(responses(model_args=arguments, device="cpu"))

    asyncio.run(cell())
    from lmms_eval.models import get_model

    model = get_model("humansense_omni")(pretrained=str(tiny_model), device="cpu", media_workers=1)
    found += [responses(model), responses(model)]
    assert found == [expected] * 4


SPAWN = """
import multiprocessing, sys

def work(answers):
    from lmms_eval.evaluator import simple_evaluate
    results = simple_evaluate(
        model="humansense_omni", model_args="pretrained=" + sys.argv[1] + ",media_workers=1", device="cpu",
        tasks=["humansense_sample_tr"], limit=1,
    )
    (sample,) = results["samples"]["humansense_sample_tr"]
    answers.put(sample["token_counts"][0]["seconds_heard"])

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    for daemon in (False, True):
        answers = context.Queue()
        process = context.Process(target=work, args=[answers], daemon=daemon)
        process.start()
        print("heard", answers.get(timeout=300))
        process.join()
        assert process.exitcode == 0
"""


@pytest.mark.slow
def test_a_local_model_runs_in_spawned_processes(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(SPAWN)
    done = run(sys.executable, "program.py", str(tiny_model), cwd=tmp_path)
    heard = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("heard")]
    assert heard == [pytest.approx(9.5, abs=0.1)] * 2


@pytest.mark.slow
def test_pickled_requests_end_the_command_with_the_status_of_bad_arguments(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = run(
            sys.executable, "-m", "lmms_humansense", "run", "--model", "humansense_server", "--tasks", TASKS[0],
            "--model_args", f"base_url=http://127.0.0.1:{silent.getsockname()[1]}/v1,model=m,media=frames",
            "--cache_requests", "refresh", cwd=tmp_path, check=False,
        )  # fmt: skip
    assert done.returncode == 2, done.stderr[-2000:]
    assert "--cache_requests loses the messages of chat models, so every question would fail" in done.stderr


# What a model hears does not depend on how the tasks were found.

HEARD = (1069, 9.536)
"""Prompt tokens of the first question of TR with its sound, and the seconds of it."""

PROGRAM = """
import json, sys
from lmms_eval.evaluator import evaluate, simple_evaluate
from lmms_humansense.models.omni import HumanSenseOmni
task, checkpoint = "humansense_sample_tr", sys.argv[1]
model = HumanSenseOmni(pretrained=checkpoint, device="cpu", media_workers=0)
{run}
(sample,) = results["samples"][task]
counts = sample["token_counts"][0]
kept = sorted(set(results) & {{"model_info", "humansense_data", "humansense_notes"}})
print(json.dumps([counts["input_tokens"], counts["seconds_heard"], kept]))
"""

BY_OBJECT = "results = simple_evaluate(model=model, tasks=[task], limit=1, log_samples=True)"
BY_NAME = """
from lmms_eval.tasks import TaskManager
arguments = f"pretrained={checkpoint},device=cpu,media_workers=0"
results = simple_evaluate(
    model="humansense_omni", model_args=arguments, tasks=[task], task_manager=TaskManager(), limit=1, log_samples=True,
)
"""
EVALUATE = """
from lmms_eval.tasks import TaskManager, get_task_dict
tasks = get_task_dict([task], TaskManager(), "chat")
model.task_dict[task] = tasks[task].dataset
results = evaluate(lm=model, task_dict=tasks, limit=1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", [BY_OBJECT, BY_NAME, EVALUATE], ids=["object", "manager", "evaluate"])
def test_sound_is_heard_whichever_way_a_model_is_asked(way: str, tiny_model: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(run=way), encoding="utf-8")
    printed = run(sys.executable, str(program), str(tiny_model), cwd=tmp_path, HF_HOME=str(tmp_path / "hf")).stdout
    tokens, seconds, kept = json.loads(printed.splitlines()[-1])
    assert (tokens, seconds) == HEARD
    assert kept == ["humansense_data", "humansense_notes", "model_info"]


def test_a_model_that_lmms_eval_does_not_know_is_not_deaf_without_a_word(evaluate: Any) -> None:
    from lmms_eval.models.simple.dummy import Dummy

    class Mine(Dummy):
        pass

    said: list[str] = []
    number = logger.add(said.append, level="WARNING", format="{message}")
    evaluate("humansense_sample_tr", model=Mine(), limit=1)
    logger.remove(number)
    assert any("HumanSense was not tried with --model" in line and "not to hear" in line for line in said)
    with pytest.raises(ValueError, match=r"FR2 .* this model is not known to hear"):
        evaluate("humansense_sample_fr2", model=Mine(), limit=1)
