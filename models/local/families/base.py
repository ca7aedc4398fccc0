"""What all families share: loading, and turning a batch into responses."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
import transformers
from packaging.version import Version
from transformers import StoppingCriteria, StoppingCriteriaList

from ...inputs.decoding import DecodedConversation
from ..collation import IDS, MEL, EncodedPrompt, collate
from ..loading import Loading
from ..processor_cache import CachedProcessorPart, caching_results

_PERCEIVED = ("pixel_values", MEL)


class Family(ABC):
    """The processor of a checkpoint and, once they are loaded, its weights.

    A family says which classes of transformers hold it, and how a decoded conversation is encoded. `frame_factor` is
    what height and width of frames are multiples of, in pixels; `system_prompt` the system message when none is
    given, or None; `sees` whether it takes pictures and videos; `costly` the parts of the processor whose work on
    media is done once for all conversations that share them.
    """

    processor_class: ClassVar[str]
    model_class: ClassVar[str]
    least_transformers: ClassVar[str] = "4.57.6"
    frame_factor: ClassVar[int] = 28
    system_prompt: ClassVar[str | None] = None
    sees: ClassVar[bool] = True
    costly: ClassVar[tuple[str, ...]] = ("feature_extractor",)
    context: int
    model: Any

    def __init__(self, pretrained: str, model_type: str) -> None:
        """Load the processor. Raises ValueError where that is not possible."""
        if Version(transformers.__version__) < Version(self.least_transformers):
            raise ValueError(
                f"Checkpoints of type {model_type} need transformers {self.least_transformers} or later; "
                f"{transformers.__version__} is installed."
            )
        with _refusing(pretrained):
            self.processor = getattr(transformers, self.processor_class).from_pretrained(pretrained)
        self._tokenizer = self.processor.tokenizer

    def load_model(self, loading: Loading) -> None:
        """Load the weights, which `generate` needs. Raises ValueError where that is not possible."""
        with _refusing(loading.pretrained):
            self.model, found = getattr(transformers, self.model_class).from_pretrained(
                loading.pretrained, output_loading_info=True, **loading.arguments
            )
        _refuse_missing_weights(loading.pretrained, found["missing_keys"])
        self.model.eval()
        self.context = self.model.config.get_text_config().max_position_embeddings
        self._ends = self._end_tokens()

    @contextmanager
    def processing_once(self) -> Iterator[None]:
        """Within it, the processor works once on media that several conversations share."""
        for name in self.costly:
            part = getattr(self.processor, name)
            if not isinstance(part, CachedProcessorPart):
                setattr(self.processor, name, CachedProcessorPart(part))
        with caching_results():
            yield

    @abstractmethod
    def encode(self, decoded: DecodedConversation) -> EncodedPrompt:
        """The model's inputs for one decoded conversation."""

    def generation_extras(self, heard: bool) -> dict[str, Any]:
        """Arguments of `generate` that only this family has; `heard` says that videos are heard in the batch."""
        return {}

    def generate(
        self, samples: Sequence[EncodedPrompt], arguments: dict[str, Any], stops: Sequence[str]
    ) -> list[tuple[str, int]]:
        """The response to each sample and its number of tokens.

        The samples are one batch, so they have to be such that may share one. `arguments` are those of `generate`,
        `stops` the strings that end a response.
        """
        batch = self._batch(samples)
        prompt = batch[IDS].shape[1]
        if stops:
            criterion = StopStrings(stops, prompt, self._text)
            arguments = {**arguments, "stopping_criteria": StoppingCriteriaList([criterion])}
        ids = self.model.generate(
            **batch,
            **arguments,
            **self.generation_extras(any(sample.heard for sample in samples)),
            eos_token_id=self._ends,
            pad_token_id=self._tokenizer.pad_token_id,
        )
        return [(self._text(row), self._length(row)) for row in ids[:, prompt:]]

    def _text(self, ids: torch.Tensor) -> str:
        said: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return said

    def _length(self, ids: torch.Tensor) -> int:
        """How many tokens a response has, its end included, what fills it up not."""
        over = torch.isin(ids, torch.tensor(self._ends, device=ids.device)).nonzero()
        filled = (ids == self._tokenizer.pad_token_id).nonzero()
        if len(filled) and (not len(over) or filled[0] < over[0]):
            return int(filled[0])
        return int(over[0]) + 1 if len(over) else len(ids)

    def _end_tokens(self) -> list[int]:
        """The tokens that end a response: generate would look for them in a place where these checkpoints lack them."""
        own = self.model.generation_config.eos_token_id
        ends = {self._tokenizer.eos_token_id, *([own] if isinstance(own, int) else own or [])}
        return sorted(end for end in ends if end is not None)

    def _batch(self, samples: Sequence[EncodedPrompt]) -> dict[str, torch.Tensor]:
        """The inputs of one batch, where the model is and in its number format."""
        batch = collate(samples, self._tokenizer.pad_token_id)
        # Only what is seen and heard: in half precision, the seconds of the time axis would shift sound and picture.
        formats = {name: self.model.dtype if name.startswith(_PERCEIVED) else None for name in batch}
        return {name: value.to(self.model.device, formats[name]) for name, value in batch.items()}


@contextmanager
def _refusing(pretrained: str) -> Iterator[None]:
    """Turn what goes wrong while a checkpoint is loaded into one sentence."""
    try:
        yield
    # What can go wrong is whatever transformers, safetensors, tokenizers and torch raise.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"pretrained={pretrained} cannot be loaded: {type(error).__name__}: {reason}") from error


def _refuse_missing_weights(pretrained: str, names: Iterable[str]) -> None:
    """Raises ValueError where weights are missing: transformers would make them up and only warn of it."""
    missing = sorted(names)
    if missing:
        raise ValueError(
            f"pretrained={pretrained} lacks {len(missing)} weights, such as {missing[0]}: it is not complete, "
            "or its config.json is that of another model."
        )


class StopStrings(StoppingCriteria):
    """Ends a response once it holds a stop string, wherever tokens begin and end. The prompt does not count."""

    def __init__(self, stops: Sequence[str], prompt_tokens: int, decode: Callable[[torch.Tensor], str]) -> None:
        self._stops = stops
        self._prompt_tokens = prompt_tokens
        self._decode = decode

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Which of the responses, rows of ids (batch, tokens), are over: bool (batch,)."""
        responses = [self._decode(row[self._prompt_tokens :]) for row in input_ids]
        over = [any(stop in response for stop in self._stops) for response in responses]
        return torch.tensor(over, device=input_ids.device)
