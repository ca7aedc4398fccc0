"""Answers are stored under everything that they depend on: only changed requests are asked again."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lmms_eval.api.instance import GenerationResult, Instance
from lmms_eval.caching import response_cache as upstream
from lmms_eval.caching.fs_detect import FsType
from loguru import logger

from lmms_humansense.demo.tiny_model import write_tiny_model
from lmms_humansense.models import chat, omni
from lmms_humansense.models.caching.response_cache import AnswerCache, EarlierRuns, _restored
from lmms_humansense.models.chat import FAILURE_MARK
from lmms_humansense.models.inputs.stats import MediaStats
from lmms_humansense.models.local import description as descriptions
from lmms_humansense.models.local import engine as engines
from lmms_humansense.models.media.digests import FileDigests, SeenFile
from lmms_humansense.models.omni import HumanSenseOmni
from lmms_humansense.models.runtime.request import Request, Response
from lmms_humansense.models.runtime.signals import RunStopped
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.waits import LIMIT

PARK = ROOT / "videos" / "count" / "park.mp4"
MEETING = ROOT / "videos" / "talk" / "meeting.mp4"
GENERATION = {"max_new_tokens": 4}


def loaded(model: Path, **arguments: Any) -> HumanSenseOmni:
    made = HumanSenseOmni(str(model), device="cpu", media_workers=0, **arguments)
    made.task_dict = {"task": {"test": [None] * 100}}
    return made


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> HumanSenseOmni:
    return loaded(tiny_model)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return Path(shutil.copy(PARK, tmp_path / "clip.mp4"))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def about(file: Path, words: str = "Who?", **shown: Any) -> list[dict[str, Any]]:
    video = {"type": "video", "url": str(file), "fps": 1.0, "time_axis": "release", **shown}
    return [{"role": "user", "content": [video, {"type": "text", "text": words}]}]


def request(messages: Any, number: int = 0, **generation: Any) -> Instance:
    arguments = ("context", lambda doc: messages, {**GENERATION, **generation}, number, "task", "test")
    return Instance("generate_until", arguments, 0, {"task": "task", "doc_id": number, "repeats": 1})


def opened(cache: Path, **options: Any) -> AnswerCache:
    return AnswerCache.create(str(cache), **{"model": "humansense_omni", "model_args": "pretrained=x", **options})


class Asked:
    """Runs a model on requests with a cache, and counts the requests that reach the model."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.questions = 0
        respond = engines.Engine.respond

        def noted(engine: Any, samples: Sequence[Any], *rest: Any) -> Any:
            self.questions += len(samples)
            return respond(engine, samples, *rest)

        monkeypatch.setattr(engines.Engine, "respond", noted)

    def __call__(
        self, model: HumanSenseOmni, cache: Path, *requests: Instance, success: bool = True
    ) -> list[GenerationResult]:
        self.questions = 0
        answers = opened(cache)
        try:
            return answers.execute(model, "generate_until", list(requests))
        finally:
            answers.finalize(success=success)


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the run says."""
    lines: list[str] = []
    number = logger.add(lambda line: lines.append(line.rstrip()), level="INFO", format="{message}")
    yield lines
    logger.remove(number)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def test_a_stored_answer_is_not_asked_again_and_logged_the_same(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path
) -> None:
    requests = [request(about(clip)), request(about(MEETING, "How?"), 1)]
    first = asked(model, cache, *requests)
    assert asked.questions == 2
    axes = model.get_model_info()["time_axis_of_tasks"]
    model._time_axes.clear()
    again = asked(model, cache, *requests)
    assert asked.questions == 0
    assert [(one.text, one.token_counts.to_dict()) for one in again if one.token_counts] == [
        (one.text, one.token_counts.to_dict()) for one in first if one.token_counts
    ]
    assert len(again) == 2
    assert model.get_model_info()["time_axis_of_tasks"] == axes == {"task": "release"}
    assert model.get_model_info()["effort"]["answers_of_earlier_runs"] == 2


def unloadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, nothing may be loaded or started."""

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was loaded or started")

    monkeypatch.setattr(omni, "Engine", refused)
    monkeypatch.setattr(chat, "WorkerPool", refused)


