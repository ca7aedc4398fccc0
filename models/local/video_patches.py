"""Makes the patches of a video from a few frames at a time: the processor's tensors, with less memory traffic.

The video processor of transformers turns all frames into float32, then orders them by patches, then copies the result:
three times 40 MB for 24 frames. Here a step of the time axis stays in the cache of the core, and the result is written
once. Every value is computed by the same operations on the same numbers (in float32: less the mean, divided by the
standard deviation), whose results IEEE 754 fixes, so the tensors are equal bit by bit.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch
import transformers

_SETTINGS = ("patch_size", "merge_size", "temporal_patch_size", "image_mean", "image_std", "rescale_factor",
             "do_rescale", "do_normalize")  # fmt: skip
"""Attributes of a video processor that decide its tensors, if frames are neither sampled nor resized."""

_PIXELS, _GRID = "pixel_values_videos", "video_grid_thw"

_PROBE_BYTES = 10_007
"""Length of the pattern that a probe repeats: a prime number, so that it fits no side of a frame. It has each of the
256 values."""


class SteppedVideoProcessor:
    """Wraps the video processor of a Qwen omni model. Its attributes are those of the processor.

    It makes the patches itself for one video of whole steps whose frames have their final size. All else is left to the
    processor. So is every size of frames for which the processor's own result for a probe of two steps is not the same,
    bit by bit: another release of transformers may work otherwise.

    Args:
        part: The video processor.
    """

    def __init__(self, part: Any) -> None:
        self._part = part
        self._equal: dict[Hashable, bool] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def __call__(self, videos: Sequence[torch.Tensor], **options: Any) -> Any:
        """Process videos as the processor does, with its options."""
        if self._is_fit(videos, options) and self._is_known(videos[0], options):
            return self._patches(videos[0])
        return self._part(videos, **options)

    def _is_fit(self, videos: Sequence[torch.Tensor], options: dict[str, Any]) -> bool:
        """Whether these are frames that only have to be normalised and cut: one video, neither sampled nor resized."""
        if len(videos) != 1 or not isinstance(videos[0], torch.Tensor) or videos[0].dtype != torch.uint8:
            return False
        if options.get("do_sample_frames") is not False or self._part.do_resize is not False or "do_resize" in options:
            return False
        if any(getattr(self._part, name, None) is None for name in _SETTINGS):
            return False
        if videos[0].device.type != "cpu" or videos[0].ndim != 4 or videos[0].shape[1] != 3:
            return False
        frames, _, height, width = videos[0].shape
        side = self._part.patch_size * self._part.merge_size
        return frames > 0 and not (frames % self._part.temporal_patch_size or height % side or width % side)

    def _is_known(self, video: torch.Tensor, options: dict[str, Any]) -> bool:
        """Whether the patches of frames of this size are those of the processor. Asks it once for each size."""
        # The frame rate has no effect on tensors: it is for choosing frames, and they are chosen.
        given = sorted((name, repr(value)) for name, value in options.items() if name != "fps")
        kind = (video.shape[2:], repr([getattr(self._part, name) for name in _SETTINGS]), repr(given))
        if kind not in self._equal:
            shape = (2 * self._part.temporal_patch_size, *video.shape[1:])
            pattern = np.random.default_rng(0).integers(0, 256, _PROBE_BYTES, dtype=np.uint8)
            probe = torch.from_numpy(np.resize(pattern, shape))
            own, ours = self._part([probe], **options), self._patches(probe)
            self._equal[kind] = own.keys() == ours.keys() and all(_is_same(own[name], ours[name]) for name in ours)
        return self._equal[kind]

    def _patches(self, video: torch.Tensor) -> Any:
        """The result of the processor for one video."""
        step, patch, merge = self._part.temporal_patch_size, self._part.patch_size, self._part.merge_size
        frames, channels, height, width = video.shape
        rows, columns = height // (patch * merge), width // (patch * merge)
        mean, deviation = (
            (torch.tensor(values) * (1.0 / self._part.rescale_factor)).view(-1, 1, 1)
            for values in (self._part.image_mean, self._part.image_std)
        )
        pixels = torch.empty(frames // step, rows, columns, merge, merge, channels, step, patch, patch)
        for number in range(frames // step):
            shown = video[number * step : (number + 1) * step]
            values = shown.to(torch.float32).sub_(mean).div_(deviation)
            cut = values.view(step, channels, rows, merge, patch, columns, merge, patch)
            pixels[number] = cut.permute(2, 5, 3, 6, 1, 0, 4, 7)
        grid = torch.tensor([[frames // step, rows * merge, columns * merge]])
        flat = pixels.view(-1, channels * step * patch * patch)
        return transformers.BatchFeature({_PIXELS: flat, _GRID: grid})


def _is_same(one: Any, other: torch.Tensor) -> bool:
    return isinstance(one, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
