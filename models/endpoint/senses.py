"""Finds out, before a run, whether pictures and sounds arrive at a served model."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from ..inputs.decoding import DecodedConversation
from ..inputs.senses import Outcome, Senses, probes, served_senses
from .client import EndpointClient
from .encoder import EndpointEncoder
from .reply import OnlyReasoningError, RefusedError, TroubleError
from .runner import ask_until_answered
from .settings import EndpointSettings

_LENGTH = 16
"""Tokens of the answers at most."""


def find_senses(client: EndpointClient, encoder: EndpointEncoder) -> Senses:
    """Ask a server at most six small questions, and conclude what arrives at its model.

    Args:
        client: The client of the server.
        encoder: The encoder, whose settings say what is sent.

    Returns:
        The conclusion. If the server does not answer, it is that nothing is known.
    """
    questions = probes(hears=encoder.settings.media != "frames-only")

    def outcome(question: DecodedConversation) -> Outcome:
        payload = encoder.payload(question)
        try:
            reply = ask_until_answered(client, encoder.settings, payload, {"max_new_tokens": _LENGTH})
        except OnlyReasoningError as error:
            return Outcome(said=error.reasoning)
        except (RefusedError, TroubleError) as error:
            return Outcome(refused=str(error))
        return Outcome(reply.prompt_tokens, reply.text + reply.reasoning)

    with ThreadPoolExecutor(len(questions)) as threads:
        outcomes: Mapping[str, Outcome] = dict(zip(questions, threads.map(outcome, questions.values()), strict=True))
    return served_senses(outcomes)


def fault_of(senses: Senses, settings: EndpointSettings) -> str | None:
    """Say in a sentence what is wrong with a server that is deaf or blind, and what to do.

    Args:
        senses: What was concluded.
        settings: The settings, which name the server.

    Returns:
        The sentence; None if nothing is known to be wrong.
    """
    wrong = {
        what: state
        for what, state in (("pictures", senses.sight), ("sounds", senses.sound))
        if state in ("dropped", "refused")
    }
    if not wrong:
        return None
    what, state = next(iter(wrong.items()))
    where = f"{settings.shown_url} with media={settings.media}"
    if state == "refused":
        said = f"{where} refuses {what} ({senses.because.rstrip('.')})"
    else:
        said = f"{where} takes {what} and its model does not get them. {senses.because.rstrip('.')}"
    return f"{said}; {_remedy(what, settings.media)}, or set senses=off to ask it all the same."


def _remedy(what: str, media: str) -> str:
    if media == "vllm":
        return (
            "start vLLM with an omni model and --trust-request-mm-kwargs, and without limits for video and audio "
            "(--limit-mm-per-prompt)"
        )
    if what == "sounds":
        return "serve a model that hears, or run the group humansense_video with media=frames-only"
    return "serve a model that sees"
