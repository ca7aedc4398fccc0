"""A batch of samples is put to a model, in smaller ones where it does not fit into memory. Knows no harness."""

from collections.abc import Sequence

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from loguru import logger

from .batches import Encoded, Padding
from .encoder import Outcome, failed
from .engine import Engine
from .samples import Ledger, Sample


class Asking:
    """Puts batches to an engine and tells a ledger what came of it.

    `size` is how many samples the next batch may have: what the settings say, until that is too much for the memory.
    """

    def __init__(self, engine: Engine, ledger: Ledger, padding: Padding) -> None:
        self._engine = engine
        self._ledger = ledger
        self._padding = padding
        self.size = engine.settings.batch_size

    def ask(self, samples: Sequence[Sample]) -> None:
        """Give every sample its response, or a reason for having none, whatever goes wrong with the others.

        A batch that does not fit into memory is split until it does; the largest number that was answered at once is
        `size` from then on. Should a batch fail otherwise, its samples are asked one by one.
        """
        largest = self._ask(samples)
        if largest < len(samples) > 1:
            self.size = max(1, largest)
            logger.warning("{} requests do not fit into memory; {} at once from now on.", len(samples), self.size)

    def _ask(self, samples: Sequence[Sample]) -> int:
        """As `ask`; return how many fit into memory at once."""
        error, too_large = self._tried(samples)
        if error is None:
            return len(samples)
        # The error is gone by now, and with it the tensors that its traceback held.
        if too_large:
            clear_device_cache(garbage_collection=True)
            if len(samples) > 1:
                middle = (len(samples) + 1) // 2
                return max(self._ask(samples[:middle]), self._ask(samples[middle:]))
            error, _ = self._tried(samples)
            if error is None:
                return 1
        if len(samples) > 1:
            logger.warning("A batch of {} failed ({}); its samples are asked one by one.", len(samples), error.reason)
            for sample in samples:
                self._ask([sample])
            return len(samples)
        samples[0].fail(error)
        self._ledger.failed(samples[0])
        return 0 if too_large else 1

    def _tried(self, samples: Sequence[Sample]) -> tuple[Outcome | None, bool]:
        """Why the batch could not be answered, and whether memory was short."""
        encoded = [encoded_of(sample) for sample in samples]
        try:
            said = self._engine.respond(encoded, samples[0].generation_kwargs)
        except Exception as error:  # whatever transformers and torch raise is counted, never scored as an answer
            return failed(error), _is_lack_of_memory(error)
        self._padding.count(encoded)
        for sample, response in zip(samples, said, strict=True):
            sample.response = response
            self._ledger.keep(sample)
        return None, False


def _is_lack_of_memory(error: Exception) -> bool:
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "out of memory" in str(error) or should_reduce_batch_size(error)


def encoded_of(sample: Sample) -> Encoded:
    """The model's inputs for a sample that was prepared."""
    assert isinstance(sample.encoded, Encoded), f"{sample} was not prepared"
    return sample.encoded
