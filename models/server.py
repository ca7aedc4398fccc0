"""`--model humansense_server`: the same questions to a model behind an OpenAI-compatible chat endpoint."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any

import torch
from loguru import logger

from .caching.cache_key import digest_of_code, frame_limits, versions_of
from .chat import ChatModel
from .endpoint.client import KNOWN_ARGUMENTS, EndpointClient
from .endpoint.encoder import EndpointEncoder
from .endpoint.runner import EndpointRunner
from .endpoint.settings import EndpointSettings, read_endpoint_settings
from .runtime.ledger import Ledger
from .runtime.pipeline import Pipeline
from .runtime.request import Request, Response
from .runtime.signals import SigtermGuard

_LIBRARIES = ("openai", "av", "decord", "librosa", "soxr", "qwen-omni-utils", "torch", "torchvision", "pillow")
"""What is sent depends on these, besides the media."""

_NAMED_OTHERWISE = ("base_url", "model", "system_prompt")


class HumanSenseServer(ChatModel):
    """A served model behind lmms-eval's chat interface.

    The arguments are the fields of `endpoint.settings.EndpointSettings`, which says what they mean; `device`,
    `max_batch_size` and `batch_size` are there because lmms-eval passes them on. Raises ValueError for arguments that
    can not be used, and where no server answers.
    """

    settings: EndpointSettings
    known_arguments = KNOWN_ARGUMENTS

    def __init__(
        self,
        batch_size: int | str | None = None,
        device: str | None = None,
        max_batch_size: int | None = None,
        **arguments: Any,
    ) -> None:
        if str(batch_size or 1) != "1":
            raise ValueError(
                f"humansense_server makes no batches (batch_size={batch_size}): the server does, of the "
                "concurrency= requests that are open at once."
            )
        super().__init__(read_endpoint_settings(arguments))
        if self.settings.is_unprotected:
            logger.warning("{} is not encrypted: all on the way can read what is sent.", self.settings.shown_url)
        self.client = EndpointClient(self.settings)
        self.client.check()
        self.encoder = EndpointEncoder(self.settings)
        self._make_encoder = partial(EndpointEncoder, self.settings)
        self.start_workers(self._make_encoder, None)
        self._device = torch.device("cpu")
        self._usage: dict[str, Any] = {}

    @property
    def device(self) -> torch.device:
        """The CPU; where the model runs, only the server knows."""
        return self._device

    def get_model_info(self) -> dict[str, Any]:
        """What the results depend on: the server, every setting, and what the run used. Never a key."""
        return {
            **{name: value for name, value in asdict(self.settings).items() if name not in _NAMED_OTHERWISE},
            "pretrained": self.settings.model,
            "base_url": self.settings.shown_url,
            "system_prompt": self.encoder.system_prompt,
            "media_workers": self._media_workers,
            "versions": {"lmms_eval": version("lmms_eval"), **versions_of(_LIBRARIES)},
            "time_axis_of_tasks": self.time_axes,
            "refused_arguments": sorted(self.client.refused_arguments),
            "usage": self._usage,
        }

    def identity(self) -> dict[str, Any]:
        """What responses to equal conversations depend on: the server and model by name, and how things are shown."""
        told = ("base_url", "model", "media", "frame_format")
        return {
            **{name: value for name, value in asdict(self.settings).items() if name in told},
            "versions": versions_of(_LIBRARIES),
            "code": digest_of_code("endpoint"),
            "frame_limits": frame_limits(),
        }

    def respond(
        self, requests: Sequence[Request], ledger: Ledger, guard: SigtermGuard, on_response: Callable[[], Any]
    ) -> Iterator[Response]:
        """See `ChatModel.respond`."""
        self.start_workers(self._make_encoder, None)
        pipeline = Pipeline(self.encoder, self._workers, ledger, self.settings)
        runner = EndpointRunner(self.client, self.settings, pipeline, ledger, guard)
        try:
            yield from runner.run(requests, on_response)
        finally:
            usage = {name: value for name, value in asdict(runner.usage).items() if value is not None}
            narrowest = runner.limiter.narrowest
            self._usage = {**usage, "narrowest_window": narrowest, "answers_of_earlier_runs": ledger.recalled}
            logger.info("{} replies, {} tries again.", runner.usage.replies, runner.usage.retries)

    def clean(self) -> None:
        """End the workers and all connections. The model answers no request after this."""
        self.client.close()
        super().clean()
