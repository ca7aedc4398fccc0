"""A request on its way to its response: records that are written once and then only read.

lmms-eval's request becomes a `Request` (in `chat`), an encoder makes an `EncodingResult` of its conversation, the
pipeline an `EncodedRequest`, and whoever asks the model makes the `Response`. Knows no harness.
"""

import traceback
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from loguru import logger

from ..inputs.conversation import Conversation
from ..inputs.stats import MediaStats

NOTHING_SHOWN = MediaStats()
"""What was shown of a request that failed before its media were decoded."""


class Encoded(Protocol):
    """A prompt as a model takes it: `local.collation.EncodedPrompt` or `endpoint.payload.Payload`."""

    @property
    def pieces(self) -> Sequence[torch.Tensor | bytes]:
        """The parts that take memory. Several prompts may share one."""

    @property
    def tokens(self) -> int:
        """How long the prompt is; 0 where only the server knows."""


@dataclass(frozen=True)
class EncodingResult:
    """What became of one conversation: what the model takes, or a reason (and a traceback) why there is nothing."""

    encoded: Encoded | None = None
    stats: MediaStats = NOTHING_SHOWN
    remarks: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    trace: str = ""


def error_result(error: BaseException, stats: MediaStats = NOTHING_SHOWN) -> EncodingResult:
    """The result for a conversation that ended in an error."""
    trace = "".join(traceback.format_exception(error))
    return EncodingResult(stats=stats, reason=f"{type(error).__name__}: {error}", trace=trace)


class PromptTooLongError(ValueError):
    """A prompt does not fit into the model's context. The message names how many tokens it has."""


class RequestEncoder(Protocol):
    """Turns messages into what a model takes: `local.encoder.LocalEncoder`, `endpoint.encoder.EndpointEncoder`."""

    def read(self, messages: Sequence[Mapping[str, Any]]) -> Conversation:
        """The conversation of raw messages. Raises ValueError for those that cannot be read or shown."""

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        """What the model takes for each conversation; media that several are about are decoded once."""


def bytes_of(results: Sequence[Encoded]) -> int:
    """How many bytes of memory encoded prompts take; pieces that several of them share count once."""
    pieces = {id(piece): piece for encoded in results for piece in encoded.pieces}
    return sum(len(piece) if isinstance(piece, bytes) else piece.nbytes for piece in pieces.values())


@dataclass(frozen=True, eq=False)
class Request:
    """One question to a model.

    `messages` makes its raw messages, and may take long, as it fetches media. `clip` is equal for requests about the
    same clip, None where that is not known.
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
    """What became of a request: `text` is the model's, or None where `error` says why there is none.

    `stats` and `remarks` say what the model was shown, `media` are the paths of it. `key` is equal for requests that
    have the same answer; None where this answer cannot be recalled later (no cache, sampling, unknown content).
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


@dataclass(frozen=True, eq=False)
class EncodedRequest:
    """A request as the model takes it; `stats`, `remarks`, `media` and `key` are those of `Response`."""

    request: Request
    encoded: Encoded
    stats: MediaStats = NOTHING_SHOWN
    remarks: tuple[tuple[str, str], ...] = ()
    media: tuple[str, ...] = ()
    key: str | None = None

    def answered(self, text: str, output_tokens: int, input_tokens: int | None = None) -> Response:
        """The response with this text; the prompt has `input_tokens` where only the model knows how many."""
        return Response(
            self.request,
            text,
            self.encoded.tokens if input_tokens is None else input_tokens,
            output_tokens,
            self.stats,
            self.remarks,
            self.media,
            self.key,
        )

    def failed(self, result: EncodingResult) -> Response:
        """The response for a request that ended in an error."""
        return failed_response(self.request, replace(result, stats=self.stats), self.media)


def failed_response(request: Request, result: EncodingResult, media: tuple[str, ...]) -> Response:
    """The response for a request that ended in an error, whose traceback is logged."""
    logger.debug("{} failed\n{}", request, result.trace)
    return Response(request, stats=result.stats, media=media, error=result.reason)


def in_order(
    requests: Sequence[Request], responses: Iterable[Response], on_response: Callable[[], Any] = lambda: None
) -> Iterator[Response]:
    """Yield the response to every request, in order, once it and those before it are there.

    `responses` come in any order; `on_response` is called for each, as soon as it comes.
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
