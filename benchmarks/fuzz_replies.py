"""A server sends damaged and unusual replies: is each accounted for, and does the run go on?

A server on loopback answers 1,000 questions. Its first reply to each is damaged in a random way, the next ones are
good. The questions are asked as a run asks them, with a response cache, and then once more, which has to give the same.
The script counts what became of the replies. Every reply can be made again from its number.

    python benchmarks/fuzz_replies.py --out fuzz_replies.json
"""

import json
import random
import re
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import datasets
import typer
from bench_replies import Damaged, damaged_reply, good_reply
from bench_report import about, write_figures
from lmms_eval.api.instance import GenerationResult, Instance
from loguru import logger

from lmms_humansense.models.caching.response_cache import AnswerCache
from lmms_humansense.models.chat import FAILURE_MARK
from lmms_humansense.models.server import HumanSenseServer
from lmms_humansense.tasks.humansense.metrics import scoring

TASK = "fuzz"
OPTIONS = ["A. one", "B. two", "C. three"]
TRIES: dict[str, Any] = {"timeout": 20.0, "deadline": 60.0, "concurrency": 16, "media_workers": 0}
EXPECTED = {"RefusedError", "OnlyReasoningError", "TroubleError"}
"""The errors that are meant for a server's replies. Any other would be a defect."""

_KEPT = 25


class Server(ThreadingHTTPServer):
    """Sends a damaged reply to each question first, and good ones from then on."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seed = seed
        self.asked: Counter[int] = Counter()
        self.lock = threading.Lock()

    def reply(self, number: int) -> Damaged:
        """The next reply to a question."""
        with self.lock:
            self.asked[number] += 1
            is_first = self.asked[number] == 1
        if is_first:
            return damaged_reply(random.Random(f"{self.seed}-{number}"))[1]
        return Damaged(json.dumps(good_reply()).encode())

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing: the client ends connections whose replies make no sense."""


class Handler(BaseHTTPRequestHandler):
    """Reads requests and sends replies."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        """Send a list of models."""
        self._send(Damaged(b'{"object": "list", "data": []}'))

    def do_POST(self) -> None:
        """Reply to a question."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = re.search(rb"Question (\d+)", body)
        assert found, "a request without its question"
        self._send(self.server.reply(int(found[1])))

    def _send(self, reply: Damaged) -> None:
        self.close_connection = reply.raw or reply.sent < 1
        if not reply.raw:
            self.send_response(reply.status, "A reply")
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
        self.wfile.write(reply.body[: int(reply.sent * len(reply.body))])


def main(replies: int = 1000, seed: int = 0, out: Path | None = None) -> None:
    """Ask the questions, print the counts, and write them to a file."""
    logger.remove()  # It would report every failure.
    server = Server(seed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        first = asked(server, replies, folder)
        seconds = time.monotonic() - began
        tries = server.asked.copy()
        again = asked(server, replies, folder)
    server.shutdown()
    measured = {**_counts(first, tries, seed), "seconds": round(seconds, 1)}
    changed = [number for number in range(replies) if _is_kept(first[number]) and first[number] != again[number]]
    measured["changed when the run was continued"] = len(changed)
    print(json.dumps(measured, indent=1, ensure_ascii=False))
    if out:
        write_figures(out, {**measured, "about": about(["openai", "lmms_eval"], seed=seed)})
    if changed or measured["odd"]:
        raise SystemExit(f"Replies were lost or misread: {changed or measured['odd']}")


def asked(server: Server, count: int, folder: str) -> list[GenerationResult]:
    """The results of all questions, as lmms-eval gets them, with a response cache in the folder."""
    model = HumanSenseServer(
        base_url=f"http://127.0.0.1:{server.server_port}/v1",
        model="m",
        media="frames",
        senses="off",
        max_failures=1.0,
        **TRIES,
    )
    model.task_dict = {TASK: {"test": datasets.Dataset.from_dict({"ends": ["read"] * count})}}
    cache = AnswerCache.create(folder, model="humansense_server", model_args="")
    results: list[GenerationResult] = cache.execute(
        model, "generate_until", [_request(number) for number in range(count)]
    )
    cache.finalize(success=True)
    model.clean()
    if len(results) != count:
        raise SystemExit("Questions were lost.")
    return results


def _request(number: int) -> Instance:
    messages = [{"role": "user", "content": [{"type": "text", "text": f"Question {number}"}]}]
    arguments = ("", lambda doc: messages, {"max_new_tokens": 4}, number, TASK, "test")
    return Instance("generate_until", arguments, 0, {"task": TASK, "doc_id": number, "repeats": 1})


def _is_kept(result: GenerationResult) -> bool:
    return not result.text.startswith(FAILURE_MARK)


def _counts(results: list[GenerationResult], tries: Counter[int], seed: int) -> dict[str, Any]:
    """What became of the replies, and which questions ended in another way than is meant."""
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    odd = []
    for number, result in enumerate(results):
        kind, _ = damaged_reply(random.Random(f"{seed}-{number}"))
        score = scoring.score(result.text, "single", "B", OPTIONS)
        outcome = "failed" if score.failed else "taken" if tries[number] == 1 else "asked again"
        outcomes[f"{kind}, {outcome}"] += 1
        reason = result.text.removeprefix(f"{FAILURE_MARK} ")
        if score.failed:
            reasons[re.sub(r"\d+", "#", reason)[:150]] += 1
        with suppress(UnicodeEncodeError):
            json.dumps([result.text, result.token_counts.to_dict()], ensure_ascii=False).encode()
            if not score.failed or reason.partition(":")[0] in EXPECTED:
                continue
        odd.append(f"{number} ({kind}): {reason[:200]!r}")
    scores = [scoring.score(result.text, "single", "B", OPTIONS) for result in results]
    return {
        "replies": len(results),
        "taken": sum(count for name, count in outcomes.items() if name.endswith("taken")),
        "asked again": sum(count for name, count in outcomes.items() if name.endswith("asked again")),
        "failed": sum(score.failed for score in scores),
        "truncated": sum(score.truncated is True for score in scores),
        "how it ended is not said": sum(score.truncated is None and not score.failed for score in scores),
        "with reasoning": sum(bool(result.token_counts.reasoning) for result in results),
        "most tries": max(tries.values()),
        "kinds": dict(sorted(outcomes.items())),
        "reasons": dict(reasons.most_common(_KEPT)),
        "odd": odd,
    }


if __name__ == "__main__":
    main.__doc__ = __doc__
    typer.run(main)
