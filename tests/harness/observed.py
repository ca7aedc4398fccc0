"""Runs the cases, and reads what each of them did."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.cases import Case
from tests.helpers.commands import QUICKLY

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Observed:
    """What a command line did.

    Attributes:
        status: Its exit status.
        printed: Everything that it printed.
        shown: By task, the prompt tokens and seconds heard of its first question.
        responses: By task, the response to its first question.
        asked: How many questions were asked in all.
        results: Its results file; empty if it wrote none.
    """

    status: int
    printed: str
    shown: Mapping[str, tuple[int, float]]
    responses: Mapping[str, str]
    asked: int
    results: Mapping[str, Any]

    def recorded(self, path: str) -> Any:
        """A value of the results file by its path with points; None if it is not there."""
        found: Any = self.results
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found


def observe(cases: Mapping[str, Case], folder: Path, model: Path) -> dict[str, Observed]:
    """Run the cases one after the other.

    Args:
        cases: The cases by name.
        folder: An empty folder for what they write and print.
        model: A tiny checkpoint.

    Returns:
        What each did, by its name.
    """
    empty = folder / "empty"
    empty.mkdir()
    command_lines = {name: _arguments(name, case, folder, model, empty) for name, case in cases.items()}
    environment = {
        **os.environ,
        "PYTHONPATH": f"{PROJECT}:{QUICKLY}",
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "tests.harness.forks", str(folder)]
    subprocess.run(command, input=json.dumps(command_lines), text=True, cwd=folder, env=environment, check=True)
    return {name: _observed(name, folder) for name in cases}


def _arguments(name: str, case: Case, folder: Path, model: Path, empty: Path) -> list[str]:
    arguments = shlex.split(case.arguments.format(model=model, folder=empty))
    return [*arguments, "--output_path", str(folder / name), "--log_samples"] if case.writes else arguments


def _observed(name: str, folder: Path) -> Observed:
    shown, responses, asked = {}, {}, 0
    for file in sorted((folder / name).rglob("*_samples_*.jsonl")):
        samples = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        task = file.stem.partition("_samples_humansense_")[2]
        counts = samples[0]["token_counts"][0] or {}
        shown[task] = counts.get("input_tokens", 0), counts.get("seconds_heard", 0.0)
        response = samples[0]["filtered_resps"]
        responses[task] = response if isinstance(response, str) else response[0]
        asked += len(samples)
    results = sorted((folder / name).rglob("*_results.json"))
    return Observed(
        int((folder / f"{name}.status").read_text(encoding="utf-8")),
        (folder / f"{name}.log").read_text(encoding="utf-8", errors="replace"),
        shown,
        responses,
        asked,
        json.loads(results[0].read_text(encoding="utf-8")) if results else {},
    )
