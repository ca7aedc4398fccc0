"""Which prompts share a batch, and how a batch is put to a model: in smaller ones where it does not fit into memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from loguru import logger

from ..runtime.ledger import Ledger
from ..runtime.request import EncodedRequest, EncodingResult, Response, error_result
from .collation import EncodedPrompt
from .engine import Engine


def pick_batch(samples: Sequence[EncodedPrompt], size: int) -> list[int]:
    """The numbers, ascending, of those samples that make the next batch: the first, and up to `size` in all.

    It is joined by those whose prompts are nearest to its own in length, so that little is padded. Whether videos are
    heard is said once for a whole batch, so those with and those without sound exclude each other; neither minds
    samples without a video.
    """
    batch = [0]
    for number in sorted(range(1, len(samples)), key=lambda number: abs(samples[number].tokens - samples[0].tokens)):
        together = [samples[other] for other in (*batch, number)]
        mixed = any(sample.heard for sample in together) and any(sample.silent for sample in together)
        if len(batch) < size and not mixed:
            batch.append(number)
    return sorted(batch)


@dataclass
class Padding:
    """How much of what a model was given fills up short prompts."""

    batches: int = 0
    tokens: int = 0
    filled: int = 0

    def count(self, samples: Sequence[EncodedPrompt]) -> None:
        """Count one batch."""
        self.batches += 1
        self.tokens += sum(sample.tokens for sample in samples)
        self.filled += max(sample.tokens for sample in samples) * len(samples)

    @property
    def share(self) -> float:
        """The share of padding, from 0 to 1."""
        return 1 - self.tokens / self.filled if self.filled else 0.0


class BatchRunner:
    """Puts batches to an engine and tells a ledger what came of it.

    `size` is how many requests the next batch may have: what the settings say, until that is too much for the memory.
    """

    def __init__(self, engine: Engine, ledger: Ledger, padding: Padding) -> None:
        self._engine = engine
        self._ledger = ledger
        self._padding = padding
        self.size = engine.settings.batch_size

    def ask(self, requests: Sequence[EncodedRequest]) -> list[Response]:
        """The response to every request, or a reason for having none, whatever goes wrong with the others.

        A batch that does not fit into memory is split until it does; the largest number that was answered at once is
        `size` from then on. Should a batch fail otherwise, its requests are asked one by one.
        """
        responses, largest = self._ask(requests)
        if largest < len(requests) > 1:
            self.size = max(1, largest)
            logger.warning("{} requests do not fit into memory; {} at once from now on.", len(requests), self.size)
        return responses

    def _ask(self, requests: Sequence[EncodedRequest]) -> tuple[list[Response], int]:
        """As `ask`; also how many fit into memory at once."""
        answered, too_large = self._tried(requests)
        if isinstance(answered, list):
            return answered, len(requests)
        # The error is gone by now, and with it the tensors that its traceback held.
        if too_large:
            clear_device_cache(garbage_collection=True)
            if len(requests) > 1:
                middle = (len(requests) + 1) // 2
                first, second = self._ask(requests[:middle]), self._ask(requests[middle:])
                return first[0] + second[0], max(first[1], second[1])
            answered, _ = self._tried(requests)
            if isinstance(answered, list):
                return answered, 1
        if len(requests) > 1:
            logger.warning(
                "A batch of {} failed ({}); its samples are asked one by one.", len(requests), answered.reason
            )
            return [response for request in requests for response in self._ask([request])[0]], len(requests)
        response = requests[0].failed(answered)
        self._ledger.failed(response)
        return [response], 0 if too_large else 1

    def _tried(self, requests: Sequence[EncodedRequest]) -> tuple[list[Response] | EncodingResult, bool]:
        """The responses, or why the batch could not be answered, and whether memory was short."""
        prompts = [prompt_of(request) for request in requests]
        try:
            said = self._engine.respond(prompts, requests[0].request.generation_kwargs)
        except Exception as error:  # whatever transformers and torch raise is counted, never scored as an answer
            return error_result(error), _is_lack_of_memory(error)
        self._padding.count(prompts)
        responses = [request.answered(text, tokens) for request, (text, tokens) in zip(requests, said, strict=True)]
        for response in responses:
            self._ledger.keep(response)
        return responses, False


def _is_lack_of_memory(error: Exception) -> bool:
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "out of memory" in str(error) or should_reduce_batch_size(error)


def prompt_of(request: EncodedRequest) -> EncodedPrompt:
    """The model's inputs for a request."""
    assert isinstance(request.encoded, EncodedPrompt), f"{request.request} was encoded for another model"
    return request.encoded
