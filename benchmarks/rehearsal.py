"""A run of the whole benchmark, rehearsed: 3,882 questions, each about clips that no other question is asked about.

The questions and clips of the embedded sample are repeated until each task has as many as in the paper. Every copy of a
clip has other bytes, and every question another text, so that nothing is answered twice. `lmms-humansense run` asks a
tiny model with random weights, or a server. The script measures the time to the first answer, the memory of all
processes over time, the size of what is written, and the time and memory that a report takes.

    python benchmarks/rehearsal.py --share 0.02 --out rehearsal.json           (77 questions: 1 minute)
    python benchmarks/rehearsal.py --out rehearsal.json                        (3,882 questions)
    python benchmarks/rehearsal.py --model humansense_server --model_args base_url=…,model=…,media=frames
"""

import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from bench_report import write_figures

from lmms_humansense.demo.tiny_model import write_tiny_model
from lmms_humansense.plugin.entry_points import task_folder
from lmms_humansense.tasks.humansense.annotations import FILES, key_of, read
from lmms_humansense.tasks.humansense.taxonomy import TASKS

SAMPLE = task_folder() / "humansense_sample"
POINTS = 20
"""How many points of the memory over time are kept."""


def write_release(folder: Path, share: float) -> int:
    """Write a release in the layout of the Hub's.

    Args:
        folder: Where to write it.
        share: How much of each task it has.

    Returns:
        The number of its questions.
    """
    total = 0
    for key, name in FILES.items():
        content = (SAMPLE / name).read_bytes()
        items, codes = json.loads(content), [doc["code"] for doc in read(content, key, {})["docs"]]
        written: list[dict[str, Any]] = []
        for task in (task for task in TASKS if key_of(task) == key):
            own = [item for item, code in zip(items, codes, strict=True) if code == task.code]
            count = max(1, round(share * task.count))
            written += [_copied(folder, own[number % len(own)], task.code, number) for number in range(count)]
        (folder / name).write_text(json.dumps(written), encoding="utf-8")
        total += len(written)
    return total


def _copied(folder: Path, item: dict[str, Any], code: str, number: int) -> dict[str, Any]:
    """An item about a copy of its clip."""
    source = SAMPLE / item["video_path"].removeprefix("data/")
    name = f"{source.relative_to(SAMPLE).parts[0]}/{code.lower()}/{number:04d}{source.suffix}"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / name)
    if source.suffix == ".mp4":
        mark = f"{code} {number}".encode()
        with (folder / name).open("ab") as file:
            file.write(struct.pack(">I4s", 8 + len(mark), b"free") + mark)  # a box that players pass over
    question = {**item["questions"], "question": f"{item['questions']['question']} ({number})"}
    return {**item, "video_path": f"data/{name}", "questions": question}


class Watch:
    """Measures the memory of a process and of all that it starts, and when the first answer is kept.

    Args:
        cache: The folder of the answers.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self.memory: list[tuple[float, float]] = []
        self.first_answer: float | None = None
        self.answers = 0

    def run(self, command: Sequence[str], environment: dict[str, str], log: Path) -> dict[str, float]:
        """Run a command, and return its status, seconds and largest memory in megabytes."""
        started, ended = time.monotonic(), threading.Event()
        with log.open("w") as file, subprocess.Popen(command, env=environment, stdout=file, stderr=file) as process:
            thread = threading.Thread(target=self._watch, args=(process.pid, started, ended))
            thread.start()
            status = process.wait()
            ended.set()
            thread.join()
        most = max((megabytes for _, megabytes in self.memory), default=0.0)
        return {"status": status, "seconds": round(time.monotonic() - started, 1), "most MB": round(most)}

    def _watch(self, pid: int, started: float, ended: threading.Event) -> None:
        while not ended.wait(1.0):
            now = time.monotonic() - started
            self.memory.append((now, _megabytes(pid)))
            logs = self._cache.glob("runs/*/rank_*.audit.jsonl")
            if self.first_answer is None and any(log.stat().st_size for log in logs):
                self.first_answer = now


def _megabytes(pid: int) -> float:
    """The memory of a process and its children; what they share is counted once."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.Error:
        pass  # it has ended since
    return total / 1e6


def _size(folder: Path, pattern: str) -> int:
    return sum(file.stat().st_size for file in folder.glob(pattern) if file.is_file())


def rehearse(folder: Path, share: float, model: str, model_args: str) -> dict[str, Any]:
    """Run the benchmark and a report of it.

    Args:
        folder: For everything that is written.
        share: How much of each task is asked.
        model: lmms-eval's name for the model.
        model_args: Its arguments; "" for the tiny model.

    Returns:
        What was measured.
    """
    release, output = folder / "release", folder / "out"
    release.mkdir()
    questions = write_release(release, share)
    arguments = model_args or f"pretrained={write_tiny_model(folder / 'tiny')}"
    environment = {**os.environ, "HUMANSENSE_DATA": str(release)}
    ours = [sys.executable, "-m", "lmms_humansense"]
    run = Watch(output / "cache")
    ran = run.run(
        [
            *ours,
            "run",
            "--model",
            model,
            "--model_args",
            arguments,
            "--tasks",
            "humansense",
            "--output_path",
            str(output),
        ],
        environment,
        folder / "run.log",
    )
    if ran["status"]:
        raise SystemExit((folder / "run.log").read_text()[-3000:])
    written = {
        "answers": _size(output / "cache", "**/*"),
        "results": _size(output, "*/*_results.json"),
        "samples": _size(output, "*/*_samples_*.jsonl"),
        "report": _size(output, "*/report/**/*"),
        "messages": _size(output, "logs/*"),
    }
    report = Watch(folder / "nothing")
    reported = report.run([*ours, "report", str(output), "--out", str(folder / "report")], environment, folder / "log")
    step = max(1, len(run.memory) // POINTS)
    return {
        "questions": questions,
        "seconds to the first answer": None if run.first_answer is None else round(run.first_answer, 1),
        "run": ran,
        "MB over time": [[round(second), round(megabytes)] for second, megabytes in run.memory[::step]],
        "bytes written": written,
        "lines on the page": len((folder / "run.log").read_text().splitlines()),
        "report": reported,
    }


def main() -> None:
    """Measure, print the figures, and write them to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="how much of each task is asked")
    parser.add_argument("--model", default="humansense_omni")
    parser.add_argument("--model_args", default="")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = rehearse(Path(folder), given.share, given.model, given.model_args)
    print(json.dumps(figures, indent=1))
    if given.out:
        write_figures(given.out, figures)


if __name__ == "__main__":
    main()
