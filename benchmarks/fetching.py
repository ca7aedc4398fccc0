"""The first questions of a run whose clips lie on a server: with clips fetched side by side, and one after the other.

A server on loopback answers every request after a fixed time. Each round asks the same questions about clips of their
own in both ways, in turns, each with an empty cache: their media are fetched, decoded by two workers and answered by a
tiny model. "One after the other" is how it was before fetching was a stage of its own. Prints and writes the rates, and
their ratio for each round.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import huggingface_hub.constants
from bench_clips import make_clip

from lmms_humansense.dataset.anywhere import install
from lmms_humansense.demo.tiny_model import write_tiny_model
from lmms_humansense.models.local.encoder import LocalEncoder
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.runner import LocalRunner
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.runtime import pipeline
from lmms_humansense.models.runtime.ledger import Ledger
from lmms_humansense.models.runtime.request import Request
from lmms_humansense.models.runtime.signals import SigtermGuard
from lmms_humansense.models.runtime.worker_pool import WorkerPool
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense.annotations import FILES

LATENCY = 0.05
"""Seconds after which the server answers."""

SECONDS, WIDTH, HEIGHT, FPS = 2, 320, 240, 25
WORKERS = 2
WAYS = {"one after the other": 1, "side by side": pipeline._FETCHED_AT_ONCE}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("fetching.json"))
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    install()
    with tempfile.TemporaryDirectory() as name, served(write_release(Path(name), given.questions)) as address:
        settings = read_local_settings({"pretrained": str(write_tiny_model(Path(name) / "tiny")), "device": "cpu"})
        engine = Engine(settings)
        workers = WorkerPool(partial(LocalEncoder, settings, "qwen2_5_omni"), WORKERS, settings.media_timeout)
        workers.worker().close()  # it has loaded
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for turn in range(given.rounds):
            for way, at_once in WAYS.items():
                pipeline._FETCHED_AT_ONCE = at_once
                huggingface_hub.constants.HF_HOME = f"{name}/home-{turn}-{at_once}"
                runner = LocalRunner(engine, workers, Ledger(settings, given.questions), SigtermGuard())
                seconds[way].append(timed(runner, requests_to(address)))
        workers.close()
    report(given.out, given.questions, seconds)


def timed(runner: LocalRunner, requests: list[Request]) -> float:
    """Seconds until all requests are answered."""
    started = time.perf_counter()
    failed = [response.error for response in runner.run(requests) if response.error]
    if failed:
        raise SystemExit(f"{len(failed)} questions failed: {failed[0]}")
    return time.perf_counter() - started


def report(out: Path, questions: int, seconds: dict[str, list[float]]) -> None:
    """Print the medians, and write everything."""
    before, after = seconds.values()
    ratios = [one / other for one, other in zip(before, after, strict=True)]
    about = {
        "questions": questions,
        "latency": LATENCY,
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("lmms-humansense", "fsspec", "torch", "transformers")},
    }
    out.write_text(
        json.dumps({"seconds": seconds, "ratios": ratios, "about": about}, indent=1) + "\n", encoding="utf-8"
    )
    for way, measured in seconds.items():
        print(f"{way}: {questions / statistics.median(measured):.1f} questions/s (median of {len(measured)})")
    print(f"ratio: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def write_release(folder: Path, questions: int) -> Path:
    """A release of so many questions about clips of their own, all of the same content."""
    root = folder / "release"
    (root / "videos").mkdir(parents=True)
    make_clip(folder / "clip.mp4", SECONDS, WIDTH, HEIGHT, seed=0)
    items = []
    for number in range(questions):
        shutil.copy(folder / "clip.mp4", root / "videos" / f"{number:04d}.mp4")
        question = {
            "question": f"What is the person doing ({number})", "task_type": "Action_Recognition", "answer": "A",
            "question_pattern": "Multiple-choice question (select one answer choice)", "fps": FPS,
            "options": ["A. Running", "B. Reading"], "full_frame_number": SECONDS * FPS,
        }  # fmt: skip
        items.append({"video_path": f"data/videos/{number:04d}.mp4", "questions": question})
    (root / FILES["VQA"]).write_text(json.dumps(items), encoding="utf-8")
    return root


def requests_to(root: str) -> list[Request]:
    """A request for each question."""
    senses = {"sees": True, "hears": True}
    return [
        Request("task", number, {"max_new_tokens": 2}, partial(utils.doc_to_messages, doc, senses), doc["media"])
        for number, doc in enumerate(utils.docs("ar", root, complete=False))
    ]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of the folder."""

    class Handler(SimpleHTTPRequestHandler):
        def send_head(self) -> Any:
            time.sleep(LATENCY)
            return super().send_head()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


if __name__ == "__main__":
    main()
