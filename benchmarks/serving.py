"""Questions per second to a server that answers after a fixed time: what asking itself costs.

    python benchmarks/serving.py [--out FILE] [--questions 3000] [--concurrency 64] [--rounds 3]

A server of this script, in a process of its own, answers every request 200 ms after it came. It is asked about one
clip of 100 s at 1280x720 (24 frames as JPEG; or these and its sound, three times as much), each time with another
question, through `EndpointRunner`, as `--model humansense_server` does. From the first answer to the last, the rate is
compared with the most that is possible: `concurrency` requests every 200 ms. Needs the packages of the extra `bench`.
"""

import argparse
import asyncio
import datetime
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench_clips import make_clip

from lmms_humansense.models.endpoint.client import EndpointClient
from lmms_humansense.models.endpoint.encoder import EndpointEncoder
from lmms_humansense.models.endpoint.runner import EndpointRunner
from lmms_humansense.models.endpoint.settings import EndpointSettings, read_endpoint_settings
from lmms_humansense.models.runtime.ledger import Ledger
from lmms_humansense.models.runtime.pipeline import Pipeline
from lmms_humansense.models.runtime.request import Request, bytes_of
from lmms_humansense.models.runtime.signals import SigtermGuard
from lmms_humansense.models.runtime.worker_pool import WorkerPool

SECONDS, WIDTH, HEIGHT = 100, 1280, 720
DELAY = 0.2
"""Seconds after which the server answers."""

FPS = 0.24
"""Frames per second that make 24 of 100 s, as the release's rule does."""


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("serving.json"))
    parser.add_argument("--questions", type=int, default=3000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        make_clip(clip, SECONDS, WIDTH, HEIGHT, seed=0)
        told = {
            kind: summary([measure(clip, heard, given.questions, given.concurrency) for _ in range(given.rounds)])
            for kind, heard in (("silent", False), ("with_sound", True))
        }
    told["about"] = {
        "limit_per_second": given.concurrency / DELAY,
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("lmms-humansense", "openai", "torch")},
    }
    given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    for kind in ("silent", "with_sound"):
        print(
            f"{kind}: {told[kind]['share_of_limit']:.1%} of the server's {given.concurrency / DELAY:.0f} questions/s "
            f"(median of {given.rounds}), {told[kind]['request_bytes'] / 1e6:.2f} MB each"
        )


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The rounds, and their median share."""
    share = statistics.median(each["share"] for each in rounds)
    return {"share_of_limit": share, "request_bytes": rounds[0]["request_bytes"], "rounds": rounds}


def measure(clip: Path, heard: bool, questions: int, concurrency: int) -> dict[str, Any]:
    """Ask so many questions; the rate is that from the first answer to the last."""
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
        return ask(settings, workers, [about(clip, heard, number) for number in range(questions)])
    finally:
        workers.close()
        server.kill()


def ask(settings: EndpointSettings, workers: WorkerPool, requests: list[Request]) -> dict[str, Any]:
    """The rate, and how large a request is."""
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


def about(clip: Path, heard: bool, number: int) -> Request:
    """A question about the clip."""
    content = [
        {"type": "video", "url": str(clip), "fps": FPS, "max_pixels": 360 * 420},
        *([{"type": "audio", "url": str(clip)}] if heard else []),
        {"type": "text", "text": f"Question {number}: what does this person feel?"},
    ]
    return Request(
        "task", number, {"max_new_tokens": 16}, lambda: [{"role": "user", "content": content}], clip=str(clip)
    )


def serve(port: Any) -> None:
    """Answer every request after the same time, and say on which port."""
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
    main()
