"""The first questions of a run whose clips lie on a server: clips fetched in parallel, and one after the other.

    python benchmarks/fetching.py [--out FILE] [--questions 100] [--rounds 3]

A server on loopback answers every request after a fixed time. Each round asks the same questions, each about a clip of
its own, in both ways in turns, each way with an empty cache: the media are fetched, decoded by two workers and answered
by a tiny model. "One after the other" is how it was before fetching was a stage of its own. Prints the rates and writes
them with their ratio in each round.
"""

import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import typer
from bench_clips import FPS, make_clip
from bench_report import about, item, write_annotations, write_figures

from lmms_humansense.dataset.anywhere import install
from lmms_humansense.demo.tiny_model import write_tiny_model
from lmms_humansense.models.local.encoder import LocalEncoder
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.runner import LocalRunner
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.runtime import fetching
from lmms_humansense.models.runtime.ledger import Ledger
from lmms_humansense.models.runtime.request import Request
from lmms_humansense.models.runtime.signals import SigtermGuard
from lmms_humansense.models.runtime.worker_pool import WorkerPool
from lmms_humansense.tasks.humansense import utils

LATENCY = 0.05
"""Seconds after which the server answers."""

SECONDS, WIDTH, HEIGHT = 2, 320, 240
WORKERS = 2
WAYS = {"one after the other": 1, "side by side": fetching._FETCHED_AT_ONCE}


def main(out: Path = Path("fetching.json"), questions: int = 100, rounds: int = 3) -> None:
    """Measure, print and write."""
    install()
    with tempfile.TemporaryDirectory() as name, served(write_release(Path(name), questions)) as address:
        settings = read_local_settings({"pretrained": str(write_tiny_model(Path(name) / "tiny")), "device": "cpu"})
        engine = Engine(settings)
        workers = WorkerPool(partial(LocalEncoder, settings, "qwen2_5_omni"), WORKERS, settings.media_timeout)
        workers.worker().close()  # Now the process that workers are copied from has loaded its modules.
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for turn in range(rounds):
            for way, at_once in WAYS.items():
                fetching._FETCHED_AT_ONCE = at_once
                huggingface_hub.constants.HF_HOME = f"{name}/home-{turn}-{at_once}"
                runner = LocalRunner(engine, workers, Ledger(settings, questions), SigtermGuard())
                seconds[way].append(timed(runner, requests_to(address)))
        workers.close()
    ratios = [before / after for before, after in zip(*seconds.values(), strict=True)]
    libraries = ("lmms-humansense", "fsspec", "torch", "transformers")
    measured = about(libraries, questions=questions, latency=LATENCY)
    write_figures(out, {"seconds": seconds, "ratios": ratios, "about": measured})
    for way, taken in seconds.items():
        print(f"{way}: {questions / statistics.median(taken):.1f} questions/s (median of {len(taken)})")
    print(f"ratio: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def timed(runner: LocalRunner, requests: list[Request]) -> float:
    """Seconds until all requests are answered."""
    started = time.perf_counter()
    failed = [response.error for response in runner.run(requests) if response.error]
    if failed:
        raise SystemExit(f"{len(failed)} questions failed: {failed[0]}")
    return time.perf_counter() - started


def write_release(folder: Path, questions: int) -> Path:
    """Write a release in which each question is about a clip of its own, all with the same content."""
    root = folder / "release"
    (root / "videos").mkdir(parents=True)
    make_clip(folder / "clip.mp4", SECONDS, WIDTH, HEIGHT, seed=0)
    items = []
    for number in range(questions):
        shutil.copy(folder / "clip.mp4", root / "videos" / f"{number:04d}.mp4")
        asked = f"What is the person doing ({number})"
        items.append(item(f"{number:04d}.mp4", SECONDS * FPS, FPS, question=asked))
    write_annotations(root, items)
    return root


def requests_to(root: str) -> list[Request]:
    """A request for each question."""
    senses = {"wrapper": "humansense_omni"}
    return [
        Request("task", number, {"max_new_tokens": 2}, partial(utils.doc_to_messages, doc, senses), doc["media"])
        for number, doc in enumerate(utils.docs("ar", root, complete=False))
    ]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the folder during the block; yields the server's address."""

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
    main.__doc__ = __doc__
    typer.run(main)
