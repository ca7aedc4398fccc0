"""Questions per second to a server that answers after a fixed time: what asking itself costs.

    python benchmarks/serving.py [--out FILE] [--questions 3000] [--concurrency 64] [--rounds 3]

This script starts a server in a process of its own, which answers every request 200 ms after it arrives. All questions
are about one clip of 100 s at 1280x720 (24 frames as JPEG; or these and its sound, three times as much), and no two are
equal. They go through `EndpointRunner`, as those of `--model humansense_server` do. The rate from the first answer to
the last is compared with the highest possible one: `concurrency` requests every 200 ms. Last come the CPU seconds of
this process for the media of the sample with `media=vllm`, compared with those of a local model. Needs the packages of
the extra `bench`.
"""

import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import typer
from bench_clips import make_clip
from bench_media import media_costs
from bench_report import about, write_figures

from lmms_humansense.models.endpoint.client import EndpointClient
from lmms_humansense.models.endpoint.encoder import EndpointEncoder
from lmms_humansense.models.endpoint.runner import EndpointRunner
from lmms_humansense.models.endpoint.settings import EndpointSettings, read_endpoint_settings
from lmms_humansense.models.runtime.ledger import Ledger
from lmms_humansense.models.runtime.pipeline import Pipeline
from lmms_humansense.models.runtime.request import Request, bytes_of
from lmms_humansense.models.runtime.signals import SigtermGuard
from lmms_humansense.models.runtime.worker_pool import WorkerPool
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense.messages import MAX_PIXELS
from lmms_humansense.tasks.humansense.taxonomy import BY_CODE
from lmms_humansense.tasks.humansense_sample.utils import ROOT

SECONDS, WIDTH, HEIGHT = 100, 1280, 720
DELAY = 0.2
"""Seconds after which the server answers."""

FPS = 0.24
"""Frames per second with which 100 s have 24 frames, as by the release's rule."""


def main(out: Path = Path("serving.json"), questions: int = 3000, concurrency: int = 64, rounds: int = 3) -> None:
    """Measure, print and write."""
    limit = concurrency / DELAY
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        make_clip(clip, SECONDS, WIDTH, HEIGHT, seed=0)
        found = {
            kind: summary([measure(clip, heard, questions, concurrency) for _ in range(rounds)])
            for kind, heard in (("silent", False), ("with_sound", True))
        }
    costs = media_costs(sample_questions(), rounds)
    measured = about(("lmms-humansense", "openai", "torch"), limit_per_second=limit)
    write_figures(out, {**found, "media": costs, "about": measured})
    for kind, each in found.items():
        print(
            f"{kind}: {each['share_of_limit']:.1%} of the server's {limit:.0f} questions/s "
            f"(median of {rounds}), {each['request_bytes'] / 1e6:.2f} MB each"
        )
    print(f"media=vllm: {costs['ratio']:.2f} times the CPU seconds of the local model's media (median of {rounds})")


def sample_questions() -> list[list[dict[str, Any]]]:
    """The messages of all questions of the sample, as a model that sees and hears is asked."""
    docs = [doc for code in BY_CODE for doc in utils.docs(code.lower(), str(ROOT), complete=False)]
    return [utils.doc_to_messages(doc, {"wrapper": "humansense_omni"}) for doc in docs]


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The rounds, and their median share."""
    share = statistics.median(each["share"] for each in rounds)
    return {"share_of_limit": share, "request_bytes": rounds[0]["request_bytes"], "rounds": rounds}


def measure(clip: Path, heard: bool, questions: int, concurrency: int) -> dict[str, Any]:
    """Ask this many questions of a new server."""
    port = multiprocessing.get_context("spawn").Value("i", 0)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=[port], daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.01)
    settings = read_endpoint_settings(
        {"base_url": f"http://127.0.0.1:{port.value}/v1", "model": "m", "media": "frames", "concurrency": concurrency}
    )
    workers = WorkerPool(partial(EndpointEncoder, settings), 1, settings.media_timeout)
    try:
        return ask(settings, workers, [request_about(clip, heard, number) for number in range(questions)])
    finally:
        workers.close()
        server.kill()


def ask(settings: EndpointSettings, workers: WorkerPool, requests: list[Request]) -> dict[str, Any]:
    """The rate from the first answer to the last, and the size of a request."""
    ledger = Ledger(settings, len(requests))
    times: list[float] = []
    pipeline = Pipeline(EndpointEncoder(settings), workers, ledger, settings)
    runner = EndpointRunner(EndpointClient(settings), settings, pipeline, ledger, SigtermGuard())
    for response in runner.run(requests, lambda: times.append(time.perf_counter())):
        assert (response.text, response.output_tokens) == ("A", 1), response.error
    rate = (len(times) - 1) / (times[-1] - times[0])
    (outcome,) = EndpointEncoder(settings).encode([EndpointEncoder(settings).read(requests[0].messages())])
    assert outcome.encoded is not None
    return {
        "per_second": rate,
        "share": rate * DELAY / settings.concurrency,
        "request_bytes": bytes_of([outcome.encoded]),
        "narrowest_window": runner.limiter.narrowest,
    }


def request_about(clip: Path, heard: bool, number: int) -> Request:
    """A question about the clip."""
    content = [
        {"type": "video", "url": str(clip), "fps": FPS, "max_pixels": MAX_PIXELS},
        *([{"type": "audio", "url": str(clip)}] if heard else []),
        {"type": "text", "text": f"Question {number}: what does this person feel?"},
    ]
    return Request(
        "task", number, {"max_new_tokens": 16}, lambda: [{"role": "user", "content": content}], clip=str(clip)
    )


def serve(port: Any) -> None:
    """Answer every request after `DELAY`. The port goes into `port`."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    body = json.dumps({"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = (await reader.readuntil(b"\r\n\r\n")).lower()
                left = int(asked.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                while left:
                    left -= len(await reader.read(min(left, 1 << 20)))
                await asyncio.sleep(DELAY)
                writer.write(head + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 22)
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    main.__doc__ = __doc__
    typer.run(main)
