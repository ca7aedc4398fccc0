"""The scenes that the tiny model is trained on: no answer follows from the text, and the inputs are the pipeline's."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from sample_clips import CLIPS
from tiny_learning import Writer, new_model, write_config
from tiny_stages import Words, thinned, whole_item
from train_tiny_model import train
from training_files import balanced, write_examples
from training_inputs import SAMPLES_A_SECOND, answer, frame_size, frame_times, frames, prompt
from training_scenes import CONCEPTS, MAKERS, SLOT, Example, meanings, random_example
from training_states import Training

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
        for letter, text in zip("ABCD", question.options, strict=False):
            shown[question.text, len(question.options), text] += 1
            right[question.text, len(question.options), text] += letter == answer(example) and not question.multi
    for (about, options, text), count in shown.items():
        fair = 0 if examples[0].question.multi else count / options
        assert abs(right[about, options, text] - fair) <= 5 * fair**0.5 + 1, (about, text, count)


def test_what_options_name_can_be_shown() -> None:
    assert {concept for _, concept in meanings()} <= set(CONCEPTS)


def test_what_is_shown_and_heard_has_names(examples: list[Example]) -> None:
    for example in examples[:50]:
        concepts = [*example.shows, *(name for line in example.lines for name in line.concepts)]
        assert concepts
        assert set(concepts) <= set(CONCEPTS)
        assert all(line.start < SLOT for line in example.lines)


def test_the_demo_asks_for_every_answer_about_as_often() -> None:
    for code in MAKERS:
        chosen = balanced(code, 8, "test")
        assert len(chosen) == 8
        if code not in ("PA", "FR2"):
            counts = Counter(answer(example) for example in chosen)
            assert max(counts.values()) - min(counts.values()) <= 2, (code, counts)


def test_frames_are_shown_at_the_times_of_the_training_that_made_the_weights() -> None:
    assert frame_times() == [0.0, 1.32, 2.64, 3.96]


def test_items_are_what_the_encoder_makes(writer: Writer) -> None:
    for code in ("AR", "HC", "TR", "PC"):
        example = random_example(code, "encoder")
        item = whole_item(writer, example)
        video = frames(example, random.Random(0)) if example.scene else None
        samples = np.zeros(round(len(example.lines) * SLOT * SAMPLES_A_SECOND), np.float32)
        encoded = writer.encode(prompt(example), video, samples if example.lines else None)
        assert torch.equal(encoded.tensors["input_ids"][0], item.ids[: item.final + 1])
        assert torch.equal(writer.positions(encoded), item.positions[:, : item.final + 1])


def test_thinned_items_keep_question_options_and_answer(writer: Writer) -> None:
    example = random_example("AC", "thin")
    item = whole_item(writer, example)
    thin = thinned(item, writer, random.Random(0))
    assert thin.says[thin.says >= 0].tolist() == item.says[item.says >= 0].tolist()
    text = writer.tokenizer.decode(thin.ids)
    assert all(option in text for option in example.question.options)
    assert len(thin.ids) < 150 < len(item.ids)
    assert {tuple(row) for row in thin.targets.tolist()} == {tuple(row) for row in item.targets.tolist()}


SPEAKS = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("code", ["GR", pytest.param("FR2", marks=SPEAKS), pytest.param("ES", marks=SPEAKS)])
def test_files_of_a_scene_are_read_as_it_was_trained(code: str, folder: Path, writer: Writer, tmp_path: Path) -> None:
    example = random_example(code, "file")
    write_examples([example], tmp_path)
    doc = utils.docs(code.lower(), str(tmp_path), complete=False)[0]
    encoder = LocalEncoder(LocalSettings(pretrained=str(folder)), "qwen2_5_omni")
    messages = utils.doc_to_messages(doc, {"wrapper": "humansense_omni"})
    conversation = encoder.read(messages)
    read = encoder.decode(conversation)
    video = frames(example, random.Random(0)) if example.scene else None
    if video is not None:
        assert read.videos[0].shape[-2:] == frame_size()
        # The codec's losses are about as large as those that training adds.
        assert (read.videos[0].float() - video.float()).abs().mean() < 4
    sound = read.sounds[0] if read.sounds else None
    ours = writer.encode(prompt(example), video, sound).tensors
    theirs = encoder.encode([conversation])[0].encoded.tensors  # type: ignore[union-attr]
    assert torch.equal(ours["input_ids"], theirs["input_ids"])


@pytest.mark.slow
def test_training_continues_where_it_stopped(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train_tiny_model.SAVE_EVERY", 1)

    def trained(stops: tuple[int, ...], file: Path) -> list[torch.Tensor]:
        for stop in stops:
            model = new_model(folder, 0)
            stage = Words(Writer(folder, model), model, "test", 4, batch=2, short=True)
            run(stage, file, stop)
        return [parameter.detach().clone() for parameter in stage.parameters]

    whole, parts = trained((4,), tmp_path / "whole"), trained((2, 4), tmp_path / "parts")
    assert all(torch.equal(one, other) for one, other in zip(whole, parts, strict=True))


def run(stage: Words, file: Path, stop: int) -> None:
    """Train, and be stopped before the step `stop`."""
    step = stage.step

    def stopping(number: int):  # type: ignore[no-untyped-def]
        if number == stop:
            raise KeyboardInterrupt
        return step(number)

    stage.step = stopping  # type: ignore[method-assign]
    with contextlib.suppress(KeyboardInterrupt):
        train(stage, Training(0, 1.0), file)
