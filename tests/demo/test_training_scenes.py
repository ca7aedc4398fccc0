"""The scenes that the tiny model is trained on: no answer follows from the text, and the inputs are the pipeline's."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import torch
from sample_clips import CLIPS
from tiny_learning import Item, Writer, new_model, write_config
from tiny_stages import Words, thinned, video_shape
from train_tiny_model import train
from training_files import write_examples
from training_inputs import ATTRIBUTES, NUMBER, answer, frames, imagined, prompt, seen
from training_scenes import MAKERS, Example, meanings, random_example

from lmms_humansense.models.local.encoder import LocalEncoder
from lmms_humansense.models.local.settings import LocalSettings
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense.taxonomy import TASKS

EXAMPLES = 600


@pytest.fixture(scope="module", params=list(MAKERS))
def examples(request: pytest.FixtureRequest) -> list[Example]:
    return [random_example(request.param, f"test {k}") for k in range(EXAMPLES)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "learning"
    write_config(path)
    return path


@pytest.fixture(scope="module")
def writer(folder: Path) -> Writer:
    return Writer(folder, new_model(folder, 0))


def test_every_task_has_scenes() -> None:
    assert set(MAKERS) == {task.code for task in TASKS}


def test_the_same_seed_gives_the_same_scene(examples: list[Example]) -> None:
    code = examples[0].code
    assert [random_example(code, f"test {k}") for k in range(20)] == examples[:20]
    assert random_example(code, "other") not in examples[:20]


def test_no_scene_of_the_sample_is_among_them(examples: list[Example]) -> None:
    scenes = [clip.scene for clip in CLIPS]
    assert not any(example.scene in scenes for example in examples)


def test_every_letter_and_number_is_right_equally_often(examples: list[Example]) -> None:
    groups: dict[tuple[int, bool], Counter[str]] = defaultdict(Counter)
    for example in examples:
        options = len(example.question.options)
        groups[options, example.question.multi].update(answer(example))
    for (options, multi), counts in groups.items():
        total = sum(counts.values())
        names = "ABCD"[:options] if options else "12345"
        assert set(counts) == set(names)
        # More than 5 standard deviations of a fair choice, also where a question may have several right letters.
        slack = 5 * (total / len(names)) ** 0.5
        assert all(abs(counts[name] - total / len(names)) < slack for name in names), (multi, counts)


def test_no_option_is_right_more_often_than_others(examples: list[Example]) -> None:
    """Whoever knows only the texts of question and options gets what guessing gets."""
    shown: Counter[tuple[str, int, str]] = Counter()
    right: Counter[tuple[str, int, str]] = Counter()
    for example in examples:
        question = example.question
        if question.multi:
            continue
        about = question.text.rsplit(" the ", 1)[0] if example.code in ("TR", "ER", "AR") else question.text
        for letter, text in zip("ABCD", question.options, strict=False):
            text = text if example.code != "CM" else ""
            shown[about, len(question.options), text] += 1
            right[about, len(question.options), text] += letter == answer(example)
    for (about, options, text), count in shown.items():
        fair = count / options
        assert abs(right[about, options, text] - fair) <= 5 * fair**0.5 + 1, (about, text, count)


def test_what_options_name_can_be_shown() -> None:
    assert {attribute for _, attribute in meanings()} <= set(ATTRIBUTES)


def test_what_is_marked_is_where_it_is_drawn(writer: Writer) -> None:
    example = next(e for k in range(50) if (e := random_example("PA", f"red {k}")).question.answer and "shirt red" in
                   named(e))  # fmt: skip
    grid = seen(example)[0]
    picture = frames(example, random.Random(0), 0).float().mean(0)
    cells = picture.unfold(1, 28, 28).unfold(2, 28, 28).mean((-1, -2))
    redness = cells[0] - (cells[1] + cells[2]) / 2
    inside = torch.from_numpy(grid[..., NUMBER["shirt red"]]) > 0
    assert redness[inside].max() == redness.max()


def named(example: Example) -> set[str]:
    """The attributes that a clip shows."""
    return {ATTRIBUTES[index] for index in seen(example).reshape(-1, len(ATTRIBUTES)).any(0).nonzero()[0]}


def test_items_are_what_the_encoder_makes(writer: Writer) -> None:
    for code in ("AR", "HC", "TR", "PC"):
        example = random_example(code, "encoder")
        sound = imagined(example).samples if example.lines else None
        item = writer.item(example, video_shape(example), None if sound is None else len(sound))
        video = frames(example, random.Random(0)) if example.scene else None
        encoded = writer.encode(prompt(example), video, sound)
        assert torch.equal(encoded.tensors["input_ids"][0], item.ids[: item.final + 1])
        assert torch.equal(writer.positions(encoded), item.positions[:, : item.final + 1])


def test_thinned_items_keep_question_options_and_answer(writer: Writer) -> None:
    example = random_example("AC", "thin")
    item = writer.item(example, video_shape(example), None)
    item.targets[:] = torch.from_numpy(seen(example)).flatten(0, 2)
    thin = thinned(item, writer, random.Random(0))
    assert thin.says[thin.says >= 0].tolist() == item.says[item.says >= 0].tolist()
    text = writer.tokenizer.decode(thin.ids)
    assert all(option in text for option in example.question.options)
    assert len(thin.ids) < 150 < len(item.ids)
    # Everything that was shown at a time is still shown at that time.
    assert moments(thin) == moments(item)


def moments(item: Item) -> set[tuple[int, tuple[float, ...]]]:
    """What is shown at each time."""
    times = item.positions[0][item.media].tolist()
    return {(time, tuple(shown)) for time, shown in zip(times, item.targets.tolist(), strict=True)}


SPEAKS = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("code", ["GR", pytest.param("FR2", marks=SPEAKS), pytest.param("ES", marks=SPEAKS)])
def test_files_of_a_scene_are_read_as_it_was_trained(code: str, folder: Path, writer: Writer, tmp_path: Path) -> None:
    example = random_example(code, "file")
    write_examples([example], tmp_path)
    doc = utils.docs(code.lower(), str(tmp_path), complete=False)[0]
    encoder = LocalEncoder(LocalSettings(pretrained=str(folder)), "qwen2_5_omni")
    messages = utils.doc_to_messages(doc, {"sees": True, "hears": True})
    conversation = encoder.read(messages)
    read = encoder.decode(conversation)
    video = frames(example, random.Random(0)) if example.scene else None
    sound = read.sounds[0] if read.sounds else None
    ours = writer.encode(prompt(example), video, sound).tensors
    theirs = encoder.encode([conversation])[0].encoded.tensors  # type: ignore[union-attr]
    assert torch.equal(ours["input_ids"], theirs["input_ids"])
    if video is not None:
        # The codec's losses are about as large as those that training adds.
        assert (read.videos[0].float() - video.float()).abs().mean() < 4


@pytest.mark.slow
def test_training_continues_where_it_stopped(folder: Path, tmp_path: Path) -> None:
    def trained(steps: tuple[int, ...], file: Path) -> dict[str, torch.Tensor]:
        for stop in steps:
            model = new_model(folder, 0)
            stage = Words(Writer(folder, model), model, "test", 4, batch=2, easy=2)
            stage.steps = 4
            run(stage, model, file, stop)
        return dict(model.state_dict())

    whole, parts = trained((4,), tmp_path / "whole"), trained((2, 4), tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def run(stage: Words, model: object, file: Path, stop: int) -> None:
    """Train, and be stopped before the step `stop`."""
    step = stage.step

    def stopping(number: int):  # type: ignore[no-untyped-def]
        if number == stop:
            raise KeyboardInterrupt
        return step(number)

    stage.step = stopping  # type: ignore[method-assign]
    with contextlib.suppress(KeyboardInterrupt):
        train([stage], model, file)
