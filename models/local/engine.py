"""A loaded checkpoint of any family: batches in, responses out. It does not depend on lmms-eval."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..inputs.generation import cut_at, generate_arguments, stops_of
from ..inputs.senses import Outcome, Senses, local_senses, probes
from ..runtime.request import PromptTooLongError
from .collation import EncodedPrompt
from .description import description
from .encoder import LocalEncoder
from .families.base import Answer
from .loading import Loading, plan
from .settings import LocalSettings


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
        self.info = {**description(settings, loading, self.encoder), **self._observed()}

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

    def _observed(self) -> dict[str, Any]:
        """What the loaded model says about itself."""
        model = self.family.model
        return {
            "device": str(model.device),
            "dtype": str(model.dtype).removeprefix("torch."),
            "attn_implementation": getattr(model.config, "_attn_implementation", None),
            "context": self.family.context,
            "generation_config": model.generation_config.to_diff_dict(),
        }
