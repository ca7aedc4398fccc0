"""Finds out, before a run, whether pictures and sounds arrive at a served model."""

import contextlib
import queue
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Event, Thread

from ..inputs.decoding import DecodedConversation
from ..inputs.senses import CLIP, HEARD, OTHER_SOUND, Medium, Outcome, Senses, needed, probes, served_senses
from ..runtime.fetching import Fetching, MessageReader, ReadRequest
from ..runtime.request import Request
from .client import EndpointClient
from .encoder import EndpointEncoder
from .outage import Outage, Tries
from .payload import Payload
from .reply import OnlyReasoningError, RefusedError, Reply, TroubleError
from .retries import until_answered
from .settings import EndpointSettings

_LENGTH = {"max_new_tokens": 16}
"""The most tokens of an answer."""

_LOOKED_AGAIN = 0.2
"""Seconds after which a wait for a reply looks whether the run has ended."""


def find_senses(client: EndpointClient, encoder: EndpointEncoder, ended: Event | None = None) -> Senses | None:
    """Ask a server at most six small questions, and conclude what arrives at its model.

    Questions are tried again as in a run, and no more are open at once than the settings allow. If pictures are not
    answered, sounds are asked about without them.

    Args:
        client: The client of the server.
        encoder: The encoder, whose settings say what is sent.
        ended: Set when the run ends.

    Returns:
        The conclusion, or None if the run ended before. If the server does not answer, it is that nothing is known.
    """
    ended = ended or Event()
    outage = Outage()

    def outcome(question: DecodedConversation) -> Outcome:
        try:
            reply = _reply(client, encoder.settings, encoder.payload(question), outage, ended)
        except OnlyReasoningError as error:
            return Outcome(error.prompt_tokens, error.reasoning)
        except RefusedError as error:
            return Outcome(refused=str(error))
        except TroubleError as error:
            return Outcome(unanswered=str(error))
        return Outcome(reply.prompt_tokens, reply.text + reply.reasoning)

    hears = encoder.settings.media != "frames-only"
    questions = probes(hears=hears)
    with_sound = {name: questions.pop(name) for name in (HEARD, OTHER_SOUND) if hears}
    outcomes = _outcomes(questions, outcome, encoder.settings.concurrency, ended)
    if hears and not ended.is_set():
        if not outcomes[CLIP].answered:
            alone = probes(sees=False)
            with_sound = {name: alone[name] for name in alone if name not in questions}
        outcomes |= _outcomes(with_sound, outcome, encoder.settings.concurrency, ended)
    return None if ended.is_set() else served_senses(outcomes)


def _outcomes(
    questions: Mapping[str, DecodedConversation],
    outcome: Callable[[DecodedConversation], Outcome],
    at_once: int,
    ended: Event,
) -> dict[str, Outcome]:
    """Ask several questions at once. Its threads do not hold the end of the program, whatever the server does."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, Outcome | BaseException]] = queue.SimpleQueue()
    for name in questions:
        waiting.put(name)

    def ask() -> None:
        with contextlib.suppress(queue.Empty):
            while not ended.is_set():
                name = waiting.get_nowait()
                try:
                    done.put((name, outcome(questions[name])))
                except BaseException as error:  # raised again in the thread that waits
                    done.put((name, error))

    for _ in range(min(at_once, len(questions))):
        Thread(target=ask, daemon=True).start()
    found: dict[str, Outcome] = {}
    while len(found) < len(questions) and not ended.is_set():
        with contextlib.suppress(queue.Empty):
            name, one = done.get(timeout=_LOOKED_AGAIN)
            if isinstance(one, BaseException):
                raise one
            found[name] = one
    return {name: found[name] for name in questions if name in found}


def _reply(client: EndpointClient, settings: EndpointSettings, payload: Payload, outage: Outage, ended: Event) -> Reply:
    """Ask one question, and try again as in a run."""
    started, tries, hopeless = time.monotonic(), Tries(), Event()

    def one_try() -> Reply:
        left = max(1.0, settings.deadline - (time.monotonic() - started))
        # The body is made for each try, because it depends on what the server refused before.
        content = client.content(payload, _LENGTH)
        try:
            reply = client.ask(content, min(settings.timeout, left))
        except TroubleError as trouble:
            if outage.failed(trouble, tries):
                hopeless.set()
            raise
        outage.answered()
        return reply

    return until_answered(one_try, settings.deadline, ended, hopeless)


def needed_media(
    requests: Sequence[Request], reader: MessageReader, media: Collection[Medium], ended: Event
) -> set[Medium]:
    """Find out which of some media the questions of a run have. Questions whose messages cannot be read count for none.

    Args:
        requests: The requests of the run.
        reader: Reads their messages.
        media: The media that are looked for.
        ended: Set when the run ends.

    Returns:
        At least one of them, if a question has one.
    """
    of_tasks = {request.task: request for request in reversed(requests)}  # one of each task, as tasks tend to be alike
    first = list(of_tasks.values())[::-1]
    others = [request for request in requests if of_tasks[request.task] is not request]
    for some in (first, others):
        fetching = Fetching(reader)
        try:
            for fetched in fetching.read(some):
                read = [one.conversation for one in fetched if isinstance(one, ReadRequest)]
                if found := {medium for one in read for medium in needed(one) if medium in media}:
                    return found
                if ended.is_set():
                    return set()
        finally:
            fetching.close()
    return set()


_ALL: tuple[Medium, ...] = ("pictures", "sounds")


def fault_of(senses: Senses, settings: EndpointSettings, needed: Collection[Medium] = _ALL) -> str | None:
    """Say in a sentence what is wrong with a server that is deaf or blind, and what to do.

    Args:
        senses: What was concluded.
        settings: The settings, which name the server.
        needed: What has to arrive.

    Returns:
        The sentence; None if nothing that is needed is known to be wrong.
    """
    wrong = [medium for medium in senses.faults if medium in needed]
    if not wrong:
        return None
    dropped = [medium for medium in wrong if senses.faults[medium] == "dropped"]
    said = [
        f"refuses {medium} ({senses.refusals[medium].rstrip('.')})" for medium in wrong if medium in senses.refusals
    ]
    if dropped:
        said.append(f"takes {' and '.join(dropped)} and its model does not get them. {senses.because.rstrip('.')}")
    remedies = dict.fromkeys(_remedy(medium, settings.media) for medium in wrong)
    where = f"{settings.shown_url} with media={settings.media}"
    return f"{where} {' and '.join(said)}; {', and '.join(remedies)}, or set senses=off to ask it all the same."


def _remedy(medium: Medium, media: str) -> str:
    if media == "vllm":
        return (
            "start vLLM with an omni model and --trust-request-mm-kwargs, and without limits for video and audio "
            "(--limit-mm-per-prompt)"
        )
    if medium == "sounds":
        return "serve a model that hears, or run the group humansense_video with media=frames-only"
    return "serve a model that sees, or run the group humansense_audio"
