"""Runs that are killed with SIGKILL at random points and resumed by the same command: which questions are asked again?

For batch sizes 1 and 4, one process and two, with and without workers, lmms-eval runs the embedded sample, is killed
several times, and then runs to its end. The script counts all questions that the model gets. Those beyond the 39 of the
sample were asked again; for each kill this may be one batch of each process at most. In the end, results and samples
must equal those of a run that was not disturbed.

    python benchmarks/kill_points.py --out kill_points.json
"""

import itertools
import json
import os
import random
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from bench_report import write_figures

from lmms_humansense.demo.tiny_model import write_tiny_model

QUESTIONS = 39
TASK = "humansense_sample"
POLLING = 0.005
LONGEST_LINGER = 0.25
"""Seconds: a kill comes at most this long after the question that it waits for, so that it also hits what follows."""
START_LIMIT = 300.0


@dataclass(frozen=True)
class Way:
    """One way to run the sample. `on_gpu`: with a model of the 7B's size, of which all processes share one GPU."""

    batch_size: int
    processes: int
    workers: int
    on_gpu: bool = False

    def command(self, model: Path, output: Path, trace: Path, cache: Path | None) -> list[str]:
        """The command that runs the sample and records every question in `trace`."""
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(self.processes)]
        kept = ["--use_cache", str(cache)] if cache else []
        return [
            sys.executable, *(launcher if self.processes > 1 else []), __file__,
            "--child", str(trace), str(model) if self.on_gpu else "",
            "--model", "humansense_omni", "--model_args", f"pretrained={model},media_workers={self.workers}",
            "--tasks", TASK, "--batch_size", str(self.batch_size), "--log_samples", "--output_path", str(output), *kept,
        ]  # fmt: skip


def main(kills: int = 3, seed: int = 0, out: Path | None = None) -> None:
    """Run all ways, each with so many kills, print the results, and write them to a file."""
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), kills, random.Random(seed))
    if out:
        write_figures(out, measured)
    if not all(row["equal"] and row["asked anew"] <= row["may be anew"] for row in measured):
        raise SystemExit("Answers were lost, or the results differ.")


def measure(folder: Path, kills: int, draw: random.Random) -> list[dict[str, Any]]:
    """The results, one row for each way."""
    model = write_tiny_model(folder / "tiny")
    expected = {}
    rows = []
    for processes, workers, batch_size in itertools.product((1, 2), (0, 2), (1, 4)):
        if processes not in expected:
            expected[processes] = undisturbed(folder / f"expected{processes}", model, Way(1, processes, 2))
        way = Way(batch_size, processes, workers)
        rows.append(
            disturbed(folder / f"{processes}-{workers}-{batch_size}", model, way, kills, draw, expected[processes])
        )
        print(" | ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    return rows


def undisturbed(folder: Path, model: Path, way: Way) -> Any:
    """The scores and samples of a run that has no cache and is not killed."""
    folder.mkdir()
    finish(way.command(model, folder / "out", folder / "trace", None))
    return written(folder / "out")


def disturbed(folder: Path, model: Path, way: Way, kills: int, draw: random.Random, expected: Any) -> dict[str, Any]:
    """Kill a run several times, finish it, and count the questions."""
    folder.mkdir()
    trace = folder / "trace"
    trace.touch()
    points = []
    for left in range(kills, 0, -1):
        asked = questions(trace)
        # Leaves enough questions for the kills to come.
        wanted = asked + draw.randint(1, max(1, (QUESTIONS - asked) // left - way.batch_size))
        command = way.command(model, folder / "killed", trace, folder / "cache")
        points.append(kill_at(command, trace, wanted, draw.uniform(0, LONGEST_LINGER), folder / "log"))
    finish(way.command(model, folder / "out", trace, folder / "cache"))
    return {
        "batch size": way.batch_size,
        "processes": way.processes,
        "workers": way.workers,
        "killed after": points,
        "asked anew": questions(trace) - QUESTIONS,
        "may be anew": kills * way.batch_size * way.processes,
        "equal": written(folder / "out") == expected,
    }


def kill_at(command: Sequence[str], trace: Path, wanted: int, linger: float, log: Path) -> int:
    """Start a run, kill it with all its processes after `wanted` questions, and return how many there were by then."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    deadline = time.monotonic() + START_LIMIT
    while questions(trace) < wanted and process.poll() is None and time.monotonic() < deadline:
        time.sleep(POLLING)
    time.sleep(linger)
    if process.poll() is not None:
        raise SystemExit(f"The run ended before it was killed: {log.read_text()[-2000:]}")
    family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    for pid in family:
        psutil.Process(pid).kill() if psutil.pid_exists(pid) else None
    process.wait()
    return questions(trace)


def finish(command: Sequence[str]) -> None:
    """Run a command to its end."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])


def written(folder: Path) -> Any:
    """The scores and the samples that a run wrote, without the dates."""
    (results,) = folder.rglob("*_results.json")
    samples = {
        file.name.partition("_samples_")[2]: [json.loads(line) for line in file.read_text().splitlines()]
        for file in folder.rglob("*_samples_*.jsonl")
    }
    return json.loads(results.read_text())["results"], samples


def questions(trace: Path) -> int:
    """How many questions the models of all processes have got so far."""
    return sum(int(line) for line in trace.read_text().split())


def run_traced(trace: Path, sized: str, arguments: Sequence[str]) -> None:
    """Run lmms-eval, and append the size of each batch to a file before the model gets it.

    If `sized` names a checkpoint, its model gets the size of the 7B, on the first GPU whatever the rank.
    """
    from lmms_humansense.models.local.engine import Engine

    if sized:
        from bench_sized import make_sized

        from lmms_humansense.models.omni import HumanSenseOmni

        make_sized(Path(sized))
        os.environ["LOCAL_RANK"] = "0"
        # lmms-eval exchanges its tensors there: NCCL refuses two processes on one GPU, and gloo works on the CPU.
        HumanSenseOmni.device = property(lambda model: torch.device("cpu"))  # type: ignore[assignment]

    respond = Engine.respond

    def noted(self: Engine, samples: Sequence[Any], *rest: Any) -> Any:
        with open(trace, "a") as file:
            file.write(f"{len(samples)}\n")
        return respond(self, samples, *rest)

    Engine.respond = noted  # type: ignore[method-assign, assignment]
    os.environ["ACCELERATE_USE_CPU"] = "true"
    sys.argv = ["lmms_eval", *arguments]
    runpy.run_module("lmms_eval", run_name="__main__")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        run_traced(Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
    else:
        import typer  # not on every machine with a GPU, where only the functions of this module are used

        main.__doc__ = __doc__
        typer.run(main)
