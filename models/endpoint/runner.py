"""Answers requests with a server: several at once, with retries, and with the responses in order."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import tenacity

from ..inputs.generation import cut_at, stops_of
from ..runtime.ledger import Ledger
from ..runtime.pipeline import MemoryShare, Pipeline, put_until
from ..runtime.request import EncodedRequest, EncodingResult, Request, Response, error_result, failed_response, in_order
from ..runtime.signals import WAKE_INTERVAL, SigtermGuard, Terminated
from ..runtime.text import storable
from .budget import BudgetSpentError, NoLimit, Spending, TokenBudget
from .client import EndpointClient
from .limiter import Entry, Limiter
from .outage import Outage, Tries
from .payload import ByteParts, Payload
from .reply import OnlyReasoningError, Reply, TroubleError
from .retries import until_answered
from .settings import EndpointSettings

_GRACE = 5.0
"""Seconds that open requests get after SIGTERM to end."""

_SHORTEST_LIMIT = 1.0
"""A try gets at least this many seconds."""

_SLOW = 0.5
"""A try that takes more than this share of `timeout` is a sign that the server is crowded."""

NOT_ASKED = EncodingResult(
    reason="[LMMS_EVAL_BUDGET_EXCEEDED] The question was not asked, because the token budget (--max_tokens) is spent."
)
"""The result of a request after the budget is spent. It begins with the mark of lmms-eval's own models."""


@dataclass
class Usage:
    """What a run used.

    Attributes:
        replies: Number of valid replies.
        retries: Number of tries that failed and were followed by another one.
        prompt_tokens: Number of tokens of the prompts, as the server reports them.
        completion_tokens: Number of tokens of the responses, as the server reports them.
        cost: The sum of the costs, in the server's currency; None if the server reports none.
    """

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
class _Call:
    """A request on its way to the server and back."""

    request: EncodedRequest
    share: MemoryShare
    reply: Reply | None = None
    error: Exception | None = None
    retries: int = 0
    tries: Tries = field(default_factory=Tries)
    hopeless: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class _NotAsked:
    """A request that is not prepared, because the token budget is spent."""

    request: Request


_Event = Response | _Call | _NotAsked | BaseException | None
"""A response without a call, a call that has ended, a request that is not asked, an error that ends the run, or (None)
a thread that has ended."""


@dataclass
class _State:
    """What the threads of one run share. None in `waiting` ends one of the threads that call the server."""

    waiting: "queue.Queue[_Call | None]"
    events: "queue.Queue[_Event]" = field(default_factory=queue.Queue)
    ended: threading.Event = field(default_factory=threading.Event)


