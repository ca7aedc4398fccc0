"""Damaged media and annotation files go through the loader and the model: is each accounted for, and nothing else lost?

A tiny random model gets 2,000 media files: clips to see, together with their sound, and sounds to hear. 1,000
annotation files are loaded as a release, and the questions that can still be read are asked and scored. The script
counts what became of the files, and measures the time for all media and the most memory that any process had. Every
file can be made again from its number.

    python benchmarks/fuzz.py --out fuzz.json
"""

import json
import random
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from bench_mutants import damaged_annotations, damaged_medium, seeds
from bench_report import write_figures
from bench_usage import repeating
from loguru import logger

from lmms_humansense.demo.tiny_model import write_tiny_model
from lmms_humansense.models.local.encoder import LocalEncoder
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.runner import LocalRunner
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.runtime.failures import failure_of
from lmms_humansense.models.runtime.ledger import Ledger
from lmms_humansense.models.runtime.request import Request, Response
from lmms_humansense.models.runtime.signals import SigtermGuard
from lmms_humansense.models.runtime.worker_pool import WorkerPool
from lmms_humansense.tasks.humansense import annotations, utils
from lmms_humansense.tasks.humansense.messages import MAX_PIXELS
from lmms_humansense.tasks.humansense.metrics.scoring import FAILURE_MARK
from lmms_humansense.tasks.humansense.taxonomy import BY_CODE
from lmms_humansense.tasks.humansense_sample.utils import ROOT

GREEDY = {"max_new_tokens": 4}
SENSES = {"wrapper": "humansense_omni"}
WORKERS = 2
TIMEOUT = 30.0
SAMPLING = 0.05
MEMORY_LIMIT = 2 * 2**30
_KEPT = 25

Ask = Callable[[Sequence[Request]], list[Response]]


def main(
    media: int = 2000,
    annotation_files: Annotated[int, typer.Option("--annotations")] = 1000,
    seed: int = 0,
    out: Path | None = None,
) -> None:
    """Make the files, ask about them, print the counts, and write them to a file."""
    logger.remove()  # It would report every failure.
    with tempfile.TemporaryDirectory() as name, peak_memory() as peak:
        folder = Path(name)
        model = write_tiny_model(folder / "tiny")
        settings = read_local_settings(
            {"pretrained": str(model), "device": "cpu", "batch_size": 1, "media_timeout": TIMEOUT,
             "max_failures": 1.0, "use_audio_in_video": "always"}
        )  # fmt: skip
        workers = WorkerPool(partial(LocalEncoder, settings, "qwen2_5_omni"), WORKERS, TIMEOUT)
        engine = Engine(settings)
        ask = partial(responses, engine, workers)
        measured = {
            "media": fuzz_media(folder, media, seed, ask),
            "annotations": fuzz_annotations(folder, annotation_files, seed, ask),
        }
        workers.close()
    measured["most memory of a process, MiB"] = {name: round(size / 2**20) for name, size in peak.items()}
    print(json.dumps(measured, indent=1, ensure_ascii=False))
    if out:
        write_figures(out, measured)
    if max(peak.values()) > MEMORY_LIMIT:
        raise SystemExit("A process had more than 2 GiB.")


def responses(engine: Engine, workers: WorkerPool, requests: Sequence[Request]) -> list[Response]:
    """The responses, each with a text or the reason why it has none; raises SystemExit if one is missing."""
    runner = LocalRunner(engine, workers, Ledger(engine.settings, len(requests)), SigtermGuard())
    done = list(runner.run(requests))
    if [one.request for one in done] != list(requests):
        raise SystemExit("Requests were lost.")
    if any((one.text is None) != bool(one.error) for one in done):
        raise SystemExit("A request has neither a response nor an error, or it has both.")
    return done


