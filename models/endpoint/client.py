"""One OpenAI-compatible chat endpoint: a request out, a reply or a reason back."""

import json
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import openai
from loguru import logger

from ..inputs.generation import generate_arguments, stops_of
from .payload import ByteParts, Payload
from .settings import NO_KEY, EndpointSettings

KNOWN_ARGUMENTS = frozenset({"max_new_tokens", "until", "temperature", "top_p", "do_sample"})
"""What has an effect here of `generation_kwargs`: what every endpoint takes."""

_BETTER_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
"""Status codes below 500 of requests that may do better later."""

_NEVER_BETTER = "insufficient_quota"
"""The code with which OpenAI's endpoint says that the money is spent, with the status for too many requests."""

_UNSUPPORTED = ("unsupported_parameter", "unsupported_value")
"""The codes with which OpenAI's endpoint refuses an argument that some of its models do not take."""

_LENGTH, _NEW_LENGTH, _TEMPERATURE = "max_tokens", "max_completion_tokens", "temperature"

_LONGEST = 400
"""Characters of what a server says that go into a reason."""


class RefusedError(Exception):
    """The server will never answer this request. The message says why."""


class TroubleError(Exception):
    """There is no answer this time; the message says why.

    `wait` is how many seconds the server asks to wait, `crowded` whether it has too much to do.
    """

    def __init__(self, reason: str, crowded: bool = False, wait: float | None = None) -> None:
        super().__init__(reason)
        self.crowded = crowded
        self.wait = wait


@dataclass(frozen=True)
class Reply:
    """An answer, with its numbers of tokens, and what it cost where the server tells (in the server's currency)."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None


class EndpointClient:
    """The endpoint that settings name. For several threads."""

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        # The runner tries again, and narrows the limiter then.
        self._client = openai.OpenAI(
            base_url=settings.base_url, api_key=settings.api_key, max_retries=0, timeout=settings.timeout
        )
        self.refused_arguments: set[str] = set()
        """Arguments that the model does not take: the length gets its new name, the temperature is left out."""

    def check(self) -> None:
        """Ask for the list of models. Raises ValueError where nobody answers, or the key is not taken.

        A server without such a list is no worse for it.
        """
        try:
            self._client.get("/models", cast_to=str)
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise ValueError(
                f"{self._settings.shown_url} does not take the key in {self._settings.api_key_env} "
                f"({self._said(error)})."
            ) from None
        except openai.APIStatusError:
            return
        except openai.APIConnectionError as error:
            said = self._said(error.__cause__ or error)
            raise ValueError(
                f"base_url={self._settings.shown_url} can not be reached ({said}); is the server running?"
            ) from error

    def close(self) -> None:
        """End all connections: requests that are open fail."""
        self._client.close()

    def content(self, payload: Payload, generation_kwargs: Mapping[str, Any]) -> ByteParts:
        """The whole request."""
        decoding = _decoding(generation_kwargs)
        if _LENGTH in self.refused_arguments:
            decoding[_NEW_LENGTH] = decoding.pop(_LENGTH)
        if _TEMPERATURE in self.refused_arguments:
            decoding.pop(_TEMPERATURE)
        fields = {"model": self._settings.model, **decoding, **payload.fields}
        return payload.within(b'{"messages": ', b", " + json.dumps(fields)[1:].encode())

    def ask(self, content: ByteParts, timeout: float) -> Reply:
        """The reply to a request. Raises TroubleError or RefusedError."""
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        try:
            text: str = self._client.post(
                "/chat/completions", cast_to=str, content=cast(Iterable[bytes], iter(content)),
                options={"timeout": timeout, "headers": headers},
            )  # fmt: skip
        except openai.APITimeoutError as error:
            raise TroubleError(f"no reply within {timeout:.0f} s", crowded=True) from error
        except openai.APIConnectionError as error:
            raise self._unconnected(error) from error
        except openai.APIStatusError as error:
            raise self._status(error) from None  # what it says may hold the key, and stands in the reason without it
        except openai.APIError as error:
            raise TroubleError(f"a reply that can not be read ({self._said(error)})") from error
        return reply_of(text)

    def _unconnected(self, error: openai.APIConnectionError) -> Exception:
        causes = list(_causes(error))
        said = self._said(causes[-1])
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            return RefusedError(f"the server can not prove who it is ({said})")
        return TroubleError(f"the connection failed ({type(causes[-1]).__name__}: {said})")

    def _status(self, error: openai.APIStatusError) -> Exception:
        status = error.status_code
        told = error.body if isinstance(error.body, dict) else {}
        reason = f"HTTP {status}: {self._said(told.get('message') or error)}"
        if error.code in _UNSUPPORTED and error.param in (_LENGTH, _TEMPERATURE):
            self._do_without(str(error.param))
            return TroubleError(reason)
        if error.code == _NEVER_BETTER or (status < 500 and status not in _BETTER_LATER):
            return RefusedError(reason)
        crowded = status in (*_BETTER_LATER, HTTPStatus.SERVICE_UNAVAILABLE)
        return TroubleError(reason, crowded, wait=_seconds(error.response.headers.get("retry-after")))

    def _do_without(self, argument: str) -> None:
        if argument in self.refused_arguments:
            return
        self.refused_arguments.add(argument)
        if argument == _TEMPERATURE:
            logger.warning("{} takes no temperature: it answers as it does, not greedily.", self._settings.model)

    def _said(self, error: object) -> str:
        """What an error says, on one line, without the key and not too long."""
        text = " ".join(str(error).split())
        if self._settings.api_key != NO_KEY:
            text = text.replace(self._settings.api_key, "…")
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def reply_of(text: str) -> Reply:
    """The reply that a text in JSON holds.

    Raises TroubleError for a text of another form, and RefusedError where the server withholds the answer.
    """
    try:
        told = json.loads(text)
        choice = told["choices"][0]
        content, reason = choice["message"]["content"], choice.get("finish_reason")
        usage = told.get("usage") or {}
        tokens = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        cost = None if usage.get("cost") is None else float(usage["cost"])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise TroubleError(f"a reply of another form ({type(error).__name__}: {error})") from error
    if reason == "content_filter":
        raise RefusedError("the server withholds the answer (content_filter)")
    if content is not None and not isinstance(content, str):
        raise TroubleError(f"a reply whose content is no text but {type(content).__name__}")
    return Reply(content or "", *tokens, cost)


def _decoding(generation_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """How to answer, in the words of the endpoint: as the local model does, greedily unless sampling is asked for."""
    given = generate_arguments(generation_kwargs)
    sampled = (
        {"temperature": given["temperature"], "top_p": given["top_p"]} if given["do_sample"] else {"temperature": 0}
    )
    stops = stops_of(generation_kwargs)
    fields = {"max_tokens": given["max_new_tokens"], **sampled, "stop": stops or None}
    return {name: value for name, value in fields.items() if value is not None}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _seconds(header: str | None) -> float | None:
    """For how many seconds a Retry-After asks; None where it tells none, or a date."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
