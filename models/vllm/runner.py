"""Answers requests with vLLM's engine, which gets new ones as soon as it has room, and keeps the order of responses."""

import hashlib
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..inputs.vllm_faults import without
from ..local.families.base import Answer
from ..runtime.ledger import Ledger
from ..runtime.pipeline import MemoryShare, Pipeline, PreparedJob, put_until
from ..runtime.request import EncodedRequest, Request, Response, error_result, in_order
from ..runtime.signals import WAKE_INTERVAL, RunStopped, SigtermGuard, Terminated
from ..runtime.worker_pool import WorkerPool
from .engine import VllmEngine, cut_answer
from .prompts import SentPrompt, VllmPrompt

_AHEAD = 0.25
"""Requests that wait in the engine, as a share of those that it works on, so that it never waits for the next ones."""

_GRACE = 5.0
"""Seconds that open requests get after SIGTERM to end."""

_Event = PreparedJob | BaseException
"""A prepared job, or an error that ends the run."""


@dataclass
class EngineUsage:
    """What a run used.

    Attributes:
        waiting: Seconds in which the engine had no request, because none was prepared.
        busy: Seconds in which it had some.
        most_open: The most requests that it had at once.
        prompt_tokens: Tokens of all answered prompts.
        new_tokens: Tokens of all answers.
    """

    waiting: float = 0.0
    busy: float = 0.0
    most_open: int = 0
    prompt_tokens: int = 0
    new_tokens: int = 0


