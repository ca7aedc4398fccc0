"""The canary: the demo's model has learned to see and hear, so a fault that keeps all shapes is seen in its score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from lmms_humansense.demo.command import CHECKPOINT, WORLD
from lmms_humansense.demo.command import HEARD as TALKS
from lmms_humansense.models.inputs.decoding import DecodedConversation
from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.settings import LocalSettings
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense.taxonomy import TASKS

LEARNED = tuple(task.code for task in TASKS)
HEARD = (*TALKS, "FR2", "PC")
CHANCE = 0.28  # the mean of all tasks

Doc = Any
Asked = tuple[Doc, DecodedConversation]
Fault = Callable[[Sequence[DecodedConversation]], Sequence[DecodedConversation]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.set_num_threads(1)
    return Engine(LocalSettings(pretrained=str(CHECKPOINT), device="cpu"))


@pytest.fixture(scope="module")
def asked(engine: Engine) -> dict[str, list[Asked]]:
    """All questions with their decoded media, by task."""
    found: dict[str, list[Asked]] = {}
    for task in TASKS:
        for doc in utils.docs(task.code.lower(), str(WORLD), complete=False):
            messages = utils.doc_to_messages(doc, {"wrapper": "humansense_omni"})
            found.setdefault(task.code, []).append((doc, engine.encoder.decode(engine.encoder.read(messages))))
    return found


def acc(engine: Engine, tasks: Sequence[Sequence[Asked]], fault: Fault = lambda shown: shown) -> float:
    """The mean of the tasks' shares of right answers if their media have a fault."""
    scores = []
    for questions in tasks:
        shown = fault([decoded for _, decoded in questions])
        prompts = [engine.family.encode(decoded) for decoded in shown]
        scores.append(scored(engine, [doc for doc, _ in questions], prompts))
    return sum(scores) / len(scores)


def scored(engine: Engine, docs: Sequence[Doc], prompts: Sequence[EncodedPrompt]) -> float:
    answers = [engine.respond([prompt], {"max_new_tokens": 8})[0].text for prompt in prompts]
    right = [float(utils.process_results(doc, [text])["acc"]["score"]) for doc, text in zip(docs, answers, strict=True)]
    return sum(right) / len(right)


def silent(shown: Sequence[DecodedConversation]) -> list[DecodedConversation]:
    return [replace(one, sounds=[], sound_of_video=[]) for one in shown]


def sound_of_another(shown: Sequence[DecodedConversation]) -> list[DecodedConversation]:
    return [replace(one, sounds=other.sounds) for one, other in zip(shown, [*shown[1:], shown[0]], strict=True)]


def clip_of_another(shown: Sequence[DecodedConversation]) -> list[DecodedConversation]:
    return [
        replace(one, videos=other.videos, sounds=other.sounds)
        for one, other in zip(shown, [*shown[1:], shown[0]], strict=True)
    ]


def frozen(shown: Sequence[DecodedConversation]) -> list[DecodedConversation]:
    return [replace(one, videos=[video[:1].expand_as(video) for video in one.videos]) for one in shown]


def in_reverse(shown: Sequence[DecodedConversation]) -> list[DecodedConversation]:
    return [replace(one, videos=[video.flip(0) for video in one.videos]) for one in shown]


def other_time_axis(shown: Sequence[DecodedConversation]) -> list[DecodedConversation]:
    return [replace(one, rates=[0.25 for _ in one.rates]) for one in shown]


def cut_prompt(shown: Sequence[DecodedConversation]) -> list[DecodedConversation]:
    """The last two thirds of the words are missing."""

    def cut(part: dict[str, Any]) -> dict[str, Any]:
        return {**part, "text": part["text"][: len(part["text"]) // 3]} if part["type"] == "text" else part

    found = []
    for one in shown:
        *earlier, last = one.messages
        found.append(replace(one, messages=[*earlier, {**last, "content": [cut(part) for part in last["content"]]}]))
    return found


def test_it_answers_what_is_seen_and_heard(engine: Engine, asked: dict[str, list[Asked]]) -> None:
    scores = {code: acc(engine, [asked[code]]) for code in LEARNED}
    assert min(scores.values()) >= 0.8, scores
    assert sum(scores.values()) / len(scores) >= 0.95, scores


def test_blind_it_guesses(engine: Engine) -> None:
    scores = []
    for task in TASKS:
        docs = list(utils.docs(f"blind_{task.code.lower()}", str(WORLD), complete=False))
        read = [engine.encoder.read(utils.doc_to_messages(doc, {"wrapper": "humansense_omni"})) for doc in docs]
        prompts = [engine.family.encode(engine.encoder.decode(conversation)) for conversation in read]
        scores.append(scored(engine, docs, prompts))
    assert sum(scores) / len(scores) <= CHANCE + 0.1, scores


@pytest.mark.parametrize(
    ("codes", "fault", "loss"),
    [
        pytest.param(TALKS, silent, 0.6, id="sound dropped"),
        pytest.param(HEARD, sound_of_another, 0.55, id="sound of another clip"),
        pytest.param(("CM",), frozen, 0.4, id="frames frozen on the first"),
        pytest.param(("CM",), in_reverse, 0.4, id="frames in reverse"),
        pytest.param(LEARNED, clip_of_another, 0.6, id="another clip of the same task"),
        pytest.param(LEARNED, cut_prompt, 0.7, id="prompt truncated"),
    ],
)
def test_a_fault_lowers_the_score(
    codes: Sequence[str], fault: Fault, loss: float, engine: Engine, asked: dict[str, list[Asked]]
) -> None:
    tasks = [asked[code] for code in codes]
    assert acc(engine, tasks) - acc(engine, tasks, fault) >= loss


@pytest.mark.parametrize(
    ("codes", "tensor"),
    [
        pytest.param(("AR", "ER", "GR", "AC", "LD"), "pixel_values_videos", id="pictures"),
        pytest.param(HEARD, "input_features", id="sounds"),
    ],
)
def test_a_batch_that_swaps_the_media_of_two_questions_is_felt(
    codes: Sequence[str], tensor: str, engine: Engine, asked: dict[str, list[Asked]]
) -> None:
    def answers(prompts: list[EncodedPrompt]) -> list[str]:
        return [answer.text for answer in engine.respond(prompts, {"max_new_tokens": 8})]

    right = swapped_right = total = 0
    for code in codes:
        for (first, shown), (second, other) in zip(asked[code][::2], asked[code][1::2], strict=True):
            batch = [engine.family.encode(shown), engine.family.encode(other)]
            media = [one.tensors[tensor] for one in batch]
            assert media[0].shape == media[1].shape
            faulty = [
                replace(one, tensors={**one.tensors, tensor: wrong})
                for one, wrong in zip(batch, reversed(media), strict=True)
            ]
            golds = [first["answer"], second["answer"]]
            right += sum(map(str.__eq__, answers(batch), golds))
            swapped_right += sum(map(str.__eq__, answers(faulty), golds))
            total += 2
    assert (right - swapped_right) / total >= 0.4, (right, swapped_right, total)


def test_a_wrong_time_axis_is_not_felt(engine: Engine, asked: dict[str, list[Asked]]) -> None:
    """No answer of this small world depends on when something happens. A model that feels it needs another test."""
    tasks = [asked[code] for code in LEARNED if code not in ("FR2", "PC")]
    assert abs(acc(engine, tasks) - acc(engine, tasks, other_time_axis)) < 0.1