def fuzz_media(folder: Path, count: int, seed: int, ask: Ask) -> dict[str, Any]:
    """Ask about damaged files, and count what became of them."""
    media = seeds(ROOT)
    kinds, requests = [], []
    for number in range(count):
        kind, (ending, content) = damaged_medium(random.Random(f"{seed}-{number}"), media)
        path = folder / f"{number}{ending}"
        path.write_bytes(content)
        kinds.append(kind)
        requests.append(_about(path, number))
    began = time.monotonic()
    done = ask(requests)
    became = ["failed" if one.text is None else "answered" for one in done]
    outcomes = Counter(zip(kinds, became, strict=True))
    reasons = Counter(_without_numbers(failure_of(one).kind) for one in done if one.error)
    return {
        "files": count,
        "answered": sum(one.text is not None for one in done),
        "failed": sum(bool(one.error) for one in done),
        "seconds": round(time.monotonic() - began, 1),
        "workers that died": sum(one.error.startswith("WorkerError") for one in done),
        "stalled": sum(one.error.startswith("StalledError") for one in done),
        "kinds": {f"{kind}, {what}": number for (kind, what), number in sorted(outcomes.items())},
        "reasons": dict(reasons.most_common(_KEPT)),
        "odd": [str(one.request.doc_id) for one in done if one.error and not one.error.startswith("MediaError")],
    }


def _about(path: Path, number: int) -> Request:
    """A question about a file: to hear (all .wav files and every third other), or to see together with its sound."""
    url = str(path)
    heard = path.suffix == ".wav" or number % 3 == 0
    shown = {"type": "video", "url": url, "fps": 1.0, "max_pixels": MAX_PIXELS}
    medium = {"type": "audio", "url": url} if heard else shown
    messages = [{"role": "user", "content": [medium, {"type": "text", "text": "Who?"}]}]
    return Request("fuzz", number, GREEDY, lambda: messages, clip=url)


def _without_numbers(reason: str) -> str:
    return re.sub(r"\d+", "#", reason)[:150]


def fuzz_annotations(folder: Path, count: int, seed: int, ask: Ask) -> dict[str, Any]:
    """Load damaged annotations, ask and score the questions that can be read, and count what became of the files."""
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    asked = failed = 0
    for number in range(count):
        draw = random.Random(f"{seed}-annotations-{number}")
        key = draw.choice(sorted(annotations.FILES))
        name = annotations.FILES[key]
        kind, content = damaged_annotations(draw, (ROOT / name).read_text())
        root = folder / f"release{number}"
        root.mkdir()
        for medium in ("videos", "audios"):
            (root / medium).symlink_to(ROOT / medium)
        for other in annotations.FILES.values():
            shutil.copy(ROOT / other, root)
        (root / name).write_bytes(content)
        docs, refusals = _loaded(root, key)
        reasons.update(set(refusals))
        outcomes[f"{kind}, {'loaded' if docs else 'refused'}"] += 1
        for doc, response in zip(docs, ask([_question(doc, place) for place, doc in enumerate(docs)]), strict=True):
            asked += 1
            failed += bool(response.error)
            text = f"{FAILURE_MARK} {response.error}" if response.text is None else response.text
            utils.process_results(doc, [text])
        shutil.rmtree(root)
    return {
        "files": count,
        "outcomes": dict(sorted(outcomes.items())),
        "questions asked": asked,
        "questions failed": failed,
        "reasons": dict(reasons.most_common(_KEPT)),
    }


def _loaded(root: Path, key: str) -> tuple[list[Any], list[str]]:
    """One doc of each task that can be loaded, a damaged one if there is one; and why other tasks cannot be loaded."""
    docs, refusals = [], []
    for code, task in BY_CODE.items():
        if annotations.key_of(task) != key:
            continue
        try:
            found = list(utils.docs(code, str(root), complete=False))
            whole = [{**doc, "root": str(root)} for doc in utils.docs(code, str(ROOT), complete=False)]
            docs.append(next((doc for doc in found if doc not in whole), found[0]))
        except SystemExit as refusal:  # the message that ends a run
            refusals.append(_without_numbers(str(refusal).replace(str(root), "…")))
    return docs, refusals


def _question(doc: Any, number: int) -> Request:
    return Request("fuzz", number, GREEDY, lambda: utils.doc_to_messages(doc, SENSES))


@contextmanager
def peak_memory() -> Iterator[dict[str, int]]:
    """Measures the most resident memory of this process, and of any process that it starts, during the block.

    Yields a dict with bytes for "model" (this process) and "worker" (the largest other process).
    """
    peak = {"model": 0, "worker": 0}
    own = psutil.Process()

    def look() -> None:
        for process in [own, *own.children(recursive=True)]:
            name = "model" if process == own else "worker"
            with suppress(psutil.NoSuchProcess):
                peak[name] = max(peak[name], process.memory_info().rss)

    with repeating(look, SAMPLING):
        yield peak


if __name__ == "__main__":
    main.__doc__ = __doc__
    typer.run(main)
