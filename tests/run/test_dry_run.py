"""What a run would take is counted from the questions, before anything is fetched or loaded."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmms_humansense.dataset.anywhere import AnywhereSource
from lmms_humansense.run import command, dry_run
from lmms_humansense.run.arguments import Own, read
from lmms_humansense.tasks.humansense import data
from lmms_humansense.tasks.humansense.messages import frame_rate
from lmms_humansense.tasks.humansense.taxonomy import TASKS
from lmms_humansense.tasks.humansense.variants import BY_NAME
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.sources import used


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    with used(AnywhereSource()):
        yield


def test_the_sample_is_counted() -> None:
    found = dry_run.plan({"tasks": "humansense_sample"})
    docs = [doc for task in TASKS for doc in data.load(task.code, str(ROOT), False)]
    assert (found.questions, found.tasks, found.absent, found.not_counted) == (len(docs), 15, {}, [])
    assert {file for _, file in found.seconds} == {doc["file"] for doc in docs}
    assert None not in found.seconds.values()
    assert found.answer_tokens == 1024 * len(docs)


def test_tokens_of_a_prompt_are_those_of_its_text_frames_and_sound() -> None:
    found = dry_run.plan({"tasks": "humansense_sample_tr", "limit": "1", "gen_kwargs": "max_new_tokens=50"})
    (doc,) = data.load("TR", str(ROOT), False)[:1]
    seconds = doc["frame_count"] / doc["fps"]
    frames = max(2, round(seconds * frame_rate(doc["frame_count"], doc["fps"])))
    text = 60 + len(BY_NAME[""].prompt(doc)) // 4
    assert found.prompt_tokens == text + math.ceil(frames / 2) * 192 + math.ceil(25 * seconds)
    assert (found.questions, found.answer_tokens) == (1, 50)


def test_variants_share_clips_and_a_blind_one_has_none() -> None:
    one = dry_run.plan({"tasks": "humansense_sample_er"})
    two = dry_run.plan({"tasks": "humansense_sample_er,humansense_sample_think_er"})
    assert (two.questions, two.seconds) == (2 * one.questions, one.seconds)
    assert dry_run.plan({"tasks": "humansense_sample_blind_er"}).seconds == {}


@pytest.mark.parametrize(("limit", "questions"), [("2", 2), ("0.5", 2), ("-1", 3), (None, 3), ("9", 3)])
def test_a_limit_is_that_of_lmms_eval(limit: str | None, questions: int) -> None:
    assert dry_run.plan({"tasks": "humansense_sample_er", "limit": limit}).questions == questions


def test_offset_and_repeats_are_those_of_lmms_eval() -> None:
    one = dry_run.plan({"tasks": "humansense_sample_er", "offset": "1", "limit": "1"})
    assert one.questions == 1
    assert dry_run.plan({"tasks": "humansense_sample_er", "offset": "2"}).questions == 1
    four = dry_run.plan(read(["--tasks=humansense_sample_er", "--offset", "1", "--limit", "1", "-n", "4"]))
    assert (four.prompt_tokens, four.answer_tokens) == (4 * one.prompt_tokens, 4 * one.answer_tokens)


def test_it_says_what_is_not_counted_and_what_it_would_cost() -> None:
    found = dry_run.plan({"tasks": "mmmu_val,humansense_sample_tr", "model_args": "pretrained=a/b,nframes=128"})
    assert (found.not_counted, found.tasks) == (["mmmu_val"], 1)
    found.prompt_tokens, found.answer_tokens = 2_000_000, 500_000
    said = " ".join(dry_run.sentences(found, Own(price_in=0.5, price_out=4)))
    assert "not of this package: mmmu_val" in said
    assert "nframes in --model_args is not counted" in said
    assert "At these prices: at most 3.00 (1.00 for prompts, 2.00 for answers)." in said


def test_what_is_not_there_yet_is_counted_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "hf"))
    for name in ("HumanSense_VQA.json", "HumanSense_AQA.json"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for folder in ("videos", "audios"):
        with zipfile.ZipFile(tmp_path / f"{folder}.zip", "w") as archive:
            for file in (ROOT / folder).rglob("*.*"):
                archive.write(file, file.relative_to(ROOT))
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path))
    found = dry_run.plan({"tasks": "humansense_er,humansense_fr2"})
    assert set(found.absent) == set(found.seconds)
    sizes = {str(file.relative_to(ROOT)): file.stat().st_size for file in ROOT.rglob("*.*")}
    assert {name: size for (_, name), size in found.absent.items()} == {name: sizes[name] for _, name in found.absent}
    unknown = [name for (_, name), seconds in found.seconds.items() if seconds is None]
    assert unknown
    assert all(name.startswith("audios/") for name in unknown)


def test_the_command_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_run_watched", lambda *_: pytest.fail("something was started"))
    model = ["--model", "humansense_omni", "--model_args", "pretrained=owner/name"]
    assert command.run([*model, "--tasks", "humansense_sample", "--dry-run"]) == 0
    assert capfd.readouterr().out.startswith("39 questions in 15 tasks.\n")
    assert list(tmp_path.iterdir()) == []
    asked = [*model, "--tasks", "humansense_sample", "--dry-run", "--gen_kwargs", "max_new_tokens=many"]
    assert command.run(asked) == 2
    assert "max_new_tokens='many' cannot be used: it has to be a whole number" in capfd.readouterr().err
