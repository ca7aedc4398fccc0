"""The variants: their tasks, prompts and media."""

from pathlib import Path

import pytest

import lmms_humansense.tasks.humansense_sample as sample
from lmms_humansense.tasks.humansense import prompts, utils, variants
from lmms_humansense.tasks.humansense.taxonomy import TASKS, TaxonomyError
from lmms_humansense.tasks.humansense.utils import AskedDoc
from lmms_humansense.tasks.humansense.variants import BENCHMARK, BY_NAME, VARIANTS
from tests.helpers import releases
from tests.helpers.releases import Content, item

SAMPLE = str(Path(str(sample.__file__)).parent)
BOTH = {"wrapper": "humansense_omni"}
SEES = {"wrapper": "qwen2_5_vl"}


def docs(name: str) -> list[AskedDoc]:
    return list(utils.docs(name, SAMPLE, complete=False))


def types(name: str, senses: dict[str, str] = BOTH) -> list[str]:
    """The types of content of the first question of a leaf."""
    (message,) = utils.doc_to_messages(docs(name)[0], senses)
    return [part["type"] for part in message["content"]]


@pytest.mark.parametrize(
    ("variant", "codes"),
    [
        ("", "AR ER GR PA AC CM HC TR FR1 FR2 LD RR1 RR2 ES PC"),
        ("think", "AR ER GR PA AC CM HC TR FR1 FR2 LD RR1 RR2 ES PC"),
        ("asr", "TR FR1 RR1 RR2 ES"),
        ("asr_silent", "TR FR1 RR1 RR2 ES"),
        ("guided", "TR FR1 FR2 RR1 RR2 ES PC"),
        ("silent", "AR ER GR PA AC CM HC TR FR1 LD RR1 RR2 ES"),
        ("blind", "AR ER GR PA AC CM HC TR FR1 FR2 LD RR1 RR2 ES PC"),
    ],
)
def test_a_variant_has_its_tasks(variant: str, codes: str) -> None:
    assert [task.code for task in BY_NAME[variant].tasks] == codes.split()


def test_these_are_all_variants() -> None:
    assert set(BY_NAME) == {"", "think", "asr", "asr_silent", "guided", "silent", "blind"}


@pytest.mark.parametrize(
    ("name", "variant", "rest"),
    [
        ("ar", "", "ar"),
        ("think_ar", "think", "ar"),
        ("asr_tr", "asr", "tr"),
        ("asr_silent_tr", "asr_silent", "tr"),
        ("asr_silent", "asr_silent", ""),
        ("silent_tr", "silent", "tr"),
        ("", "", ""),
        ("thinking_ar", "", "thinking_ar"),
    ],
)
def test_a_name_is_split_into_variant_and_task(name: str, variant: str, rest: str) -> None:
    assert variants.split(name) == (BY_NAME[variant], rest)


@pytest.mark.parametrize("name", ["humansense_asr_ar", "humansense_think_l1", "humansense_silent_pc"])
def test_a_task_that_a_variant_lacks_is_refused_with_the_tasks_that_it_has(name: str) -> None:
    with pytest.raises(TaxonomyError, match=rf"no task '{name}'; .*_rr2"):
        variants.tasks_of(name)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.group)
def test_the_sample_has_questions_for_each_leaf(variant: variants.Variant) -> None:
    for task in variant.tasks:
        name = f"{variant.name}_{task.code}" if variant.name else task.code
        for doc in docs(name):
            assert doc["variant"] == variant.name
            assert utils.doc_to_text(doc, BOTH).endswith((":\n", ">.\n"))


# Prompts.


@pytest.mark.parametrize("code", ["ar", "hc", "pa", "pc"])
def test_think_prompts_are_the_frozen_ones(code: str) -> None:
    doc = docs(f"think_{code}")[0]
    assert utils.doc_to_text(doc, BOTH) == prompts.build(doc["question"], doc["pattern"], doc["options"], "think")


@pytest.mark.parametrize("variant", ["asr", "asr_silent"])
def test_the_transcript_stands_directly_before_the_prompt(variant: str) -> None:
    doc = docs(f"{variant}_tr")[0]
    assert doc["transcript"]
    plain = utils.doc_to_text({**doc, "variant": ""}, BOTH)
    assert utils.doc_to_text(doc, BOTH) == f"{prompts.ASR_HEADING}{doc['transcript']}{plain}"


