"""The stages in which the tiny model learns: to see, to hear, to answer from concepts, and then all of it at once."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tiny_learning import HIDDEN, SCALE, Item, Writer, directions
from torch.nn.functional import cross_entropy, log_softmax
from training_inputs import (
    SAMPLES_A_SECOND,
    TOKENS_A_SLOT,
    SpeechBank,
    frame_size,
    frame_times,
    frames,
    prompt,
    target,
)
from training_scenes import CONCEPTS, MAKERS, SLOT, Example, random_example

RECORDED = ("FR2", "PC")  # sound without pictures
SPOKEN_TASKS = ("TR", "FR1", "RR1", "RR2", "ES", *RECORDED)
# All spoken tasks show the same people. Four things that may be worn are learned later than one concept.
SHOWN_TASKS = (*(code for code in MAKERS if code not in SPOKEN_TASKS), "TR", "PA", "PA")
REPLAY = 600  # pictures that are shown again, as drawing takes as long as learning


@dataclass
class Progress:
    """What a step of a stage gives: the loss, and what a progress bar shows."""

    loss: torch.Tensor
    shown: dict[str, float]
    right: tuple[bool, ...] = ()  # of each example


def answer_loss(model: Any, items: Sequence[Item], embedded: Sequence[torch.Tensor]) -> Progress:
    """The loss of the answers and of the marks at the ends of options.

    Args:
        model: The thinker.
        items: The examples.
        embedded: For each, what its media tokens are, of shape (media tokens, hidden).

    Returns:
        The loss, and how many answers are right.
    """
    longest = max(len(item.ids) for item in items)
    ids = torch.zeros(len(items), longest, dtype=torch.long)
    positions = torch.zeros(3, len(items), longest, dtype=torch.long)
    says = torch.full((len(items), longest), -100)
    for row, item in enumerate(items):
        ids[row, : len(item.ids)] = item.ids
        positions[:, row, : len(item.ids)] = item.positions
        says[row, : len(item.says)] = item.says
    text = model.model.language_model
    inputs = text.embed_tokens(ids)
    rows = torch.cat([torch.full((len(item.media),), row) for row, item in enumerate(items)])
    inputs[rows, torch.cat([item.media for item in items])] = torch.cat(list(embedded))
    hidden = text(inputs_embeds=inputs, position_ids=positions, use_cache=False).last_hidden_state
    wanted = (says != -100).nonzero()
    logits = model.lm_head(hidden[wanted[:, 0], wanted[:, 1]])
    right = says[wanted[:, 0], wanted[:, 1]]
    losses = cross_entropy(logits, right, reduction="none")
    final = wanted[:, 1] >= torch.tensor([item.final for item in items])[wanted[:, 0]]
    said = logits.argmax(-1) == right
    correct = [bool(said[final & (wanted[:, 0] == row)].all()) for row in range(len(items))]
    marks = losses[~final].mean() if (~final).any() else torch.zeros(())
    return Progress(losses[final].mean() + marks, {"acc": sum(correct) / len(correct)}, tuple(correct))


def tower_loss(output: torch.Tensor, targets: torch.Tensor) -> Progress:
    """The loss of a tower: its tokens should be the sum of the directions of what the clip or the line shows.

    Args:
        output: (pieces, tokens, hidden); a piece is two frames or 2 s of sound.
        targets: (pieces, concepts), 0 or 1, with at least one 1 for each piece.

    Returns:
        The loss, and how many pieces have exactly their concepts.
    """
    unit = directions() / SCALE
    found = output @ unit.T / SCALE
    mean, shares = found.mean(1), targets / targets.sum(1, keepdim=True)
    whole = -(shares * log_softmax(10 * mean, -1)).sum(-1).mean()
    each = -(shares[:, None] * log_softmax(8 * found, -1)).sum(-1).mean()
    size = ((mean - targets) ** 2).sum(-1).mean()
    rest = (((output - found @ directions()) / SCALE) ** 2).sum(-1).mean()
    exact = ((mean > 0.5) == (targets > 0.5)).all(1).float().mean().item()
    return Progress(whole + 0.3 * each + size + 0.1 * rest, {"exact": exact})


class Eyes:
    """The vision tower: what two frames show."""

    name = "eyes"

    def __init__(self, writer: Writer, model: Any, seed: str, steps: int, batch: int) -> None:
        self.steps, self.rate = steps, 1.5e-3
        self._writer, self._tower, self._seed, self._batch = writer, model.model.visual, seed, batch
        self.parameters = [*self._tower.parameters()]
        self._drawn = lru_cache(maxsize=REPLAY + batch)(self._draw)

    def _draw(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = random.Random(f"eyes {self._seed} {number}")
        example = random_example(SHOWN_TASKS[number % len(SHOWN_TASKS)], f"{self._seed} eyes {number}")
        return frames(example, rng, rng.randrange(len(frame_times()) // 2)), target(example.shows)

    def step(self, number: int) -> Progress:
        """One batch."""
        rng = random.Random(f"eyes {self._seed} step {number}")
        new = self._batch // 2
        last = (number + 1) * new
        chosen = [*range(last - new, last)]
        chosen += [rng.randrange(max(0, last - REPLAY), last) for _ in range(self._batch - new)]
        shown, targets = zip(*(self._drawn(index) for index in chosen), strict=True)
        return tower_loss(see(self._writer, self._tower, shown), torch.stack(targets))


def see(writer: Writer, tower: Any, pieces: Sequence[torch.Tensor]) -> torch.Tensor:
    """What the vision tower makes of pairs of frames, of shape (pieces, tokens, hidden)."""
    inputs = writer.pixels(pieces)
    output = tower(inputs["pixel_values_videos"], grid_thw=inputs["video_grid_thw"]).pooler_output
    return output.view(len(pieces), -1, HIDDEN)


class Ears:
    """The audio tower: what a spoken line reveals."""

    name = "ears"
    silent = 0.05  # the share of slots without speech

    def __init__(self, writer: Writer, model: Any, bank: SpeechBank, seed: str, steps: int, batch: int) -> None:
        self.steps, self.rate = steps, 2e-3
        self._writer, self._tower, self._bank = writer, model.model.audio_tower, bank
        self._seed, self._batch = seed, batch
        self.parameters = [*self._tower.parameters()]

    def step(self, number: int) -> Progress:
        """One batch."""
        rng = random.Random(f"ears {self._seed} {number}")
        slots, targets = [], []
        for k in range(self._batch):
            code = SPOKEN_TASKS[(number * self._batch + k) % len(SPOKEN_TASKS)]
            line = random_example(code, f"{self._seed} ears {number} {k}").lines[0]
            silent = rng.random() < self.silent
            slots.append(self._bank.silence(rng) if silent else self._bank.slot(line, rng))
            targets.append(target(["silence"] if silent else line.concepts))
        return tower_loss(hear(self._writer, self._tower, slots), torch.stack(targets))


def hear(writer: Writer, tower: Any, slots: Sequence[NDArray[np.float32]]) -> torch.Tensor:
    """What the audio tower makes of slots of 2 s, of shape (slots, tokens, hidden)."""
    mels = [writer.mel(slot) for slot in slots]
    lengths = torch.tensor([mel.shape[1] for mel in mels])
    output = tower(torch.cat(mels, 1), feature_lens=lengths, aftercnn_lens=(lengths - 1) // 2 + 1).last_hidden_state
    return output.view(len(slots), -1, HIDDEN)


class Words:
    """Answers from concepts instead of media: learns what questions and options mean.

    Short items have few media tokens, and no words that are the same in all prompts. The others are whole prompts.
    """

    def __init__(self, writer: Writer, model: Any, seed: str, steps: int, batch: int, short: bool) -> None:
        self.name, self.steps, self.rate = ("words", steps, 2e-3) if short else ("prompts", steps, 1e-3)
        self._writer, self._model, self._seed, self._batch, self._short = writer, model, seed, batch, short
        self.parameters = [*model.model.language_model.parameters(), *model.lm_head.parameters()]

    def step(self, number: int) -> Progress:
        """One batch."""
        rng = random.Random(f"{self.name} {self._seed} {number}")
        noise = torch.Generator().manual_seed(rng.randrange(2**31))
        rows, items, embedded, codes = directions(), [], [], tuple(MAKERS)
        for k in range(self._batch):
            code = codes[(number * self._batch + k) % len(codes)]
            item = whole_item(self._writer, random_example(code, f"{self._seed} {self.name} {number} {k}"))
            item = thinned(item, self._writer, rng) if self._short else item
            clear = 0.6 + 0.5 * torch.rand(len(item.targets), 1, generator=noise)
            blur = 0.06 * torch.randn(item.targets.shape, generator=noise)
            items.append(item)
            embedded.append((item.targets * clear + blur) @ rows)
        return answer_loss(self._model, items, embedded)


def whole_item(writer: Writer, example: Example) -> Item:
    """The item of an example with all media tokens and their targets."""
    shape = None if example.scene is None else (len(frame_times()), 3, *frame_size())
    samples = round(len(example.lines) * SLOT * SAMPLES_A_SECOND)
    item = writer.item(example, shape, samples or None)
    kinds = item.ids[item.media]
    if example.scene is not None:
        item.targets[kinds == writer.video] = target(example.shows)
    if example.lines:
        rows = torch.stack([target(line.concepts) for line in example.lines])
        item.targets[kinds == writer.audio] = rows.repeat_interleave(TOKENS_A_SLOT, 0)
    return item


def thinned(item: Item, writer: Writer, rng: random.Random, most: int = 5) -> Item:
    """An item without the words that are the same in all prompts, and with 1 to `most` media tokens of a kind."""
    ids, media = item.ids.numpy(), item.media.numpy()
    keep = np.zeros(len(ids), bool)
    start = int(np.flatnonzero(ids == writer.question)[-1])
    marks = np.flatnonzero(item.says.numpy()[: item.final] >= 0)
    last = int(marks[-1]) if len(marks) else start + int(np.flatnonzero(np.isin(ids[start:], writer.newlines))[0])
    keep[0] = keep[start : last + 1] = keep[item.final - 2 :] = True
    keep[media[_few_of_each(item, rng, rng.randint(1, most))]] = True
    kept = torch.from_numpy(keep)
    index, shown = torch.cumsum(kept.long(), 0) - 1, kept[item.media]
    return Item(item.code, item.ids[kept], item.positions[:, kept], item.says[kept], int(index[item.final]),
                index[item.media[shown]], item.targets[shown])  # fmt: skip


def _few_of_each(item: Item, rng: random.Random, many: int) -> NDArray[np.int64]:
    """Random media tokens, at most `many` of those with the same targets."""
    keys = (item.targets.numpy() @ np.random.default_rng(0).uniform(1, 100, len(CONCEPTS))).round(3)
    order = np.random.default_rng(rng.randrange(2**31)).permutation(len(keys))
    order = order[np.argsort(keys[order], kind="stable")]
    begins = np.r_[True, np.diff(keys[order]) != 0]
    index = np.arange(len(order))
    rank = index - np.maximum.accumulate(np.where(begins, index, 0))
    return order[rank < many]


class Together:
    """Everything at once, on whole prompts with their media, as the pipeline gives them. The towers do not change."""

    name = "together"

    def __init__(self, writer: Writer, model: Any, bank: SpeechBank, seed: str, steps: int, batch: int) -> None:
        self.steps, self.rate = steps, 6e-4
        self._writer, self._model, self._bank = writer, model, bank
        self._seed, self._batch = seed, batch
        self.parameters = [*model.model.language_model.parameters(), *model.lm_head.parameters()]

    def step(self, number: int) -> Progress:
        """One batch."""
        codes = tuple(MAKERS)
        items, embedded = [], []
        for k in range(self._batch):
            seed = f"{self._seed} together {number} {k}"
            example, rng = random_example(codes[(number * self._batch + k) % len(codes)], seed), random.Random(seed)
            video = None if example.scene is None else frames(example, rng)
            item, shown = perceived(self._writer, self._model, example, video, self._bank.sound(example, rng))
            items.append(item)
            embedded.append(shown)
        return answer_loss(self._model, items, embedded)


@torch.no_grad()
def perceived(
    writer: Writer, model: Any, example: Example, video: torch.Tensor | None, sound: NDArray[np.float32] | None
) -> tuple[Item, torch.Tensor]:
    """The item of an example, and what the towers make of its media, of shape (media tokens, hidden)."""
    item = whole_item(writer, example)
    kinds, output = item.ids[item.media], torch.zeros(len(item.media), HIDDEN)
    tensors = writer.encode(prompt(example), video, sound).tensors
    if "pixel_values_videos" in tensors:
        tower = model.model.visual
        output[kinds == writer.video] = tower(
            tensors["pixel_values_videos"], grid_thw=tensors["video_grid_thw"]
        ).pooler_output
    if "input_features" in tensors:
        mask = tensors["feature_attention_mask"][0].bool()
        length = mask.sum()[None]
        mel, tower = tensors["input_features"][0][:, mask], model.model.audio_tower
        heard = tower(mel, feature_lens=length, aftercnn_lens=(length - 1) // 2 + 1)
        output[kinds == writer.audio] = heard.last_hidden_state
    return item, output
