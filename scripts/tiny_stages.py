"""The stages in which the tiny model learns: to answer from attributes, to see, to hear, and then all of it at once."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from tiny_learning import SCALE, Item, Writer, directions
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from training_inputs import (
    ATTRIBUTES,
    SAMPLES_A_SECOND,
    SEEN,
    Sound,
    SpeechBank,
    frame_size,
    frame_times,
    frames,
    heard,
    imagined,
    prompt,
    seen,
)
from training_scenes import MAKERS, Example, random_example

RECORDED = ("FR2", "PC")  # sound without pictures
SPOKEN_TASKS = ("TR", "FR1", "RR1", "RR2", "ES", *RECORDED)
SHOWN_TASKS = tuple(code for code in MAKERS if code not in RECORDED)
# The tasks in which an option names what is shown: from them, comparing options with media is learned soonest.
EASY = ("AR", "GR", "ES", "RR1", "FR1", "PC", "RR2")


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


def tower_loss(output: torch.Tensor, targets: torch.Tensor, mine: slice) -> Progress:
    """The loss of a tower: its tokens should be the sum of the directions of what they show.

    Args:
        output: (tokens, hidden).
        targets: (tokens, attributes), from 0 to 1.
        mine: The attributes of this tower.

    Returns:
        The loss, and F1 of the attributes together.
    """
    unit = directions() / SCALE
    found = output @ unit.T / SCALE
    own, wanted = found[:, mine], targets[:, mine]
    weights = 1 + 4 * (wanted > 0).float()
    decided = binary_cross_entropy_with_logits(8 * (own - 0.5), wanted, reduction="none") * weights
    others = torch.cat([found[:, : mine.start], found[:, mine.stop :]], 1)
    rest = (output - found @ directions()) / SCALE
    loss = decided.sum(1) + 0.3 * ((own - wanted) ** 2).sum(1) + (others**2).sum(1) + (rest**2).sum(1)
    both = ((own > 0.5) & (wanted > 0.6)).sum().item()
    total = ((own > 0.5) & (wanted < 0.4)).sum().item() + both + (wanted > 0.6).sum().item()
    return Progress(loss.mean(), {"f1": 2 * both / max(1, total)})


class Words:
    """Answers from attributes instead of media, with few media tokens: learns what questions and options mean."""

    name = "words"

    def __init__(self, writer: Writer, model: Any, seed: str, steps: int, batch: int, easy: int) -> None:
        self.steps, self.rate = steps, 2e-3
        self._writer, self._model, self._seed, self._batch, self._easy = writer, model, seed, batch, easy
        self.parameters = [*model.model.language_model.parameters(), *model.lm_head.parameters()]

    def step(self, number: int) -> Progress:
        """One batch."""
        rng = random.Random(f"words {self._seed} {number}")
        codes = EASY if number < self._easy else tuple(MAKERS)
        names = [codes[(number * self._batch + k) % len(codes)] for k in range(self._batch)]
        items = [self._item(name, f"{self._seed} words {number} {k}", rng) for k, name in enumerate(names)]
        noise = torch.Generator().manual_seed(rng.randrange(2**31))
        rows, embedded = directions(), []
        for item in items:
            clear = 0.6 + 0.5 * torch.rand(len(item.targets), 1, generator=noise)
            blur = 0.06 * torch.randn(item.targets.shape, generator=noise)
            embedded.append((item.targets * clear + blur) @ rows)
        return answer_loss(self._model, items, embedded)

    def _item(self, code: str, seed: str, rng: random.Random) -> Item:
        example = random_example(code, seed)
        sound = imagined(example) if example.lines else None
        item = self._writer.item(example, video_shape(example), None if sound is None else len(sound.samples))
        fill_targets(item, self._writer, example, sound)
        return thinned(item, self._writer, rng)


def video_shape(example: Example) -> tuple[int, int, int, int] | None:
    """The shape of the frames of an example."""
    return None if example.scene is None else (len(frame_times(example)), 3, *frame_size(*example.size))


def fill_targets(item: Item, writer: Writer, example: Example, sound: Sound | None) -> None:
    """Write what the media of an example show into the targets of its item."""
    kinds = item.ids[item.media]
    if example.scene is not None:
        item.targets[kinds == writer.video] = torch.from_numpy(seen(example)).flatten(0, 2)
    if sound is not None:
        item.targets[kinds == writer.audio] = torch.from_numpy(heard(sound, int((kinds == writer.audio).sum())))


def thinned(item: Item, writer: Writer, rng: random.Random, alike: int = 3) -> Item:
    """An item without the words that are the same in all prompts, and with few of the media tokens that are alike."""
    ids, media = item.ids.numpy(), item.media.numpy()
    keep = np.zeros(len(ids), bool)
    start = int(np.flatnonzero(ids == writer.question)[-1])
    marks = np.flatnonzero(item.says.numpy()[: item.final] >= 0)
    last = int(marks[-1]) if len(marks) else start + int(np.flatnonzero(np.isin(ids[start:], writer.newlines))[0])
    keep[0] = keep[start : last + 1] = keep[item.final - 2 :] = True
    keep[media[_few_of_each(item, ids[media] == writer.video, rng, alike)]] = True
    kept = torch.from_numpy(keep)
    index, shown = torch.cumsum(kept.long(), 0) - 1, kept[item.media]
    return Item(item.code, item.ids[kept], item.positions[:, kept], item.says[kept], int(index[item.final]),
                index[item.media[shown]], item.targets[shown])  # fmt: skip


def _few_of_each(item: Item, is_video: NDArray[np.bool_], rng: random.Random, alike: int) -> NDArray[np.int64]:
    """Random media tokens, at most `alike` of those that show the same at the same time."""
    numbers = np.random.default_rng(0).uniform(1, 100, len(ATTRIBUTES)).astype(np.float32)
    times = item.positions[0].numpy()[item.media.numpy()]
    keys = np.round(item.targets.numpy() @ numbers + np.where(is_video, times * 1e3, 0), 3)
    order = np.random.default_rng(rng.randrange(2**31)).permutation(len(keys))
    order = order[np.argsort(keys[order], kind="stable")]
    begins = np.r_[True, np.diff(keys[order]) != 0]
    index = np.arange(len(order))
    rank = index - np.maximum.accumulate(np.where(begins, index, 0))
    return order[rank < alike]


class Eyes:
    """The vision tower: what each token of two frames shows. Frames are shown several times, as drawing is slow."""

    name = "eyes"
    mine = slice(0, len(SEEN))

    def __init__(self, writer: Writer, model: Any, seed: str, steps: int, batch: int) -> None:
        self.steps, self.rate = steps, 2e-3
        self._writer, self._tower, self._seed, self._batch = writer, model.model.visual, seed, batch
        self.parameters = [*self._tower.parameters()]
        self._drawn = lru_cache(maxsize=400)(self._draw)

    def _draw(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = random.Random(f"eyes {self._seed} {number}")
        example = random_example(SHOWN_TASKS[number % len(SHOWN_TASKS)], f"{self._seed} eyes {number}")
        step = rng.randrange(len(frame_times(example)) // 2)
        return frames(example, rng, step), torch.from_numpy(seen(example, step)).flatten(0, 2)

    def step(self, number: int) -> Progress:
        """One batch."""
        rng = random.Random(f"eyes {self._seed} step {number}")
        new = self._batch * 3 // 8
        last = (number + 1) * new
        chosen = [*range(last - new, last)]
        chosen += [rng.randrange(max(0, last - 300), last) for _ in range(self._batch - new)]
        shown, targets = zip(*(self._drawn(index) for index in chosen), strict=True)
        inputs = self._writer.pixels(shown)
        output = self._tower(inputs["pixel_values_videos"], grid_thw=inputs["video_grid_thw"]).pooler_output
        return tower_loss(output, torch.cat(targets), self.mine)


class Ears:
    """The audio tower: what each token of a dialogue lets hear."""

    name = "ears"
    mine = slice(len(SEEN), len(ATTRIBUTES))

    def __init__(self, writer: Writer, model: Any, bank: SpeechBank, seed: str, steps: int, batch: int) -> None:
        self.steps, self.rate = steps, 2e-3
        self._writer, self._tower, self._bank = writer, model.model.audio_tower, bank
        self._seed, self._batch = seed, batch
        self.parameters = [*self._tower.parameters()]

    def step(self, number: int) -> Progress:
        """One batch."""
        rng = random.Random(f"ears {self._seed} {number}")
        mels, targets = [], []
        for k in range(self._batch):
            code = SPOKEN_TASKS[(number * self._batch + k) % len(SPOKEN_TASKS)]
            example = random_example(code, f"{self._seed} ears {number} {k}")
            sound = stretched(self._bank.sound(example, rng), rng.uniform(0.94, 1.06))
            mel = self._writer.mel(sound.samples)
            mels.append(mel)
            targets.append(torch.from_numpy(heard(sound, ((mel.shape[1] - 1) // 2 - 1) // 2 + 1)))
        lengths = torch.tensor([mel.shape[1] for mel in mels])
        output = self._tower(torch.cat(mels, 1), feature_lens=lengths, aftercnn_lens=(lengths - 1) // 2 + 1)
        return tower_loss(output.last_hidden_state, torch.cat(targets), self.mine)


def stretched(sound: Sound, factor: float) -> Sound:
    """A sound that is played faster by a factor, and so also higher. The silence after the last word is left out."""
    ends = round((sound.spans[-1][3] + 0.2) * SAMPLES_A_SECOND)
    samples = soxr.resample(sound.samples[:ends], SAMPLES_A_SECOND, SAMPLES_A_SECOND / factor).astype(np.float32)
    spans = tuple((kind, about, start / factor, end / factor) for kind, about, start, end in sound.spans)
    return Sound(samples, spans)


class Together:
    """Everything at once, on whole prompts with their media, as the pipeline gives them."""

    name = "together"

    def __init__(self, writer: Writer, model: Any, bank: SpeechBank, seed: str, steps: int, batch: int) -> None:
        self.steps, self.rate = steps, 4e-4
        self._writer, self._model, self._bank = writer, model, bank
        self._seed, self._batch = seed, batch
        self.parameters = [*model.parameters()]

    def step(self, number: int) -> Progress:
        """One batch."""
        codes = tuple(MAKERS)
        items, embedded, losses = [], [], []
        for k in range(self._batch):
            code = codes[(number * self._batch + k) % len(codes)]
            item = self._item(code, f"{self._seed} together {number} {k}")
            shown, loss = self._perceived(item)
            items.append(item)
            embedded.append(shown)
            losses.append(loss)
        result = answer_loss(self._model, items, embedded)
        return Progress(result.loss + 0.1 * torch.stack(losses).mean(), result.shown)

    def _item(self, code: str, seed: str) -> Item:
        rng = random.Random(f"together {seed}")
        example = random_example(code, seed)
        sound = self._bank.sound(example, rng) if example.lines else None
        samples = None if sound is None else sound.samples
        item = self._writer.item(example, video_shape(example), None if samples is None else len(samples))
        fill_targets(item, self._writer, example, sound)
        video = frames(example, rng) if example.scene is not None else None
        item.encoded = self._writer.encode(prompt(example), video, samples).tensors
        return item

    def _perceived(self, item: Item) -> tuple[torch.Tensor, torch.Tensor]:
        """What the towers make of the media of an item, and their loss."""
        kinds = item.ids[item.media]
        output = torch.zeros(len(kinds), directions().shape[1])
        loss = torch.zeros(())
        tensors = item.encoded
        if "pixel_values_videos" in tensors:
            tower = self._model.model.visual
            visible = tower(tensors["pixel_values_videos"], grid_thw=tensors["video_grid_thw"]).pooler_output
            output[kinds == self._writer.video] = visible
            loss = loss + tower_loss(visible, item.targets[kinds == self._writer.video], Eyes.mine).loss
        if "input_features" in tensors:
            mask = tensors["feature_attention_mask"][0].bool()
            length = mask.sum()[None]
            mel = tensors["input_features"][0][:, mask]
            tower = self._model.model.audio_tower
            audible = tower(mel, feature_lens=length, aftercnn_lens=(length - 1) // 2 + 1).last_hidden_state
            output[kinds == self._writer.audio] = audible
            loss = loss + tower_loss(audible, item.targets[kinds == self._writer.audio], Ears.mine).loss
        return output, loss
