"""Reads the replies of OpenAI-compatible servers in all forms that are known, and says what is wrong with others.

The forms are those that the servers' documentation names. They were tried on a stand-in only, not on these servers.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

RETRIED = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
"""The status codes below 500 after which a request is tried again."""

CROWDED = (*RETRIED, HTTPStatus.SERVICE_UNAVAILABLE)
"""The status codes of a server that has too much to do."""

_AWAY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
"""The status codes with which a proxy says that the server behind it is not there, for example while it starts."""

_TRUNCATED = {"length", "max_tokens", "max_output_tokens", "model_length"}
"""The values of `finish_reason` that say that a response reached its limit: of OpenAI, Anthropic, Gemini, Mistral."""

_COMPLETE = {"stop", "stop_sequence", "eos", "eos_token", "end_turn", "tool_calls", "function_call"}
"""The values of `finish_reason` that say that a response ended by itself."""

_BROKEN_OFF = {"abort", "error"}
"""The values of `finish_reason` that say that the server gave up (vLLM and SGLang; OpenRouter)."""

_TEXTS = ("text", "output_text")
_THOUGHTS = ("thinking", "reasoning", "reasoning_text")
"""The types of the parts of a content that hold the response, and of those that hold the reasoning."""

_EXCERPT = 200
"""The largest number of characters of a reply of unknown form that messages show."""


class RefusedError(Exception):
    """The server will not answer this request, however often it is tried. The message says why."""


class OnlyReasoningError(RefusedError):
    """The model thought, and then ended without an answer.

    Attributes:
        reasoning: What the model thought.
        prompt_tokens: Number of tokens of the prompt; 0 if the server does not report it.
    """

    def __init__(self, reasoning: str, prompt_tokens: int = 0) -> None:
        super().__init__("only reasoning, no answer; does the server's reasoning parser fit the model?")
        self.reasoning = reasoning
        self.prompt_tokens = prompt_tokens


class TroubleError(Exception):
    """This try failed, and another one may succeed. The message says why.

    Attributes:
        crowded: Whether the server has too much to do.
        wait: Seconds that the server asks the client to wait; None if it does not ask.
        faulty: Whether the server is there and has time, but does not do what it is asked.
    """

    def __init__(self, reason: str, crowded: bool = False, wait: float | None = None, faulty: bool = False) -> None:
        super().__init__(reason)
        self.crowded = crowded
        self.wait = wait
        self.faulty = faulty

    @property
    def kind(self) -> str:
        """The message without its numbers: equal for errors with one cause."""
        return re.sub(r"\d[\d.,]*", "#", str(self))


class UnknownFormError(TroubleError):
    """A reply has a form that is not known.

    Attributes:
        excerpt: The beginning of the reply.
    """

    def __init__(self, what: str, reply: str) -> None:
        super().__init__(f"the reply has an unexpected form: {what}", faulty=True)
        self.excerpt = " ".join(reply[: 2 * _EXCERPT].split())[:_EXCERPT]


@dataclass(frozen=True)
class Reply:
    """A server's reply to one request.

    Attributes:
        text: The text of the response.
        prompt_tokens: Number of tokens of the prompt; 0 if the server does not report it.
        completion_tokens: Number of tokens of the response; 0 if the server does not report it.
        cost: What the response cost, in the server's currency; None if the server does not report it.
        truncated: Whether the response reached its limit; None if the server does not say how it ended.
        reasoning: What the model thought, if the server sends it beside the response.
    """

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    truncated: bool | None = None
    reasoning: str = ""


def text_of(content: bytes) -> str:
    """Decode the body of a reply, which is JSON and so in UTF-8 (or 16 or 32), whatever its header says.

    Args:
        content: The body.

    Returns:
        The text. Bytes that are no text become lone surrogates, which are replaced and remarked on in a response.
    """
    encoding = json.detect_encoding(content)
    return content.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")


def reply_of(text: str) -> Reply:
    """Parse the body of a reply.

    Args:
        text: A chat completion of OpenAI's API, as JSON text.

    Returns:
        The reply.

    Raises:
        TroubleError: The server reports an error, or broke the response off.
        UnknownFormError: The text is not JSON, or has no known form.
        RefusedError: The server withholds the answer, or the model gave none.
    """
    reply = _parsed(text)
    if reply.get("error") and not reply.get("choices"):
        raise _reported(reply["error"])
    choice = _first_choice(reply, text)
    message, reason = choice["message"], choice.get("finish_reason")
    reason = reason.lower() if isinstance(reason, str) else ""
    if reason == "content_filter":
        raise RefusedError("the server withholds the answer (content_filter)")
    if reason in _BROKEN_OFF:
        raise TroubleError(f"the server broke the response off (finish_reason {reason})", faulty=True)
    response, thought = _response_and_thought(message.get("content"), text)
    thought = thought or _thought(message.get("reasoning_content") or message.get("reasoning"))
    if not response.strip() and isinstance(message.get("refusal"), str):
        response = message["refusal"]
    if not (response or thought or "content" in message):
        raise UnknownFormError(f"its message has no content (its fields: {_fields(message)})", text)
    truncated = True if reason in _TRUNCATED else False if reason in _COMPLETE else None
    usage = _usage(reply.get("usage"))
    if thought.strip() and not response.strip() and not truncated:
        raise OnlyReasoningError(thought, usage[0])
    return Reply(response, *usage, truncated, thought)


def trouble_of(status: int, reason: str, wait: float | None = None) -> Exception:
    """Make the error for a status code.

    Args:
        status: The status code of HTTP.
        reason: What the server says.
        wait: Seconds that the server asks the client to wait.

    Returns:
        The error: a `TroubleError` if another try may succeed.
    """
    if status < 500 and status not in RETRIED:
        return RefusedError(reason)
    return TroubleError(reason, status in CROWDED, wait, faulty=status >= 500 and status not in _AWAY)


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of nested arrays
        raise UnknownFormError("it is not JSON", text) from error
    if not isinstance(reply, dict):
        raise UnknownFormError(f"it is {_named(reply)} and not an object", text)
    return reply


def _first_choice(reply: Mapping[str, Any], text: str) -> Mapping[str, Any]:
    """The first choice, with its message."""
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices:
        what = "no choices" if not choices else f"choices that are {_named(choices)}"
        raise UnknownFormError(f"it has {what} (its fields: {_fields(reply)})", text)
    choice = choices[0]
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        what = f"fields: {_fields(choice)}" if isinstance(choice, dict) else _named(choice)
        raise UnknownFormError(f"its first choice has no message ({what})", text)
    return choice


def _response_and_thought(content: Any, reply: str) -> tuple[str, str]:
    """The texts of a content: a text, nothing, or a list of parts."""
    if content is None:
        return "", ""
    if isinstance(content, str):
        return content, ""
    if not isinstance(content, list):
        raise UnknownFormError(f"its content is {_named(content)} and neither a text nor a list of parts", reply)
    responses, thoughts = [], []
    for part in content:
        kind = part.get("type", "text") if isinstance(part, dict) else "text"
        value = part.get("refusal" if kind == "refusal" else "text") if isinstance(part, dict) else part
        if kind in ("refusal", *_TEXTS) and isinstance(value, str):
            responses.append(value)
        elif kind in _THOUGHTS:
            thoughts.append(_thought(part.get(kind) or part.get("text") or part.get("summary")))
        else:
            what = f"of type {str(kind)[:40]}" if isinstance(part, dict) else _named(part)
            raise UnknownFormError(f"its content has a part without a text ({what})", reply)
    return "".join(responses), "".join(thoughts)


def _thought(value: Any) -> str:
    """Reasoning as a text: a text, or a list of parts. It is logged and not scored, so every form is taken."""
    parts = value if isinstance(value, list) else [value]
    texts = [part["text"] if isinstance(part, dict) and "text" in part else part for part in parts]
    return "".join(_as_text(text) for text in texts if text is not None)


def _reported(error: Any) -> Exception:
    """The error that a server reports in place of choices, with the status code for success."""
    message = error.get("message") if isinstance(error, dict) else error
    reason = f"the server reports an error: {_short(message or error)}"
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600:
        return trouble_of(code, reason)
    return TroubleError(reason, faulty=True)


def _usage(usage: Any) -> tuple[int, int, float | None]:
    """Tokens and cost, as far as the server reports them in numbers. Odd ones do not cost the answer."""
    if not isinstance(usage, dict):
        return 0, 0, None
    prompt, completion, cost = (_number(usage.get(name)) for name in ("prompt_tokens", "completion_tokens", "cost"))
    return int(prompt or 0), int(completion or 0), cost


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LARGEST:
        return None  # NaN is not in any range
    return float(value) if math.isfinite(value) else None


_LARGEST = 1e15
"""Numbers in `usage` must be smaller."""


def _named(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null", bool: "true or false"}
    return names.get(type(value), "a number")


def _fields(value: Mapping[str, Any]) -> str:
    return _short(", ".join(sorted(value)) or "none")


def _short(value: Any) -> str:
    text = " ".join(_as_text(value).split())
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"


def _as_text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else json.dumps(value)
    except RecursionError:  # nested almost too deeply to be read
        return _named(value)
