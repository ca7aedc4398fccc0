"""Makes the inputs of one batch from prompts that were encoded one by one.

The processors are called for each prompt alone. One call takes one frame rate for all of its videos, and it pads all
sounds to the longest one, which changes how many tokens Qwen3-Omni hears.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

IDS, MASK = "input_ids", "attention_mask"
MEL, MEL_MASK = "input_features", "feature_attention_mask"
SECONDS = "video_second_per_grid"


@dataclass(frozen=True)
class EncodedPrompt:
    """One prompt as a model takes it.

    Attributes:
        tensors: The model's inputs by name, on the CPU: `input_ids` and `attention_mask` (1, tokens); `input_features`
            (sounds, mel bins, mel frames) with `feature_attention_mask` (sounds, mel frames); `pixel_values…` (patches,
            values), `…_grid_thw` (media, 3), `video_second_per_grid` (videos,), seconds. Inputs of media that the
            prompt does not have are absent.
        has_heard_video: The prompt has videos, and their sound is interleaved with them.
        has_silent_video: The prompt has videos, and no sound is interleaved with them.
    """

    tensors: dict[str, torch.Tensor]
    has_heard_video: bool
    has_silent_video: bool

    @property
    def pieces(self) -> list[torch.Tensor]:
        """The tensors."""
        return list(self.tensors.values())

    @property
    def tokens(self) -> int:
        """The number of tokens."""
        return self.tensors[IDS].shape[1]


def prompt_from(inputs: Mapping[str, Any], interleaved: bool, videos: int) -> EncodedPrompt:
    """Make an encoded prompt from the output of a processor.

    Args:
        inputs: What the processor returned for one prompt: tensors, or lists of numbers.
        interleaved: Whether the sound of the videos is interleaved with them.
        videos: Number of videos in the prompt.

    Returns:
        The prompt, with `video_second_per_grid` as float32.
    """
    tensors = {name: torch.as_tensor(value) for name, value in inputs.items()}
    if SECONDS in tensors:
        tensors[SECONDS] = tensors[SECONDS].float()
    return EncodedPrompt(tensors, has_heard_video=interleaved, has_silent_video=videos > 0 and not interleaved)


def collate(prompts: Sequence[EncodedPrompt], pad_token: int) -> dict[str, torch.Tensor]:
    """Join the inputs of prompts to one batch.

    Args:
        prompts: The prompts, which may share a batch (see `batching.pick_batch`).
        pad_token: The token id that fills up short prompts.

    Returns:
        The inputs by name: ids and masks padded on the left, mel spectrograms and their masks padded on the right, all
        other tensors concatenated along their first dimension.
    """
    names = list(dict.fromkeys(name for prompt in prompts for name in prompt.tensors))
    return {
        name: _joined(name, [prompt.tensors[name] for prompt in prompts if name in prompt.tensors], pad_token)
        for name in names
    }


def _joined(name: str, parts: Sequence[torch.Tensor], pad_token: int) -> torch.Tensor:
    if name in (IDS, MASK):
        return _padded(parts, left=True, value=pad_token if name == IDS else 0)
    if name in (MEL, MEL_MASK):
        return _padded(parts, left=False, value=0)
    return torch.cat(list(parts)) if len(parts) > 1 else parts[0]


def _padded(parts: Sequence[torch.Tensor], left: bool, value: int) -> torch.Tensor:
    """Pad the last dimension of the parts to the longest one, and concatenate them. A single part is not copied."""
    if len(parts) == 1:
        return parts[0]
    longest = max(part.shape[-1] for part in parts)
    missing = [longest - part.shape[-1] for part in parts]
    return torch.cat(
        [
            torch.nn.functional.pad(part, (gap, 0) if left else (0, gap), value=value)
            for part, gap in zip(parts, missing, strict=True)
        ]
    )
