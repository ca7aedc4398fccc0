"""A server that fails in every way: no question is lost, answered twice, or answered out of order."""

import json
import os
import random
import re
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import tenacity
import trustme
from loguru import logger

from lmms_humansense.models.endpoint import client as client_module
from lmms_humansense.models.endpoint import limiter as limiter_module
from lmms_humansense.models.endpoint import outage as outage_module
from lmms_humansense.models.endpoint import retries as retries_module
from lmms_humansense.models.endpoint import runner as runner_module
from lmms_humansense.models.endpoint.client import EndpointClient
from lmms_humansense.models.endpoint.encoder import EndpointEncoder
from lmms_humansense.models.endpoint.limiter import Limiter
from lmms_humansense.models.endpoint.outage import Outage, Tries
from lmms_humansense.models.endpoint.payload import ByteParts, Payload
from lmms_humansense.models.endpoint.reply import RefusedError, TroubleError, UnknownFormError, reply_of
from lmms_humansense.models.endpoint.runner import EndpointRunner
from lmms_humansense.models.endpoint.settings import EndpointSettings, read_endpoint_settings
from lmms_humansense.models.runtime.ledger import Ledger, Recalled
from lmms_humansense.models.runtime.pipeline import Pipeline
from lmms_humansense.models.runtime.request import Request, Response
from lmms_humansense.models.runtime.settings import RunSettings
from lmms_humansense.models.runtime.signals import RunStopped, SigtermGuard, Terminated
from lmms_humansense.models.runtime.text import REPLACED, storable
from tests.helpers.chat_server import ChatServer, Replies, Reply, answer, message, refusal
from tests.helpers.responses import text_and_tokens
from tests.helpers.waits import LIMIT, all_ended, until


class Noting(Ledger):
    """Notes which answers were kept and which requests failed, in the order of the reports."""

    def __init__(self) -> None:
        super().__init__(RunSettings(), asked=0)
        self.kept: list[int] = []
        self.lost: list[int] = []

    def keep(self, response: Response) -> None:
        self.kept.append(response.request.doc_id)

    def failed(self, response: Response) -> None:
        self.lost.append(response.request.doc_id)


def settings_of(url: str, **arguments: Any) -> EndpointSettings:
    return read_endpoint_settings({"base_url": url, "model": "m", "media": "frames", **arguments})


def question(number: int) -> Request:
    messages = [{"role": "user", "content": [{"type": "text", "text": f"Question {number}"}]}]
    return Request("task", number, {"max_new_tokens": 4, "until": ["\n\n"]}, lambda: messages)


def runner_for(settings: EndpointSettings, ledger: Ledger, guard: SigtermGuard | None = None) -> EndpointRunner:
    pipeline = Pipeline(EndpointEncoder(settings), None, ledger, settings)
    return EndpointRunner(EndpointClient(settings), settings, pipeline, ledger, guard or SigtermGuard())


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the waits before another try short."""
    monkeypatch.setattr(retries_module, "FIRST_WAIT", 0.01)


class Clock:
    """A clock for each thread. Its time only passes in the waits before another try, which are noted."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._own = threading.local()

    def monotonic(self) -> float:
        return getattr(self._own, "now", 0.0)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._own.now = self.monotonic() + seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(tenacity, "sleep_using_event", lambda event: clock.wait)
    monkeypatch.setattr(tenacity, "time", clock)
    monkeypatch.setattr(runner_module, "time", clock)
    return clock


def answer_all(
    replies: Replies, count: int = 1, ledger: Noting | None = None, **arguments: Any
) -> tuple[list[Response], Noting, ChatServer, EndpointRunner]:
    """Ask `count` questions. Returns the responses, the ledger, the server and the runner."""
    ledger = ledger or Noting()
    with ChatServer(replies) as server:
        runner = runner_for(settings_of(server.url, **arguments), ledger)
        return list(runner.run([question(number) for number in range(count)])), ledger, server, runner


FAULTS: list[Callable[[], Reply]] = [
    lambda: refusal(429, "too many"),
    lambda: refusal(429, "too many", retry_after="0.02"),
    lambda: refusal(408, "too late"),
    lambda: refusal(500, "broken"),
    lambda: refusal(503, "busy"),
    lambda: Reply("<html>Bad gateway</html>", 502),
    lambda: Reply(answer("cut off").body.decode(), cut=True),
    lambda: Reply('{"choices": [{"message": {"content": "half'),
    lambda: Reply('{"choices": []}'),
    lambda: Reply('{"choices": [{"message": {"content": 7}}]}'),
    lambda: Reply("[]"),
    lambda: Reply(""),
    lambda: Reply("", reset=True),
]


