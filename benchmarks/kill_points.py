"""Runs that are killed with SIGKILL at random points and taken up again by the same command: what is asked anew?

For batch sizes 1 and 4, one process and two, with and without workers, the embedded sample is run through lmms-eval,
killed several times, and run to its end. Counted is how many questions were put to the model in all: beyond the 39 of
the sample these are the ones that were asked anew, and for each kill that may be one batch of each process at most. In
the end, results and samples have to equal those of a run that nobody disturbed.

    python benchmarks/kill_points.py --out kill_points.json
"""

import argparse
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

from lmms_humansense.demo.tiny_model import write_tiny_model

QUESTIONS = 39
TASK = "humansense_sample"
POLLING = 0.005
LONGEST_LINGER = 0.25
"""Seconds: a kill comes up to so long after the question it waited for was put, so that it also meets what follows."""
START_LIMIT = 300.0


@dataclass(frozen=True)
class Way:
    """How the sample is run."""

    batch_size: int
    processes: int
    workers: int

    def command(self, model: Path, output: Path, trace: Path, cache: Path | None) -> list[str]:
        """The command that runs the sample and notes every question in `trace`."""
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(self.processes)]
        kept = ["--use_cache", str(cache)] if cache else []
        return [
            sys.executable, *(launcher if self.processes > 1 else []), __file__, "--child", str(trace),
            "--model", "humansense_omni", "--model_args", f"pretrained={model},media_workers={self.workers}",
            "--tasks", TASK, "--batch_size", str(self.batch_size), "--log_samples", "--output_path", str(output), *kept,
        ]  # fmt: skip


def main() -> None:
    """Run all ways, print what came out, and write it to a file."""
    if sys.argv[1:2] == ["--child"]:
        run_traced(Path(sys.argv[2]), sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=3, help="of each of the eight ways")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), arguments.kills, draw)
    if arguments.out:
        arguments.out.write_text(json.dumps(measured, indent=1))
    if not all(row["equal"] and row["asked anew"] <= row["may be anew"] for row in measured):
        raise SystemExit("Answers were lost, or the results differ.")


def measure(folder: Path, kills: int, draw: random.Random) -> list[dict[str, Any]]:
    """One row for each way."""
    model = write_tiny_model(folder / "tiny")
    expected = {}
    rows = []
    for processes, workers, batch_size in itertools.product((1, 2), (0, 2), (1, 4)):
        if processes not in expected:
            expected[processes] = undisturbed(folder / f"expected{processes}", model, processes)
        way = Way(batch_size, processes, workers)
        rows.append(
            disturbed(folder / f"{processes}-{workers}-{batch_size}", model, way, kills, draw, expected[processes])
        )
        print(" | ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    return rows


def undisturbed(folder: Path, model: Path, processes: int) -> Any:
    """What a run writes that keeps nothing and is not killed."""
    folder.mkdir()
    finish(Way(1, processes, 2).command(model, folder / "out", folder / "trace", None))
    return written(folder / "out")


def disturbed(folder: Path, model: Path, way: Way, kills: int, draw: random.Random, expected: Any) -> dict[str, Any]:
    """Kill a run several times, finish it, and count what was asked."""
    folder.mkdir()
    trace = folder / "trace"
    trace.touch()
    points = []
    for left in range(kills, 0, -1):
        asked = questions(trace)
        # So that there is something left for the kills to come.
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
    """Start a run, kill it and all its processes once so many questions were put, and return how many were."""
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
    """The scores and the samples that a run wrote, without dates."""
    (results,) = folder.rglob("*_results.json")
    samples = {
        file.name.partition("_samples_")[2]: [json.loads(line) for line in file.read_text().splitlines()]
        for file in folder.rglob("*_samples_*.jsonl")
    }
    return json.loads(results.read_text())["results"], samples


def questions(trace: Path) -> int:
    """How many questions were put to the model so far, by all processes."""
    return sum(int(line) for line in trace.read_text().split())


def run_traced(trace: Path, arguments: Sequence[str]) -> None:
    """Run lmms-eval, and append to a file how many questions each batch has, before it is put to the model."""
    from lmms_humansense.models.local.engine import Engine

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
    main()
