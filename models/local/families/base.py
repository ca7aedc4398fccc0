"""What all families share: loading a checkpoint, and generating the responses to a batch."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

import torch
import transformers
from packaging.version import Version
from transformers import StoppingCriteria, StoppingCriteriaList

from ...inputs.decoding import DecodedConversation
from ..collation import IDS, MEL, EncodedPrompt, collate
from ..loading import Loading
from ..processor_cache import CachedProcessorPart, caching_results

_PERCEIVED = ("pixel_values", MEL)


class Answer(NamedTuple):
    """What a model generated for one prompt.

    Attributes:
        text: The response.
        tokens: The number of generated tokens, with the token that ends the response.
        truncated: Whether the response ends neither with such a token nor with a stop string.
    """

    text: str
    tokens: int
    truncated: bool


class Family(ABC):
    """The processor of a checkpoint and, after `load_model`, its weights.

    A subclass names the classes of transformers, and encodes decoded conversations.

    Attributes:
        processor_class: Name of the class of the processor in transformers.
        model_class: Name of the class of the model in transformers.
        least_transformers: The oldest version of transformers that can run the family.
        frame_factor: Height and width of frames are multiples of it, in pixels.
        system_prompt: The system prompt if the user gives none; None for no system prompt.
        sees: Whether the model takes pictures and videos.
        costly: The parts of the processor whose results are shared by all conversations about the same media.
        processor: The processor.
        context: The largest number of tokens of a prompt; set by `load_model`.
        model: The model; set by `load_model`.
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
        """Load the processor.

        Args:
            pretrained: The folder or the Hub name of the checkpoint.
            model_type: The `model_type` of its configuration, for messages.

        Raises:
            ValueError: The processor cannot be loaded, or the installed version of transformers is too old.
        """
        self.refuse_old_transformers(model_type)
        with _refusing(pretrained):
            self.processor = getattr(transformers, self.processor_class).from_pretrained(pretrained)
        self._tokenizer = self.processor.tokenizer

    @classmethod
    def refuse_old_transformers(cls, model_type: str) -> None:
        """Refuse a transformers that is too old for the family.

        Args:
            model_type: The `model_type` of the checkpoint, for the message.

        Raises:
            ValueError: The installed version cannot run such checkpoints.
        """
        if Version(transformers.__version__) < Version(cls.least_transformers):
            raise ValueError(
                f"Checkpoints of type {model_type} need transformers {cls.least_transformers} or later; "
                f"{transformers.__version__} is installed."
            )

    def load_model(self, loading: Loading) -> None:
        """Load the weights, which `generate` needs.

        Args:
            loading: How to load them.

        Raises:
            ValueError: The weights cannot be loaded, or some of them are missing.
        """
        with _refusing(loading.pretrained):
            self.model, found = getattr(transformers, self.model_class).from_pretrained(
                loading.pretrained, output_loading_info=True, **loading.arguments
            )
        _refuse_missing_weights(loading.pretrained, found["missing_keys"])
        self.model.eval()
        self.context = self.model.config.get_text_config().max_position_embeddings
        self._ends = end_tokens(self._tokenizer, self.model.generation_config)

    @contextmanager
    def processing_once(self) -> Iterator[None]:
        """Within this context, the processor processes media once that several conversations share."""
        for name in self.costly:
            part = getattr(self.processor, name)
            if not isinstance(part, CachedProcessorPart):
                setattr(self.processor, name, CachedProcessorPart(self.quickened(name, part)))
        with caching_results():
            yield

    def quickened(self, name: str, part: Any) -> Any:
        """Return what `processing_once` calls instead of a part of the processor, with the same results.

        Args:
            name: The name of the part, one of `costly`.
            part: The part.

        Returns:
            The part itself, or a wrapper of it.
        """
        return part

    @abstractmethod
    def encode(self, decoded: DecodedConversation) -> EncodedPrompt:
        """Make the inputs of the model for one decoded conversation."""

    def generation_extras(self, has_heard_video: bool) -> dict[str, Any]:
        """Return the arguments of `generate` that only this family has.

        Args:
            has_heard_video: Whether a prompt of the batch has a heard video (see `EncodedPrompt`).

        Returns:
            The arguments by name.
        """
        return {}

    def generate(
        self, prompts: Sequence[EncodedPrompt], arguments: dict[str, Any], stops: Sequence[str]
    ) -> list[Answer]:
        """Generate the responses to the prompts of one batch.

        Args:
            prompts: Prompts that may share a batch (see `batching.pick_batch`).
            arguments: The arguments of `generate` of transformers.
            stops: The strings that end a response.

        Returns:
            The answer to each prompt. Its text still contains the stop string that ended it.
        """
        batch = self._batch(prompts)
        prompt_tokens = batch[IDS].shape[1]
        if stops:
            criterion = StopStrings(stops, prompt_tokens, self._text)
            arguments = {**arguments, "stopping_criteria": StoppingCriteriaList([criterion])}
        ids = self.model.generate(
            **batch,
            **arguments,
            **self.generation_extras(any(prompt.has_heard_video for prompt in prompts)),
            eos_token_id=self._ends,
            pad_token_id=self._tokenizer.pad_token_id,
        )
        return [self._answer(row, stops) for row in ids[:, prompt_tokens:]]

    def first_logits(self, prompt: EncodedPrompt) -> torch.Tensor:
        """Compute the logits of the first token of a response.

        Args:
            prompt: The prompt.

        Returns:
            Tensor of shape (vocabulary,), dtype float32, on the CPU.
        """
        made = self.model.generate(
            **self._batch([prompt]),
            **self.generation_extras(prompt.has_heard_video),
            max_new_tokens=1,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
            pad_token_id=self._tokenizer.pad_token_id,
        )
        logits: torch.Tensor = made.logits[0][0].float().cpu()
        return logits

    def _answer(self, ids: torch.Tensor, stops: Sequence[str]) -> Answer:
        text, length = self._text(ids), self._length(ids)
        ended = bool(torch.isin(ids[:length], torch.tensor(self._ends, device=ids.device)).any())
        return Answer(text, length, truncated=not ended and not any(stop in text for stop in stops))

    def _text(self, ids: torch.Tensor) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def _length(self, ids: torch.Tensor) -> int:
        """Count the tokens of a response, with the token that ends it and without padding."""
        ends = torch.isin(ids, torch.tensor(self._ends, device=ids.device)).nonzero()
        padding = (ids == self._tokenizer.pad_token_id).nonzero()
        if len(padding) and (not len(ends) or padding[0] < ends[0]):
            return int(padding[0])
        return int(ends[0]) + 1 if len(ends) else len(ids)

    def _batch(self, prompts: Sequence[EncodedPrompt]) -> dict[str, torch.Tensor]:
        """Make the inputs of one batch, on the device of the model."""
        batch = collate(prompts, self._tokenizer.pad_token_id)
        # Only pictures and sounds get the dtype of the model: in half precision, the seconds of the time axis would
        # shift sound against pictures.
        formats = {name: self.model.dtype if name.startswith(_PERCEIVED) else None for name in batch}
        return {name: value.to(self.model.device, formats[name]) for name, value in batch.items()}


