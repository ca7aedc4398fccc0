"""Runs of the sample's questions with vLLM's engine and, as the reference, with a local model."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch

from lmms_humansense.models.local.collation import IDS, MASK, MEL_MASK, SECONDS, EncodedPrompt
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.settings import LocalSettings, read_local_settings
from lmms_humansense.models.runtime.request import Request, Response
from lmms_humansense.models.runtime.signals import SigtermGuard
from lmms_humansense.models.vllm.encoder import VllmEncoder
from lmms_humansense.models.vllm.engine import VllmEngine
from lmms_humansense.models.vllm.runner import VllmRunner
from lmms_humansense.tasks.humansense import data, messages
from lmms_humansense.tasks.humansense.variants import VARIANTS, Variant
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.ledgers import open_ledger

GREEDY = {"max_new_tokens": 8, "do_sample": False, "until": []}


@dataclass(frozen=True)
class Answered:
    """What is compared of an answer: the ids of its prompt, the text, its tokens, and whether it was cut off."""

    ids: tuple[int, ...]
    text: str | None
    tokens: int
    truncated: bool | None


def questions(sees: bool = True, variants: Sequence[Variant] = VARIANTS) -> dict[str, list[dict[str, Any]]]:
    """The messages of all questions of the sample in all variants; without `sees`, those without pictures."""
    found = {}
    for variant in variants:
        for task in variant.tasks:
            for number, doc in enumerate(data.load(task.code, str(ROOT), complete=False)):
                if sees or not variant.sees(doc):
                    media = data.local_media(doc) if variant.shown != "none" else None
                    name = f"{variant.name}-{task.code}-{number}"
                    found[name] = _messages(doc, media, variant)
    return found


def _messages(doc: Any, media: Any, variant: Variant) -> list[dict[str, Any]]:
    if media is None:
        return [{"role": "user", "content": [{"type": "text", "text": variant.prompt(doc)}]}]
    video, sound = str(media) if variant.sees(doc) else None, str(media) if variant.hears(doc) else None
    return messages.build(doc, video, sound, variant.prompt(doc))


def requests_of(
    asked: dict[str, list[dict[str, Any]]], generation_kwargs: dict[str, Any] = GREEDY, **kinds: dict[str, Any]
) -> list[Request]:
    """A request for each question, whose task is the question's name. `kinds` gives some of them other arguments."""
    return [
        Request(name, 0, kinds.get(name, generation_kwargs), partial(lambda said: said, said))
        for name, said in asked.items()
    ]


def shown_as(engine: VllmEngine, **policy: Any) -> VllmEngine:
    """The same running engine, with other settings of how media are shown."""
    other = copy.copy(engine)
    other.settings = replace(engine.settings, **policy)
    other.encoder = VllmEncoder(other.settings, engine.encoder.model_type)
    return other


def run_vllm(engine: VllmEngine, requests: Sequence[Request], **options: Any) -> dict[str, Response]:
    """The responses of a run, by the names of the questions."""
    runner = VllmRunner(engine, options.get("workers"), options.get("ledger") or open_ledger(), SigtermGuard())
    responses = list(runner.run(requests))
    assert [response.request for response in responses] == list(requests)
    return {response.request.task: response for response in responses}


def with_ids(engine: VllmEngine, requests: Sequence[Request]) -> dict[str, Answered]:
    """The answers of vLLM, with the ids of the prompts that it reports."""
    ids: list[tuple[int, tuple[int, ...]]] = []
    noted = copy.copy(engine)
    answer = engine._answer

    def noting(output: Any) -> Any:
        ids.append((int(output.request_id), tuple(output.prompt_token_ids)))
        return answer(output)

    noted._answer = noting  # type: ignore[method-assign]
    responses = run_vllm(noted, requests)
    # Without workers, prompts are given to the engine in the order of the requests.
    in_order = [found for _, found in sorted(ids)]
    assert len(in_order) == len(requests), [response.error for response in responses.values() if response.error]
    return {
        name: Answered(found, response.text, response.output_tokens, response.truncated)
        for found, (name, response) in zip(in_order, responses.items(), strict=True)
    }


def local_answers(engine: VllmEngine, requests: Sequence[Request], **arguments: Any) -> Iterator[tuple[str, Answered]]:
    """The answers that the local model gives to each question alone."""
    known = {"frames", "fps", "nframes", "max_pixels", "time_axis", "video_reader", "use_audio_in_video"}
    shown = {name: value for name, value in asdict(engine.settings).items() if name in known}
    local = Engine(
        read_local_settings({"pretrained": engine.settings.pretrained, "device": "cpu", **shown, **arguments})
    )
    for request in requests:
        (result,) = local.encoder.encode([local.encoder.read(request.messages())])
        assert isinstance(result.encoded, EncodedPrompt), result.reason
        (answer,) = local.respond([result.encoded], request.generation_kwargs)
        ids = tuple(result.encoded.tensors[IDS][0].tolist())
        yield request.task, Answered(ids, answer.text, answer.tokens, answer.truncated)


def local_positions(thinker: Any, prompt: EncodedPrompt) -> torch.Tensor:
    """The positions that transformers gives to the tokens of a prompt: (3, tokens)."""
    tensors = prompt.tensors
    mask = tensors.get(MEL_MASK)
    positions, _ = thinker.get_rope_index(
        tensors[IDS], None, tensors.get("video_grid_thw"), tensors[MASK], prompt.has_heard_video,
        None if mask is None else mask.sum(-1), tensors.get(SECONDS),
    )  # fmt: skip
    found: torch.Tensor = positions[:, 0]
    return found


def between_whole_positions(settings: LocalSettings, requests: Sequence[Request]) -> set[str]:
    """The questions with tokens between whole positions, which vLLM cannot represent."""
    local = Engine(settings)
    between = set()
    for request in requests:
        (result,) = local.encoder.encode([local.encoder.read(request.messages())])
        assert isinstance(result.encoded, EncodedPrompt), result.reason
        positions = local_positions(local.family.model, result.encoded)
        if not torch.equal(positions, positions.floor()):
            between.add(request.task)
    return between


def differences(ours: dict[str, Answered], theirs: dict[str, Answered]) -> dict[str, tuple[Any, Any]]:
    """The questions whose answers or prompts differ, with what differs."""
    return {name: (_short(ours[name]), _short(theirs[name])) for name in theirs if ours[name] != theirs[name]}


def _short(answered: Answered) -> tuple[Any, ...]:
    return answered.text, answered.tokens, answered.truncated, len(answered.ids)


def of_tasks(*codes: str) -> dict[str, list[dict[str, Any]]]:
    """The questions of some tasks, as the benchmark asks them."""
    return {name: said for name, said in questions(variants=VARIANTS[:1]).items() if name.split("-")[1] in codes}
