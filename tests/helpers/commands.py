"""Runs commands as a user types them, as separate processes, and reads what they write."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCRIPTS = Path(sys.executable).parent

QUICKLY = str(Path(__file__).with_name("libyaml"))
"""A folder of modules that save each program seconds at its start."""


def run(
    *command: str, cwd: Path, check: bool = True, only: Mapping[str, str] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in the environment of this process, or in `only`, with `environment` added."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    inherited = os.environ if only is None else only
    path = os.pathsep.join(filter(None, [QUICKLY, inherited.get("PYTHONPATH")]))
    environment = {**inherited, "PYTHONPATH": path, **environment}
    with subprocess.Popen(command, cwd=cwd, env=environment, start_new_session=True, **pipes) as process:
        try:
            out, err = process.communicate(timeout=400)
        finally:
            with contextlib.suppress(ProcessLookupError):  # the processes that it started end with it
                os.killpg(process.pid, signal.SIGKILL)
    assert not check or process.returncode == 0, out[-3000:] + err[-3000:]
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def results_of(folder: Path) -> dict[str, Any]:
    (file,) = folder.rglob("*_results.json")
    results: dict[str, Any] = json.loads(file.read_text())
    return results


def responses_of(folder: Path) -> dict[tuple[str, int], tuple[Any, Any]]:
    """What was logged for each sample: its response, and what was shown."""
    logged = {}
    for file in folder.rglob("*_samples_*.jsonl"):
        for line in file.read_text().splitlines():
            sample = json.loads(line)
            name = file.name.partition("_samples_")[2]
            logged[name, sample["doc_id"]] = sample["filtered_resps"], sample["token_counts"]
    return logged
