"""This package as a way to ask a checkpoint: with and without a store of clips, and its model alone."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from bench_systems import GENERATION, SENSES, System, request

from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.models.omni import HumanSenseOmni
from lmms_humansense.tasks.humansense import utils

_READY = 10
"""Inputs that `ModelAlone` has ready; each is 40 MB for a clip of 24 frames."""


class ThisPackage(System):
    """`humansense_omni` with its default settings, except for the device and the store of clips.

    Args:
        omni: The model.
        name: The name of the row.
    """

    def __init__(self, omni: HumanSenseOmni, name: str = "humansense_omni") -> None:
        self.omni, self.name = omni, name
        super().__init__(self.omni.engine.family.model)

    def answer(self, docs: Any, numbers: Sequence[int], each: Callable[[], None] = lambda: None) -> list[str]:
        """See `System`; `each` is called with every response."""
        self.omni.task_dict = {"task": {"test": docs}}
        requests: list[Any] = []
        for number in numbers:
            arguments = ("", lambda doc: utils.doc_to_messages(doc, SENSES), dict(GENERATION), number, "task", "test")
            requests.append(request(arguments, number))
        responses = []
        for result in self.omni.generate_until(requests):
            responses.append(result.text)
            each()
        if self.omni.failures:
            raise SystemExit(f"{len(self.omni.failures)} requests failed: {self.omni.failures[0]}")
        return responses


class Filling(ThisPackage):
    """The same, which begins each round with an empty store of clips. The digests of the clips are known."""

    def prepare(self, docs: Any, numbers: Sequence[int]) -> None:
        """Empty the store."""
        folder = self.omni.settings.media_cache_folder
        assert folder is not None
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()


class ModelAlone(System):
    """The model of this package on inputs that are ready in memory.

    Args:
        ours: The package with its model.
        name: The name of the row.
        threads: Threads of the model on a CPU; None for all cores.
    """

    def __init__(self, ours: ThisPackage, name: str, threads: int | None = None) -> None:
        self.name, self._threads = name, threads
        self._engine = ours.omni.engine
        self._ready: list[EncodedPrompt] = []
        super().__init__(self._engine.family.model)

    def prepare(self, docs: Any, numbers: Sequence[int]) -> None:
        """Encode the first docs, with what the store of clips has."""
        encoder = self._engine.encoder
        self._ready = []
        for number in numbers[:_READY]:
            (result,) = encoder.encode([encoder.read(utils.doc_to_messages(docs[number], SENSES))])
            assert isinstance(result.encoded, EncodedPrompt), result.reason
            self._ready.append(result.encoded)

    def answer(self, docs: Any, numbers: Sequence[int]) -> list[str]:
        """See `System`. Later docs get the inputs of the first ones again."""
        ready, self._ready = self._ready, []  # freed after the round
        prompts = [ready[place % len(ready)] for place in range(len(numbers))]
        before = torch.get_num_threads()
        torch.set_num_threads(self._threads or before)
        try:
            return [self._engine.respond([prompt], dict(GENERATION))[0].text for prompt in prompts]
        finally:
            torch.set_num_threads(before)


def this_package(checkpoint: Path, device: str, **settings: Any) -> ThisPackage:
    """This package without a store of clips, or with other settings."""
    return ThisPackage(HumanSenseOmni(str(checkpoint), device=device, **settings))
