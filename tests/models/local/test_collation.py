"""Collation of hand-made tensors: which are padded on which side, which are concatenated, which share a batch."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from lmms_humansense.models.local.batching import Padding, pick_batch
from lmms_humansense.models.local.collation import EncodedPrompt, collate, prompt_from

PAD = 9


def prompt(tokens: int, mel: int = 0, patches: int = 0, heard: bool = False, silent: bool = False) -> EncodedPrompt:
    tensors = {
        "input_ids": torch.arange(1, tokens + 1)[None],
        "attention_mask": torch.ones(1, tokens, dtype=torch.long),
    }
    if mel:
        tensors["input_features"] = torch.full((1, 2, mel), 5.0)
        tensors["feature_attention_mask"] = torch.ones(1, mel, dtype=torch.long)
    if patches:
        tensors["pixel_values"] = torch.full((patches, 3), float(patches))
        tensors["image_grid_thw"] = torch.tensor([[1, 1, patches]])
    return EncodedPrompt(tensors, heard, silent)


def test_ids_are_padded_on_the_left_and_spectrograms_on_the_right() -> None:
    batch = collate([prompt(2, mel=3), prompt(4), prompt(3, mel=1)], PAD)
    assert batch["input_ids"].tolist() == [[PAD, PAD, 1, 2], [1, 2, 3, 4], [PAD, 1, 2, 3]]
    assert batch["attention_mask"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]]
    assert batch["feature_attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["input_features"].shape == (2, 2, 3)
    assert batch["input_features"][1, 0].tolist() == [5.0, 0.0, 0.0]


def test_pictures_are_concatenated() -> None:
    batch = collate([prompt(1, patches=2), prompt(1), prompt(1, patches=1)], PAD)
    assert batch["pixel_values"][:, 0].tolist() == [2.0, 2.0, 1.0]
    assert batch["image_grid_thw"].tolist() == [[1, 1, 2], [1, 1, 1]]


def test_one_prompt_is_not_changed() -> None:
    alone = prompt(3, mel=2, patches=2)
    batch = collate([alone], PAD)
    assert batch.keys() == alone.tensors.keys()
    assert all(torch.equal(batch[name], alone.tensors[name]) for name in batch)


def test_lists_of_a_processor_become_tensors() -> None:
    made = prompt_from({"input_ids": [[1, 2]], "video_second_per_grid": [2.0]}, interleaved=False, videos=1)
    assert made.tokens == 2
    assert made.tensors["video_second_per_grid"].dtype == torch.float32
    assert (made.has_heard_video, made.has_silent_video) == (False, True)


kinds_and_lengths = st.lists(
    st.tuples(st.sampled_from(["heard", "silent", "neutral"]), st.integers(1, 50)), min_size=1, max_size=12
)


@given(kinds_and_lengths, st.integers(1, 8))
def test_a_batch_holds_the_first_and_never_both_kinds(made: list[tuple[str, int]], size: int) -> None:
    batch = pick_batch([prompt(tokens, heard=kind == "heard", silent=kind == "silent") for kind, tokens in made], size)
    assert batch[0] == 0
    assert batch == sorted(set(batch))
    assert not {"heard", "silent"} <= {made[number][0] for number in batch}
    kinds = {kind for kind, _ in made}
    if not {"heard", "silent"} <= kinds:
        assert len(batch) == min(size, len(made))


def test_a_batch_has_the_prompts_nearest_in_length() -> None:
    assert pick_batch([prompt(tokens) for tokens in (10, 50, 12, 7, 11, 90)], 3) == [0, 2, 4]
    assert pick_batch([prompt(10), prompt(11, heard=True), prompt(12, silent=True), prompt(30, heard=True)], 3) == [
        0,
        1,
        3,
    ]


def test_padding_is_counted() -> None:
    padding = Padding()
    assert padding.share == 0
    padding.count([prompt(10), prompt(30)])
    padding.count([prompt(60)])
    assert (padding.batches, padding.share) == (2, 1 - 100 / 120)


def test_the_tensors_of_one_prompt_are_not_copied() -> None:
    alone = prompt(3, mel=2, patches=2)
    assert all(value is alone.tensors[name] for name, value in collate([alone], PAD).items())
