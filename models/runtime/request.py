"""The steps from a request to its response: immutable records.

`chat` makes a `Request` of lmms-eval's request, an encoder makes an `EncodingResult` of its conversation, the pipeline
makes an `EncodedRequest`, and the runner makes the `Response`. Does not depend on lmms-eval.
"""

import traceback
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from loguru import logger

from ..inputs.conversation import Conversation
from ..inputs.stats import MediaStats
from .text import REPLACED, storable

NOTHING_SHOWN = MediaStats()
"""The stats of a request that failed before its media were decoded."""


class Encoded(Protocol):
    """A prompt in the form that a model takes: `local.collation.EncodedPrompt` or `endpoint.payload.Payload`."""

    @property
    def pieces(self) -> Sequence[torch.Tensor | bytes]:
        """The parts that take memory. Several prompts may share one."""

    @property
    def tokens(self) -> int:
        """How many tokens the prompt has; 0 if only the server knows."""


@dataclass(frozen=True)
class EncodingResult:
    """The outcome of encoding one conversation.

    Attributes:
        encoded: The prompt for the model; None if encoding failed.
        stats: How much of its media the prompt shows.
        remarks: Pairs of a remark and the file that it is about.
        reason: The type and the message of the error if encoding failed.
        trace: The traceback of that error.
    """

    encoded: Encoded | None = None
    stats: MediaStats = NOTHING_SHOWN
    remarks: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    trace: str = ""


def error_result(error: BaseException, stats: MediaStats = NOTHING_SHOWN) -> EncodingResult:
    """Make the result for a conversation that ended in an error.

    Args:
        error: The error.
        stats: How much was shown before the error.

    Returns:
        A result without a prompt, with the reason and the traceback.
    """
    trace = "".join(traceback.format_exception(error))
    return EncodingResult(stats=stats, reason=storable(f"{type(error).__name__}: {error}"), trace=storable(trace))


class PromptTooLongError(ValueError):
    """A prompt does not fit into the model's context. The message says how many tokens it has."""


class RequestEncoder(Protocol):
    """Turns messages into prompts: `local.encoder.LocalEncoder`, `endpoint.encoder.EndpointEncoder`."""

    def read(self, messages: Sequence[Mapping[str, Any]]) -> Conversation:
        """Read raw messages into a conversation.

        Raises:
            ValueError: The messages cannot be read or shown.
        """

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        """The result for each conversation, in order. Media that several of them share are decoded once."""


def bytes_of(results: Sequence[Encoded]) -> int:
    """How many bytes of memory encoded prompts take. Pieces that several of them share count once."""
    pieces = {id(piece): piece for encoded in results for piece in encoded.pieces}
    return sum(len(piece) if isinstance(piece, bytes) else piece.nbytes for piece in pieces.values())


@dataclass(frozen=True, eq=False)
class Request:
    """One question to a model.

    Attributes:
        task: The name of the task.
        doc_id: The number of the doc in its task.
        generation_kwargs: lmms-eval's arguments for generation.
        messages: Makes the raw messages. It may take long, because it fetches media.
        clip: Equal for requests about the same clip; None if the clip is not known.
    """

    task: str
    doc_id: int
    generation_kwargs: Mapping[str, Any]
    messages: Callable[[], Sequence[Mapping[str, Any]]]
    clip: Hashable | None = None

    def __str__(self) -> str:
        return f"{self.task} doc {self.doc_id}"


@dataclass(frozen=True, eq=False)
class Response:
    """The outcome of a request: the text of the model, or the reason of the failure.

    Attributes:
        request: The request.
        text: The text of the model; None if the request failed.
        input_tokens: Tokens of the prompt.
        output_tokens: Generated tokens.
        stats: How much of its media the model was shown.
        remarks: Pairs of a remark and the file (or the request) that it is about.
        media: Paths of the media.
        key: Equal for requests that have the same answer; None if the answer cannot be reused later (no cache,
            sampling, unknown content).
        error: Why the request failed; empty if it did not.
        truncated: Whether the text was cut off at the limit of its length; None if the model does not say.
        reasoning: What the model thought, if a server sends it beside the text.
    """

    request: Request
    text: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    stats: MediaStats = NOTHING_SHOWN
    remarks: tuple[tuple[str, str], ...] = ()
    media: tuple[str, ...] = ()
    key: str | None = None
    error: str = ""
    truncated: bool | None = None
    reasoning: str = ""


@dataclass(frozen=True, eq=False)
class EncodedRequest:
    """A request with its prompt. `stats`, `remarks`, `media` and `key` mean the same as in `Response`."""

    request: Request
    encoded: Encoded
    stats: MediaStats = NOTHING_SHOWN
    remarks: tuple[tuple[str, str], ...] = ()
    media: tuple[str, ...] = ()
    key: str | None = None

    def answered(
        self,
        text: str,
        output_tokens: int,
        truncated: bool | None,
        input_tokens: int | None = None,
        reasoning: str = "",
    ) -> Response:
        """Make the response to this request.

        Args:
            text: The text of the model.
            output_tokens: Generated tokens.
            truncated: Whether the text was cut off at the limit of its length; None if the model does not say.
            input_tokens: Tokens of the prompt, as a server counts them; None means the count of the prompt itself.
            reasoning: What the model thought, if a server sends it beside the text.

        Returns:
            The response.
        """
        told = storable(text)
        remarks = self.remarks if told == text else (*self.remarks, (REPLACED, str(self.request)))
        return Response(
            self.request,
            told,
            self.encoded.tokens if input_tokens is None else input_tokens,
            output_tokens,
            self.stats,
            tuple((storable(remark), storable(subject)) for remark, subject in remarks),
            self.media,
            self.key,
            truncated=truncated,
            reasoning=storable(reasoning),
        )

    def failed(self, result: EncodingResult) -> Response:
        """Make the response for this request, which ended in the error of `result`."""
        return failed_response(self.request, replace(result, stats=self.stats), self.media)


def failed_response(request: Request, result: EncodingResult, media: tuple[str, ...]) -> Response:
    """Make the response for a request that ended in an error, and log the traceback.

    Args:
        request: The request.
        result: The error; see `error_result`.
        media: Paths of the media, as far as they are known.

    Returns:
        A response without text.
    """
    logger.debug("{} failed\n{}", request, result.trace)
    return Response(request, stats=result.stats, media=media, error=result.reason)


def in_order(
    requests: Sequence[Request], responses: Iterable[Response], on_response: Callable[[], Any] = lambda: None
) -> Iterator[Response]:
    """Sort responses into the order of their requests.

    Args:
        requests: All requests, in the wanted order.
        responses: The responses, in any order.
        on_response: Called for each response as soon as it comes.

    Yields:
        The response to every request, in order, as soon as it and all before it are there.
    """
    early: dict[Request, Response] = {}
    following = iter(requests)
    wanted = next(following, None)
    for response in responses:
        on_response()
        early[response.request] = response
        while wanted is not None and wanted in early:
            yield early.pop(wanted)
            wanted = next(following, None)