@dataclass
class Client:
    """Notes the time limits of the client's requests, in seconds, and the largest number of open requests.

    The first try of each question in `late` gets a short time limit, but does not end before it has `arrived` at the
    server.
    """

    late: set[int]
    arrived: Callable[[int], object]
    limits: set[float] = field(default_factory=set)
    open: int = 0
    most_open: int = 0

    def noting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lock, ask = threading.Lock(), EndpointClient.ask

        def noted(client: EndpointClient, content: ByteParts, timeout: float) -> Any:
            number = int(re.findall(rb"Question (\d+)", bytes(content))[0])
            with lock:
                is_late = number in self.late
                self.late.discard(number)
                self.limits.add(timeout)
                self.open += 1
                self.most_open = max(self.most_open, self.open)
            try:
                return ask(client, content, 0.2 if is_late else timeout)
            except TroubleError:
                if is_late:
                    until(lambda: self.arrived(number))
                raise
            finally:
                with lock:
                    self.open -= 1

        monkeypatch.setattr(EndpointClient, "ask", noted)


COUNT = 400


def test_hundreds_of_requests_to_a_faulty_server(quickly: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def arrived(number: int) -> bool:
        return server.asked[number] >= 1

    def asked_again(number: int) -> bool:
        return server.asked[number] > 1

    chance = random.Random(0)
    script = {number: [chance.choice(FAULTS) for _ in range(chance.choice((0, 0, 0, 1, 2)))] for number in range(COUNT)}
    client = Client(set(range(100, COUNT, 200)), arrived)
    client.noting(monkeypatch)
    for number in client.late:
        script[number].insert(0, partial(answer, "late", when=partial(asked_again, number)))
    hopeless = set(range(7, COUNT, 50))

    def replies(number: int, time: int) -> Reply:
        if number in hopeless:
            return refusal(400, "context too long")
        faults = script[number]
        return faults[time - 1]() if time <= len(faults) else answer(f"answer {number}")

    ledger = Noting()
    with ChatServer(replies) as server:
        runner = runner_for(settings_of(server.url, concurrency=32, timeout=LIMIT, deadline=100 * LIMIT), ledger)
        responses = list(runner.run([question(number) for number in range(COUNT)]))
    assert [one.request.doc_id for one in responses] == list(range(COUNT))
    for one in responses:
        number = one.request.doc_id
        if number in hopeless:
            assert "RefusedError: HTTP 400" in one.error
            assert (one.text, server.asked[number]) == (None, 1)
        else:
            assert text_and_tokens(one) == (f"answer {number}", 2), one.error
            assert server.asked[number] == len(script[number]) + 1
    assert sorted(ledger.kept) == sorted(set(range(COUNT)) - hopeless)
    assert sorted(ledger.lost) == sorted(hopeless)
    assert runner.usage.replies == COUNT - len(hopeless)
    assert runner.usage.retries == sum(len(script[number]) for number in script if number not in hopeless)
    assert client.most_open <= 32
    assert client.limits == {LIMIT}
    assert client.late == set()


def test_answers_come_in_order_and_are_kept_as_they_come() -> None:
    ledger = Noting()

    def slow_first(number: int, _: int) -> Reply:
        return answer(f"{number}", when=lambda: number > 0 or len(ledger.kept) == 19)

    responses, _, _, _ = answer_all(slow_first, 20, ledger, concurrency=4)
    assert [one.request.doc_id for one in responses] == list(range(20))
    assert ledger.kept[-1] == 0
    assert sorted(ledger.kept) == list(range(20))


def test_tokens_and_cost_are_summed_and_stop_strings_hold() -> None:
    responses, _, server, runner = answer_all(lambda number, _: answer("yes\n\nbut"), 4)
    assert {text_and_tokens(one) for one in responses} == {("yes", 2)}
    assert responses[0].input_tokens == 10
    usage = runner.usage
    assert (usage.replies, usage.prompt_tokens, usage.completion_tokens, usage.cost) == (4, 40, 8, 2.0)
    fields = {name: value for name, value in server.requests[0].items() if name != "messages"}
    assert fields == {"model": "m", "max_tokens": 4, "temperature": 0, "stop": ["\n\n"]}


# Which requests are tried again.


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (refusal(400, "bad"), "HTTP 400"),
        (refusal(401, "who?"), "HTTP 401"),
        (refusal(404, "no such model"), "no such model"),
        (refusal(413, "too large"), "HTTP 413"),
        (refusal(422, "what?"), "HTTP 422"),
        (refusal(429, "no money", "insufficient_quota"), "no money"),
        (answer("", choices=[{"message": {"content": ""}, "finish_reason": "content_filter"}]), "content_filter"),
    ],
)
def test_a_request_that_cannot_succeed_is_sent_once(reply: Reply, reason: str) -> None:
    (one,), ledger, server, _ = answer_all(lambda number, _: reply)
    assert reason in one.error
    assert (ledger.lost, server.asked[0]) == ([0], 1)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_request_that_is_sent_elsewhere_fails_and_says_where(status: int) -> None:
    (one,), _, server, _ = answer_all(lambda number, _: Reply("", status, Location="/v2/chat/completions"))
    host = server.url.removesuffix("/v1")
    assert one.error == (
        f"RefusedError: base_url={server.url} sends to another address (HTTP {status}: {host}/v2/chat/completions); "
        "give base_url= the address of the server itself"
    )
    assert sum(server.asked.values()) == 1


