"""From requests to a server's responses: several requests at once, each tried again, answers in their order."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import tenacity

from ..inputs.generation import cut_at, stops_of
from ..runtime.ledger import Ledger
from ..runtime.pipeline import MemoryShare, Pipeline
from ..runtime.request import EncodedRequest, Request, Response, error_result, in_order
from ..runtime.signals import SigtermGuard, Terminated
from .client import EndpointClient, Reply, TroubleError
from .limiter import Limiter
from .payload import ByteParts, Payload
from .settings import EndpointSettings

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
"""Seconds before the second try, and at most before any: doubled each time, and drawn from half of it to all of it."""

_GRACE = 5.0
"""Seconds that open requests get to end after SIGTERM."""

_SHORTEST = 1.0
"""Seconds that any try gets."""

_SLOW = 0.5
"""The share of its time limit from which on a reply counts as a sign of too much to do."""


@dataclass
class Usage:
    """What a run used: replies, tries that failed, tokens, and cost where the server tells it."""

    replies: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None

    def add(self, reply: Reply) -> None:
        """Count a reply."""
        self.replies += 1
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        if reply.cost is not None:
            self.cost = (self.cost or 0.0) + reply.cost


@dataclass
class _Asked:
    """A request on its way to the server and back."""

    request: EncodedRequest
    share: MemoryShare
    reply: Reply | None = None
    error: Exception | None = None
    retries: int = 0


_Event = Response | _Asked | BaseException | None
"""A response that needs no asking, a request that was asked, an error that ends the run, or a thread that has ended."""


@dataclass
class _State:
    """What the threads of one run share. None in `waiting` ends one of the threads that ask."""

    waiting: "queue.Queue[_Asked | None]"
    events: "queue.Queue[_Event]" = field(default_factory=queue.Queue)
    ended: threading.Event = field(default_factory=threading.Event)


class EndpointRunner:
    """Asks an endpoint the requests that `pipeline` makes ready.

    The `ledger` is told what becomes of each request. `guard` may end a run while it waits.
    """

    def __init__(
        self,
        client: EndpointClient,
        settings: EndpointSettings,
        pipeline: Pipeline,
        ledger: Ledger,
        guard: SigtermGuard,
    ) -> None:
        self._client = client
        self._settings = settings
        self._pipeline = pipeline
        self._ledger = ledger
        self._guard = guard
        self.usage = Usage()
        self.limiter = Limiter(settings.concurrency)

    def run(self, requests: Sequence[Request], on_response: Callable[[], Any] = lambda: None) -> Iterator[Response]:
        """Yield the response to every request, in order; `on_response` is called for each, as it comes, in any order.

        Errors that are not about one request are raised.
        """
        state = _State(queue.Queue(2 * self._settings.concurrency))
        threads = [threading.Thread(target=self._feed, args=[requests, state], daemon=True)]
        threads += [
            threading.Thread(target=self._ask, args=[state], daemon=True) for _ in range(self._settings.concurrency)
        ]
        for thread in threads:
            thread.start()
        try:
            yield from in_order(requests, self._responses(len(requests), state), on_response)
        finally:
            self._end_asking(state)
            self._pipeline.end()

    def _responses(self, count: int, state: _State) -> Iterator[Response]:
        """The responses, in the order in which they come."""
        for _ in range(count):
            try:
                with self._guard.waiting():
                    event = state.events.get()
            except Terminated:
                self._drain(state)
                raise
            yield self._settle(event)

    def _settle(self, event: _Event) -> Response:
        if isinstance(event, BaseException):
            raise event
        if isinstance(event, Response):
            return event
        assert event is not None, "no thread ends before the last response"
        asked, request = event, event.request
        self.usage.retries += asked.retries
        if asked.reply is None:
            response = request.failed(error_result(asked.error or RuntimeError("no reply")))
            self._ledger.failed(response)
        else:
            self.usage.add(asked.reply)
            text = cut_at(asked.reply.text, stops_of(request.request.generation_kwargs))
            response = request.answered(text, asked.reply.completion_tokens, asked.reply.prompt_tokens)
            self._ledger.keep(response)
        self._pipeline.release(asked.share)
        return response

    def _drain(self, state: _State) -> None:
        """Keep the answers of the open requests that end soon; no other request is asked."""
        self._end_asking(state)
        until = time.monotonic() + _GRACE
        running = self._settings.concurrency
        with contextlib.suppress(queue.Empty):
            while running:
                event = state.events.get(timeout=max(0.0, until - time.monotonic()))
                running -= event is None
                if isinstance(event, _Asked) and event.reply is not None:
                    self._settle(event)

    def _end_asking(self, state: _State) -> None:
        """Let every thread end after the request that it has open."""
        state.ended.set()
        self.limiter.end()
        with contextlib.suppress(queue.Empty):
            while True:
                state.waiting.get_nowait()
        for _ in range(self._settings.concurrency):
            with contextlib.suppress(queue.Full):
                state.waiting.put_nowait(None)

    # In threads of their own.

    def _feed(self, requests: Sequence[Request], state: _State) -> None:
        """Hand requests to those who ask, as they become ready and there is room."""
        try:
            for job in self._pipeline.ready(requests):
                for response in job.responses:
                    state.events.put(response)
                for request, share in job.ready:
                    if not _put(state, _Asked(request, share)):
                        return
        except BaseException as error:  # raised again where the answers are yielded
            state.events.put(error)

    def _ask(self, state: _State) -> None:
        """Ask one request after the other."""
        while (asked := state.waiting.get()) is not None and not state.ended.is_set():
            try:
                self._answer(asked, state)
            except Exception as error:
                asked.error = error
            state.events.put(asked)
            del asked  # its payload is not held while the thread waits for another
        state.events.put(None)

    def _answer(self, asked: _Asked, state: _State) -> None:
        """Try until there is a reply, or there will be none."""
        settings = self._settings
        payload, generation_kwargs = asked.request.encoded, asked.request.request.generation_kwargs
        assert isinstance(payload, Payload), f"{asked.request.request} was encoded for another model"
        entered = [self.limiter.enter()]  # the time begins with the first try, not with the wait for it
        started = time.monotonic()

        def one_try() -> Reply:
            place = entered.pop() if entered else self.limiter.enter()
            if state.ended.is_set():
                raise TroubleError("the run has ended")
            left = settings.deadline - (time.monotonic() - started)
            content = self._client.content(payload, generation_kwargs)
            return self._one_try(content, min(settings.timeout, max(_SHORTEST, left)), place)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TroubleError),
            wait=_wait,
            stop=tenacity.stop_before_delay(settings.deadline) | tenacity.stop_when_event_set(state.ended),
            sleep=tenacity.sleep_using_event(state.ended),
            before_sleep=partial(_count, asked),
            reraise=True,
        )
        try:
            asked.reply = retrying(one_try)
        except TroubleError as error:
            took = f"{asked.retries + 1} tries and {time.monotonic() - started:.0f} s"
            raise TroubleError(f"No answer in {took} (deadline={settings.deadline:g}); the last: {error}") from error

    def _one_try(self, content: ByteParts, timeout: float, place: int) -> Reply:
        started = time.monotonic()
        crowded = False
        try:
            return self._client.ask(content, timeout)
        except TroubleError as trouble:
            crowded = trouble.crowded
            raise
        finally:
            slow = time.monotonic() - started > _SLOW * self._settings.timeout
            self.limiter.leave(place, crowded or slow)


def _put(state: _State, asked: _Asked) -> bool:
    """Hand over once there is room; False where the run has ended."""
    while not state.ended.is_set():
        with contextlib.suppress(queue.Full):
            state.waiting.put(asked, timeout=0.2)
            return True
    return False


def _wait(state: tenacity.RetryCallState) -> float:
    """Seconds before the next try: what the server asks for, else exponential with jitter."""
    error = state.outcome.exception() if state.outcome else None
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (state.attempt_number - 1))
    drawn = tenacity.wait_random(longest / 2, longest)(state)
    asked_for = error.wait if isinstance(error, TroubleError) else None
    return drawn if asked_for is None else asked_for + drawn


def _count(asked: _Asked, state: tenacity.RetryCallState) -> None:
    asked.retries += 1
