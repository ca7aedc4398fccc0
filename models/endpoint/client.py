"""The client of one OpenAI-compatible chat endpoint: sends a request, and returns a reply or raises an error."""

import json
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urljoin, urlsplit, urlunsplit

import openai
from loguru import logger

from ..inputs.generation import generate_arguments, stops_of
from ..inputs.omni_families import OMNI_FAMILIES
from .payload import ByteParts, Payload
from .reply import RefusedError, Reply, TroubleError, UnknownFormError, reply_of, text_of, trouble_of
from .retries import some_tries
from .settings import NO_KEY, EndpointSettings
from .vllm import VllmServer

KNOWN_ARGUMENTS = frozenset({"max_new_tokens", "until", "temperature", "top_p", "do_sample"})
"""The names of `generation_kwargs` that have an effect: those that every endpoint takes."""

_NO_QUOTA = "insufficient_quota"
"""The error code of OpenAI's endpoint for an empty account. It comes with the status for too many requests."""

_UNSUPPORTED = ("unsupported_parameter", "unsupported_value")
"""The error codes of OpenAI's endpoint for an argument that a model does not take."""

_LENGTH, _NEW_LENGTH, _TEMPERATURE = "max_tokens", "max_completion_tokens", "temperature"

_NO_SUCH_ADDRESS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
"""The status codes of a server that lacks an address, or keeps it to itself."""

_MOST_FORMS = 10
"""How many unknown forms of replies are named at most."""

_LONGEST_MESSAGE = 400
"""The largest number of characters of a server's error message in the reason of a failure."""


