"""The served model: what it sends, the token budget of a run, and another run of the same object."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from lmms_eval.models.model_utils import usage_metrics
from loguru import logger

from lmms_humansense.models.chat import FAILURE_MARK
from lmms_humansense.models.endpoint import retries
from lmms_humansense.models.endpoint.senses import find_senses
from lmms_humansense.models.runtime.ledger import Recalled
from lmms_humansense.models.runtime.request import Request, Response
from lmms_humansense.models.runtime.signals import EXIT_INCOMPLETE
from lmms_humansense.models.server import HumanSenseServer
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.chat_server import ChatServer, Replies, Reply, answer, message, refusal
from tests.helpers.waits import LIMIT, all_ended, until

GENERATION = {"max_new_tokens": 8, "temperature": 0, "do_sample": False, "num_beams": 1, "until": []}
"""What the YAML files of the benchmark set."""


class Question:
    """The parts of lmms-eval's Instance that `generate_until` reads. `read` counts how often messages were made."""

    read = 0

    def __init__(self, number: int, *media: dict[str, Any], **generation_kwargs: Any) -> None:
        self.metadata: dict[str, Any] = {}
        generation = {**GENERATION, **generation_kwargs}
        self.args = ("", lambda doc: self._messages(number, media), generation, 0, "task", "test")

    @classmethod
    def _messages(cls, number: int, media: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
        cls.read += 1
        return [{"role": "user", "content": [*media, {"type": "text", "text": f"Question {number}"}]}]


def served(server: ChatServer, **arguments: Any) -> HumanSenseServer:
    given = {"media": "frames", "media_workers": 0, "senses": "off", **arguments}
    model = HumanSenseServer(base_url=server.url, model="m", **given)
    model.task_dict = {"task": {"test": [None]}}
    return model


def ask(model: HumanSenseServer, *questions: Question) -> list[str]:
    return [result.text for result in model.generate_until(list(questions))]


@pytest.fixture
def budget() -> Iterator[Any]:
    """Sets a token budget, as lmms-eval does before a run."""
    usage_metrics.reset_usage_metrics()
    Question.read = 0
    yield lambda tokens: usage_metrics.set_budget(max_tokens=tokens)
    usage_metrics.reset_usage_metrics()


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    said: list[str] = []
    number = logger.add(said.append, level="WARNING", format="{message}")
    yield said
    logger.remove(number)


@pytest.mark.parametrize(("tokens", "sent"), [(1, 1), (12, 1), (13, 2), (24, 2), (30, 3), (96, 8)])
def test_a_run_stops_at_its_token_budget(budget: Any, warnings: list[str], tokens: int, sent: int) -> None:
    """Each reply costs 12 tokens. The last one may exceed the budget, however many requests may be open."""
    budget(tokens)
    with ChatServer(lambda number, _: answer("B")) as server:
        model = served(server, concurrency=8)
        responses = ask(model, *(Question(number) for number in range(200)))
        assert sum(server.asked.values()) == sent
    assert responses.count("B") == sent
    refused = [response for response in responses if response != "B"]
    assert set(refused) == {
        f"{FAILURE_MARK} [LMMS_EVAL_BUDGET_EXCEEDED] The question was not asked, because the token budget "
        "(--max_tokens) is spent."
    }
    assert len(model.failures) == len(refused) == 200 - sent
    assert Question.read < 100, "questions that are not asked are not prepared"
    used = usage_metrics.summarize_usage_metrics()
    assert used["by_task"] == {"task": used["total"]}
    assert (used["total"]["total_tokens"], used["total"]["n_api_calls"]) == (12 * sent, sent)
    assert (used["budget_exceeded"], used["budget_total_tokens"]) == (True, tokens)
    assert any(f"{200 - sent} of 200 requests were not asked, because the token budget" in line for line in warnings)


def test_requests_are_open_at_once_within_a_large_budget(budget: Any) -> None:
    budget(1000)

    def replies(number: int, _: int) -> Reply:
        return answer("B", when=lambda: server.most_open > 1 or not sum(server.asked.values()) > 1)

    with ChatServer(replies) as server:
        assert ask(served(server, concurrency=2), *map(Question, range(4))) == ["B"] * 4
        assert server.most_open == 2


def test_without_a_budget_the_tokens_of_a_run_are_logged(budget: Any) -> None:
    with ChatServer(lambda number, _: answer("B")) as server:
        assert ask(served(server), *map(Question, range(5))) == ["B"] * 5
    used = usage_metrics.summarize_usage_metrics()
    assert (used["total"]["input_tokens"], used["total"]["output_tokens"]) == (50, 10)
    assert used["budget_exceeded"] is False


def test_words_are_counted_if_a_server_reports_no_tokens(budget: Any) -> None:
    budget(5)
    with ChatServer(lambda number, _: answer("one two three", usage=None)) as server:
        ask(served(server), *map(Question, range(10)))
    assert usage_metrics.get_running_totals()["total_tokens"] == 6


def test_a_temperature_alone_samples(warnings: list[str]) -> None:
    with ChatServer(lambda number, _: answer("B")) as server:
        model = served(server)
        ask(model, Question(0), Question(1, temperature=1))
        greedy, sampled = sorted(server.requests, key=lambda request: json.dumps(request["messages"]))
    assert (greedy["temperature"], sampled["temperature"]) == (0, 1.0)
    assert model.get_model_info()["generation_of_tasks"] == {
        "task": {"do_sample": True, "max_new_tokens": 8, "temperature": 1.0, "until": []}
    }
    assert warnings == [], "the arguments that the benchmark sets have an effect, or ask for nothing"


def test_arguments_without_an_effect_are_named(warnings: list[str]) -> None:
    with ChatServer(lambda number, _: answer("B")) as server:
        ask(served(server), Question(0, num_beams=2))
    assert warnings == ["task sets num_beams in generation_kwargs, which has no effect here.\n"]


def test_a_system_instruction_is_sent_as_the_system_message(warnings: list[str]) -> None:
    with ChatServer(lambda number, _: answer("B")) as server:
        model = served(server)
        for instruction in ("Answer like a pirate.", None):
            model.use_system_instruction(instruction)
            ask(model, Question(0))
            assert model.get_model_info()["system_prompt"] == instruction
        first, second = server.requests
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert "Answer like a pirate." in json.dumps(first["messages"][0])
    assert [message["role"] for message in second["messages"]] == ["user"]
    (remark,) = warnings
    assert "in place of the chat template's own" in remark


def test_a_model_can_be_used_for_another_run() -> None:
    with ChatServer(lambda number, _: answer("B")) as server:
        model = served(server)
        assert ask(model, Question(0)) == ["B"]
        model.clean()
        assert ask(model, Question(1)) == ["B"]
        assert server.asked == {0: 1, 1: 1}


def replying(pictures: int, sound: int, counts: bool = True, text: str = "Nothing.") -> Replies:
    """A server whose prompts have this many more tokens for a picture and for a sound."""

    def replies(number: int, _: int) -> Reply:
        # The requests come from several threads; this one is the last that has been noted.
        said = json.dumps(server_of_test[0].requests[-1])
        tokens = (
            len(said.split('"text": "')[-1]) // 8 + pictures * said.count("image_url") + sound * ("input_audio" in said)
        )
        return answer(text, usage={"prompt_tokens": tokens if counts else 0, "completion_tokens": 2})

    return replies


server_of_test: list[ChatServer] = []


CLIP = [{"type": "video", "url": str(ROOT / "videos" / "count" / "parade.mp4"), "nframes": 2}]
HEARD = [*CLIP, {"type": "audio", "url": CLIP[0]["url"]}]
SOUND = [{"type": "audio", "url": CLIP[0]["url"]}]


def senses_of(
    replies: Replies, shown: Sequence[dict[str, Any]] = HEARD, task: str = "task", **arguments: Any
) -> dict[str, Any] | str:
    """What a run of two questions finds, or the sentence that ends it. The second question shows this."""
    with ChatServer(replies) as server:
        server_of_test[:] = [server]
        model = served(server, **{"senses": "check", **arguments})
        try:
            ask(model, Question(1), Question(2, *shown))
        except SystemExit as ending:
            assert len(server.requests) <= 6
            return str(ending.code)
        assert len(server.requests) <= 8
        found: dict[str, Any] = model.get_model_info()["senses"]
        return found


def test_a_run_finds_out_what_arrives_at_the_model(warnings: list[str]) -> None:
    found = senses_of(replying(pictures=32, sound=50))
    assert isinstance(found, dict)
    assert (found["sight"], found["sound"]) == ("arrives", "arrives")
    assert set(found["prompt_tokens"]) == {
        "text alone", "longer text", "clip", "clip with other frames", "clip with sound", "clip with another sound"
    }  # fmt: skip
    only = senses_of(replying(pictures=32, sound=50), media="frames-only")
    assert isinstance(only, dict)
    assert (only["sight"], only["sound"]) == ("arrives", "not sent")
    assert warnings == []


def test_a_deaf_and_a_blind_server_end_the_run_with_a_sentence() -> None:
    deaf = senses_of(replying(pictures=32, sound=0))
    assert isinstance(deaf, str)
    assert "with media=frames takes sounds and its model does not get them. Prompt tokens: text alone" in deaf
    assert deaf.endswith(
        "; serve a model that hears, or run the group humansense_video with media=frames-only, or set senses=off to "
        "ask it all the same."
    )
    blind = senses_of(replying(pictures=0, sound=50))
    assert "takes pictures and its model does not get them" in str(blind)
    assert senses_of(replying(pictures=0, sound=0), senses="off") == "off"
    both = str(senses_of(replying(pictures=0, sound=0)))
    assert "takes pictures and sounds and its model does not get them" in both
    assert "serve a model that sees, or run the group humansense_audio, and serve a model that hears" in both


@pytest.mark.parametrize(
    ("pictures", "sound", "shown"), [(32, 0, CLIP), (0, 50, SOUND), (0, 0, [])], ids=["deaf", "blind", "both"]
)
def test_what_no_question_needs_ends_no_run(
    warnings: list[str], pictures: int, sound: int, shown: list[dict[str, Any]]
) -> None:
    found = senses_of(replying(pictures, sound), shown)
    assert isinstance(found, dict)
    assert "dropped" in (found["sight"], found["sound"])
    assert any(said.endswith("No question of this run needs them.\n") for said in warnings)


def test_a_server_that_takes_sounds_only_is_asked_about_sounds_alone() -> None:
    """Of its words about pictures, none are given for the sound."""

    def replies(sound: int) -> Replies:
        def replies(number: int, asked: int) -> Reply:
            if "image_url" in json.dumps(server_of_test[0].requests[-1]):
                return refusal(400, "At most 0 image(s) may be provided in one prompt.")
            return replying(pictures=0, sound=sound)(number, asked)

        return replies

    hearing = senses_of(replies(50), SOUND, concurrency=1)
    assert isinstance(hearing, dict)
    assert (hearing["sight"], hearing["sound"]) == ("refused", "arrives")
    assert "refuses pictures (HTTP 400: At most 0 image(s)" in str(senses_of(replies(50), CLIP, concurrency=1))
    deaf = str(senses_of(replies(0), SOUND, concurrency=1))
    assert "takes sounds and its model does not get them. Prompt tokens: text alone" in deaf
    assert "image" not in deaf


def test_a_server_without_time_is_tried_again_and_is_no_server_that_refuses(
    warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "LONGEST_WAIT", 0.001)
    busy: list[int] = []
    most = 20

    def replies(number: int, asked: int) -> Reply:
        is_about_media = "image_url" in json.dumps(server_of_test[0].requests[-1]) and not number
        if is_about_media and len(busy) < most:
            busy.append(number)
            return refusal(429, "Rate limit reached")
        return replying(pictures=32, sound=50)(number, asked)

    with ChatServer(replies) as server:
        server_of_test[:] = [server]
        found = served(server, senses="check", concurrency=1).find_senses()
    assert len(busy) == 20
    assert (found.sight, found.sound) == ("arrives", "arrives")
    monkeypatch.setattr(retries, "LONGEST_WAIT", 0.5)
    busy, most = [], 1_000_000
    with ChatServer(replies) as server:
        server_of_test[:] = [server]
        found = served(server, senses="check", timeout=2, deadline=2).find_senses()
    assert (found.sight, found.faults) == ("unknown", {})
    assert found.because.startswith("The server gave no answer to one question (clip")


def test_what_was_found_is_kept_for_a_run_that_asks_nothing(tmp_path: Path) -> None:
    class Keeping:
        """Keeps answers in memory."""

        folder, recalled, kept = str(tmp_path / "cache"), 0, 0
        known: ClassVar[dict[int, Any]] = {}

        def recall(self, request: Request, conversation: Any) -> Recalled:
            known = self.known.get(request.doc_id)
            return Recalled("key", known and replace(known, request=request))

        def keep(self, response: Response) -> None:
            self.known[response.request.doc_id] = response

    def run(model: HumanSenseServer) -> Any:
        assert [one.text for one in model.generate_until([Question(0)], Keeping())] == ["Nothing."]
        return model.get_model_info()["senses"]

    with ChatServer(replying(pictures=32, sound=50)) as server:
        server_of_test[:] = [server]
        found = run(served(server, senses="check"))
        assert found["sight"] == "arrives"
        again = served(server, senses="check")
        assert run(again) == found
        assert len(server.requests) == 7
        for file in (tmp_path / "cache").glob("senses-*.json"):
            file.write_text("[")
        assert run(served(server, senses="check")) == "check"


def test_reasoning_alone_is_counted_like_an_answer() -> None:
    def replies(number: int, asked: int) -> Reply:
        if number or "image_url" not in json.dumps(server_of_test[0].requests[-1]):
            return replying(0, 0)(number, asked)
        usage = {"prompt_tokens": 300, "completion_tokens": 16}
        return message("", None, reasoning_content="I see", usage=usage)

    found = senses_of(replies, CLIP)
    assert isinstance(found, dict)
    assert (found["sight"], found["prompt_tokens"]["clip"]) == ("arrives", 300)


@pytest.mark.parametrize("concurrency", [1, 2])
def test_no_more_questions_are_open_than_the_settings_allow(concurrency: int) -> None:
    asking: list[int] = []

    def replies(number: int, _: int) -> Reply:
        asking.append(sum(thread.name.endswith("(ask)") for thread in threading.enumerate()))
        return answer("Nothing.", when=lambda: server.open == concurrency or len(server.requests) > 3)

    with ChatServer(replies) as server:
        served(server, concurrency=concurrency).find_senses()
        assert (max(asking), server.most_open, len(server.requests)) == (concurrency, concurrency, 6)


def test_of_several_processes_the_first_asks() -> None:
    with ChatServer(replying(pictures=0, sound=0)) as server:
        server_of_test[:] = [server]
        model = served(server, senses="check")
        model._rank = 1
        assert ask(model, Question(1, *CLIP)) == ["Nothing."]
        assert len(server.requests) == 1


def test_the_end_of_a_run_ends_the_questions_about_a_server_that_hangs() -> None:
    ended = threading.Event()
    with ChatServer(lambda number, _: answer("Nothing.", when=ended.is_set)) as server:
        model = served(server, senses="check")
        asking = threading.Thread(target=lambda: found.append(find_senses(model.client, model.reader, ended)))
        found: list[Any] = []
        before = {*threading.enumerate()}
        asking.start()
        until(lambda: server.open == 4)
        started = {*threading.enumerate()} - before - {asking}
        assert all(thread.daemon for thread in started), "another one holds the end of the program"
        ended.set()
        all_ended([asking])
        assert found == [None]
        assert len(server.requests) == 4


@pytest.mark.slow
def test_after_sigterm_a_run_ends_while_the_server_hangs() -> None:
    over, arrived = threading.Event(), threading.Event()
    program = (
        "from tests.models.test_server import Question; from lmms_humansense.models.server import HumanSenseServer\n"
        "model = HumanSenseServer(base_url=URL, model='m', media='frames', media_workers=0)\n"
        "model.task_dict = {'task': {'test': [None]}}\n"
        "list(model.generate_until([Question(1)]))"
    )

    def replies(number: int, _: int) -> Reply:
        if server.open == 4:
            arrived.set()
        return answer("Nothing.", when=over.is_set)

    with ChatServer(replies) as server:
        run = subprocess.Popen([sys.executable, "-c", program.replace("URL", repr(server.url))])
        assert arrived.wait(5 * LIMIT), "imports take a while on a busy machine"
        run.terminate()
        assert run.wait(timeout=LIMIT / 2) == EXIT_INCOMPLETE
        over.set()


def test_a_server_that_refuses_sounds_ends_the_run_with_its_own_words() -> None:
    def replies(number: int, asked: int) -> Reply:
        if "input_audio" in json.dumps(server_of_test[0].requests[-1]):
            return refusal(400, "At most 0 audio(s) may be provided in one prompt.")
        return replying(pictures=32, sound=0)(number, asked)

    said = str(senses_of(replies, concurrency=1))
    assert "refuses sounds (HTTP 400: At most 0 audio(s) may be provided in one prompt)" in said


@pytest.mark.parametrize("counts", [False, True])
def test_where_nothing_can_be_concluded_the_run_says_so_once_and_goes_on(warnings: list[str], counts: bool) -> None:
    """A server without usage, and one that counts every prompt alike."""
    replies = (lambda number, _: answer("Nothing.")) if counts else replying(pictures=0, sound=0, counts=False)
    found = senses_of(replies)
    assert isinstance(found, dict)
    assert (found["sight"], found["sound"]) == ("unknown", "unknown")
    (said,) = warnings
    assert "The server reports no prompt tokens, or as many for every text, so nothing can be concluded." in said


def test_equal_token_counts_with_different_answers_prove_nothing(warnings: list[str]) -> None:
    def replies(number: int, asked: int) -> Reply:
        is_question = "Question" in json.dumps(server_of_test[0].requests[-1])
        return replying(0, 0, text="Nothing." if is_question else f"{len(server_of_test[0].requests)}")(number, asked)

    found = senses_of(replies)
    assert isinstance(found, dict)
    assert found["sight"] == "unknown"


def vllm_addresses(marks: str, version: str = "0.32.0") -> dict[str, Any]:
    """vLLM's other addresses, with a tokenizer for which these marks are two tokens."""
    return {
        "/version": lambda _: {"version": version},
        "/tokenize": lambda sent: {"count": 2 if sent["prompt"] == marks else len(sent["prompt"])},
    }


@pytest.mark.parametrize(
    ("marks", "version", "family", "mended"),
    [
        ("<|VIDEO|><|AUDIO|>", "0.32.0", "qwen2_5_omni", False),
        ("<|video_pad|><|audio_pad|>", "0.32.0+humansense", "qwen3_omni_moe", True),
    ],
)
def test_a_vllm_server_is_asked_what_it_serves(marks: str, version: str, family: str, mended: bool) -> None:
    with ChatServer(lambda number, _: answer("B"), addresses=vllm_addresses(marks, version)) as server:
        model = served(server, media="vllm")
        info = model.get_model_info()
        assert info["vllm_server"] == {"family": family, "version": version, "mended": mended}
        assert (info["system_prompt"] is None) == (family == "qwen3_omni_moe")
        assert ask(model, Question(1)) == ["B"]
        other = served(server, media="frames")
        assert other.get_model_info()["vllm_server"] is None
        assert model.identity() != other.identity()
    with ChatServer(lambda number, _: answer("B"), addresses=vllm_addresses(marks, "0.33.0")) as newer:
        ours, theirs = model.identity(), served(newer, media="vllm").identity()
        assert {name for name in ours if ours[name] != theirs[name]} == {"base_url", "vllm_server"}


@pytest.mark.parametrize("address", ["/version", "/tokenize"])
def test_a_vllm_server_without_time_is_asked_again(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.001)
    addresses, failures = vllm_addresses("<|VIDEO|><|AUDIO|>", "0.32.0+humansense"), [2]
    right = addresses[address]

    def faulty(sent: Any) -> Any:
        failures[0] -= 1
        return refusal(503, "starting") if failures[0] >= 0 else right(sent)

    addresses[address] = faulty
    with ChatServer(lambda number, _: answer("B"), addresses=addresses) as server:
        assert served(server, media="vllm").get_model_info()["vllm_server"]["mended"]
        failures[0] = 1000
        with pytest.raises(ValueError, match=rf"its address {address} cannot be used \(HTTP 503: starting\)"):
            served(server, media="vllm")
        assert failures[0] == 1000 - retries.MOST_TRIES


def test_an_address_that_is_not_for_everyone_is_as_good_as_none() -> None:
    addresses = {name: lambda _: refusal(403) for name in ("/version", "/tokenize")}
    with ChatServer(lambda number, _: answer("B"), addresses=addresses) as server:
        named = served(server, media="vllm", family="qwen2_5_omni").get_model_info()["vllm_server"]
        assert named == {"family": "qwen2_5_omni", "version": None, "mended": False}


def test_a_server_that_sends_everything_elsewhere_is_refused_at_the_start() -> None:
    elsewhere: dict[str, Any] = {"/v1/models": lambda _: Reply("{}", 308, Location="https://other.example/api/models")}
    with (
        ChatServer(lambda number, _: answer("B"), addresses=elsewhere) as server,
        pytest.raises(ValueError, match=r"\(HTTP 308: .*\); give base_url=https://other.example/api instead\."),
    ):
        served(server)
    moved: dict[str, Any] = {"/v1/models": lambda _: Reply("{}", 307, Location="/v1/models/")}
    with ChatServer(lambda number, _: answer("B"), addresses=moved) as server:
        assert ask(served(server), Question(1)) == ["B"]


def test_a_server_that_does_not_say_what_it_serves_needs_a_name() -> None:
    with ChatServer(lambda number, _: answer("B")) as server:
        with pytest.raises(
            ValueError, match="name it with family=qwen2_5_omni or family=qwen3_omni_moe, or use media="
        ):
            served(server, media="vllm")
        named = served(server, media="vllm", family="qwen3_omni_moe").get_model_info()["vllm_server"]
        assert named == {"family": "qwen3_omni_moe", "version": None, "mended": False}
