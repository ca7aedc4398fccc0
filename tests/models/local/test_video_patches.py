"""The inputs of a model are bit by bit those of transformers' own processor, however they are made."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from lmms_humansense.models.inputs.decoding import DecodedConversation
from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.models.local.families import family_of
from lmms_humansense.models.local.families.base import Family
from lmms_humansense.models.local.video_patches import SteppedVideoProcessor

FIXTURES = {"qwen2_5_omni": "tiny_model", "qwen3_omni_moe": "tiny_qwen3", "qwen2_audio": "tiny_qwen2_audio"}
SEEING = ["qwen2_5_omni", "qwen3_omni_moe"]

CLIPS = [(2, 1, 1, 0.025), (4, 3, 2, 1.37), (8, 18, 10, 30.0), (24, 10, 18, 100.0), (6, 2, 3, 310.0),
         (12, 7, 13, None)]  # fmt: skip
"""Frames, height and width of frames as multiples of the family's, and the seconds of the sound; None for none."""


@pytest.fixture
def family_named(request: pytest.FixtureRequest) -> Callable[[str], Family]:
    return lambda name: family_of(name)(str(request.getfixturevalue(FIXTURES[name])), name)


def plain(family: Family, folder: Path) -> Family:
    """Another one, with the processor as transformers loads it."""
    other = type(family)(str(folder), "plain")
    other.processor = getattr(transformers, family.processor_class).from_pretrained(folder)
    if family.sees:
        other.processor.video_processor.do_resize = False
    return other


def frames_of(count: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.integers(0, 256, (count, 3, height, width), dtype=np.uint8))


def asked(text: str, video: torch.Tensor | None, sound: np.ndarray | None, rate: float | None) -> DecodedConversation:
    shown = [{"type": "video"}] if video is not None else [{"type": "audio"}] if sound is not None else []
    content = [*shown, {"type": "text", "text": text}]
    decoded = DecodedConversation([{"role": "user", "content": content}])
    if video is not None:
        decoded.videos, decoded.rates = [video], [rate]
    if sound is not None:
        decoded.sounds, decoded.sound_of_video = [sound], [None if video is None else 0]
    return decoded


def assert_equal(one: EncodedPrompt, other: EncodedPrompt) -> None:
    assert list(one.tensors) == list(other.tensors)
    for name, tensor in other.tensors.items():
        assert one.tensors[name].dtype == tensor.dtype, name
        assert torch.equal(one.tensors[name], tensor), name


@pytest.mark.parametrize("name", FIXTURES)
def test_all_inputs_are_those_of_the_plain_processor(
    name: str, family_named: Callable[[str], Family], request: pytest.FixtureRequest
) -> None:
    family = family_named(name)
    reference = plain(family, request.getfixturevalue(FIXTURES[name]))
    side = family.frame_factor
    for number, (count, rows, columns, seconds) in enumerate(CLIPS):
        if seconds is None and not family.sees:
            continue
        video = frames_of(count, rows * side, columns * side, number) if family.sees else None
        samples = None if seconds is None else int(seconds * 16_000)
        random = np.random.default_rng(number)
        sound = None if samples is None else random.normal(0, 0.1, samples).astype(np.float32)
        rate = None if number % 2 else 24 / 97
        questions = [asked(text, video, sound, rate) for text in ("Who is it?", "Why does she laugh?")]
        expected = [reference.encode(question) for question in questions]
        assert_equal(family.encode(questions[0]), expected[0])
        with family.processing_once():
            for question, own in zip(questions, expected, strict=True):
                assert_equal(family.encode(question), own)
    if family.sees:
        assert isinstance(family.processor.video_processor._part, SteppedVideoProcessor)


class Counting:
    """A video processor that counts the frames that it is given."""

    def __init__(self, part: Any) -> None:
        self.part = part
        self.frames: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.part, name)

    def __call__(self, videos: Sequence[torch.Tensor], **options: Any) -> Any:
        self.frames += [len(video) for video in videos]
        return self.part(videos, **options)


OPTIONS = {"do_sample_frames": False, "return_tensors": "pt"}


def stepped(family: Family) -> tuple[SteppedVideoProcessor, Counting]:
    part = family.processor.video_processor
    counting = Counting(part)
    return SteppedVideoProcessor(counting), counting


