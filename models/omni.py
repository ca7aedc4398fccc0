"""`--model humansense_omni`: an omni model, loaded here, that sees and hears the media in the messages of a task."""

import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any

import torch
from loguru import logger

from .chat import ChatModel
from .inputs.senses import Senses
from .local.description import checkpoint_digest, description, identity
from .local.encoder import LocalEncoder, LocalReader
from .local.engine import Engine
from .local.loading import plan, refuse_missing_files
from .local.runner import LocalRunner
from .local.settings import LocalSettings, read_local_settings
from .media.digests import FileDigests, digests_folder
from .runtime.ledger import Ledger
from .runtime.request import Request, Response
from .runtime.signals import RunStopped, SigtermGuard
from .runtime.worker_pool import worker_count
from .vllm import description as vllm_description
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
        self._loaded: Engine | VllmEngine | None = None
        self._plan()
        self._own_system_prompt = self.system_prompt = self._reader.system_prompt
        self._effort: dict[str, Any] = {}
        self._files = FileDigests(digests_folder())
        self._identified: str | None = None
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
        """The checkpoint with engine=local. It is loaded when it is first needed. `clean` frees it until then.

        Raises:
            AttributeError: The model has another engine.
        """
        loaded = self._current()
        if not isinstance(loaded, Engine):
            raise AttributeError("A model with engine=vllm has its engine in the attribute vllm.")
        return loaded

    @property
    def vllm(self) -> VllmEngine:
        """The engine with engine=vllm. It is started when it is first needed. `clean` ends it until then.

        Raises:
            AttributeError: The model has another engine.
        """
        loaded = self._current()
        if not isinstance(loaded, VllmEngine):
            raise AttributeError("A model with engine=local has its checkpoint in the attribute engine.")
        return loaded

    @property
    def reader(self) -> LocalReader:
        """Reads the messages of requests."""
        return self._reader

    def _plan(self) -> None:
        """Find out how the checkpoint is loaded, and what results will say about it. Refuses what cannot be loaded."""
        settings = self.settings
        if isinstance(settings, VllmSettings):
            self.batch_size, self.known_arguments = 1, vllm_engine.KNOWN_ARGUMENTS
            self._loading = vllm_engine.plan(settings)
            self._make_encoder: Callable[[], LocalEncoder] = partial(VllmEncoder, settings, self._loading.model_type)
            self._reader = LocalReader(settings, self._loading.model_type)
            self._description = vllm_description.description(settings, self._loading, self._reader)
        else:
            self.batch_size = settings.batch_size
            self._loading = plan(settings)
            self._make_encoder = partial(LocalEncoder, settings, self._loading.model_type)
            self._reader = LocalReader(settings, self._loading.model_type)
            refuse_missing_files(settings.pretrained)
            self._description = description(settings, self._loading, self._reader)
        self._device = self._loading.device
        self._media_workers = worker_count(settings, self._device)

    def _current(self) -> Engine | VllmEngine:
        """The loaded checkpoint. The workers start before the weights, so that both load at the same time."""
        if self._loaded is None:
            self.start_workers(self._make_encoder, self._device)
            settings = self.settings
            if isinstance(settings, VllmSettings):
                engine = VllmEngine(settings, self._loading)
                self._close_engine = weakref.finalize(self, engine.close)  # by `clean`, or at the end of the program
                self._loaded = engine
            else:
                self._loaded = Engine(settings, self._loading)
        return self._loaded

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self._device

    def get_model_info(self) -> dict[str, Any]:
        """What the results depend on: checkpoint, versions, all settings, and what was done for each task."""
        return {
            **(self._description if self._loaded is None else self._loaded.info),
            "system_prompt": self.system_prompt,
            "media_workers": self._media_workers,
            "versions": {"lmms_eval": version("lmms_eval"), **self._description["versions"]},
            "time_axis_of_tasks": self.time_axes,
            "generation_of_tasks": self.generation_of_tasks,
            "effort": self._effort,
        }

    def identity(self) -> dict[str, Any]:
        """What answers to equal conversations depend on. The files of a checkpoint are read if they have changed."""
        if isinstance(self.settings, VllmSettings):
            found = vllm_description.identity(self.settings, self._description, self._files)
        else:
            found = identity(self._description, self._files)
        self._identified = found["checkpoint"]
        return found

    def respond(
        self, requests: Sequence[Request], ledger: Ledger, guard: SigtermGuard, on_response: Callable[[], Any]
    ) -> Iterator[Response]:
        """Answer requests in batches, as `ChatModel.respond` says. Without requests, nothing is loaded."""
        if not requests:
            self._runner = None
            self._effort = {"model_seconds": 0.0, "answers_of_earlier_runs": ledger.recalled}
            return
        runner = self._runner = self._started(ledger, guard)
        try:
            yield from runner.run(requests, on_response)
        finally:
            if isinstance(runner, VllmRunner):
                self._effort = {**asdict(runner.usage), "answers_of_earlier_runs": ledger.recalled}
            else:
                self._record_effort(runner, ledger)

    def _started(self, ledger: Ledger, guard: SigtermGuard) -> LocalRunner | VllmRunner:
        """Start the workers and load the checkpoint, if that is still to be done.

        Raises:
            SystemExit: The checkpoint cannot be loaded.
            Terminated: The process got SIGTERM.
            RunStopped: Its files are not those that the keys of answers name.
        """
        seed = torch.initial_seed()  # before the engine, which may set its own
        try:
            self.start_workers(self._make_encoder, self._device)
            with guard.waiting():  # also for vLLM's processes, whose answers never come if SIGTERM has ended them
                loaded = self._current()
        except ValueError as error:
            guard.check_late()  # they may have been ended by SIGTERM
            raise SystemExit(f"HumanSense: {error}") from error
        if self._is_another_checkpoint():
            raise RunStopped(
                f"The files of pretrained={self.settings.pretrained} were changed after the run began. The same "
                "command begins again with the new ones."
            )
        loaded.encoder.system_prompt = self._reader.system_prompt
        if isinstance(loaded, VllmEngine):
            return VllmRunner(loaded, self._workers, ledger, guard, seed)
        return LocalRunner(loaded, self._workers, ledger, guard)

    def _is_another_checkpoint(self) -> bool:
        """Whether the files of the checkpoint have changed since `identity` was called."""
        if self._identified is None or not os.path.isdir(self.settings.pretrained):
            return False
        return checkpoint_digest(self._description, self._files) != self._identified

    def find_senses(self) -> Senses:
        """Find out whether pictures and sounds have an effect on the model's answers."""
        return self._current().senses()

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
        self._loaded = self._runner = None
        super().clean()