def test_known_answers_need_no_model(
    tiny_model: Path, asked: Asked, cache: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    requests = [request(about(clip)), request(about(MEETING, "How?"), 1), request(about(clip, "Where?"), 2)]
    first_model = HumanSenseOmni(str(tiny_model), device="cpu", media_workers=1)
    first_model.task_dict = {"task": {"test": [None] * 100}}
    first = asked(first_model, cache, *requests)
    info = first_model.get_model_info()
    first_model.clean()
    unloadable(monkeypatch)
    second_model = HumanSenseOmni(str(tiny_model), device="cpu", media_workers=1)
    second_model.task_dict = first_model.task_dict
    again = asked(second_model, cache, *requests)
    assert [one.text for one in again] == [one.text for one in first]
    assert "Nothing was asked: earlier runs have all 3 answers." in said
    told = second_model.get_model_info()
    assert told["effort"] == {"model_seconds": 0.0, "answers_of_earlier_runs": 3}
    assert {name: told[name] for name in info if name != "effort"} == {
        name: info[name] for name in info if name != "effort"
    }
    assert told["media_workers"] == 1


def test_a_question_that_cannot_be_asked_is_not_called_known(
    tiny_model: Path, asked: Asked, cache: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    known = [request(about(clip, words), number) for number, words in enumerate(("Who?", "How?"))]
    asked(loaded(tiny_model), cache, *known)
    unloadable(monkeypatch)
    model = HumanSenseOmni(str(tiny_model), device="cpu", max_failures=1)
    model.task_dict = {"task": {"test": [None] * 100}}
    responses = asked(model, cache, *known, request([{"role": "user", "content": [{"type": "video"}]}], 2))
    assert [response.text.startswith("[request failed]") for response in responses] == [False, False, True]
    assert "Nothing was asked: earlier runs have 2 of 3 answers, and the others cannot be asked." in said


def test_a_model_is_loaded_for_the_first_new_question_and_answers_keep_their_order(
    tiny_model: Path, asked: Asked, cache: Path, clip: Path
) -> None:
    known = [request(about(clip, words), number) for number, words in enumerate(("Who?", "How?", "Where?"))]
    first = asked(loaded(tiny_model), cache, *known)
    new = request(about(MEETING, "When?"), 3)
    model = loaded(tiny_model)
    again = asked(model, cache, known[0], new, *known[1:])
    assert asked.questions == 1
    assert [again[place].text for place in (0, 2, 3)] == [one.text for one in first]
    assert model.get_model_info()["effort"]["answers_of_earlier_runs"] == 3


def test_messages_that_cannot_be_read_need_no_model_and_are_counted_once(
    tiny_model: Path, asked: Asked, cache: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = request(about(clip))
    (answer,) = asked(loaded(tiny_model), cache, good)
    unloadable(monkeypatch)
    unread = request([{"role": "user", "content": [{"type": "smell", "url": "x"}]}], 1)
    model = loaded(tiny_model, max_failures=1)
    found = asked(model, cache, good, unread)
    assert found[0].text == answer.text
    assert found[1].text.startswith(FAILURE_MARK)
    assert [failure.doc_id for failure in model.failures] == [1]
    with pytest.raises(RunStopped, match="1 of 2 requests failed, and max_failures=0 allows 0"):
        asked(loaded(tiny_model, max_failures=0), cache, good, unread, success=False)


def test_a_checkpoint_that_is_replaced_before_it_is_loaded_gives_no_answers(
    tiny_model: Path, asked: Asked, cache: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers would be kept as those of the checkpoint before."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "checkpoint"))
    model = loaded(folder)
    other = write_tiny_model(tmp_path / "other", seed=1)
    load = engines.Engine

    def replaced(*arguments: Any) -> Any:
        shutil.copy(other / "model.safetensors", folder / "model.safetensors")
        return load(*arguments)

    monkeypatch.setattr(omni, "Engine", replaced)
    with pytest.raises(RunStopped, match=f"The files of pretrained={folder} were changed after the run began"):
        asked(model, cache, request(about(clip)), success=False)
    assert asked.questions == 0


@pytest.fixture
def survives_sigterm() -> Iterator[None]:
    """A SIGTERM that no handler catches does not end the tests."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("survives_sigterm")
@pytest.mark.parametrize("new", [0, 1], ids=["all known", "one is new"])
def test_sigterm_during_the_look_up_ends_the_run_at_once_and_loses_nothing(
    new: int, tiny_model: Path, asked: Asked, cache: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the content of a clip is read, which may take long, and does not end for it."""
    requests = [request(about(clip)), request(about(MEETING, "How?"), 1), request(about(clip, "When?"), 2)]
    known = requests[: 3 - new]
    first = asked(loaded(tiny_model), cache, *known)
    content, ended = FileDigests.content, threading.Event()

    def held(files: FileDigests, path: str) -> SeenFile:
        if path == str(MEETING):
            os.kill(os.getpid(), signal.SIGTERM)
            assert ended.wait(LIMIT)
        return content(files, path)

    with monkeypatch.context() as patched:
        unloadable(patched)
        patched.setattr(FileDigests, "content", held)
        model = loaded(tiny_model)
        with pytest.raises(RunStopped, match=r"The run was ended by SIGTERM\. Answers kept by this process in .*: 1\."):
            asked(model, cache, *requests, success=False)
        ended.set()
    assert model.failures == []
    again = asked(loaded(tiny_model), cache, *requests)
    assert asked.questions == new
    assert [one.text for one in again[: len(known)]] == [one.text for one in first]


@pytest.mark.parametrize("change", ["replaced", "written again", "removed", "linked"])
def test_an_answer_is_not_kept_if_its_clip_changed_after_the_look_up(
    change: str, model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be about the new content, and its key names the old one. A file that is only linked has not changed."""
    content = clip.read_bytes()
    encode = model.engine.encoder.encode

    def changing(conversations: Any) -> Any:
        if change == "replaced":
            Path(shutil.copy(MEETING, clip.with_name("other.mp4"))).replace(clip)
        elif change == "linked":
            os.link(clip, clip.with_name("other.mp4"))
        results = encode(conversations)
        if change == "written again":
            before = clip.stat()
            clip.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            os.utime(clip, ns=(before.st_atime_ns, before.st_mtime_ns))
        elif change == "removed":
            clip.unlink()
        return results

    with monkeypatch.context() as patched:
        patched.setattr(model.engine.encoder, "encode", changing)
        (first,) = asked(model, cache, request(about(clip)))
        assert asked.questions == 1
        assert first.text is not None and not first.text.startswith(FAILURE_MARK)
    clip.write_bytes(content)
    asked(model, cache, request(about(clip)))
    assert asked.questions == (0 if change == "linked" else 1)


def test_the_way_of_generating_decides_and_not_its_spelling(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path
) -> None:
    asked(model, cache, request(about(clip)))
    asked(model, cache, request(about(clip), temperature=0.0, do_sample=False, num_beams=1, until=[], top_p=1.0))
    assert asked.questions == 0
    asked(model, cache, request(about(clip), num_beams=2))
    assert asked.questions == 1
    for _ in range(2):  # sampled, whatever the task says beside the temperature
        asked(model, cache, request(about(clip), temperature=1, do_sample=False))
        assert asked.questions == 1


def test_a_checkpoint_is_read_once_for_a_run_of_several_steps(
    model: HumanSenseOmni, cache: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    identity = model.identity

    def noted() -> dict[str, Any]:
        read.append(1)
        return identity()

    monkeypatch.setattr(model, "identity", noted)
    answers = opened(cache)
    with pytest.raises(SystemExit, match="temperature=-1 cannot be used"):
        answers.execute(model, "generate_until", [request(about(clip), temperature=-1)])
    assert not read, "what cannot be asked is refused first"
    for number in range(2):
        answers.execute(model, "generate_until", [request(about(clip), number)])
    answers.finalize(success=True)
    assert len(read) == 1


def test_the_same_clip_and_checkpoint_in_other_folders_are_not_asked_again(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path, tiny_model: Path, tmp_path: Path
) -> None:
    (expected,) = asked(model, cache, request(about(clip)))
    moved = tmp_path / "moved"
    shutil.copytree(tiny_model, moved / "checkpoint")
    shutil.move(clip, moved / "other name.mp4")
    shutil.move(cache, moved / "cache")
    (found,) = asked(loaded(moved / "checkpoint"), moved / "cache", request(about(moved / "other name.mp4"), number=7))
    assert asked.questions == 0
    assert found.text == expected.text


Change = Callable[[Path, Path], tuple[dict[str, Any], list[dict[str, Any]]]]


def flip_a_byte(clip: Path, _: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    content = bytearray(clip.read_bytes())
    content[-1] ^= 1  # only a note of the encoder: the frames stay the same
    clip.write_bytes(content)
    return {}, about(clip)


def flip_a_weight(clip: Path, folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    weights = folder / "checkpoint" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    return {"pretrained": str(folder / "checkpoint")}, about(clip)


CHANGES: dict[str, Change] = {
    "clip": flip_a_byte,
    "checkpoint": flip_a_weight,
    "prompt": lambda clip, _: ({}, about(clip, "Who?\n\nTranscript: hello")),
    "frame rule of the task": lambda clip, _: ({}, about(clip, fps=0.5)),
    "size of frames": lambda clip, _: ({}, about(clip, max_pixels=64 * 64)),
    "part": lambda clip, _: ({}, about(clip, end_time=2.0)),
    "time axis of the task": lambda clip, _: ({}, about(clip, time_axis="true")),
    "frame rule of the model": lambda clip, _: ({"nframes": 2}, about(clip)),
    "time axis of the model": lambda clip, _: ({"time_axis": "true"}, about(clip)),
    "sound policy": lambda clip, _: ({"use_audio_in_video": "always"}, about(clip)),
    "system prompt": lambda clip, _: ({"system_prompt": "Be brief."}, about(clip)),
    "dtype": lambda clip, _: ({"dtype": "bfloat16"}, about(clip)),
    "attention": lambda clip, _: ({"attn_implementation": "eager"}, about(clip)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_request_is_asked_again(
    name: str, model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path, tiny_model: Path, tmp_path: Path
) -> None:
    asked(model, cache, request(about(clip)))
    shutil.copytree(tiny_model, tmp_path / "checkpoint")
    arguments, messages = CHANGES[name](clip, tmp_path)
    asked(loaded(arguments.pop("pretrained", tiny_model), **arguments), cache, request(messages))
    assert asked.questions == 1


def test_other_code_libraries_and_generation_are_asked_again(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(model, cache, request(about(clip)))
    asked(model, cache, request(about(clip), min_new_tokens=2))
    assert asked.questions == 1
    monkeypatch.setattr(descriptions, "digest_of_code", lambda *_, **__: "of another release")
    asked(model, cache, request(about(clip)))
    assert asked.questions == 1
    monkeypatch.undo()
    asked = Asked(monkeypatch)
    versions = model.get_model_info()["versions"]
    monkeypatch.setitem(model._description, "versions", {**versions, "transformers": "9.0"})
    asked(model, cache, request(about(clip)))
    assert asked.questions == 1
    monkeypatch.setattr("qwen_omni_utils.v2_5.vision_process.MODEL_SEQ_LEN", 1000)  # from an environment variable
    asked(model, cache, request(about(clip)))
    assert asked.questions == 1


def test_another_checkpoint_of_the_same_shape_is_asked(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path, tmp_path: Path
) -> None:
    asked(model, cache, request(about(clip)))
    other = loaded(write_tiny_model(tmp_path / "other", seed=1))
    asked(other, cache, request(about(clip)))
    assert asked.questions == 1
    asked(model, cache, request(about(clip)))
    asked(other, cache, request(about(clip)))
    assert asked.questions == 0


def test_failures_are_asked_again(model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path) -> None:
    clip.write_bytes(b"not there yet")
    (failed,) = asked(model, cache, request(about(clip)))
    assert failed.text.startswith(FAILURE_MARK)
    (failed,) = asked(model, cache, request(about(clip)))
    assert failed.text.startswith(FAILURE_MARK)
    shutil.copy(PARK, clip)
    (answered,) = asked(model, cache, request(about(clip)))
    assert not answered.text.startswith(FAILURE_MARK)
    assert FAILURE_MARK not in "".join(log.read_text() for log in cache.rglob("*.jsonl"))


def test_empty_answers_are_answers(model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path) -> None:
    (whole,) = asked(model, cache, request(about(clip)))
    stopped: dict[str, Any] = {"until": [whole.text[0]]}
    assert [one.text for one in asked(model, cache, request(about(clip), **stopped))] == [""]
    assert [one.text for one in asked(model, cache, request(about(clip), **stopped))] == [""]
    assert asked.questions == 0


def test_how_an_answer_ended_is_kept(model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path) -> None:
    (cut_off,) = asked(model, cache, request(about(clip)))
    requests = [request(about(clip)), request(about(clip), until=[cut_off.text[0]])]
    first = asked(model, cache, *requests)
    assert [one.token_counts.to_dict()["truncated"] for one in first] == [True, False]
    assert asked(model, cache, *requests) == first
    assert asked.questions == 0
    assert model.truncated == {"task": 1}


def test_all_that_a_server_says_of_an_answer_is_kept(cache: Path) -> None:
    first = opened(cache)
    first._identity = "x" * 64
    stats = MediaStats(4, 1.5, 2.0, "true", ("one", "two"))
    for number, truncated in enumerate((True, False, None)):
        asked = Request("task", number, GENERATION, list)
        response = Response(asked, "B", 3, 4, stats, key=f"key {number}", truncated=truncated, reasoning="A or B?")
        first.keep(response)
    first.finalize(success=True)
    again = EarlierRuns(cache, cache / "no run")
    for number, truncated in enumerate((True, False, None)):
        found = again.find(f"key {number}")
        assert found is not None
        restored = _restored(asked, found, (), None)
        assert restored is not None
        assert (restored.text, restored.truncated, restored.reasoning) == ("B", truncated, "A or B?")
        assert restored.stats == stats
    again.close()


def test_sampled_answers_are_asked_every_time(model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path) -> None:
    for _ in range(2):
        asked(model, cache, request(about(clip), temperature=1.0, do_sample=True))
        assert asked.questions == 1


def test_answers_are_on_disk_before_the_next_batch_in_any_order(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends in its third batch. The first two batches held the first and the last request."""
    monkeypatch.setattr("lmms_humansense.models.inputs.docs.ClipNames.of", lambda self, task, split, doc: "ABBA"[doc])
    files = [clip, MEETING, MEETING, clip]
    requests = [request(about(file, f"Who is number {number}?"), number) for number, file in enumerate(files)]
    respond, calls = engines.Engine.respond, []

    def ending(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return respond(*arguments)

    with monkeypatch.context() as changed, pytest.raises(KeyboardInterrupt):
        changed.setattr(engines.Engine, "respond", ending)
        asked(model, cache, *requests, success=False)
    (log,) = cache.rglob("rank_0.audit.jsonl")
    assert [json.loads(line)["doc_id"] for line in log.read_text().splitlines()] == [0, 3]
    asked(model, cache, *requests)
    assert asked.questions == 2
    assert model.get_model_info()["effort"]["answers_of_earlier_runs"] == 2


def test_a_line_that_was_cut_off_costs_only_its_answer(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path
) -> None:
    requests = [request(about(clip)), request(about(clip, "How?"), 1)]
    asked(model, cache, *requests, success=False)
    (log,) = cache.rglob("rank_0.audit.jsonl")
    log.write_bytes(log.read_bytes()[:-30])
    asked(model, cache, *requests)
    assert asked.questions == 1


def test_a_damaged_or_foreign_entry_is_asked_again(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path
) -> None:
    asked(model, cache, request(about(clip)))
    with sqlite3.connect(cache / "cache.db") as database:
        database.execute("UPDATE responses SET response = ?", ('"B"',))
    asked(model, cache, request(about(clip)))
    assert asked.questions == 1


def test_a_damaged_database_is_not_used(model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path) -> None:
    cache.mkdir()
    (cache / "cache.db").write_bytes(b"no database" * 1000)
    (answered,) = asked(model, cache, request(about(clip)))
    assert asked.questions == 1
    assert answered.text
    asked(model, cache, request(about(clip)))
    assert asked.questions == 0, "the log of the run that could not be merged is read"


def test_answers_with_unusual_characters_are_found(cache: Path) -> None:
    text = "a\u2028b\x85c\n\r\x00\U0001f600 [request failed]"
    first = opened(cache)
    first._identity = "x"
    first.keep(Response(Request("task", 0, GENERATION, list), text, output_tokens=3, key="a key"))
    first.finalize(success=False)
    second = opened(cache)
    stored = second._earlier.find("a key")
    assert stored is not None
    assert json.loads(stored)["text"] == text


@pytest.fixture
def two(cache: Path) -> Iterator[tuple[AnswerCache, AnswerCache]]:
    made = opened(cache), opened(cache)
    yield made
    for one in made:
        one.close()


def test_runs_share_a_folder_at_the_same_time(
    two: tuple[AnswerCache, AnswerCache], model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path
) -> None:
    questions = [request(about(clip, f"Number {number}?"), number) for number in range(6)]
    first, second = two
    assert first._run_dir != second._run_dir
    first.execute(model, "generate_until", questions[:4])
    second.execute(model, "generate_until", questions[2:])
    first.finalize(success=True)
    second.finalize(success=True)
    with sqlite3.connect(cache / "cache.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT COUNT(*) FROM responses").fetchone() == (6,)
    asked(model, cache, *questions)
    assert asked.questions == 0


def test_runs_with_other_numbers_of_processes_find_each_others_answers(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = [request(about(clip, f"Number {number}?"), number) for number in range(4)]
    for rank in range(2):
        ranked = opened(cache, world_size=2, global_rank=rank)
        ranked.execute(model, "generate_until", questions[rank::2])
        ranked.close()
    asked(model, cache, *questions)
    assert asked.questions == 0


def test_a_finished_run_contains_the_answers_of_killed_runs(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path
) -> None:
    questions = [request(about(clip, f"Number {number}?"), number) for number in range(4)]
    asked(model, cache, *questions[:3], success=False)
    asked(model, cache, *questions)
    assert asked.questions == 1
    shutil.rmtree(cache / "runs")
    asked(model, cache, *questions)
    assert asked.questions == 0


def test_on_a_network_folder_answers_are_not_kept_on_the_disk_of_a_node(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch of a node").mkdir()
    monkeypatch.setenv("LMMS_LOCAL_CACHE", str(tmp_path / "scratch of a node"))
    monkeypatch.setattr(upstream, "detect_fs_type", lambda path: FsType.REMOTE)
    cut_off = opened(cache)
    cut_off.execute(model, "generate_until", [request(about(clip))])
    shutil.rmtree(tmp_path / "scratch of a node")  # as if the node were lost
    (tmp_path / "scratch of a node").mkdir()
    asked(model, cache, request(about(clip)))
    assert asked.questions == 0
    shutil.rmtree(cache / "runs")
    asked(model, cache, request(about(clip)))
    assert asked.questions == 0, "the run was merged too"


def test_the_lock_of_a_process_that_was_killed_is_broken(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        raise TimeoutError("the lock is not free")

    monkeypatch.setattr(upstream, "time", SimpleNamespace(time=time.time, monotonic=time.monotonic, sleep=wait))
    lock = cache / "runs" / ".merge.lock"
    lock.mkdir(parents=True)
    (lock / "owner.json").write_text(json.dumps({"pid": 2**22 + 1, "hostname": socket.gethostname()}))
    asked(model, cache, request(about(clip)))
    assert waits == []
    assert (cache / "cache.db").exists()


@pytest.mark.parametrize("owner", [{"pid": os.getpid(), "hostname": socket.gethostname()}, {"pid": 1, "hostname": "x"}])
def test_the_lock_of_a_process_that_may_run_is_left(cache: Path, owner: dict[str, Any]) -> None:
    answers = opened(cache)
    lock = cache / "runs" / ".merge.lock"
    lock.mkdir(parents=True)
    (lock / "owner.json").write_text(json.dumps(owner))
    answers._break_stale_lock()
    assert lock.exists()
    answers.close()


def test_a_full_disk_ends_the_run_and_answers_stay_kept(
    model: HumanSenseOmni, cache: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = [request(about(clip, f"Number {number}?"), number) for number in range(3)]
    answers = opened(cache)
    keep = AnswerCache.keep

    def filling(self: AnswerCache, response: Response) -> None:
        if self.kept:
            self._audit_file = open("/dev/full", "a")  # noqa: SIM115  # like the log on a full disk
        keep(self, response)

    monkeypatch.setattr(AnswerCache, "keep", filling)
    with pytest.raises(RunStopped) as stopped:
        answers.execute(model, "generate_until", questions)
    assert stopped.value.code == 3
    assert f"Answers can no longer be written to {cache}: [Errno 28] No space left on device." in stopped.value.reason
    assert f"Answers kept by this process in {cache}: 1. The same command continues" in stopped.value.reason


def test_a_folder_that_cannot_be_written_is_refused(clip: Path) -> None:
    with pytest.raises(SystemExit, match=r"HumanSense: --use_cache .*clip\.mp4.* cannot be used"):
        opened(clip / "cache")


def test_padding_requests_are_not_asked(model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path) -> None:
    padding = request(about(clip, "Again?"), 1)
    assert padding.metadata is not None
    padding.metadata["__padding_only__"] = True
    texts = [one.text for one in asked(model, cache, padding, request(about(clip)), padding)]
    assert asked.questions == 1
    assert (texts[0], texts[2]) == ("", "")
    assert texts[1]


def test_a_given_name_of_the_run_is_made_unique(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMMS_CACHE_RUN_ID", "job 7")
    one, other = opened(cache), opened(cache)
    assert os.environ["LMMS_CACHE_RUN_ID"] == "job 7"
    assert one._run_id.startswith("job-7-")
    assert one._run_id != other._run_id
    one.close(), other.close()


@pytest.mark.parametrize(
    ("content", "answered"),
    [
        ({"type": "audio", "url": {"array": np.zeros(800, np.float32), "sampling_rate": np.int64(16_000)}}, True),
        ({"type": "audio", "url": {"array": [[0.0, 0.5], [0.0]], "sampling_rate": 16_000}}, False),
        ({"type": "video", "url": "a\0b.mp4"}, False),
        ({"type": "video", "url": "/no/such.mp4"}, False),
        ({"type": "image", "url": "http://127.0.0.1:9/a.png"}, False),
    ],
)
def test_unusual_media_cost_only_their_own_sample(
    model: HumanSenseOmni, asked: Asked, cache: Path, clip: Path, content: dict[str, Any], answered: bool
) -> None:
    odd = [{"role": "user", "content": [content, {"type": "text", "text": "Who?"}]}]
    good, other = asked(model, cache, request(about(clip)), request(odd, 1))
    assert not good.text.startswith(FAILURE_MARK)
    assert other.text.startswith(FAILURE_MARK) != answered
