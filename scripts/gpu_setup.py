"""What the parts of the GPU check share: the model, the questions, and the measurements of the card."""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bench_sized import make_sized
from bench_usage import repeating

from lmms_humansense.demo.tiny_model import write_tiny_model
from lmms_humansense.models.inputs.generation import generate_arguments
from lmms_humansense.models.local.collation import IDS, EncodedPrompt
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.runtime.request import Request
from lmms_humansense.tasks import humansense_sample
from lmms_humansense.tasks.humansense import data, handover, messages, wrappers
from lmms_humansense.tasks.humansense.data import LocatedDoc
from lmms_humansense.tasks.humansense.taxonomy import BY_CODE
from lmms_humansense.tasks.humansense.variants import BENCHMARK

Row = dict[str, Any]
"""One row of a part's table: a figure or a word by heading."""

Findings = Iterator[Row | str]
"""The results of a part: rows of its table, and sentences."""

GB = 1e9


class NotRunError(Exception):
    """A part cannot run; the message says what it lacks."""


class FailedError(Exception):
    """A part found an error; the message describes it."""


@dataclass(frozen=True)
class Bench:
    """The place of a part: the GPU with a model in the 7B's size, or (`small`) the CPU with a tiny model."""

    small: bool
    folder: Path

    @property
    def device(self) -> str:
        """The device's name in torch."""
        return "cpu" if self.small else "cuda"

    def checkpoint(self) -> Path:
        """The checkpoint; on a GPU, its model has the size of the 7B from then on."""
        folder = write_tiny_model(self.folder / "checkpoint")
        if not self.small:
            make_sized(folder)
        return folder

    def engine(self, **settings: Any) -> Engine:
        """The loaded model: float32 on the CPU, bfloat16 on a GPU."""
        return Engine(read_local_settings({"pretrained": str(self.checkpoint()), "device": self.device, **settings}))


def questions(most: int | None = None) -> list[LocatedDoc]:
    """The docs of the embedded sample, or `most` of them from all tasks."""
    root = str(Path(str(humansense_sample.__file__)).parent)
    docs = [doc for code in BY_CODE for doc in data.load(code, root, complete=False)]
    return docs[:: max(1, len(docs) // most)][:most] if most else docs


def messages_of(doc: LocatedDoc) -> list[dict[str, Any]]:
    """The messages for a model that sees and hears, as of `utils.doc_to_messages`, but without `datasets`."""
    plan = wrappers.plan("humansense_omni", "chat", BY_CODE[doc["code"]], BENCHMARK, "humansense_sample")
    video, sound = handover.media(data.local_media(doc), plan)
    return messages.build(doc, video, sound, BENCHMARK.prompt(doc))


def requests_of(docs: Sequence[LocatedDoc], count: int, generation_kwargs: dict[str, Any]) -> list[Request]:
    """Make `count` requests by repeating the docs; each repetition has other clips, by name."""
    requests = []
    for number in range(count):
        doc = docs[number % len(docs)]
        clip = (doc["media"], number // len(docs))
        requests.append(Request(doc["code"], number, generation_kwargs, partial(messages_of, doc), clip))
    return requests


def encoded(engine: Engine, docs: Sequence[LocatedDoc]) -> list[EncodedPrompt]:
    """The prompts of the docs."""
    prompts = []
    for result in engine.encoder.encode([engine.encoder.read(messages_of(doc)) for doc in docs]):
        assert isinstance(result.encoded, EncodedPrompt), result.reason
        prompts.append(engine.fitting(result.encoded))
    return prompts


def generated(engine: Engine, samples: Sequence[EncodedPrompt], tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Generate greedily, like `Engine.respond`, which returns only texts; a random model's texts are mostly empty.

    Args:
        engine: The loaded model.
        samples: The prompts of one batch.
        tokens: The number of new tokens of each response.

    Returns:
        The new token ids (samples, tokens), and the logits of the first one (samples, vocabulary), float32.
    """
    family = engine.family
    batch = family._batch(samples)
    with torch.inference_mode():
        found = family.model.generate(
            **batch,
            **family.generation_extras(any(sample.has_heard_video for sample in samples)),
            **generate_arguments({"max_new_tokens": tokens, "min_new_tokens": tokens}),
            eos_token_id=family._ends,
            pad_token_id=family.processor.tokenizer.pad_token_id,
            output_logits=True,
            return_dict_in_generate=True,
        )
    return found.sequences[:, batch[IDS].shape[1] :].cpu(), found.logits[0].float().cpu()


@contextmanager
def utilization() -> Iterator[list[float]]:
    """Measures the use of the card during the block, from 0 to 1, ten times a second; an empty list if unknown."""
    seen: list[float] = []
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
        card = nvml.nvmlDeviceGetHandleByIndex(0)
        nvml.nvmlDeviceGetUtilizationRates(card)
    except Exception:  # no package, no driver, or no such figure
        yield seen
        return
    with repeating(lambda: seen.append(nvml.nvmlDeviceGetUtilizationRates(card).gpu / 100), 0.1):
        yield seen


def mean(values: Sequence[float]) -> float | None:
    """The mean of the values; None if there are none."""
    return sum(values) / len(values) if values else None


def synchronize() -> None:
    """Wait until the card has finished its work, if there is a card."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def restart_peak() -> None:
    """Release the free memory of the card, and reset its peak."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gb() -> float | None:
    """The peak of the card's memory for tensors since `restart_peak`, in GB; None without a card."""
    return torch.cuda.max_memory_allocated() / GB if torch.cuda.is_available() else None


def is_out_of_memory(error: Exception) -> bool:
    """Whether the error means that there is too little memory."""
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error)