@pytest.mark.parametrize("name", SEEING)
def test_the_processor_is_asked_once_for_each_size_of_frames(name: str, family_named: Callable[[str], Family]) -> None:
    family = family_named(name)
    ours, own = stepped(family)
    side = family.frame_factor
    for count, height in [(24, side), (24, side), (8, side), (24, 2 * side), (2, side)]:
        ours([frames_of(count, height, side)], **OPTIONS)
    assert own.frames == [4, 4]
    for rate in (0.5, 0.7):
        ours([frames_of(6, side, side)], fps=rate, **OPTIONS)
    assert own.frames == [4, 4]


@pytest.mark.parametrize(
    ("changed", "options", "shapes"),
    [
        ({"image_mean": [0.1, 0.2, 0.3], "image_std": [0.3, 0.2, 0.1]}, {}, [(4, 1, 1)]),
        ({"rescale_factor": 1 / 127.5}, {}, [(4, 1, 1)]),
        ({"do_normalize": False}, {}, [(4, 1, 1)]),
        ({"do_rescale": False}, {}, [(4, 1, 1)]),
        ({"do_resize": True}, {}, [(4, 1, 1)]),
        ({}, {"do_resize": True}, [(4, 1, 1)]),
        ({}, {"do_normalize": False}, [(4, 1, 1)]),
        ({}, {"image_mean": [0.0, 0.0, 0.0]}, [(4, 1, 1)]),
        ({}, {}, [(3, 1, 1)]),
        ({}, {}, [(4, 1, 1), (4, 1, 1)]),
        ({}, {}, [(4, 1, 1), (6, 2, 1)]),
        ({"merge_size": 1}, {}, [(4, 1, 1)]),
    ],
)
def test_other_settings_and_videos_have_the_tensors_of_the_processor(
    changed: dict[str, Any],
    options: dict[str, Any],
    shapes: list[tuple[int, int, int]],
    family_named: Callable[[str], Family],
) -> None:
    family = family_named("qwen2_5_omni")
    ours, own = stepped(family)
    videos = [frames_of(count, rows * 28, columns * 28) for count, rows, columns in shapes]
    ours(videos, **OPTIONS)  # what is known of the usual settings must not be used for others
    for attribute, value in changed.items():
        setattr(own.part, attribute, value)
    expected = own.part(videos, **OPTIONS, **options)
    for _ in range(2):
        found = ours(videos, **OPTIONS, **options)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)


class Reversed:
    """A video processor with another order of patches, as another release of transformers might have."""

    def __init__(self, part: Any) -> None:
        self.part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self.part, name)

    def __call__(self, videos: Sequence[torch.Tensor], **options: Any) -> Any:
        result = self.part(videos, **options)
        result["pixel_values_videos"] = result["pixel_values_videos"].flip(0)
        return result


def test_a_processor_that_works_otherwise_is_used_itself(family_named: Callable[[str], Family]) -> None:
    own = Reversed(family_named("qwen2_5_omni").processor.video_processor)
    ours = SteppedVideoProcessor(own)
    for video in [frames_of(24, 28, 28), frames_of(2, 56, 84), frames_of(2, 56, 84, seed=1)]:
        expected = own([video], **OPTIONS)["pixel_values_videos"]
        assert torch.equal(ours([video], **OPTIONS)["pixel_values_videos"], expected)


@pytest.mark.parametrize("name", FIXTURES)
def test_a_sound_is_processed_once_for_all_questions_about_it(
    name: str, family_named: Callable[[str], Family], monkeypatch: pytest.MonkeyPatch
) -> None:
    family = family_named(name)
    extractor = family.processor.feature_extractor
    extracted = type(extractor).__call__
    sounds: list[int] = []

    def counting(self: Any, given: Any, **options: Any) -> Any:
        sounds.append(len(given))
        return extracted(self, given, **options)

    monkeypatch.setattr(type(extractor), "__call__", counting)
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000 * 35).astype(np.float32)
    louder = 2 * sound
    with family.processing_once():
        prompts = [family.encode(asked(text, None, sound, None)) for text in ("Who is it?", "Why?")]
        other = family.encode(asked("Why?", None, louder, None))
    assert len(sounds) == 2, "two sounds, three questions"
    first, second = (prompt.tensors["input_features"] for prompt in prompts)
    assert first is second, "one piece of memory"
    assert not torch.equal(first, other.tensors["input_features"])
