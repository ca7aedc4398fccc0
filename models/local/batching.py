"""A batch of requests is put to a model, in smaller ones where it does not fit into memory. Knows no harness."""

from collections.abc import Sequence

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from loguru import logger

from ..runtime.ledger import Ledger
from ..runtime.request import EncodedRequest, EncodingResult, Response, failed
from .collation import EncodedPrompt, Padding
from .engine import Engine


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
            return failed(error), _is_lack_of_memory(error)
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
