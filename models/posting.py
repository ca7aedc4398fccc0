"""From samples to a server's responses: several requests at once, each tried again, answers in their order."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import tenacity

from .body import Body, Text
from .encoder import failed
from .endpoint import Endpoint, Reply, TroubleError
from .generation import cut_at, stops_of
from .jobs import Held, Jobs
from .samples import Ledger, Sample, in_order
from .server_settings import ServerSettings
from .stopping import Halt, Terminated
from .window import Window

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
    """A sample on its way to the server and back."""

    sample: Sample
    held: Held
    reply: Reply | None = None
    error: Exception | None = None
    retries: int = 0


@dataclass
class _Event:
    """Something that whoever yields the answers has to know: samples that are done, an answer, or an error."""

    done: int = 0
    asked: _Asked | None = None
    error: BaseException | None = None


@dataclass
class _State:
    """What the threads of one run share."""

    waiting: "queue.Queue[_Asked | None]"
    events: "queue.Queue[_Event]" = field(default_factory=queue.Queue)
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    at_work: int = 0

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Within it, a thread asks about a sample, and has not told yet what became of it."""
        with self.lock:
            self.at_work += 1
        try:
            yield
        finally:
            with self.lock:
                self.at_work -= 1


class Posting:
    """Asks an endpoint about samples, which `jobs` makes ready.

    The `ledger` is told what becomes of each sample. `halt` may end a run while it waits.
    """

    def __init__(self, endpoint: Endpoint, settings: ServerSettings, jobs: Jobs, ledger: Ledger, halt: Halt) -> None:
        self._endpoint = endpoint
        self._settings = settings
        self._jobs = jobs
        self._ledger = ledger
        self._halt = halt
        self.usage = Usage()
        self.window = Window(settings.concurrency)

    def run(self, samples: Sequence[Sample], answered: Callable[[], Any] = lambda: None) -> Iterator[Sample]:
        """Yield every sample once it is done, in order; `answered` is called for each, as soon as it is, in any order.

        Errors that are not about one sample are raised.
        """
        state = _State(queue.Queue(2 * self._settings.concurrency))
        threads = [threading.Thread(target=self._feed, args=[samples, state], daemon=True)]
        threads += [
            threading.Thread(target=self._ask, args=[state], daemon=True) for _ in range(self._settings.concurrency)
        ]
        for thread in threads:
            thread.start()
        try:
            yield from in_order(samples, self._finished(len(samples), state), answered)
        finally:
            self._end(state, complete=all(sample.done for sample in samples))

    def _finished(self, count: int, state: _State) -> Iterator[int]:
        """How many more samples are done, each time that some are."""
        while count:
            try:
                with self._halt.waiting():
                    event = state.events.get()
            except Terminated:
                self._drain(state)
                raise
            done = self._settle(event)
            count -= done
            yield done

    def _settle(self, event: _Event) -> int:
        if event.error is not None:
            raise event.error
        if event.asked is None:
            return event.done
        asked, sample = event.asked, event.asked.sample
        self.usage.retries += asked.retries
        if asked.reply is None:
            sample.fail(failed(asked.error or RuntimeError("no reply")))
            self._ledger.failed(sample)
        else:
            self.usage.add(asked.reply)
            text = cut_at(asked.reply.text, stops_of(sample.generation_kwargs))
            sample.tokens = asked.reply.prompt_tokens
            sample.response = text, asked.reply.completion_tokens
            self._ledger.keep(sample)
        self._jobs.release(sample, asked.held)
        return 1

    def _drain(self, state: _State) -> None:
        """Keep the answers of the requests that end soon; no other is made."""
        state.ended.set()
        until = time.monotonic() + _GRACE
        with contextlib.suppress(queue.Empty):
            while state.at_work or not state.events.empty():
                event = state.events.get(timeout=max(0.0, until - time.monotonic()))
                if event.asked is not None and event.asked.reply is not None:
                    self._settle(event)

    def _end(self, state: _State, complete: bool) -> None:
        state.ended.set()
        self.window.end()
        with contextlib.suppress(queue.Empty):
            while True:
                state.waiting.get_nowait()
        for _ in range(self._settings.concurrency):
            with contextlib.suppress(queue.Full):
                state.waiting.put_nowait(None)
        self._jobs.end(complete)

    # In threads of their own.

    def _feed(self, samples: Sequence[Sample], state: _State) -> None:
        """Hand samples to those who ask, as they become ready and there is room."""
        try:
            for done, ready in self._jobs.ready(samples):
                if done:
                    state.events.put(_Event(done=done))
                for sample, held in ready:
                    if not _put(state, _Asked(sample, held)):
                        return
        except BaseException as error:  # raised again where the answers are yielded
            state.events.put(_Event(error=error))

    def _ask(self, state: _State) -> None:
        """Ask about one sample after the other."""
        while (asked := state.waiting.get()) is not None and not state.ended.is_set():
            with state.busy():
                try:
                    self._answer(asked, state)
                except Exception as error:
                    asked.error = error
                state.events.put(_Event(asked=asked))

    def _answer(self, asked: _Asked, state: _State) -> None:
        """Try until there is a reply, or there will be none."""
        settings = self._settings
        body = asked.sample.encoded
        assert isinstance(body, Body), f"{asked.sample} was not prepared"
        entered = [self.window.enter()]  # the time begins with the first try, not with the wait for it
        started = time.monotonic()

        def one_try() -> Reply:
            place = entered.pop() if entered else self.window.enter()
            left = settings.deadline - (time.monotonic() - started)
            content = self._endpoint.content(body, asked.sample.generation_kwargs)
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

    def _one_try(self, content: Text, timeout: float, place: int) -> Reply:
        started = time.monotonic()
        crowded = False
        try:
            return self._endpoint.ask(content, timeout)
        except TroubleError as trouble:
            crowded = trouble.crowded
            raise
        finally:
            slow = time.monotonic() - started > _SLOW * self._settings.timeout
            self.window.leave(place, crowded or slow)


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
