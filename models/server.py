"""`--model humansense_server`: a served model, asked through an OpenAI-compatible chat endpoint."""

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
"""Libraries that requests depend on, besides the media."""

_REPORTED_DIFFERENTLY = ("base_url", "model", "system_prompt")
"""Settings whose values or names are others in `HumanSenseServer.get_model_info`."""

_IDENTIFYING = ("base_url", "model", "media", "frame_format")
"""Settings that an answer depends on, and that are not in the conversation."""


class HumanSenseServer(ChatModel):
    """A served model behind lmms-eval's chat interface.

    Args:
        batch_size: None or 1. lmms-eval always passes it.
        device: Not used. lmms-eval always passes it.
        max_batch_size: Not used. lmms-eval always passes it.
        **arguments: The fields of `endpoint.settings.EndpointSettings`.

    Attributes:
        client: Sends requests to the server.
        encoder: Makes payloads of conversations.

    Raises:
        ValueError: An argument cannot be used, or no server replies.
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
                f"humansense_server makes no batches (batch_size={batch_size}): the server makes them from the "
                "requests that are open at once; set how many with concurrency=."
            )
        super().__init__(read_endpoint_settings(arguments))
        if self.settings.is_unprotected:
            url = self.settings.shown_url
            logger.warning("The connection to {} is not encrypted: others on the network can read what is sent.", url)
        self.client = EndpointClient(self.settings)
        self.client.check()
        self.encoder = EndpointEncoder(self.settings)
        self._make_encoder = partial(EndpointEncoder, self.settings)
        self.start_workers(self._make_encoder, None)
        self._device = torch.device("cpu")
        self._usage: dict[str, Any] = {}

    @property
    def device(self) -> torch.device:
        """The CPU. Only the server knows where the model runs."""
        return self._device

    def get_model_info(self) -> dict[str, Any]:
        """What the results depend on: the server, all settings, and the usage of the run. Never the API key."""
        return {
            **{name: value for name, value in asdict(self.settings).items() if name not in _REPORTED_DIFFERENTLY},
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
        """What answers to equal conversations depend on: the names of server and model, and how media are sent."""
        return {
            **{name: value for name, value in asdict(self.settings).items() if name in _IDENTIFYING},
            "versions": versions_of(_LIBRARIES),
            "code": digest_of_code("endpoint"),
            "frame_limits": frame_limits(),
        }

    def respond(
        self, requests: Sequence[Request], ledger: Ledger, guard: SigtermGuard, on_response: Callable[[], Any]
    ) -> Iterator[Response]:
        """Answer requests, several at once, as `ChatModel.respond` says."""
        self.start_workers(self._make_encoder, None)
        pipeline = Pipeline(self.encoder, self._workers, ledger, self.settings)
        runner = EndpointRunner(self.client, self.settings, pipeline, ledger, guard)
        try:
            yield from runner.run(requests, on_response)
        finally:
            usage = {name: value for name, value in asdict(runner.usage).items() if value is not None}
            narrowest = runner.limiter.narrowest
            self._usage = {**usage, "narrowest_window": narrowest, "answers_of_earlier_runs": ledger.recalled}
            logger.info("{} replies, {} retries.", runner.usage.replies, runner.usage.retries)

    def clean(self) -> None:
        """End the workers and all connections. The model answers no request after this."""
        self.client.close()
        super().clean()
