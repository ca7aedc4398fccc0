"""Chooses the prompts of a batch, and gives batches to a model. A batch that does not fit into memory is split."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from loguru import logger

from ..runtime.ledger import Ledger
from ..runtime.request import EncodedRequest, EncodingResult, Response, error_result
from .collation import EncodedPrompt
from .engine import Engine


def pick_batch(prompts: Sequence[EncodedPrompt], size: int) -> list[int]:
    """Choose the prompts of the next batch: the first one, and those whose lengths are nearest to its length.

    Prompts of similar length need little padding. A model takes one value of `use_audio_in_video` for a whole batch, so
    prompts with heard videos and prompts with silent videos do not share one. Prompts without videos go with both.

    Args:
        prompts: The prompts to choose from, at least one.
        size: The largest number of prompts in the batch.

    Returns:
        The indices of the chosen prompts, ascending.
    """
    batch = [0]
    for index in sorted(range(1, len(prompts)), key=lambda index: abs(prompts[index].tokens - prompts[0].tokens)):
        together = [prompts[other] for other in (*batch, index)]
        heard = any(prompt.has_heard_video for prompt in together)
        silent = any(prompt.has_silent_video for prompt in together)
        if len(batch) < size and not (heard and silent):
            batch.append(index)
    return sorted(batch)


@dataclass
class Padding:
    """Counts how much of the input of a model is padding.

    Attributes:
        batches: Number of batches.
        tokens: Number of tokens of the prompts, without padding.
        filled: Number of tokens of the batches, with padding.
    """

    batches: int = 0
    tokens: int = 0
    filled: int = 0

    def count(self, prompts: Sequence[EncodedPrompt]) -> None:
        """Count one batch."""
        self.batches += 1
        self.tokens += sum(prompt.tokens for prompt in prompts)
        self.filled += max(prompt.tokens for prompt in prompts) * len(prompts)

    @property
    def share(self) -> float:
        """The share of padding, from 0 to 1."""
        return 1 - self.tokens / self.filled if self.filled else 0.0


class BatchRunner:
    """Gives batches to an engine, and reports answers and failures to a ledger.

    Args:
        engine: The loaded checkpoint.
        ledger: Keeps answers and counts failures.
        padding: Counts the padding of the batches that are answered.

    Attributes:
        size: How many requests the next batch may have: the `batch_size` of the settings, or less if that many did not
            fit into memory.
    """

    def __init__(self, engine: Engine, ledger: Ledger, padding: Padding) -> None:
        self._engine = engine
        self._ledger = ledger
        self._padding = padding
        self.size = engine.settings.batch_size

    def ask(self, requests: Sequence[EncodedRequest]) -> list[Response]:
        """Answer the requests of one batch. A request that fails does not affect the others.

        A batch that does not fit into memory is split until its parts fit. `size` is then the largest number of
        requests that were answered together. If a batch fails for another reason, its requests are answered one by one.

        Args:
            requests: The requests, whose prompts may share a batch (see `pick_batch`).

        Returns:
            A response to each request, in the same order: an answer or the reason of the failure.

        Raises:
            RunStopped: The ledger ended the run.
        """
        responses, largest = self._ask(requests)
        if largest < len(requests) > 1:
            self.size = max(1, largest)
            logger.warning(
                "A batch of {} does not fit into memory; later ones have at most {}.", len(requests), self.size
            )
        return responses

    def _ask(self, requests: Sequence[EncodedRequest]) -> tuple[list[Response], int]:
        """Do what `ask` does. Returns also how many requests fit into memory together."""
        result, is_out_of_memory = self._try(requests)
        if isinstance(result, list):
            return result, len(requests)
        # The exception no longer exists here, and so the tensors that its traceback held are free.
        if is_out_of_memory:
            clear_device_cache(garbage_collection=True)
            if len(requests) > 1:
                middle = (len(requests) + 1) // 2
                first, second = self._ask(requests[:middle]), self._ask(requests[middle:])
                return first[0] + second[0], max(first[1], second[1])
            result, _ = self._try(requests)
            if isinstance(result, list):
                return result, 1
        if len(requests) > 1:
            logger.warning(
                "A batch of {} failed ({}); its requests are answered one by one.", len(requests), result.reason
            )
            return [response for request in requests for response in self._ask([request])[0]], len(requests)
        response = requests[0].failed(result)
        self._ledger.failed(response)
        return [response], 0 if is_out_of_memory else 1

    def _try(self, requests: Sequence[EncodedRequest]) -> tuple[list[Response] | EncodingResult, bool]:
        """Answer a batch once. Returns the responses or the error, and whether there was too little memory."""
        prompts = [prompt_of(request) for request in requests]
        try:
            answers = self._engine.respond(prompts, requests[0].request.generation_kwargs)
        except Exception as error:  # any error of transformers and torch is counted, and never scored as an answer
            return error_result(error), _is_out_of_memory(error)
        self._padding.count(prompts)
        responses = [request.answered(*answer) for request, answer in zip(requests, answers, strict=True)]
        for response in responses:
            self._ledger.keep(response)
        return responses, False


def _is_out_of_memory(error: Exception) -> bool:
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "out of memory" in str(error) or should_reduce_batch_size(error)


def prompt_of(request: EncodedRequest) -> EncodedPrompt:
    """Return the encoded prompt of a request. The request has to be encoded for a local model."""
    assert isinstance(request.encoded, EncodedPrompt), f"{request.request} was encoded for another model"
    return request.encoded
