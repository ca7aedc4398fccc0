"""Fixtures: whole runs in the process of the tests, and a real server."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_START_LIMIT = 180.0
"""The time limit for a server to start, in seconds."""


@pytest.fixture
def evaluate(task_manager: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    import huggingface_hub
    from lmms_eval.evaluator import simple_evaluate

    task_manager.task_group_map.clear()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "hf"))

    def run(*tasks: str, model: str = "dummy", model_args: str = "", **kwargs: Any) -> dict[str, Any]:
        results: dict[str, Any] = simple_evaluate(
            model=model, model_args=model_args, tasks=list(tasks), task_manager=task_manager, **kwargs
        )
        return results

    return run


@pytest.fixture(scope="session")
def served(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a `transformers serve` with the tiny model, and the name of the model there."""
    import transformers
    from packaging.version import Version

    if Version(transformers.__version__) < Version("5.23"):
        pytest.skip("older ones are started in another way")
    folder = tmp_path_factory.mktemp("served")
    name = thinker_of(tiny_model, folder / "thinker").name
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", name, "--host", "127.0.0.1"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        )  # fmt: skip
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log")
        yield f"http://127.0.0.1:{port}/v1", name
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def thinker_of(checkpoint: Path, folder: Path) -> Path:
    """Write the thinker alone: a server that also has the talker ignores the limit on new tokens."""
    from transformers import Qwen2_5OmniThinkerForConditionalGeneration as Thinker

    model = Thinker.from_pretrained(checkpoint)
    model.generation_config.eos_token_id = model.config.eos_token_id  # as published checkpoints have it
    model.save_pretrained(folder)
    for file in checkpoint.iterdir():
        if not (folder / file.name).exists():
            shutil.copy(file, folder)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "qwen2_5_omni_thinker"
    return folder


def _wait_for(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _START_LIMIT
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the server does not start: {log.read_text()[-2000:]}")
