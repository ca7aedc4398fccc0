"""Whole runs of `lmms-humansense run` with engine=vllm: interruptions lose no answer and leave no process behind."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.helpers.commands import SCRIPTS, responses_of, results_of

TASKS = ",".join(f"humansense_sample_{code}" for code in ("tr", "fr2", "es", "ar"))
LIMIT = 600.0
"""Seconds until a run has to have what a test waits for, on a busy machine."""


def command(model: Path, output: str, **model_args: str) -> list[str]:
    given = {"pretrained": str(model), **model_args}
    args = ",".join(f"{name}={value}" for name, value in given.items())
    slow = ["--gen_kwargs", "min_new_tokens=200,max_new_tokens=200"]
    chosen = ["--model", "humansense_omni", "--model_args", args, "--tasks", TASKS, "--output_path", output]
    return [str(SCRIPTS / "lmms-humansense"), "run", *chosen, *slow]


def answers_in(folder: Path) -> int:
    return sum(len(log.read_bytes().splitlines()) for log in folder.glob("cache/runs/*/rank_*.audit.jsonl"))


def run(command: list[str], folder: Path, answers: int = 0, disturb: Callable[[int], None] | None = None) -> int:
    """Run a command. After `answers` more answers, disturb it; then no process of it may stay."""
    log, before = folder / "log", answers_in(folder / "out")
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file, start_new_session=True)
    try:
        if disturb:
            until = time.monotonic() + LIMIT
            while answers_in(folder / "out") < before + answers and time.monotonic() < until:
                assert process.poll() is None, log.read_text()[-3000:]
                time.sleep(0.05)
            disturb(process.pid)
        status = process.wait(LIMIT)
        until = time.monotonic() + 60
        while (left := session(process.pid)) and time.monotonic() < until:
            time.sleep(0.2)
        assert not left, left
    finally:
        for one in session(process.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()
    return status


def session(leader: int) -> list[psutil.Process]:
    """The running processes of a session."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end_all_while_vllm_starts(watching: int) -> None:
    """Send SIGTERM to all processes, as a scheduler does, as soon as the one with vLLM's engine is there."""
    until = time.monotonic() + LIMIT
    while not any("EngineCore" in " ".join(one.cmdline()) for one in session(watching)):
        assert time.monotonic() < until
        time.sleep(0.05)
    os.killpg(watching, signal.SIGTERM)


def kill_lmms_eval(watching: int) -> None:
    (child,) = psutil.Process(watching).children()
    child.kill()


def test_a_run_that_is_killed_and_terminated_ends_as_one_of_the_local_model_that_was_left_alone(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    model = checkpoint("qwen2_5_omni")
    asked = command(model, "out", engine="vllm", max_num_seqs="2")
    assert run(asked, tmp_path, 2, kill_lmms_eval) == 3
    said = (tmp_path / "log").read_text()
    assert "lmms-eval was ended by signal 9 (Killed)." in said
    assert run(asked, tmp_path, 2, lambda watching: os.killpg(watching, signal.SIGTERM)) == 3
    said = (tmp_path / "log").read_text()
    assert "The run was interrupted (SIGTERM)." in said
    assert "requests failed" not in said
    assert run(asked, tmp_path) == 0
    info = results_of(tmp_path / "out")["model_info"]
    earlier = info["effort"]["answers_of_earlier_runs"]
    assert earlier >= 4
    assert info["engine"] == "vllm"
    assert set(info["vllm_mends"].values()) == {"applied"}
    assert run(command(model, "alone"), tmp_path) == 0
    assert results_of(tmp_path / "out")["results"] == results_of(tmp_path / "alone")["results"]
    assert responses_of(tmp_path / "out") == responses_of(tmp_path / "alone")
    assert len(responses_of(tmp_path / "out")) > earlier


def test_sigterm_while_the_engine_starts_ends_a_run_as_sigterm(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    asked = command(checkpoint("qwen2_5_omni"), "out", engine="vllm")
    assert run(asked, tmp_path, disturb=end_all_while_vllm_starts) == 3
    said = (tmp_path / "log").read_text()
    assert "SIGTERM" in said
    assert "vLLM cannot run" not in said