class EndpointClient:
    """The client of the endpoint that the settings name. Several threads may use it.

    Args:
        settings: The address, the model, the key and the time limit.

    Attributes:
        refused_arguments: Arguments that the model refused: "max_tokens", which is then sent under its new name, and
            "temperature", which is then left out.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        # No retries here: the runner retries, and then also lowers the limit of open requests.
        self._client = openai.OpenAI(
            base_url=settings.base_url, api_key=settings.api_key, max_retries=0, timeout=settings.timeout,
            # The parts of a body cannot be sent twice, and a key is for the address that was given.
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )  # fmt: skip
        self.refused_arguments: set[str] = set()
        self._naming = threading.Lock()
        self._named: set[str] = set()

    def check(self) -> None:
        """Request the list of models, to check the address and the key. A server without such a list passes.

        Raises:
            ValueError: No server answers, the server sends to another address, or does not accept the key.
        """
        try:
            self._client.get("/models", cast_to=str)
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise ValueError(
                f"{self._settings.shown_url} does not accept the key in the environment variable "
                f"{self._settings.api_key_env} ({self._message(error)})."
            ) from None
        except openai.APIStatusError as error:
            elsewhere = _location(error).removesuffix("/models")
            if elsewhere != _location(error):  # another form of its own address says nothing about /chat/completions
                raise ValueError(f"{self._sent_away(error)}; give base_url={elsewhere} instead.") from None
        except openai.APIConnectionError as error:
            message = self._message(error.__cause__ or error)
            raise ValueError(
                f"base_url={self._settings.shown_url} cannot be reached ({message}); is the server running?"
            ) from error

    def vllm_server(self) -> VllmServer:
        """Ask a vLLM server for its version and, unless the settings say it, for the family of its model.

        Raises:
            ValueError: The family cannot be found out, or is none whose media we know how to send, or the server fails.
        """
        root = self._settings.base_url.rstrip("/").removesuffix("/v1")
        said = self._asked("GET", f"{root}/version")
        version = said.get("version") if isinstance(said.get("version"), str) else None
        if self._settings.family is not None:
            return VllmServer(OMNI_FAMILIES[self._settings.family], version)
        for family in OMNI_FAMILIES.values():
            asked = {"model": self._settings.model, "prompt": "".join(family.marks), "add_special_tokens": False}
            if self._asked("POST", f"{root}/tokenize", asked).get("count") == len(family.marks):
                return VllmServer(family, version)
        known = " or ".join(f"family={name}" for name in OMNI_FAMILIES)
        raise ValueError(
            f"{self._settings.shown_url} does not say that model={self._settings.model} is a Qwen omni model (its "
            f"address /tokenize was asked): name it with {known}, or use media=frames for another model."
        )

    def _asked(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Return what a server says at an address besides those of OpenAI's API; nothing if it has no such address.

        Raises:
            ValueError: It says neither, after several tries.
        """

        def once() -> Any:
            try:
                if method == "GET":
                    return self._client.get(url, cast_to=object)
                return self._client.post(url, cast_to=object, body=body)
            except openai.APIStatusError as error:
                if error.status_code in _NO_SUCH_ADDRESS:
                    return None
                raise self._status(error) from None
            except openai.APIError as error:
                raise self._failure(error, self._settings.timeout) from error

        try:
            said = some_tries(once)
        except (TroubleError, RefusedError) as error:
            raise ValueError(
                f"{self._settings.shown_url} may be a vLLM server, but its address {urlsplit(url).path} cannot be "
                f"used ({error}), so it is not known how it takes media; try again, or use media=frames."
            ) from None
        return said if isinstance(said, dict) else {}

    def close(self) -> None:
        """Close all connections. Open requests fail."""
        self._client.close()

    def content(self, payload: Payload, generation_kwargs: Mapping[str, Any]) -> ByteParts:
        """Make the body of a request.

        Args:
            payload: The messages, and the fields that belong to their media.
            generation_kwargs: The arguments of generation, as a task gives them.

        Returns:
            The JSON text, in UTF-8.
        """
        decoding = _decoding(generation_kwargs)
        if _LENGTH in self.refused_arguments:
            decoding[_NEW_LENGTH] = decoding.pop(_LENGTH)
        if _TEMPERATURE in self.refused_arguments:
            decoding.pop(_TEMPERATURE)
        fields = {"model": self._settings.model, **decoding, **payload.fields}
        return payload.within(b'{"messages": ', b", " + json.dumps(fields)[1:].encode())

    def ask(self, content: ByteParts, timeout: float) -> Reply:
        """Send one request and wait for the reply.

        Args:
            content: The body of the request, which `content` made.
            timeout: Seconds to wait.

        Returns:
            The reply.

        Raises:
            TroubleError: There is no valid reply. Another try may succeed.
            RefusedError: The server will not answer this request.
        """
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        try:
            reply: bytes = self._client.post(
                "/chat/completions", cast_to=bytes, content=cast(Iterable[bytes], iter(content)),
                options={"timeout": timeout, "headers": headers},
            )  # fmt: skip
        except openai.APIStatusError as error:
            raise self._status(error) from None  # its text may contain the key, which the new message does not
        except openai.APIError as error:
            raise self._failure(error, timeout) from error
        except UnicodeError as error:  # the text of an error whose header names an odd encoding
            raise TroubleError(f"the reply cannot be read ({self._message(error)})", faulty=True) from error
        try:
            return reply_of(text_of(reply))
        except (TroubleError, RefusedError) as error:
            error.args = (self._message(error),)
            if isinstance(error, UnknownFormError):
                self._name_form(error)
            raise

    def _name_form(self, error: UnknownFormError) -> None:
        """Log a form of replies that is not known, when it comes first."""
        with self._naming:
            if error.kind in self._named or len(self._named) == _MOST_FORMS:
                return
            self._named.add(error.kind)
        logger.warning(
            "{} sent a reply that cannot be used: {}. It begins with: {}",
            self._settings.shown_url, error, self._message(error.excerpt) or "nothing",
        )  # fmt: skip

    def _failure(self, error: openai.APIError, timeout: float) -> Exception:
        """Make the error for a request that got no reply, or none that can be read."""
        if isinstance(error, openai.APITimeoutError):
            return TroubleError(f"no reply within {timeout:.0f} s", crowded=True)
        if isinstance(error, openai.APIConnectionError):
            return self._connection_failure(error)
        return TroubleError(f"the reply cannot be read ({self._message(error)})")

    def _connection_failure(self, error: openai.APIConnectionError) -> Exception:
        causes = list(_causes(error))
        message = self._message(causes[-1])
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            return RefusedError(f"the server's certificate is not valid ({message})")
        return TroubleError(f"the connection failed ({type(causes[-1]).__name__}: {message})")

    def _status(self, error: openai.APIStatusError) -> Exception:
        status = error.status_code
        if 300 <= status < 400:
            return RefusedError(f"{self._sent_away(error)}; give base_url= the address of the server itself")
        body = error.body if isinstance(error.body, dict) else {}
        reason = f"HTTP {status}: {self._message(body.get('message') or error)}"
        if error.code in _UNSUPPORTED and error.param in (_LENGTH, _TEMPERATURE):
            self._note_refusal(str(error.param))
            return TroubleError(reason)
        if error.code == _NO_QUOTA:
            return RefusedError(reason)
        return trouble_of(status, reason, _seconds(error.response.headers.get("retry-after")))

    def _sent_away(self, error: openai.APIStatusError) -> str:
        where = self._message(_location(error) or "no address")
        return f"base_url={self._settings.shown_url} sends to another address (HTTP {error.status_code}: {where})"

    def _note_refusal(self, argument: str) -> None:
        if argument in self.refused_arguments:
            return
        self.refused_arguments.add(argument)
        if argument == _TEMPERATURE:
            logger.warning("{} accepts no temperature, so its answers are not greedy.", self._settings.model)

    def _message(self, error: object) -> str:
        """Return the message of an error on one line, shortened and without the key."""
        text = " ".join(str(error).split())
        if self._settings.api_key != NO_KEY:
            text = text.replace(self._settings.api_key, "…")
        return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


def _decoding(generation_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Make the endpoint's fields for decoding: as for the local model, greedy unless `do_sample` is set."""
    given = generate_arguments(generation_kwargs)
    sampled = (
        {"temperature": given["temperature"], "top_p": given["top_p"]} if given["do_sample"] else {"temperature": 0}
    )
    stops = stops_of(generation_kwargs)
    fields = {"max_tokens": given["max_new_tokens"], **sampled, "stop": stops or None}
    return {name: value for name, value in fields.items() if value is not None}


def _location(error: openai.APIStatusError) -> str:
    """The address to which a server sends, without user name, password and query; empty if there is none."""
    location = str(error.response.headers.get("location") or "") if 300 <= error.status_code < 400 else ""
    parts = urlsplit(urljoin(str(error.request.url), location) if location else "")
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and the chain of its causes."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _seconds(header: str | None) -> float | None:
    """Read the seconds of a Retry-After header; None if there is no header or it is a date."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
