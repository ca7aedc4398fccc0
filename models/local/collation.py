"""Prompts that were encoded one by one become the inputs of one batch.

The processors are called for each sample alone, because one call takes one frame rate for all of its videos and pads
sounds to the longest of the call, which changes how many tokens Qwen3-Omni hears.
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

    `tensors` are on the CPU: `input_ids` and `attention_mask` (1, tokens); `input_features` (sounds, mel bins, mel
    frames) with `feature_attention_mask` (sounds, mel frames); `pixel_values…` (patches, values), `…_grid_thw` (media,
    3), `video_second_per_grid` (videos,). Those of media are absent where there are none. `heard` says that a video is
    heard, `silent` that one is not.
    """

    tensors: dict[str, torch.Tensor]
    heard: bool
    silent: bool

    @property
    def pieces(self) -> list[torch.Tensor]:
        """The tensors."""
        return list(self.tensors.values())

    @property
    def tokens(self) -> int:
        """How long the prompt is."""
        return self.tensors[IDS].shape[1]


def prompt_from(inputs: Mapping[str, Any], interleaved: bool, videos: int) -> EncodedPrompt:
    """The tensors of one prompt; `videos` is how many it has, `interleaved` whether with their sound."""
    tensors = {name: torch.as_tensor(value) for name, value in inputs.items()}
    if SECONDS in tensors:
        tensors[SECONDS] = tensors[SECONDS].float()
    return EncodedPrompt(tensors, heard=interleaved, silent=videos > 0 and not interleaved)


def collate(samples: Sequence[EncodedPrompt], pad_token: int) -> dict[str, torch.Tensor]:
    """The inputs of one batch: ids and masks padded on the left, mel spectrograms on the right, the rest in a row."""
    names = list(dict.fromkeys(name for sample in samples for name in sample.tensors))
    return {name: _joined(name, [s.tensors[name] for s in samples if name in s.tensors], pad_token) for name in names}


def _joined(name: str, parts: Sequence[torch.Tensor], pad_token: int) -> torch.Tensor:
    if name in (IDS, MASK):
        return _padded(parts, left=True, value=pad_token if name == IDS else 0)
    if name in (MEL, MEL_MASK):
        return _padded(parts, left=False, value=0)
    return torch.cat(list(parts)) if len(parts) > 1 else parts[0]


def _padded(parts: Sequence[torch.Tensor], left: bool, value: int) -> torch.Tensor:
    """The parts in a row, padded in their last dimension to the longest of them; one alone is not copied."""
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