class VllmRunner:
    """Answers requests with vLLM's engine.

    Args:
        engine: The engine.
        workers: Processes that prepare media ahead of the engine; None to prepare them in a thread of this process.
        ledger: Keeps answers and counts failures.
        guard: Ends the run after SIGTERM.
        seed: What sampled answers depend on.

    Attributes:
        usage: What the run has used so far.
    """

    def __init__(
        self, engine: VllmEngine, workers: WorkerPool | None, ledger: Ledger, guard: SigtermGuard, seed: int = 0
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self._guard = guard
        self._pipeline = Pipeline(engine.encoder, workers, ledger, engine.settings, engine.fitting)
        self._room = engine.capacity + max(1, int(engine.capacity * _AHEAD))
        self._events: queue.Queue[_Event] = queue.Queue(1)
        self._ended = threading.Event()
        self._prepared: deque[tuple[EncodedRequest, MemoryShare]] = deque()
        self._open: dict[str, EncodedRequest] = {}
        self._given = 0
        self._seed = seed
        self._seeds: dict[Request, int] = {}
        self.usage = EngineUsage()

    def run(self, requests: Sequence[Request], on_response: Callable[[], Any] = lambda: None) -> Generator[Response]:
        """Answer requests. Errors that do not concern a single request are raised.

        Args:
            requests: The requests of the run.
            on_response: Called once for each response as soon as it exists, in any order.

        Yields:
            The response to each request, in the order of the requests.

        Raises:
            RunStopped: The ledger ended the run, or the engine broke down.
            Terminated: The process received SIGTERM.
        """
        self._seeds = seeds_of(requests, self._seed)
        feeder = threading.Thread(target=self._feed, args=[requests], daemon=True)
        feeder.start()
        try:
            yield from in_order(requests, self._responses(len(requests)), on_response)
        finally:
            self._ended.set()
            self._pipeline.end()
            if self._open:
                self._drop_open()

    def _responses(self, left: int) -> Iterator[Response]:
        """Yield the responses in the order in which they are made."""
        while left:
            try:
                self._guard.check()
                made = [*self._take(), *self._give(), *self._step()]
            except Terminated:
                self._drain()
                raise
            left -= len(made)
            yield from made

    def _take(self) -> list[Response]:
        """Take the next job, if the engine has room for its requests. Waits for it if nothing else is to be done."""
        if self._prepared:
            return []
        started = time.perf_counter()
        try:
            if self._open:
                event = self._events.get_nowait()
            else:
                with self._guard.waiting():
                    event = self._events.get(timeout=WAKE_INTERVAL)
        except queue.Empty:
            return []
        finally:
            self.usage.waiting += 0.0 if self._open else time.perf_counter() - started
        if isinstance(event, BaseException):
            raise event
        self._prepared.extend(event.ready)
        return event.responses

    def _give(self) -> list[Response]:
        """Give the engine prepared requests while it has room. Returns the responses of those that it refuses.

        Raises:
            RunStopped: The engine broke down.
            Terminated: The same, because of SIGTERM.
        """
        refused = []
        while self._prepared and len(self._open) < self._room:
            request, share = self._prepared.popleft()
            prompt = request.encoded
            assert isinstance(prompt, VllmPrompt), f"{request.request} was encoded for another model"
            self._given += 1
            name = str(self._given)
            # The engine's process has its own copy of the media, so the memory here is free for the next ones.
            sent = replace(
                request, encoded=SentPrompt(prompt.tokens), stats=without(request.stats, self._engine.corrected)
            )
            try:
                self._engine.add(name, prompt, request.request.generation_kwargs, self._seeds[request.request])
                self._open[name] = sent
            except ValueError as error:
                refused.append(self._failed(sent, error))
            except Exception as error:  # the engine is gone
                raise self._broken(error) from error
            self._pipeline.release(share)
        self.usage.most_open = max(self.usage.most_open, len(self._open))
        return refused

    def _step(self) -> list[Response]:
        """Let the engine make a step. Returns the responses that are complete."""
        if not self._open:
            return []
        started = time.perf_counter()
        try:
            finished = self._engine.step()
        except Exception as error:  # a step serves all requests, so its error is none of theirs
            raise self._broken(error) from error
        self.usage.busy += time.perf_counter() - started
        return [self._settle(name, answer) for name, answer in finished if name in self._open]

    def _settle(self, name: str, answer: Answer | ValueError) -> Response:
        request = self._open.pop(name)
        if isinstance(answer, ValueError):
            return self._failed(request, answer)
        response = request.answered(*cut_answer(answer, request.request.generation_kwargs))
        self.usage.prompt_tokens += response.input_tokens
        self.usage.new_tokens += response.output_tokens
        self._ledger.keep(response)
        return response

    def _failed(self, request: EncodedRequest, error: ValueError) -> Response:
        response = request.failed(error_result(error))
        self._ledger.failed(response)
        return response

    def _broken(self, error: Exception) -> BaseException:
        """What ends the run when the engine breaks down: SIGTERM, which may reach its processes first, or the error."""
        self._open.clear()
        try:
            self._guard.check_late()
        except Terminated as ending:
            return ending
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        return RunStopped(f"The run was stopped, because vLLM broke down ({reason}). {self._ledger.how_to_go_on()}")

    def _drain(self) -> None:
        """Keep the answers to open requests that come soon. The engine gets no other request."""
        until = time.monotonic() + _GRACE
        while self._open and time.monotonic() < until:
            try:
                self._step()
            except (Terminated, RunStopped):
                return

    def _drop_open(self) -> None:
        try:
            self._engine.abort(list(self._open))
        except Exception:  # the engine is gone, with everything in it
            return
        finally:
            self._open.clear()

    def _feed(self, requests: Sequence[Request]) -> None:
        """Pass prepared jobs on, one at a time. Runs in a thread of its own."""
        try:
            for job in self._pipeline.ready(requests):
                if not put_until(self._events, job, self._ended):
                    return
        except BaseException as error:  # raised again where the responses are yielded
            put_until(self._events, error, self._ended)


def seeds_of(requests: Sequence[Request], seed: int) -> dict[Request, int]:
    """Choose what the answer to each request is drawn with, if it is sampled.

    Args:
        requests: The requests of a run. Several may be about the same doc.
        seed: The seed of the run.

    Returns:
        A number below 2**63 for each request. It depends on the seed of the run, the doc, and how many earlier requests
        are about the same doc, but not on the other requests of the run.
    """
    asked = Counter[tuple[str, int]]()
    seeds = {}
    for request in requests:
        doc = request.task, request.doc_id
        asked[doc] += 1
        digest = hashlib.sha256(repr((seed, *doc, asked[doc])).encode()).digest()
        seeds[request] = int.from_bytes(digest[:8], "big") >> 1
    return seeds
