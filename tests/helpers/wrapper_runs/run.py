"""Runs a wrapper over the embedded sample, and tells what arrived for each question."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.helpers.chat_server import Reply

from .recorder import CURRENT, Arrived, Recorder
from .rows import Row


@dataclass
class Outcome:
    """How a run ended.

    Attributes:
        arrived: By the code of the task, what arrived for its first question; None if its question did not.
        responses: By code, the response.
        results: By code, the metrics.
    """

    arrived: dict[str, Arrived | None]
    responses: dict[str, str]
    results: dict[str, dict[str, Any]]


def missing(row: Row) -> list[str]:
    """What a row needs and is not installed, as requirements ("litellm", "transformers<5")."""
    return [need for need in row.needs if not _is_there(Requirement(need))]


def _is_there(requirement: Requirement) -> bool:
    try:
        return version(requirement.name) in requirement.specifier
    except PackageNotFoundError:
        return False


def run(
    row: Row, root: Path, task_manager: Any, codes: Sequence[str] | None = None, reply: Reply | None = None
) -> Outcome:
    """Ask the first question of each task through a wrapper.

    Args:
        row: The wrapper.
        root: A folder for checkpoints; those that are there are used again.
        task_manager: lmms-eval's, which a process makes once.
        codes: The tasks; None for all that the wrapper can be asked.
        reply: What its server answers; None for "B".

    Returns:
        What arrived, and the results.

    Raises:
        SystemExit: The run was refused.
    """
    asked = row.asks if codes is None else codes
    CURRENT.requests.clear()
    CURRENT.begin()
    with _set_up(row, root, CURRENT, reply) as arguments:
        tasks = [sample_task(code) for code in asked]
        evaluated = evaluate(row.model, row.form, arguments, tasks, task_manager, limit=1)
    samples = {code: evaluated["samples"][sample_task(code)][0] for code in asked}
    return Outcome(
        {code: _matching(CURRENT, samples[code]["arguments"][0]) for code in asked},
        {code: str(samples[code]["filtered_resps"][0]) for code in asked},
        {code: evaluated["results"][sample_task(code)] for code in asked},
    )


def sample_task(code: str) -> str:
    """The name of a task of the embedded sample."""
    return f"humansense_sample_{code.lower()}"


def evaluate(
    model: str, form: str, arguments: str, tasks: Sequence[str], task_manager: Any, limit: int | None = None
) -> dict[str, Any]:
    """Run lmms-eval with one of the wrappers of a name."""
    from lmms_eval.evaluator import simple_evaluate

    task_manager.model_name = model  # lmms-eval's command makes one for each model
    task_manager.task_group_map.clear()
    results: dict[str, Any] = simple_evaluate(
        model=model, model_args=arguments, tasks=list(tasks), limit=limit, batch_size=1, task_manager=task_manager,
        force_simple=form == "simple", log_samples=True,
    )  # fmt: skip
    return results


def _matching(recorder: Recorder, prompt: str) -> Arrived | None:
    found = [request for request in recorder.requests if _plain(prompt) in _plain(request.text)]
    return found[0] if found else None


def _plain(text: str) -> str:
    return " ".join(text.split())


@contextlib.contextmanager
def _set_up(row: Row, root: Path, recorder: Recorder, reply: Reply | None) -> Iterator[str]:
    """Everything that a row needs while it runs; its arguments."""
    from . import servers

    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        if row.ffmpeg:
            patch.setenv("PATH", _folder_of_ffmpeg(root), prepend=os.pathsep)
            stack.enter_context(_programs_looked_for_again())
        server = ""
        if row.source == "server":
            serve = servers.gemini_server(recorder) if row.model == "gemini" else servers.chat_server(recorder, reply)
            server = stack.enter_context(serve)
        else:
            _load(row, root, recorder, patch)
        for name, value in row.environment.items():
            patch.setenv(name, value.format(server=server))
        yield row.args.format(server=server)


def _load(row: Row, root: Path, recorder: Recorder, patch: pytest.MonkeyPatch) -> None:
    """Write the checkpoint where the wrapper looks for its published name, and hook transformers."""
    import torch
    import transformers.dynamic_module_utils

    from . import checkpoints, hooks

    folder = checkpoints.checkpoint(root, row.args.partition("pretrained=")[2].partition(",")[0])
    patch.chdir(root)
    patch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(root / "modules"))
    patch.syspath_prepend(os.fspath(root / "modules"))
    hooks.use_cpu(patch)
    torch.set_num_threads(1)  # more are slower: the checkpoints are tiny
    if row.model == "kimi_audio":
        _install_kimi(patch)
    if row.source == "checkpoint":
        hooks.decode_with_pyav(patch)
        hooks.record_transformers(patch, recorder, transformers.AutoProcessor.from_pretrained(folder))


def _install_kimi(patch: pytest.MonkeyPatch) -> None:
    """The package that kimi_audio imports."""
    from . import remote_code

    for name in ("kimia_infer", "kimia_infer.api", "kimia_infer.api.kimia"):
        patch.setitem(sys.modules, name, ModuleType(name))
    patch.setattr(sys.modules["kimia_infer.api.kimia"], "KimiAudio", remote_code.KimiAudio, raising=False)


def _folder_of_ffmpeg(root: Path) -> str:
    """A folder with the program of imageio-ffmpeg under its common name."""
    import imageio_ffmpeg

    program = root / "programs" / "ffmpeg"
    program.parent.mkdir(parents=True, exist_ok=True)
    if not program.exists():
        program.symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    return str(program.parent)


@contextlib.contextmanager
def _programs_looked_for_again() -> Iterator[None]:
    """audioread remembers which programs there were."""
    import audioread

    audioread.available_backends(flush_cache=True)
    yield
    audioread.available_backends(flush_cache=True)
