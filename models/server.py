"""`--model humansense_server`: a served model, asked through an OpenAI-compatible chat endpoint."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Any

import torch
from lmms_eval.models.model_utils import usage_metrics
from loguru import logger

from .caching.cache_key import digest_of, digest_of_code, frame_limits, versions_of
from .chat import ChatModel
from .endpoint.client import KNOWN_ARGUMENTS, EndpointClient
from .endpoint.encoder import EndpointEncoder
from .endpoint.kept_senses import keep_senses, read_senses
from .endpoint.runner import EndpointRunner
from .endpoint.senses import fault_of, find_senses, needed_media
from .endpoint.settings import EndpointSettings, read_endpoint_settings
from .inputs.senses import Senses
from .runtime.ledger import Ledger
from .runtime.pipeline import Pipeline
from .runtime.request import Request, Response
from .runtime.signals import SigtermGuard
from .runtime.worker_pool import worker_count

_LIBRARIES = ("openai", "av", "decord", "librosa", "soxr", "qwen-omni-utils", "torch", "torchvision", "pillow")
"""Libraries that requests depend on, besides the media."""

_REPORTED_DIFFERENTLY = ("base_url", "model", "system_prompt")
"""Settings whose values or names are others in `HumanSenseServer.get_model_info`."""

_IDENTIFYING = ("base_url", "model", "media", "frame_format")
"""Settings that an answer depends on, and that are not in the conversation."""


class HarnessSpending:
    """The token budget of lmms-eval's `--max_tokens`, and what lmms-eval writes under `usage` into the results.

    Args:
        model: The name of the model, for `usage`.
    """

    def __init__(self, model: str) -> None:
        self._model = model

    def limit(self) -> int | None:
        """The budget of this process; None if there is none."""
        # lmms-eval publishes it only after the first reply. Where it has another name, the run still stops at it.
        limit: int | None = getattr(usage_metrics, "_BUDGET", None)
        return limit

    def spent(self) -> int:
        """The tokens of all replies, with those of judges."""
        return int(usage_metrics.get_running_totals()["total_tokens"])

    def is_spent(self) -> bool:
        """Whether lmms-eval's own models would ask no more."""
        return bool(usage_metrics.is_budget_exceeded())

    def add(self, task: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Log the tokens of one reply.

        Args:
            task: The name of the task that was asked.
            prompt_tokens: Tokens of the prompt.
            completion_tokens: Tokens of the response, with those of reasoning, as servers count them.
        """
        usage_metrics.log_usage(self._model, task, prompt_tokens, completion_tokens)


class HumanSenseServer(ChatModel):
    """A served model behind lmms-eval's chat interface.

    Args:
        batch_size: None or 1. lmms-eval always passes it.
        device: Not used. lmms-eval always passes it.
        max_batch_size: Not used. lmms-eval always passes it.
        **arguments: The fields of `endpoint.settings.EndpointSettings`.

    Attributes:
        client: Sends requests to the server.

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
        self._vllm = self.client.vllm_server() if self.settings.media == "vllm" else None
        self._make_encoder = partial(EndpointEncoder, self.settings, self._vllm)
        self._encoder = self._make_encoder()
        self._own_system_prompt = self.system_prompt = self._encoder.system_prompt
        self._media_workers = worker_count(self.settings, None)
        self._device = torch.device("cpu")
        self._usage: dict[str, Any] = {}
        self._senses: Senses | None = None

    @property
    def reader(self) -> EndpointEncoder:
        """Reads messages, and makes payloads of conversations."""
        return self._encoder

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
            "vllm_server": None if self._vllm is None else self._vllm.info,
            "senses": self.settings.senses if self._senses is None else self._senses.info,
            "system_prompt": self.system_prompt,
            "media_workers": self._media_workers,
            "versions": {"lmms_eval": version("lmms_eval"), **versions_of(_LIBRARIES)},
            "time_axis_of_tasks": self.time_axes,
            "generation_of_tasks": self.generation_of_tasks,
            "refused_arguments": sorted(self.client.refused_arguments),
            "usage": self._usage,
        }

    def identity(self) -> dict[str, Any]:
        """What answers to equal conversations depend on: the names of server and model, and how media are sent."""
        return {
            **{name: value for name, value in asdict(self.settings).items() if name in _IDENTIFYING},
            "vllm_server": None if self._vllm is None else self._vllm.info,
            "versions": versions_of(_LIBRARIES),
            "code": digest_of_code("endpoint"),
            "frame_limits": frame_limits(),
        }

    def respond(
        self, requests: Sequence[Request], ledger: Ledger, guard: SigtermGuard, on_response: Callable[[], Any]
    ) -> Iterator[Response]:
        """Answer requests, several at once, as `ChatModel.respond` says."""
        if requests:
            self.start_workers(self._make_encoder, None)
        pipeline = Pipeline(self.reader, self._workers, ledger, self.settings)
        spending = HarnessSpending(self.settings.model)
        kept = self._kept_senses(ledger)
        if not requests and self._senses is None and kept is not None:
            self._senses = read_senses(kept)
        check = partial(self._check_senses, requests, kept)
        runner = EndpointRunner(self.client, self.settings, pipeline, ledger, guard, spending, before_asking=check)
        try:
            yield from runner.run(requests, on_response)
        finally:
            usage = {name: value for name, value in asdict(runner.usage).items() if value is not None}
            narrowest = runner.limiter.narrowest
            self._usage = {**usage, "narrowest_window": narrowest, "answers_of_earlier_runs": ledger.recalled}
            logger.info("{} replies, {} retries.", runner.usage.replies, runner.usage.retries)
            if runner.not_asked:
                logger.warning(
                    "{} of {} requests were not asked, because the token budget (--max_tokens) is spent. The results "
                    "are partial: these requests count as failed.",
                    runner.not_asked, len(requests),
                )  # fmt: skip

    def find_senses(self) -> Senses:
        """Find out whether pictures and sounds arrive at the served model.

        Returns:
            What was found.

        Raises:
            SystemExit: They do not arrive. The message says what to start the server with.
        """
        found = find_senses(self.client, self._encoder)
        assert found is not None, "no run has ended"
        if fault := fault_of(found, self.settings):
            raise SystemExit(f"HumanSense: {fault}")
        _warn_of_unknown(found)
        return found

    def _kept_senses(self, ledger: Ledger) -> Path | None:
        """The file in which a run finds what earlier ones found, if it has all their answers and asks nothing."""
        if ledger.folder is None or self.settings.senses != "check":
            return None
        return Path(ledger.folder) / f"senses-{digest_of(self.identity())[:16]}.json"

    def _check_senses(self, requests: Sequence[Request], kept: Path | None, ended: Event) -> None:
        """Find out what arrives at the model, before the first request is sent. Of several processes, the first asks.

        Raises:
            SystemExit: Something does not arrive that a request needs.
        """
        if self._senses is not None or self.settings.senses != "check" or self.rank != 0:
            return
        self._senses = found = find_senses(self.client, self._encoder, ended)
        if found is None:
            return
        _warn_of_unknown(found)
        if kept is not None:
            keep_senses(found, kept)
        if not found.faults:
            return
        wrong = needed_media(requests, self.reader, set(found.faults), ended)
        if fault := fault_of(found, self.settings, wrong):
            raise SystemExit(f"HumanSense: {fault}")
        logger.warning("{}. No question of this run needs them.", (fault_of(found, self.settings) or "").split("; ")[0])

    def _begin_again(self) -> None:
        super()._begin_again()
        self.client = EndpointClient(self.settings)

    def clean(self) -> None:
        """End the workers and all connections. The next requests start them again."""
        self.client.close()
        super().clean()


def _warn_of_unknown(found: Senses) -> None:
    if "unknown" in (found.sight, found.sound):
        logger.warning("Whether the model gets all pictures and sounds is not known: {}", found.because)