def test_models_that_take_other_arguments_get_them(quickly: None) -> None:
    def replies(number: int, time: int) -> Reply:
        asked_with = server.requests[-1]
        for name, code in (("max_tokens", "unsupported_parameter"), ("temperature", "unsupported_value")):
            if name in asked_with:
                error = {"message": f"{name} is not supported", "code": code, "param": name}
                return Reply(json.dumps({"error": error}), 400)
        return answer("A")

    ledger = Noting()
    with ChatServer(lambda number, time: replies(number, time)) as server:
        runner = runner_for(settings_of(server.url, concurrency=1), ledger)
        responses = list(runner.run([question(0), question(1)]))
    assert [text_and_tokens(one) for one in responses] == [("A", 2)] * 2
    assert (server.asked[0], server.asked[1]) == (3, 1)
    assert server.requests[-1]["max_completion_tokens"] == 4
    assert runner._client.refused_arguments == {"max_tokens", "temperature"}


@pytest.mark.parametrize(
    ("finish_reason", "truncated"),
    [("stop", False), ("length", True), ("MAX_TOKENS", True), ("tool_calls", False), (None, None), ("new", None)],
)
def test_the_reason_of_its_end_says_whether_a_response_is_truncated(
    finish_reason: str | None, truncated: bool | None
) -> None:
    (one,), _, _, _ = answer_all(lambda number, _: message("B", finish_reason))
    assert (one.text, one.truncated) == ("B", truncated)


def test_a_response_that_contains_a_stop_string_is_not_truncated() -> None:
    (one,), _, _, _ = answer_all(lambda number, _: message("yes\n\nbut I", "length"))
    assert (one.text, one.truncated) == ("yes", False)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_beside_a_response_is_kept_apart(name: str) -> None:
    (one,), _, _, _ = answer_all(lambda number, _: message("B", **{name: "A or B? B."}))
    assert (one.text, one.reasoning, one.truncated) == ("B", "A or B? B.", False)


@pytest.mark.parametrize("content", [None, "", " \n", []])
@pytest.mark.parametrize("finish_reason", ["stop", None])
def test_reasoning_without_an_answer_is_a_failure(content: Any, finish_reason: str | None) -> None:
    (one,), ledger, server, _ = answer_all(lambda _, time: message(content, finish_reason, reasoning_content="Hm."))
    assert (one.text, one.reasoning, ledger.lost, server.asked[0]) == (None, "Hm.", [0], 1)
    assert one.error.startswith("OnlyReasoningError: only reasoning, no answer")


def test_reasoning_that_was_cut_off_is_a_truncated_response_without_text() -> None:
    (one,), _, _, _ = answer_all(lambda number, _: message(None, "length", reasoning_content="First I"))
    assert (one.text, one.reasoning, one.truncated, one.error) == ("", "First I", True, "")


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ([{"type": "text", "text": "The answer "}, {"type": "text", "text": "is B."}], "The answer is B.", ""),
        (["A", {"type": "output_text", "text": "B"}], "AB", ""),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "B"}],
            "B",
            "Hm.",
        ),
        ([{"type": "reasoning", "text": "Hm."}, {"text": "B"}], "B", "Hm."),
        ([{"type": "refusal", "refusal": "I cannot say."}], "I cannot say.", ""),
    ],
)
def test_the_parts_of_a_content_are_text(content: list[Any], text: str, reasoning: str) -> None:
    (one,), _, _, _ = answer_all(lambda number, _: message(content))
    assert (one.text, one.reasoning) == (text, reasoning)


