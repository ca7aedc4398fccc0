"""`--model humansense_omni`: an omni model, loaded here, that sees and hears the media in the messages of a task."""

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
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
from .vllm import engine as vllm_engine
from .vllm.encoder import VllmEncoder
from .vllm.engine import VllmEngine
from .vllm.runner import VllmRunner
from .vllm.settings import VllmSettings, read_vllm_settings


class HumanSenseOmni(ChatModel):
    """An omni checkpoint behind lmms-eval's chat interface.

    Args:
        pretrained: A folder or a Hub name.
        engine: What runs the checkpoint: "local" (transformers) or "vllm".
        max_batch_size: Not used. lmms-eval always passes it.
        **arguments: The other fields of `local.settings.LocalSettings`; with engine=vllm those of
            `vllm.settings.VllmSettings`, and arguments of vLLM's engine.

    Attributes:
        batch_size: Requests per call of the model; 1 if the engine makes its own batches.
        engine: The loaded checkpoint with engine=local; deleted by `clean`.
        vllm: The engine with engine=vllm; deleted by `clean`.

    Raises:
        ValueError: An argument or the checkpoint cannot be used.
    """

    settings: LocalSettings | VllmSettings
    engine: Engine
    vllm: VllmEngine

    def __init__(
        self, pretrained: str = "", engine: str = "local", max_batch_size: int | None = None, **arguments: Any
    ) -> None:
        if engine not in ("local", "vllm"):
            raise ValueError(f"engine={engine}: humansense_omni knows the engines local and vllm.")
        read = read_vllm_settings if engine == "vllm" else read_local_settings
        super().__init__(read({"pretrained": pretrained, **arguments}))
        if isinstance(self.settings, VllmSettings):
            self._start_vllm(self.settings)
        else:
            self._load(self.settings)
        info = self._loaded.info
        self._model_info = {
            **info,
            "media_workers": self._media_workers,
            "versions": {"lmms_eval": version("lmms_eval"), **info["versions"]},
        }
        self._effort: dict[str, float] = {}

    def _load(self, settings: LocalSettings) -> None:
        self.batch_size = settings.batch_size
        loading = plan(settings)
        self._make_encoder: Callable[[], LocalEncoder] = partial(LocalEncoder, settings, loading.model_type)
        self._device = loading.device
        self.start_workers(self._make_encoder, self._device)  # before the weights, so that both load at the same time
        self.engine = Engine(settings, loading)

    def _start_vllm(self, settings: VllmSettings) -> None:
        self.batch_size = 1
        self.known_arguments = vllm_engine.KNOWN_ARGUMENTS
        loading = vllm_engine.plan(settings)
        self._make_encoder = partial(VllmEncoder, settings, loading.model_type)
        self._device = loading.device
        self.start_workers(self._make_encoder, self._device)
        self.vllm = VllmEngine(settings, loading)
        weakref.finalize(self, self.vllm.close)  # also at the end of the program

    @property
    def _loaded(self) -> Engine | VllmEngine:
        return self.vllm if isinstance(self.settings, VllmSettings) else self.engine

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self._device

    def get_model_info(self) -> dict[str, Any]:
        """What the results depend on: checkpoint, versions, all settings, and the time axis of each task."""
        return {**self._model_info, "time_axis_of_tasks": self.time_axes, "effort": self._effort}

    def identity(self) -> dict[str, Any]:
        """What answers to equal conversations depend on; see `Engine.identity`."""
        logger.info("Reading the checkpoint once more, to compute its digest for the response cache.")
        return self._loaded.identity()

    def respond(
        self, requests: Sequence[Request], ledger: Ledger, guard: SigtermGuard, on_response: Callable[[], Any]
    ) -> Iterator[Response]:
        """Answer requests in batches, as `ChatModel.respond` says."""
        self.start_workers(self._make_encoder, self._device)
        runner: LocalRunner | VllmRunner
        if isinstance(self.settings, VllmSettings):
            runner = VllmRunner(self.vllm, self._workers, ledger, guard)
        else:
            runner = LocalRunner(self.engine, self._workers, ledger, guard)
        try:
            yield from runner.run(requests, on_response)
        finally:
            if isinstance(runner, VllmRunner):
                self._effort = {**asdict(runner.usage), "answers_of_earlier_runs": ledger.recalled}
            else:
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
        """Free the model's memory and end the workers. The model answers no request after this."""
        if isinstance(self.settings, VllmSettings):
            self.vllm.close()
            del self.vllm
        else:
            del self.engine
        super().clean()
