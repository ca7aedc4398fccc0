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

    Raises:
        ValueError: An argument or the checkpoint cannot be used.
    """

    settings: LocalSettings | VllmSettings

    def __init__(
        self, pretrained: str = "", engine: str = "local", max_batch_size: int | None = None, **arguments: Any
    ) -> None:
        if engine not in ("local", "vllm"):
            raise ValueError(f"engine={engine}: humansense_omni knows the engines local and vllm.")
        read = read_vllm_settings if engine == "vllm" else read_local_settings
        super().__init__(read({"pretrained": pretrained, **arguments}))
        self._close_engine: Callable[[], Any] | None = None
        self._loaded: Engine | VllmEngine | None = self._load()
        self._own_system_prompt = self.system_prompt = self._loaded.encoder.system_prompt
        self._effort: dict[str, float] = {}
        self._runner: LocalRunner | VllmRunner | None = None

    @property
    def busy(self) -> float | None:
        """The share of this run in which the model worked, from 0 to 1; None before the first run."""
        runner = self._runner
        if isinstance(runner, VllmRunner):
            spent = runner.usage.busy + runner.usage.waiting
            return runner.usage.busy / spent if spent else 0.0
        return None if runner is None else runner.effort.busy

    @property
    def engine(self) -> Engine:
        """The checkpoint with engine=local. `clean` frees it, and it is loaded again when it is needed.

        Raises:
            AttributeError: The model has another engine.
        """
        loaded = self._current()
        if not isinstance(loaded, Engine):
            raise AttributeError("A model with engine=vllm has its engine in the attribute vllm.")
        return loaded

    @property
    def vllm(self) -> VllmEngine:
        """The engine with engine=vllm. `clean` ends it, and it is started again when it is needed.

        Raises:
            AttributeError: The model has another engine.
        """
        loaded = self._current()
        if not isinstance(loaded, VllmEngine):
            raise AttributeError("A model with engine=local has its checkpoint in the attribute engine.")
        return loaded

    @property
    def encoder(self) -> LocalEncoder:
        """Reads the messages of requests."""
        return self._current().encoder

    def _current(self) -> Engine | VllmEngine:
        if self._loaded is None:
            logger.info("Loading {} again, as it was freed at the end of a run.", self.settings.pretrained)
            self._loaded = self._load()
        return self._loaded

    def _load(self) -> Engine | VllmEngine:
        """Load the checkpoint. The workers start before the weights, so that both load at the same time."""
        settings = self.settings
        if isinstance(settings, VllmSettings):
            self.batch_size, self.known_arguments = 1, vllm_engine.KNOWN_ARGUMENTS
            loading = vllm_engine.plan(settings)
            self._make_encoder: Callable[[], LocalEncoder] = partial(VllmEncoder, settings, loading.model_type)
        else:
            self.batch_size = settings.batch_size
            loading = plan(settings)
            self._make_encoder = partial(LocalEncoder, settings, loading.model_type)
        self._device = loading.device
        self.start_workers(self._make_encoder, self._device)
        loaded: Engine | VllmEngine
        if isinstance(settings, VllmSettings):
            loaded = VllmEngine(settings, loading)
            self._close_engine = weakref.finalize(self, loaded.close)  # by `clean`, or at the end of the program
        else:
            loaded = Engine(settings, loading)
        self._engine_info = loaded.info
        return loaded

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
        return self._current().identity()

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
        self._runner = runner
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
        """Free the model's memory and end the workers. The next requests load the checkpoint again."""
        if self._close_engine is not None:
            self._close_engine()
        self._loaded = None
        super().clean()