class EndpointRunner:
    """Sends the requests that a pipeline prepares to an endpoint.

    Args:
        client: The client of the endpoint.
        settings: How many requests may be open, and the time limits.
        pipeline: Prepares the requests.
        ledger: Keeps answers and counts failures.
        guard: Ends a run after SIGTERM, while it waits for replies.
        spending: The token budget of the run.
        before_asking: Called once before the first request is sent, if one is, with an event that is set when the run
            ends. What it raises ends the run.

    Attributes:
        usage: What the run has used so far.
        limiter: Limits the number of open requests.
        not_asked: How many requests were not sent, because the token budget was spent.
    """

    def __init__(
        self,
        client: EndpointClient,
        settings: EndpointSettings,
        pipeline: Pipeline,
        ledger: Ledger,
        guard: SigtermGuard,
        spending: Spending | None = None,
        before_asking: Callable[[threading.Event], Any] = lambda ended: None,
    ) -> None:
        self._client = client
        self._settings = settings
        self._pipeline = pipeline
        self._ledger = ledger
        self._guard = guard
        self._before_asking: Callable[[threading.Event], Any] | None = before_asking
        self.usage = Usage()
        self.limiter = Limiter(settings.concurrency)
        self._outage = Outage()
        self._budget = TokenBudget(spending or NoLimit())
        self.not_asked = 0

    def run(self, requests: Sequence[Request], on_response: Callable[[], Any] = lambda: None) -> Iterator[Response]:
        """Answer requests. Errors that do not concern a single request are raised.

        Args:
            requests: The requests of the run.
            on_response: Called once for each response as soon as it exists, in any order.

        Yields:
            The response to each request, in the order of the requests.

        Raises:
            RunStopped: The ledger ended the run.
            Terminated: The process received SIGTERM.
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
        """Yield the responses in the order in which they arrive."""
        for _ in range(count):
            try:
                with self._guard.waiting():
                    event = _next_event(state)
            except Terminated:
                self._drain(state)
                raise
            yield self._settle(event)

    def _settle(self, event: _Event) -> Response:
        if isinstance(event, BaseException):
            raise event
        if isinstance(event, Response):
            return event
        if isinstance(event, _NotAsked):
            return self._not_asked(failed_response(event.request, NOT_ASKED, ()))
        assert event is not None, "no thread ends before the last response"
        call, request = event, event.request
        self.usage.retries += call.retries
        if isinstance(call.error, BudgetSpentError):
            response = self._not_asked(request.failed(NOT_ASKED))
        elif call.reply is None:
            response = request.failed(error_result(call.error or RuntimeError("no reply")))
            if isinstance(call.error, OnlyReasoningError):
                response = replace(response, reasoning=storable(call.error.reasoning))
            self._ledger.failed(response)
        else:
            self.usage.add(call.reply)
            response = _response(request, call.reply)
            self._ledger.keep(response)
        self._pipeline.release(call.share)
        return response

    def _not_asked(self, response: Response) -> Response:
        self.not_asked += 1
        self._ledger.not_asked(response)
        return response

    def _drain(self, state: _State) -> None:
        """Keep the answers to open requests that arrive soon. No other request is sent."""
        self._end_asking(state)
        until = time.monotonic() + _GRACE
        running = self._settings.concurrency
        with contextlib.suppress(queue.Empty):
            while running:
                event = state.events.get(timeout=max(0.0, until - time.monotonic()))
                running -= event is None
                if isinstance(event, _Call) and event.reply is not None:
                    self._settle(event)

    def _end_asking(self, state: _State) -> None:
        """Let each thread end after its open request."""
        state.ended.set()
        self.limiter.end()
        self._budget.end()
        with contextlib.suppress(queue.Empty):
            while True:
                state.waiting.get_nowait()
        for _ in range(self._settings.concurrency):
            with contextlib.suppress(queue.Full):
                state.waiting.put_nowait(None)

    # The methods below run in threads of their own.

    def _feed(self, requests: Sequence[Request], state: _State) -> None:
        """Pass prepared requests to the threads that call the server, as long as there is room.

        When the token budget is spent, no more requests are prepared.
        """
        left = dict.fromkeys(requests)
        try:
            for job in self._pipeline.ready(requests):
                for response in job.responses:
                    del left[response.request]
                    state.events.put(response)
                if job.ready and self._before_asking is not None:
                    self._before_asking(state.ended)
                    self._before_asking = None
                for request, share in job.ready:
                    del left[request.request]
                    if not put_until(state.waiting, _Call(request, share), state.ended):
                        return
                if self._budget.is_spent:
                    break
            for unprepared in left:
                state.events.put(_NotAsked(unprepared))
        except BaseException as error:  # raised again where the responses are yielded
            state.events.put(error)

    def _ask(self, state: _State) -> None:
        """Send one request after the other."""
        while (call := state.waiting.get()) is not None and not state.ended.is_set():
            try:
                self._answer_within_budget(call, state)
            except Exception as error:
                call.error = error
            state.events.put(call)
            del call  # so that its payload is free while the thread waits for another
        state.events.put(None)

    def _answer_within_budget(self, call: _Call, state: _State) -> None:
        self._budget.enter()
        try:
            self._answer(call, state)
        finally:
            self._budget.leave(call.request.request.task, call.reply)

    def _answer(self, call: _Call, state: _State) -> None:
        """Try until there is a reply, the server refuses the request, or the deadline is over."""
        settings = self._settings
        payload, generation_kwargs = call.request.encoded, call.request.request.generation_kwargs
        assert isinstance(payload, Payload), f"{call.request.request} was encoded for another model"
        entered = [self.limiter.enter()]  # before the clock starts: this wait does not count for the deadline
        started = time.monotonic()

        def one_try() -> Reply:
            entry = entered.pop() if entered else self.limiter.enter()
            if state.ended.is_set():
                raise TroubleError("the run has ended")
            left = settings.deadline - (time.monotonic() - started)
            content = self._client.content(payload, generation_kwargs)
            return self._one_try(call, content, min(settings.timeout, max(_SHORTEST_LIMIT, left)), entry)

        try:
            call.reply = until_answered(
                one_try, settings.deadline, state.ended, call.hopeless, partial(_count_retry, call)
            )
        except TroubleError as error:
            effort = f"{call.retries + 1} tries in {time.monotonic() - started:.0f} s"
            why = ", as the server repeats it and answers nothing" if call.hopeless.is_set() else ""
            raise TroubleError(
                f"No answer after {effort} (deadline={settings.deadline:g}){why}; the last error: {error}"
            ) from error

    def _one_try(self, call: _Call, content: ByteParts, timeout: float, entry: Entry) -> Reply:
        started = time.monotonic()
        crowded = False
        try:
            reply = self._client.ask(content, timeout)
            self._outage.answered()
            return reply
        except TroubleError as trouble:
            crowded = trouble.crowded
            if self._outage.failed(trouble, call.tries):
                call.hopeless.set()
            raise
        finally:
            slow = time.monotonic() - started > _SLOW * self._settings.timeout
            self.limiter.leave(entry, crowded or slow)


def _response(request: EncodedRequest, reply: Reply) -> Response:
    text = cut_at(reply.text, stops_of(request.request.generation_kwargs))
    truncated = False if text != reply.text else reply.truncated  # a stop string ended it
    return request.answered(text, reply.completion_tokens, truncated, reply.prompt_tokens, reply.reasoning)


def _next_event(state: _State) -> _Event:
    while True:
        with contextlib.suppress(queue.Empty):
            return state.events.get(timeout=WAKE_INTERVAL)


def _count_retry(call: _Call, state: tenacity.RetryCallState) -> None:
    call.retries += 1
