"""Messages in, responses out: a checkpoint of any family behind two calls, without a harness."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from .batches import Encoded
from .conversation import Part, Sound, Text, path_of, read_messages
from .families import family_of
from .generation import cut_at, generate_arguments, stops_of
from .loading import checkpoint_identity, plan
from .prepare import Prepared, prepare, with_system_prompt
from .settings import Settings, system_prompt_text
from .stall import within

_LIBRARIES = ("transformers", "torch", "torchvision", "accelerate", "av", "decord", "librosa", "qwen-omni-utils")
"""What responses depend on besides the checkpoint."""


class PromptTooLongError(ValueError):
    """A prompt does not fit into the model's context. The message names how many tokens it has."""


class Engine:
    """A loaded checkpoint and how it is shown things."""

    def __init__(self, settings: Settings) -> None:
        """Load the checkpoint that the settings name.

        Raises ValueError, in one sentence that names the argument, where that is not possible.
        """
        loading = plan(settings)
        family = family_of(loading.model_type)
        self.settings = settings
        self.device = loading.device
        given = settings.system_prompt
        self.system_prompt = system_prompt_text(given) if given is not None else family.system_prompt
        self.family = family(loading)
        self.info = self._info(loading.model_type, checkpoint_identity(loading))

    def prepare(self, messages: Sequence[Mapping[str, Any]]) -> Prepared:
        """Decode what raw messages show.

        Raises MediaError for a file that can not be used, StalledError where that takes too long, and ValueError for
        messages that can not be read or that show what this model does not take.
        """
        conversation = with_system_prompt(read_messages(messages, self.settings), self.system_prompt)
        media = [part for turn in conversation for part in turn.parts if not isinstance(part, Text)]
        self._refuse_unseen(media)
        if not media:
            return prepare(conversation, self.family.frame_factor)
        names = ", ".join(dict.fromkeys(path for path in map(path_of, media) if path)) or "media in memory"
        return within(
            self.settings.media_timeout,
            lambda: prepare(conversation, self.family.frame_factor),
            f"Decoding {names}",
        )

    def encode(self, prepared: Prepared) -> Encoded:
        """The model's inputs for what was prepared. Raises PromptTooLongError where they exceed its context."""
        sample = self.family.encode(prepared)
        if sample.tokens > self.family.context:
            raise PromptTooLongError(
                f"The prompt has {sample.tokens:,} tokens and the model's context holds {self.family.context:,}; "
                "fewer or smaller frames (nframes=, max_pixels=) make it shorter."
            )
        return sample

    def respond(self, samples: Sequence[Encoded], generation_kwargs: Mapping[str, Any]) -> list[tuple[str, int]]:
        """The response to each sample of one batch, up to its stop string, and how many tokens were generated.

        The samples have to be such that may share a batch (see `batches.groups`).
        """
        if len(samples) > 1 and (generation_kwargs.get("repetition_penalty") or 1.0) != 1.0:
            # Up to transformers 5.10 it is laid on what fills up short prompts, too, and that token may end a response.
            return [one for sample in samples for one in self.respond([sample], generation_kwargs)]
        stops = stops_of(generation_kwargs)
        with torch.inference_mode():
            said = self.family.generate(samples, generate_arguments(generation_kwargs), stops)
        return [(cut_at(text, stops), tokens) for text, tokens in said]

    def _refuse_unseen(self, media: Sequence[Part]) -> None:
        if not self.family.sees and any(not isinstance(part, Sound) for part in media):
            raise ValueError(f"A checkpoint of type {self.info['model_type']} hears and does not see.")

    def _info(self, model_type: str, identity: dict[str, str]) -> dict[str, Any]:
        """What a result depends on, as JSON can hold it."""
        config = self.family.model.config
        return {
            **asdict(self.settings),
            "model_type": model_type,
            "checkpoint": identity,
            "device": str(self.family.model.device),
            "dtype": str(self.family.model.dtype).removeprefix("torch."),
            "attn_implementation": getattr(config, "_attn_implementation", None),
            "system_prompt": self.system_prompt,
            "context": self.family.context,
            "generation_config": self.family.model.generation_config.to_diff_dict(),
            "versions": {name: _version(name) for name in _LIBRARIES},
        }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