def end_tokens(tokenizer: Any, generation_config: Any) -> list[int]:
    """Collect the tokens that end a response. These checkpoints lack them in the place where `generate` looks.

    Args:
        tokenizer: The tokenizer of the checkpoint.
        generation_config: Its `GenerationConfig`.

    Returns:
        The ids, sorted.
    """
    own = generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *([own] if isinstance(own, int) else own or [])}
    return sorted(end for end in ends if end is not None)


@contextmanager
def _refusing(pretrained: str) -> Iterator[None]:
    """Turn any error that occurs while a checkpoint is loaded into a ValueError of one sentence."""
    try:
        yield
    # transformers, safetensors, tokenizers and torch raise errors of many types.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"pretrained={pretrained} cannot be loaded: {type(error).__name__}: {reason}") from error


def _refuse_missing_weights(pretrained: str, names: Iterable[str]) -> None:
    """Raise ValueError if weights are missing. transformers would initialise them at random and only warn of it."""
    missing = sorted(names)
    if missing:
        raise ValueError(
            f"pretrained={pretrained} lacks {len(missing)} weights, such as {missing[0]}: it is not complete, "
            "or its config.json belongs to another model."
        )


class StopStrings(StoppingCriteria):
    """Ends a response as soon as it contains a stop string, even one that begins or ends within a token.

    Args:
        stops: The stop strings.
        prompt_tokens: Number of tokens of the prompts, in which stop strings are ignored.
        decode: Turns token ids of shape (tokens,) into text.
    """

    def __init__(self, stops: Sequence[str], prompt_tokens: int, decode: Callable[[torch.Tensor], str]) -> None:
        self._stops = stops
        self._prompt_tokens = prompt_tokens
        self._decode = decode

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Return which responses have ended, as bool of shape (batch,). `input_ids` has the shape (batch, tokens)."""
        responses = [self._decode(row[self._prompt_tokens :]) for row in input_ids]
        ended = [any(stop in response for stop in self._stops) for response in responses]
        return torch.tensor(ended, device=input_ids.device)
