"""Hooks in transformers that count frames and samples, and what makes wrappers written for a GPU run on a CPU."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from .recorder import Arrived, Recorder


def record_transformers(patch: pytest.MonkeyPatch, recorder: Recorder, processor: Any) -> None:
    """Record what reaches `generate`: what a call of the family's processor took, and the ids that it returned.

    The model runs, and its answer is "B". Some wrappers call the processor ahead of the model, in another thread.
    """
    import torch
    from transformers import GenerationMixin

    letter = processor.tokenizer.convert_tokens_to_ids("B")
    ready: list[tuple[torch.Tensor, Arrived]] = []

    def processed(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        taken = recorder.begin()
        inputs = original(*args, **kwargs)
        ids = torch.as_tensor(inputs["input_ids"])
        taken.text = processor.tokenizer.decode(ids[0], skip_special_tokens=True)
        ready.append((ids, taken))
        recorder.begin()
        return inputs

    def generate(original: Callable[..., Any], self: Any, inputs: Any = None, **kwargs: Any) -> Any:
        ids = kwargs["input_ids"] if inputs is None else inputs
        recorder.requests += [taken for known, taken in ready if torch.equal(known, ids)]
        # A tiny checkpoint would never stop by itself, and what it says means nothing.
        said = original(self, inputs, **{**kwargs, "max_new_tokens": 1})
        getattr(said, "sequences", said)[:, -1] = letter
        return said

    _count(patch, recorder)
    wrap(patch, type(processor), "__call__", processed)
    wrap(patch, GenerationMixin, "generate", generate)


def _count(patch: pytest.MonkeyPatch, recorder: Recorder) -> None:
    """Count the frames, images and samples that the parts of processors take."""
    from transformers import BaseImageProcessor, BaseVideoProcessor, WhisperFeatureExtractor
    from transformers.image_utils import make_flat_list_of_images

    def videos(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        decoded, metadata = original(*args, **kwargs)
        recorder.saw(sum(len(video) for video in decoded))
        return decoded, metadata

    def images(original: Callable[..., Any], self: Any, images: Any, *args: Any, **kwargs: Any) -> Any:
        recorder.saw(len(make_flat_list_of_images(images)))
        return original(self, images, *args, **kwargs)

    def sounds(original: Callable[..., Any], self: Any, raw_speech: Any, *args: Any, **kwargs: Any) -> Any:
        for sound in raw_speech if isinstance(raw_speech, list) else [raw_speech]:
            recorder.heard(len(sound))
        return original(self, raw_speech, *args, **kwargs)

    wrap(patch, BaseVideoProcessor, "_decode_and_sample_videos", videos)
    wrap(patch, BaseImageProcessor, "__call__", images)
    wrap(patch, WhisperFeatureExtractor, "__call__", sounds)


def decode_with_pyav(patch: pytest.MonkeyPatch) -> None:
    """Let transformers read videos without torchcodec, whose wheels need the libraries of a GPU."""
    from transformers import video_processing_utils

    def load(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return original(*args, **{**kwargs, "backend": "pyav"})

    wrap(patch, video_processing_utils, "load_video", load)
    patch.setattr(video_processing_utils, "is_torchcodec_usable", lambda **_: True, raising=False)


def use_cpu(patch: pytest.MonkeyPatch) -> None:
    """Let code that names a GPU run on the CPU."""
    import torch
    from transformers import BatchEncoding, BatchFeature, PreTrainedModel

    def on_cpu(value: Any) -> Any:
        is_gpu = isinstance(value, (str, torch.device)) and str(value).partition(":")[0] == "cuda"
        return "cpu" if is_gpu else value

    def moved(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return original(*map(on_cpu, args), **{name: on_cpu(value) for name, value in kwargs.items()})

    for owner in (torch.Tensor, torch.nn.Module, BatchFeature, BatchEncoding):
        wrap(patch, owner, "to", moved)
    for owner in (torch.Tensor, torch.nn.Module):
        patch.setattr(owner, "cuda", lambda self, *args, **kwargs: self)
    patch.setattr(torch.cuda, "set_device", lambda *args: None)

    def loaded(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if "device_map" in kwargs:
            kwargs["device_map"] = on_cpu(kwargs["device_map"])
        return original(*args, **kwargs)

    function = PreTrainedModel.__dict__["from_pretrained"].__func__
    patch.setattr(PreTrainedModel, "from_pretrained", classmethod(_around(function, loaded)))


def wrap(patch: pytest.MonkeyPatch, owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Call `around` instead of a method, with the method as its first argument."""
    patch.setattr(owner, name, _around(getattr(owner, name), around))


def _around(original: Callable[..., Any], around: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return around(original, *args, **kwargs)

    return wrapped