def test_the_models_own_refusal_is_its_response() -> None:
    (one,), _, _, _ = answer_all(lambda number, _: message(None, refusal="I cannot say."))
    assert one.text == "I cannot say."


def test_half_a_character_is_replaced_in_responses_and_errors() -> None:
    def replies(number: int, _: int) -> Reply:
        return message("B \ud83d!", reasoning="\ude00") if number == 0 else refusal(400, "no \ud83d")

    (one, other), _, _, _ = answer_all(replies, 2)
    assert (one.text, one.reasoning) == ("B \ufffd!", "\ufffd")
    assert one.remarks == ((REPLACED, "task doc 0"),)
    assert other.error == "RefusedError: HTTP 400: no \ufffd"


def test_two_halves_of_a_character_become_it() -> None:
    assert storable("\ud83d\ude00 \ufeffB") == "\U0001f600 \ufeffB"
    assert storable("\ufeffB") == "\ufeffB"


@pytest.mark.parametrize("usage", [None, [], {"prompt_tokens": "10"}, {"completion_tokens": 1e400, "cost": "free"}])
def test_odd_numbers_of_tokens_do_not_cost_the_answer(usage: Any) -> None:
    (one,), _, _, runner = answer_all(lambda number, _: answer("A", usage=usage))
    assert text_and_tokens(one) == ("A", 0)
    assert runner.usage.cost is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"message": "no such model", "code": 404}, "RefusedError: the server reports an error: no such model"),
        ("out of credits", "the last error: the server reports an error: out of credits"),
        ({"message": "overloaded", "code": 503}, "the last error: the server reports an error: overloaded"),
    ],
)
def test_an_error_with_the_status_of_success_is_an_error(clock: Clock, error: Any, reason: str) -> None:
    (one,), ledger, _, _ = answer_all(lambda number, _: Reply(json.dumps({"error": error})), deadline=300)
    assert reason in one.error
    assert ledger.lost == [0]


@pytest.mark.parametrize("finish_reason", ["abort", "error"])
def test_a_response_that_the_server_broke_off_is_asked_for_again(quickly: None, finish_reason: str) -> None:
    (one,), _, _, _ = answer_all(lambda _, time: message("half", finish_reason) if time == 1 else message("whole"))
    assert one.text == "whole"


def test_an_empty_answer_is_an_answer() -> None:
    (one,), _, _, _ = answer_all(lambda number, _: answer(None))
    assert text_and_tokens(one) == ("", 2)


def test_the_wait_that_the_server_asks_for_is_kept(clock: Clock) -> None:
    (one,), _, _, runner = answer_all(lambda _, time: refusal(429, retry_after="7") if time == 1 else answer("A"))
    assert text_and_tokens(one) == ("A", 2)
    assert runner.usage.retries == 1
    (wait,) = clock.waits
    assert 7 < wait <= 7 + retries_module.FIRST_WAIT


def test_waits_grow_and_are_random() -> None:
    class State:
        outcome = None
        attempt_number = 1

    def waits(attempt: int) -> list[float]:
        State.attempt_number = attempt
        return [retries_module.pause(State()) for _ in range(200)]  # type: ignore[arg-type]

    for attempt, longest in ((1, 0.5), (2, 1), (5, 8), (30, 60)):
        drawn = waits(attempt)
        assert longest / 2 <= min(drawn) < max(drawn) <= longest


