"""`--model humansense_omni`: an omni model that sees and hears what the messages of a task hold."""

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

    The arguments are the fields of `local.settings.LocalSettings`, which says what they mean; `max_batch_size` is there
    because lmms-eval passes it on, and is not used. Raises ValueError for arguments or checkpoints that cannot be used.
    """

    settings: LocalSettings

    def __init__(self, pretrained: str = "", max_batch_size: int | None = None, **arguments: Any) -> None:
        super().__init__(read_local_settings({"pretrained": pretrained, **arguments}))
        self.batch_size = self.settings.batch_size
        loading = plan(self.settings)
        self._make_encoder = partial(LocalEncoder, self.settings, loading.model_type)
        self._device = loading.device
        self.start_workers(self._make_encoder, self._device)  # before the weights, so that both load at the same time
        self.engine = Engine(self.settings, loading)
        self._model_info = {
            **self.engine.info,
            "media_workers": self._media_workers,
            "versions": {"lmms_eval": version("lmms_eval"), **self.engine.info["versions"]},
        }
        self._effort: dict[str, float] = {}

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._device

    def get_model_info(self) -> dict[str, Any]:
        """What the results depend on: checkpoint, versions, every setting, and the time axis that each task got."""
        return {**self._model_info, "time_axis_of_tasks": self.time_axes, "effort": self._effort}

    def identity(self) -> dict[str, Any]:
        """What tells this model's answers from those of others; see `Engine.identity`."""
        logger.info("The checkpoint is read once more, to tell its answers from those of others.")
        return self.engine.identity()

    def respond(
        self, requests: Sequence[Request], ledger: Ledger, guard: SigtermGuard, on_response: Callable[[], Any]
    ) -> Iterator[Response]:
        """See `ChatModel.respond`."""
        self.start_workers(self._make_encoder, self._device)
        runner = LocalRunner(self.engine, self._workers, ledger, guard)
        try:
            yield from runner.run(requests, on_response)
        finally:
            self._note_effort(runner, ledger)

    def _note_effort(self, runner: LocalRunner, ledger: Ledger) -> None:
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
        """Free the model's memory and end the workers. The model answers no request after this."""
        del self.engine
        super().clean()
