"""A loaded checkpoint of any family: batches in, responses out. It does not depend on lmms-eval."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..caching.cache_key import digest_of_code, digest_of_folder, frame_limits, versions_of
from ..inputs.generation import cut_at, generate_arguments, stops_of
from ..inputs.senses import Outcome, Senses, local_senses, probes
from ..runtime.request import PromptTooLongError
from .collation import EncodedPrompt
from .encoder import LocalEncoder
from .families import modules_of_others
from .families.base import Answer
from .loading import Loading, checkpoint_identity, plan
from .settings import LocalSettings

_LIBRARIES = ("transformers", "torch", "torchvision", "accelerate", "av", "decord", "librosa", "soxr",
              "qwen-omni-utils")  # fmt: skip
"""The libraries that responses depend on."""


class Engine:
    """A loaded checkpoint with its encoder.

    Attributes:
        settings: The arguments of the model.
        device: The device that the settings choose.
        encoder: Turns messages into prompts.
        family: The processor and the weights.
        info: What a result depends on, for the results file. JSON can represent it.
    """

    def __init__(self, settings: LocalSettings, loading: Loading | None = None) -> None:
        """Load the checkpoint.

        Args:
            settings: The settings, which name the checkpoint.
            loading: How to load it; None for what `plan` returns for the settings.

        Raises:
            ValueError: The checkpoint cannot be loaded. The message is one sentence that names the argument.
        """
        loading = loading or plan(settings)
        self.settings = settings
        self.device = loading.device
        self.encoder = LocalEncoder(settings, loading.model_type)
        self.family = self.encoder.family
        self.family.load_model(loading)
        self.info = self._info(loading, checkpoint_identity(loading))

    def fitting(self, prompt: EncodedPrompt) -> EncodedPrompt:
        """Return the prompt unchanged if it fits into the model's context.

        Raises:
            PromptTooLongError: The prompt has more tokens than the context.
        """
        if prompt.tokens > self.family.context:
            raise PromptTooLongError(
                f"The prompt has {prompt.tokens:,} tokens and the model's context holds {self.family.context:,}; "
                "fewer or smaller frames (nframes=, max_pixels=) make it shorter."
            )
        return prompt

    def respond(self, prompts: Sequence[EncodedPrompt], generation_kwargs: Mapping[str, Any]) -> list[Answer]:
        """Generate the responses to the prompts of one batch.

        Args:
            prompts: Prompts that may share a batch (see `batching.pick_batch`).
            generation_kwargs: The arguments of generation, as a task gives them.

        Returns:
            The answer to each prompt, with its text up to the first stop string.
        """
        if len(prompts) > 1 and (generation_kwargs.get("repetition_penalty") or 1.0) != 1.0:
            # Up to transformers 5.10, the penalty also applies to the padding token, and this token may end a response.
            return [answer for prompt in prompts for answer in self.respond([prompt], generation_kwargs)]
        stops = stops_of(generation_kwargs)
        with torch.inference_mode():
            answers = self.family.generate(prompts, generate_arguments(generation_kwargs), stops)
        return [answer._replace(text=cut_at(answer.text, stops)) for answer in answers]

    def senses(self) -> Senses:
        """Find out from logits which media have an effect on the model's answers."""
        with torch.inference_mode():
            outcomes = {}
            for name, question in probes(sees=self.family.sees).items():
                prompt = self.family.encode(question)
                outcomes[name] = Outcome(prompt.tokens, tuple(self.family.first_logits(prompt).tolist()))
        return local_senses(outcomes)

    def identity(self) -> dict[str, Any]:
        """Collect what responses to equal conversations depend on. Reads all files of a checkpoint in a folder once.

        Returns:
            What distinguishes the answers of this model from those of others. JSON can represent it.
        """
        folder = Path(self.settings.pretrained)
        checkpoint = digest_of_folder(folder) if folder.is_dir() else self.info["checkpoint"].get("revision")
        names = ("model_type", "dtype", "attn_implementation", "quantization", "versions")
        return {
            **{name: self.info[name] for name in names},
            # A checkpoint without a known revision gets a new identity in each run.
            "checkpoint": checkpoint or uuid.uuid4().hex,
            "code": digest_of_code("local", left_out=modules_of_others(self.family)),
            "frame_limits": frame_limits(),
        }

    def _info(self, loading: Loading, identity: dict[str, str]) -> dict[str, Any]:
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
