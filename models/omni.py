"""`--model humansense_omni`: an omni model, loaded here, that sees and hears the media in the messages of a task."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import torch
from loguru import logger

from .chat import ChatModel
from .local.encoder import LocalEncoder
from .local.engine import Engine
from .local.loading import plan
from .local.runner import LocalRunner
from .local.settings import LocalSettings, read_local_settings
from .runtime.ledger import Ledger
from .runtime.request import Request, Response
from .runtime.signals import SigtermGuard


class HumanSenseOmni(ChatModel):
    """An omni checkpoint behind lmms-eval's chat interface.

    Args:
        pretrained: A folder or a Hub name.
        max_batch_size: Not used. lmms-eval always passes it.
        **arguments: The other fields of `local.settings.LocalSettings`.

    Attributes:
        batch_size: Requests per call of the model.

    Raises:
        ValueError: An argument or the checkpoint cannot be used.
    """

    settings: LocalSettings

    def __init__(self, pretrained: str = "", max_batch_size: int | None = None, **arguments: Any) -> None:
        super().__init__(read_local_settings({"pretrained": pretrained, **arguments}))
        self.batch_size = self.settings.batch_size
        loading = plan(self.settings)
        self._make_encoder = partial(LocalEncoder, self.settings, loading.model_type)
        self._device = loading.device
        self.start_workers(self._make_encoder, self._device)  # before the weights, so that both load at the same time
        self._engine: Engine | None = Engine(self.settings, loading)
        self._own_system_prompt = self.system_prompt = self._engine.encoder.system_prompt
        self._effort: dict[str, float] = {}
        self._engine_info = self._engine.info

    @property
    def engine(self) -> Engine:
        """The loaded checkpoint. `clean` frees it, and it is loaded again when it is needed."""
        if self._engine is None:
            logger.info("Loading {} again, as it was freed at the end of a run.", self.settings.pretrained)
            self.start_workers(self._make_encoder, self._device)
            self._engine = Engine(self.settings)
            self._engine_info = self._engine.info
        return self._engine

    @property
    def encoder(self) -> LocalEncoder:
        """Reads the messages of requests."""
        return self.engine.encoder

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self._device

    def get_model_info(self) -> dict[str, Any]:
        """What the results depend on: checkpoint, versions, all settings, and what was done for each task."""
        return {
            **self._engine_info,
            "system_prompt": self.system_prompt,
            "media_workers": self._media_workers,
            "versions": {"lmms_eval": version("lmms_eval"), **self._engine_info["versions"]},
            "time_axis_of_tasks": self.time_axes,
            "generation_of_tasks": self.generation_of_tasks,
            "effort": self._effort,
        }

    def identity(self) -> dict[str, Any]:
        """What answers to equal conversations depend on; see `Engine.identity`."""
        logger.info("Reading the checkpoint once more, to compute its digest for the response cache.")
        return self.engine.identity()

    def respond(
        self, requests: Sequence[Request], ledger: Ledger, guard: SigtermGuard, on_response: Callable[[], Any]
    ) -> Iterator[Response]:
        """Answer requests in batches, as `ChatModel.respond` says."""
        self.start_workers(self._make_encoder, self._device)
        runner = LocalRunner(self.engine, self._workers, ledger, guard)
        try:
            yield from runner.run(requests, on_response)
        finally:
            self._record_effort(runner, ledger)

    def _record_effort(self, runner: LocalRunner, ledger: Ledger) -> None:
        effort = runner.effort
        self._effort = {
            "model_seconds": round(effort.model, 3),
            "seconds_waited_for_media": round(effort.waiting, 3),
            "batches": effort.padding.batches,
            "batch_size": runner.batch_size,
            "padding": round(effort.padding.share, 4),
            "answers_of_earlier_runs": ledger.recalled,
        }
        logger.info("The model worked {:.0%} of the time, and waited for media the rest.", effort.busy)
        padding = effort.padding
        logger.info("{:.1%} of the prompt tokens of {} batches were padding.", padding.share, padding.batches)

    def clean(self) -> None:
        """Free the model's memory and end the workers. The next requests load the checkpoint again."""
        self._engine = None
        super().clean()