@pytest.mark.parametrize("variant", ["silent", "blind"])
def test_silent_and_blind_change_no_character_of_the_prompt(variant: str) -> None:
    doc = docs(f"{variant}_tr")[0]
    assert utils.doc_to_text(doc, BOTH) == utils.doc_to_text({**doc, "variant": ""}, BOTH)


def test_the_guide_stands_before_the_prompt() -> None:
    doc = docs("guided_pc")[0]
    assert utils.doc_to_text(doc, BOTH) == prompts.with_guide(utils.doc_to_text({**doc, "variant": ""}, BOTH))


# Media.


@pytest.mark.parametrize(
    ("leaf", "shown"),
    [
        ("think_tr", ["video", "audio", "text"]),
        ("think_ar", ["video", "text"]),
        ("think_pc", ["audio", "text"]),
        ("asr_tr", ["video", "audio", "text"]),
        ("asr_silent_tr", ["video", "text"]),
        ("guided_tr", ["video", "audio", "text"]),
        ("guided_pc", ["audio", "text"]),
        ("silent_tr", ["video", "text"]),
        ("silent_ar", ["video", "text"]),
        ("blind_tr", ["text"]),
        ("blind_pc", ["text"]),
    ],
)
def test_a_variant_shows_its_media(leaf: str, shown: list[str]) -> None:
    assert types(leaf) == shown


def test_a_model_that_does_not_hear_gets_the_transcript_without_the_sound() -> None:
    assert types("asr_tr", SEES) == ["video", "text"]


def test_a_blind_question_needs_no_senses_and_no_media(tmp_path: Path) -> None:
    assert types("blind_tr", SEES) == types("blind_pc", SEES) == ["text"]
    content = Content(vqa=[item()], videos={"action/clip.mp4": bytes(1000)})
    root = releases.write(tmp_path, "packed", content)
    doc = utils.docs("blind_ar", root, complete=False)[0]
    releases.damage(tmp_path / "videos.zip", "videos/action/clip.mp4", 0.5)
    assert utils.doc_to_visual(doc, BOTH) == []
    (message,) = utils.doc_to_messages(doc, BOTH)
    assert len(message["content"]) == 1


def test_a_variant_that_a_model_cannot_take_is_stopped_with_the_leaf_to_leave_out() -> None:
    with pytest.raises(SystemExit, match="leave humansense_guided_pc out"):
        utils.doc_to_messages(docs("guided_pc")[0], SEES)


# Transcripts.


def test_a_transcript_that_is_not_there_stops_the_run(tmp_path: Path) -> None:
    spoken = {"task_type": "Talkingperson_Recognition"}
    content = Content(vqa=[item(**spoken, asr_en="Hi."), item(**spoken)], videos={"clip.mp4": b"clip"})
    root = releases.write(tmp_path, "unpacked", content)
    with pytest.raises(SystemExit, match=r"1 of 2 questions of TR have no field questions.asr_en \(the first is VQA-1"):
        utils.docs("asr_tr", root, complete=False)
    assert len(utils.docs("silent_tr", root, complete=False)) == 2


def test_an_empty_transcript_is_one(tmp_path: Path) -> None:
    content = Content(vqa=[item(task_type="Talkingperson_Recognition", asr_en="")], videos={"clip.mp4": b"clip"})
    doc = utils.docs("asr_tr", releases.write(tmp_path, "unpacked", content), complete=False)[0]
    assert utils.doc_to_text(doc, BOTH).startswith(f"{prompts.ASR_HEADING}\nYou are")


# Scores.


def test_think_prompts_are_scored_by_the_think_scorer() -> None:
    plain, think = docs("hc")[0], docs("think_hc")[0]
    response = f"<think>Let me count.</think><answer>{plain['answer']}</answer>"
    assert utils.process_results(plain, [response])["paper"]["score"] == 0
    assert utils.process_results(think, [response])["paper"]["score"] == 1
    assert utils.process_results(think, [response])["acc"]["score"] == 1


def test_where_the_releases_scorer_would_stop_is_logged() -> None:
    paper = utils.process_results(docs("think_hc")[0], ["<answer>four</answer>"])["paper"]
    assert (paper["score"], paper["crash"]) == (0, "the first character of the answer is no digit")
    assert "crash" not in utils.process_results(docs("hc")[0], ["four"])["paper"]


def test_the_benchmark_comes_first_and_has_all_tasks() -> None:
    assert VARIANTS[0] is BENCHMARK
    assert BENCHMARK.tasks == TASKS