def test_after_the_deadline_a_request_fails_with_the_last_error(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[tuple[float, float]] = []
    ask = EndpointClient.ask

    def noted(client: EndpointClient, content: ByteParts, timeout: float) -> Any:
        tries.append((clock.monotonic(), timeout))
        return ask(client, content, LIMIT)

    monkeypatch.setattr(EndpointClient, "ask", noted)
    responses, ledger, server, _ = answer_all(lambda number, _: refusal(502, "away"), 4, timeout=40, deadline=100)
    # No try begins after the deadline, and none gets more time than is left.
    assert all(
        now < 100 and timeout == min(40, max(runner_module._SHORTEST_LIMIT, 100 - now)) for now, timeout in tries
    )
    assert len(tries) == sum(server.asked.values()) == len(clock.waits) + 4
    assert ledger.lost == sorted(ledger.lost) or len(ledger.lost) == 4
    for one in responses:
        assert "tries in" in one.error
        assert "(deadline=100); the last error: HTTP 502" in one.error
        assert server.asked[one.request.doc_id] > 2


def test_a_server_that_is_gone_costs_each_request_only_its_deadline(clock: Clock) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # does not listen, and no other process can listen on this port
        settings = settings_of(f"http://127.0.0.1:{closed.getsockname()[1]}/v1", timeout=30, deadline=30)
        responses = list(runner_for(settings, Noting()).run([question(0), question(1)]))
    assert all("the connection failed" in one.error for one in responses)
    assert 0 < sum(clock.waits) < 2 * 30


def test_a_crowded_server_is_asked_less(quickly: None) -> None:
    def replies(number: int, _: int) -> Reply:
        # Four requests stay open until further ones have narrowed the window.
        return refusal(429) if server.open > 4 else answer("A", when=lambda: runner.limiter.narrowest <= 4)

    with ChatServer(replies) as server:
        runner = runner_for(settings_of(server.url, concurrency=32, deadline=600), Noting())
        responses = list(runner.run([question(number) for number in range(200)]))
    assert all(text_and_tokens(one) == ("A", 2) for one in responses)
    assert runner.limiter.narrowest <= 4
    assert sum(server.asked.values()) < 600


def test_a_window_narrows_once_for_what_was_open_and_widens_slowly() -> None:
    limiter = Limiter(8)
    first = [limiter.enter() for _ in range(8)]
    for entry in first:
        limiter.leave(entry, crowded=True)
    assert (limiter.limit, limiter.narrowest, limiter.open) == (4, 4, 0)
    for _ in range(4):
        limiter.leave(limiter.enter(), crowded=False)
    assert limiter.limit in (4, 5)
    for _ in range(100):
        limiter.leave(limiter.enter(), crowded=False)
    assert limiter.limit == 8
    for _ in range(5):
        limiter.leave(limiter.enter(), crowded=True)
    assert limiter.limit == 1


def test_a_request_that_hangs_does_not_hold_the_others(quickly: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_PATIENCE", "_FIRST_PATIENCE", "_USUAL"):
        monkeypatch.setattr(limiter_module, name, 0.05)
    ledger = Noting()

    def replies(number: int, time: int) -> Reply:
        if number == 0:
            return answer("late", when=lambda: len(ledger.kept) == 19)
        return refusal(429) if time <= 2 else answer("A")  # narrows the window to one

    responses, _, server, runner = answer_all(replies, 20, ledger, concurrency=4, timeout=600, deadline=600)
    assert [text_and_tokens(one) for one in responses] == [("late", 2), *[("A", 2)] * 19]
    assert ledger.kept[-1] == 0
    assert server.asked[0] == 1
    assert runner.limiter.narrowest == 1


def test_what_hangs_is_what_takes_much_longer_than_usual() -> None:
    now = 0.0
    limiter = Limiter(1, lambda: now)
    first = limiter.enter()
    now = limiter_module._FIRST_PATIENCE
    second = limiter.enter()
    assert limiter.open == 2
    limiter.leave(first, crowded=True)
    now += 4.0
    limiter.leave(second, crowded=False)  # took 4 s, which is usual from now on
    third = limiter.enter()
    now += limiter_module._USUAL * 4.0
    fourth = limiter.enter()
    for entry in (third, fourth):
        limiter.leave(entry, crowded=False)
    assert (limiter.open, limiter.limit) == (0, 1)


# A server that answers nothing.


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """The warnings of a test."""
    lines: list[str] = []
    number = logger.add(lambda line: lines.append(line.record["message"]), level="WARNING")
    yield lines
    logger.remove(number)


def test_a_server_that_fails_every_request_is_named_and_ends_the_run(clock: Clock, logged: list[str]) -> None:
    with ChatServer(lambda number, _: refusal(500, "EngineDeadError: see the log")) as server:
        settings = settings_of(server.url, concurrency=4, max_failures=9, timeout=300, deadline=900)
        ledger = Ledger(settings, 100)
        with pytest.raises(
            RunStopped, match=r"10 of 100 requests failed, and max_failures=9 allows 9. Most often: 10 × "
        ):
            list(runner_for(settings, ledger).run([question(number) for number in range(100)]))
        tries = [server.asked[failure.doc_id] for failure in ledger.failures]
    assert max(tries) == outage_module._SAME_FAULTS
    assert sum(tries) <= 4 * outage_module._SAME_FAULTS + 6, "after the first four, each is asked once"
    words = "HTTP 500: EngineDeadError: see the log"
    assert logged[0] == f"The server failed 3 times in a row, and it has answered none so far: {words}"
    assert len(logged) <= 2
    assert all(words in failure.reason and "answers nothing" in failure.reason for failure in ledger.failures)


def test_a_request_that_fails_while_others_are_answered_is_tried_until_its_deadline(clock: Clock) -> None:
    def replies(number: int, time: int) -> Reply:
        return refusal(500, "broken") if number == 0 and time <= 9 else answer("A", when=lambda: is_time_for(number))

    def is_time_for(number: int) -> bool:
        return server.asked[0] >= min(number, 10)

    with ChatServer(replies) as server:
        runner = runner_for(settings_of(server.url, concurrency=2, deadline=900), Noting())
        responses = list(runner.run([question(number) for number in range(11)]))
    assert [text_and_tokens(one) for one in responses] == [("A", 2)] * 11
    assert server.asked[0] == 10


@pytest.mark.parametrize("status", [502, 503, 504, 429])
def test_a_server_that_is_away_may_come_back(clock: Clock, status: int) -> None:
    responses, _, server, _ = answer_all(lambda _, time: refusal(status) if time <= 12 else answer("A"), deadline=900)
    assert [text_and_tokens(one) for one in responses] == [("A", 2)]
    assert server.asked[0] == 13


def test_after_an_outage_requests_have_all_their_tries_again() -> None:
    outage, fault = Outage(), TroubleError("HTTP 500: broken", faulty=True)
    tries = Tries()
    assert [outage.failed(fault, tries) for _ in range(outage_module._SAME_FAULTS)][-2:] == [False, True]
    assert outage.failed(fault, Tries())
    assert not outage.failed(TroubleError("HTTP 500: another", faulty=True), Tries())
    outage.answered()
    assert not outage.failed(fault, Tries())
    assert not outage.failed(fault, tries), "the tries before the answer no longer count"


# How a run ends early.


@pytest.fixture
def its_threads() -> Callable[[], list[threading.Thread]]:
    """The threads of the runs of a test. When they have ended, no request is sent any more."""
    before = set(threading.enumerate())
    targets = ("(_ask)", "(_feed)")
    return lambda: [
        thread for thread in threading.enumerate() if thread not in before and thread.name.endswith(targets)
    ]


def test_after_sigterm_open_requests_are_kept_and_no_other_is_sent(
    its_threads: Callable[[], list[threading.Thread]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_GRACE", LIMIT)
    ledger, ending = Noting(), list[Any]()

    def ask_to_end() -> None:
        until(lambda: server.open == 4)
        os.kill(os.getpid(), signal.SIGTERM)

    replies: Replies = lambda number, _: answer("A", when=lambda: ending and ending[0].ended.is_set())  # noqa: E731
    with ChatServer(replies) as server, SigtermGuard() as guard:
        runner = runner_for(settings_of(server.url, concurrency=4), ledger, guard)
        drain = runner._drain

        def noted(state: Any) -> None:
            ending.append(state)
            drain(state)

        monkeypatch.setattr(runner, "_drain", noted)
        thread = threading.Thread(target=ask_to_end)
        thread.start()
        with pytest.raises(Terminated):
            list(runner.run([question(number) for number in range(50)]))
        thread.join()
        all_ended(its_threads())
        assert sorted(ledger.kept) == [0, 1, 2, 3]
        assert sum(server.asked.values()) == 4


def test_a_ledger_that_ends_the_run_ends_it(its_threads: Callable[[], list[threading.Thread]]) -> None:
    over = threading.Event()

    class Ending(Noting):
        def failed(self, response: Response) -> None:
            raise RunStopped("enough")

    def replies(number: int, _: int) -> Reply:
        return refusal(400) if number == 3 else answer("A", when=lambda: number < 3 or over.is_set())

    with ChatServer(replies) as server:
        run = runner_for(settings_of(server.url, concurrency=2), Ending()).run(
            [question(number) for number in range(500)]
        )
        with pytest.raises(RunStopped, match="enough"):
            list(run)
        over.set()
        all_ended(its_threads())
        assert sum(server.asked.values()) <= 6  # the first four, and one of each thread


def test_an_error_while_requests_are_prepared_is_raised() -> None:
    class Broken(Noting):
        def recall(self, request: Request, conversation: Any) -> Recalled:
            raise MemoryError("gone")

    with ChatServer(lambda number, _: answer("A")) as server, pytest.raises(MemoryError, match="gone"):
        list(runner_for(settings_of(server.url), Broken()).run([question(0)]))


# Identity of the server, keys, and the form of replies.


def test_a_server_with_an_invalid_certificate_is_asked_once() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ChatServer(lambda number, _: answer("A"), context) as server:
        endpoint = EndpointClient(settings_of(server.url))
        with pytest.raises(RefusedError, match="the server's certificate is not valid"):
            endpoint.ask(Payload(()).within(b'{"messages": ', b"[]}"), 5)
        with pytest.raises(ValueError, match="cannot be reached"):
            endpoint.check()


def test_the_key_is_sent_to_the_server_but_not_logged_or_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    number = logger.add(logged.append, level="DEBUG")
    monkeypatch.setenv("MY_KEY", "sk-hunter2")
    (one,), _, server, _ = answer_all(lambda number, _: refusal(403, "sk-hunter2 may not"), api_key_env="MY_KEY")
    assert server.headers[0]["authorization"] == "Bearer sk-hunter2"
    logger.remove(number)
    assert "failed" in "".join(logged)
    assert "hunter2" not in one.error + "".join(logged)
    assert one.error == "RefusedError: HTTP 403: … may not"


DEEP = '{"choices": ' + "[" * 100_000

UNKNOWN = {
    "": "it is not JSON",
    "{": "it is not JSON",
    DEEP: "it is not JSON",
    "[]": "it is a list and not an object",
    "null": "it is null and not an object",
    '{"detail": "?", "id": 1}': "it has no choices (its fields: detail, id)",
    '{"choices": {"0": 1}}': "it has choices that are an object (its fields: choices)",
    '{"choices": [{}]}': "its first choice has no message (fields: none)",
    '{"choices": [{"text": "B"}]}': "its first choice has no message (fields: text)",
    '{"choices": [{"message": null}]}': "its first choice has no message (fields: message)",
    '{"choices": [{"message": {}}]}': "its message has no content (its fields: none)",
    '{"choices": [{"message": {"content": 7}}]}': "its content is a number and neither a text nor a list of parts",
    '{"choices": [{"message": {"content": [{"type": "image"}]}}]}': "its content has a part without a text (of type image)",  # noqa: E501
    '{"choices": [{"message": {"content": [7]}}]}': "its content has a part without a text (a number)",
}


@pytest.mark.parametrize(("text", "what"), UNKNOWN.items(), ids=UNKNOWN.values())
def test_a_reply_of_an_unknown_form_is_tried_again_and_says_what_is_wrong(text: str, what: str) -> None:
    with pytest.raises(UnknownFormError) as raised:
        reply_of(text)
    assert str(raised.value) == f"the reply has an unexpected form: {what}"


def test_each_unknown_form_is_named_once_and_at_once(clock: Clock, logged: list[str]) -> None:
    def replies(number: int, time: int) -> Reply:
        return Reply(['{"detail": "sk-hunter2"}', "<html>Hello</html>"][number % 2])

    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("OPENAI_API_KEY", "sk-hunter2")
        responses, ledger, server, _ = answer_all(replies, 10, concurrency=2)
    assert sorted(ledger.lost) == list(range(10))
    named = sorted(line for line in logged if "cannot be used" in line)
    form = f"{server.url} sent a reply that cannot be used: the reply has an unexpected form"
    assert named == [
        f'{form}: it has no choices (its fields: detail). It begins with: {{"detail": "…"}}',
        f"{form}: it is not JSON. It begins with: <html>Hello</html>",
    ]
    assert all("the last error: the reply has an unexpected form" in one.error for one in responses)


def test_only_some_unknown_forms_are_named(clock: Clock, logged: list[str]) -> None:
    names = "abcdefghijklmnopqrstuvwxyz"
    answer_all(lambda number, _: Reply(json.dumps({names[number]: 1})), 26, concurrency=1)
    assert len([line for line in logged if "cannot be used" in line]) == client_module._MOST_FORMS
