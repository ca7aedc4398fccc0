"""Batches in, responses out: a loaded checkpoint of any family, and what its answers depend on. Knows no harness."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..caching.cache_key import digest_of_code, digest_of_folder, frame_limits, versions_of
from ..inputs.generation import cut_at, generate_arguments, stops_of
from ..runtime.request import PromptTooLongError
from .collation import EncodedPrompt
from .encoder import LocalEncoder
from .families import modules_of_others
from .loading import Loading, checkpoint_identity, plan
from .settings import LocalSettings

_LIBRARIES = ("transformers", "torch", "torchvision", "accelerate", "av", "decord", "librosa", "soxr",
              "qwen-omni-utils")  # fmt: skip
"""What responses depend on besides the checkpoint."""


class Engine:
    """A loaded checkpoint and how it is shown things."""

    def __init__(self, settings: LocalSettings, loading: Loading | None = None) -> None:
        """Load the checkpoint that the settings name, as `loading` plans it.

        Raises ValueError, in one sentence that names the argument, where that is not possible.
        """
        loading = loading or plan(settings)
        self.settings = settings
        self.device = loading.device
        self.encoder = LocalEncoder(settings, loading.model_type)
        self.family = self.encoder.family
        self.family.load_model(loading)
        self.info = self._info(loading, checkpoint_identity(loading))

    def fitting(self, sample: EncodedPrompt) -> EncodedPrompt:
        """The prompt, as it is. Raises PromptTooLongError where it exceeds the model's context."""
        if sample.tokens > self.family.context:
            raise PromptTooLongError(
                f"The prompt has {sample.tokens:,} tokens and the model's context holds {self.family.context:,}; "
                "fewer or smaller frames (nframes=, max_pixels=) make it shorter."
            )
        return sample

    def respond(self, samples: Sequence[EncodedPrompt], generation_kwargs: Mapping[str, Any]) -> list[tuple[str, int]]:
        """The response to each sample of one batch, up to its stop string, and how many tokens were generated.

        The samples have to be such that may share a batch (see `collation.pick_batch`).
        """
        if len(samples) > 1 and (generation_kwargs.get("repetition_penalty") or 1.0) != 1.0:
            # Up to transformers 5.10 it is laid on what fills up short prompts, too, and that token may end a response.
            return [one for sample in samples for one in self.respond([sample], generation_kwargs)]
        stops = stops_of(generation_kwargs)
        with torch.inference_mode():
            said = self.family.generate(samples, generate_arguments(generation_kwargs), stops)
        return [(cut_at(text, stops), tokens) for text, tokens in said]

    def identity(self) -> dict[str, Any]:
        """What responses to equal conversations depend on, as JSON can hold it. Reads a checkpoint in a folder once."""
        folder = Path(self.settings.pretrained)
        checkpoint = digest_of_folder(folder) if folder.is_dir() else self.info["checkpoint"].get("revision")
        told = ("model_type", "dtype", "attn_implementation", "quantization", "versions")
        return {
            **{name: self.info[name] for name in told},
            # Where it can not be told which one it is, every run has its own.
            "checkpoint": checkpoint or uuid.uuid4().hex,
            "code": digest_of_code("local", left_out=modules_of_others(self.family)),
            "frame_limits": frame_limits(),
        }

    def _info(self, loading: Loading, identity: dict[str, str]) -> dict[str, Any]:
        """What a result depends on, as JSON can hold it."""
        config = self.family.model.config
        return {
            **asdict(self.settings),
            "model_type": loading.model_type,
            "random_weights": bool(loading.config.get("random_weights")),
            "checkpoint": identity,
            "device": str(self.family.model.device),
            "dtype": str(self.family.model.dtype).removeprefix("torch."),
            "attn_implementation": getattr(config, "_attn_implementation", None),
            "system_prompt": self.encoder.system_prompt,
            "context": self.family.context,
            "generation_config": self.family.model.generation_config.to_diff_dict(),
            "versions": versions_of(_LIBRARIES),
        }
