"""Samples that were encoded one by one become one batch, and the other way round: which samples may share one.

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
    """One sample as a model takes it.

    `tensors` are on the CPU: `input_ids` and `attention_mask` (1, tokens); `input_features` (sounds, mel bins, mel
    frames) with `feature_attention_mask` (sounds, mel frames); `pixel_values…` (patches, values), `…_grid_thw` (media,
    3), `video_second_per_grid` (videos,). Those of media are absent where there are none. `heard` says that a video is
    heard, `silent` that one is not.
    """

    tensors: dict[str, torch.Tensor]
    heard: bool
    silent: bool

    @property
    def tokens(self) -> int:
        """How long the prompt is."""
        return self.tensors[IDS].shape[1]


def encoded(inputs: Mapping[str, Any], interleaved: bool, videos: int) -> EncodedPrompt:
    """What a processor returned for one sample, as tensors, in which `interleaved` or silent `videos` are shown."""
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


def take(samples: Sequence[EncodedPrompt], size: int) -> list[int]:
    """The numbers, ascending, of those samples that make the next batch: the first, and up to `size` in all.

    It is joined by those whose prompts are nearest to its own in length, so that little is padded. Whether videos are
    heard is said once for a whole batch, so those with and those without sound exclude each other; neither minds
    samples without a video.
    """
    batch = [0]
    for number in sorted(range(1, len(samples)), key=lambda number: abs(samples[number].tokens - samples[0].tokens)):
        together = [samples[other] for other in (*batch, number)]
        mixed = any(sample.heard for sample in together) and any(sample.silent for sample in together)
        if len(batch) < size and not mixed:
            batch.append(number)
    return sorted(batch)


@dataclass
class Padding:
    """How much of what a model was given fills up short prompts."""

    batches: int = 0
    tokens: int = 0
    filled: int = 0

    def count(self, samples: Sequence[EncodedPrompt]) -> None:
        """Count one batch."""
        self.batches += 1
        self.tokens += sum(sample.tokens for sample in samples)
        self.filled += max(sample.tokens for sample in samples) * len(samples)

    @property
    def share(self) -> float:
        """The share of padding, from 0 to 1."""
        return 1 - self.tokens / self.filled if self.filled else 0.0
