"""The hooks in the YAML files, on real rows of a dataset."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import huggingface_hub.constants
import numpy as np
import pytest

import lmms_humansense.tasks.humansense_sample as sample
from lmms_humansense.tasks.humansense import data, prompts, sound, utils
from lmms_humansense.tasks.humansense.annotations import DataError
from lmms_humansense.tasks.humansense.taxonomy import BY_CODE
from lmms_humansense.tasks.humansense_sample.utils import process_docs as sample_docs
from tests.helpers import releases
from tests.helpers.releases import Content, audio_item, item

pytestmark = pytest.mark.usefixtures("either_source")

SEES = {"wrapper": "qwen2_5_vl"}
HEARS = {"wrapper": "qwen2_audio"}
BOTH = {"wrapper": "humansense_omni"}
CALL = releases.wav(releases.sine(0.5, 8_000), 8_000)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A packed release with one action, one talk with its sound and one call."""
    content = Content(
        videos={"action.mp4": b"action", "talk.mp4": b"talk"},
        audios={"call.wav": CALL},
        vqa=[
            item("data/videos/action.mp4", full_frame_number=250, fps=25),
            item("data/videos/talk.mp4", task_type="Talkingperson_Recognition", full_frame_number=900, fps=30),
        ],
        aqa=[audio_item("data/audios/call.wav", answer="D")],
    )
    return releases.write(tmp_path / "release", "packed", content)


def row(code: str, root: str) -> Any:
    """The only row of a task."""
    rows = utils.docs(code, root, complete=False)
    assert len(rows) == 1
    return rows[0]


def stop(call: Any, *arguments: Any) -> str:
    """The message with which a call ends the run."""
    with pytest.raises(SystemExit) as error:
        call(*arguments)
    message = error.value.code
    assert isinstance(message, str)
    assert message.startswith("HumanSense: ")
    assert message.endswith(".")
    assert "\n" not in message
    return message


# Docs.


@pytest.mark.parametrize("name", ["tr", "TR"])
def test_docs_are_a_dataset_with_the_declared_features(name: str, root: str) -> None:
    rows = utils.docs(name, root, complete=False)
    assert isinstance(rows, datasets.Dataset)
    assert rows.features == utils.FEATURES
    assert rows[0] == {
        "id": "VQA-1",
        "code": "TR",
        "level": "L2",
        "task_type": "Talkingperson_Recognition",
        "question": "What is the person doing",
        "pattern": "single",
        "options": ["A. Running", "B. Reading", "C. Eating", "D. Swimming"],
        "answer": "B",
        "gold": "B",
        "media": "data/videos/talk.mp4",
        "frame_count": 900,
        "fps": 30.0,
        "transcript": None,
        "root": root,
        "file": "videos/talk.mp4",
        "variant": "",
        "group": "humansense",
        "ends": "read",
    }


def test_docs_with_mixed_answers_are_one_column_of_text(tmp_path: Path) -> None:
    counting = [item(question_pattern=releases.COUNT, options=..., answer=answer) for answer in (4, "4", 4.0)]
    content = Content(vqa=[*counting, item(fps="30"), item(fps=29.97)], videos={"clip.mp4": b"clip"})
    rows = utils.docs("ar", releases.write(tmp_path, "unpacked", content), complete=False)
    assert rows["answer"][:] == ["4", "4", "4", "B", "B"]
    assert rows["options"][:][0] == []
    assert rows["fps"][:] == [25.0, 25.0, 25.0, 30.0, 29.97]


def test_the_docs_of_a_leaf_come_from_the_set_place(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", root)
    source = datasets.Dataset.from_list([{"repository": "owner/name"}])
    source.info.config_name = "fr2"
    assert utils.process_docs(source)["id"][:] == ["AQA-0"]


@pytest.mark.parametrize("code", BY_CODE)
def test_the_sample_has_questions_of_each_task_with_their_media(code: str) -> None:
    rows = utils.docs(code.lower(), str(Path(str(sample.__file__)).parent), complete=False)
    assert len(rows) > 0
    for doc in rows:
        assert Path(data.local_media(doc)).is_file()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        pytest.param(None, "HUMANSENSE_DATA", id="nothing there"),
        pytest.param(Content(vqa=[item(fps="abc")], videos={"clip.mp4": b""}), "questions.fps", id="a bad field"),
        pytest.param(Content(vqa=[item()], videos={"other.mp4": b""}), "data/videos/action/clip.mp4", id="no media"),
        pytest.param(Content(vqa=[item(task_type="Zither")]), "HUMANSENSE_TASK_TYPES", id="an unknown task type"),
        pytest.param(Content(aqa=[audio_item()]), "HumanSense_VQA.json", id="no file for the task"),
    ],
)
def test_an_error_of_the_data_ends_the_run_with_one_line(content: Content | None, named: str, tmp_path: Path) -> None:
    if content is not None:
        releases.write(tmp_path, "unpacked", content)
    assert named in stop(utils.docs, "ar", str(tmp_path))


# The inputs of a model.


def test_the_visual_of_a_video_question_is_its_path(root: str) -> None:
    (path,) = utils.doc_to_visual(row("ar", root))
    assert isinstance(path, str)
    assert Path(path).read_bytes() == b"action"


def test_the_visual_of_an_audio_question_is_its_waveform(root: str) -> None:
    (heard,) = utils.doc_to_visual(row("fr2", root), HEARS)
    assert set(heard) == {"array", "sampling_rate"}
    assert heard["sampling_rate"] == sound.SAMPLING_RATE == 16_000
    inner = slice(100, 7_900)  # the resampling filter is not exact at the edges
    np.testing.assert_allclose(heard["array"][inner], releases.sine(0.5, 16_000)[inner], atol=0.01)


def test_the_text_is_the_plain_prompt(root: str) -> None:
    doc = row("ar", root)
    assert utils.doc_to_text(doc, SEES) == prompts.build(doc["question"], "single", doc["options"])


@pytest.mark.parametrize(
    ("code", "senses", "types"),
    [
        ("ar", SEES, ["video", "text"]),
        ("ar", BOTH, ["video", "text"]),
        ("tr", SEES, ["video", "text"]),
        ("tr", BOTH, ["video", "audio", "text"]),
        ("fr2", BOTH, ["audio", "text"]),
    ],
)
def test_a_message_holds_the_media_that_the_question_needs_and_the_model_can_take(
    code: str, senses: dict[str, str], types: list[str], root: str
) -> None:
    doc = row(code, root)
    (message,) = utils.doc_to_messages(doc, senses)
    assert message["role"] == "user"
    assert [part["type"] for part in message["content"]] == types
    *media, text = message["content"]
    assert text["text"] == utils.doc_to_text(doc, senses)
    (path,) = {part["url"] for part in media}
    assert Path(path).is_absolute()
    assert Path(path).read_bytes() == {"ar": b"action", "tr": b"talk", "fr2": CALL}[code]


def test_a_message_says_how_the_release_shows_its_video(root: str) -> None:
    (message,) = utils.doc_to_messages(row("tr", root), SEES)
    assert message["content"][0] == {
        "type": "video",
        "url": message["content"][0]["url"],
        "fps": 0.2,
        "max_pixels": 360 * 420,
        "time_axis": "release",
    }


def test_media_that_cannot_be_read_fail_one_request_and_not_the_run(tmp_path: Path) -> None:
    content = Content(vqa=[item()], videos={"action/clip.mp4": bytes(1000)})
    root = releases.write(tmp_path, "packed", content)
    doc = row("ar", root)
    releases.damage(tmp_path / "videos.zip", "videos/action/clip.mp4", 0.5)
    for hook in (utils.doc_to_visual, utils.doc_to_messages):
        with pytest.raises(DataError, match=r"clip\.mp4"):
            hook(doc, SEES)


# The senses of a model.


@pytest.mark.parametrize("wrapper", [{}, None, SEES, HEARS], ids=str)
@pytest.mark.parametrize("code", ["ar", "tr", "fr2"])
def test_a_text_is_had_where_no_model_is_asked(code: str, wrapper: Any, root: str) -> None:
    assert utils.doc_to_text(row(code, root), wrapper).strip()


HOOKS = pytest.mark.parametrize("hook", [utils.doc_to_messages, utils.doc_to_visual])


@HOOKS
@pytest.mark.parametrize("wrapper", [{}, None, {"wrapper": ""}, {"wrapper": "new_omni"}], ids=str)
def test_a_model_that_is_not_known_to_hear_is_sent_to_the_video_tasks(hook: Any, wrapper: Any, root: str) -> None:
    message = stop(hook, row("fr2", root), wrapper)
    assert "FR2 (Fraud Recognition)" in message
    assert "run the group humansense_video," in message
    assert "HUMANSENSE_HEARS=1" in message


@HOOKS
def test_a_question_of_the_sample_is_sent_to_groups_of_the_sample(hook: Any) -> None:
    first = {code: sample_docs(SimpleNamespace(config_name=code))[0] for code in ("fr2", "ar", "guided_pc")}
    assert "run the group humansense_sample_video, which leaves FR2 and PC out" in stop(hook, first["fr2"], {})
    assert "run the group humansense_sample_audio." in stop(utils.doc_to_visual, first["ar"], HEARS)
    assert "leave humansense_sample_guided_pc out" in stop(hook, first["guided_pc"], {})


@HOOKS
@pytest.mark.parametrize("code", ["fr2", "tr"])
def test_a_setting_does_not_make_a_model_hear(code: str, hook: Any, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_HEARS", "1")
    message = stop(hook, row(code, root), SEES)
    assert "HUMANSENSE_HEARS=1 does not make a model hear: no sound reaches --model qwen2_5_vl." in message
    assert "run the group humansense_video," in message


@pytest.mark.parametrize("hook", [utils.doc_to_visual])
@pytest.mark.parametrize("setting", ["", "1"])
def test_a_model_that_only_hears_is_sent_to_the_audio_tasks(
    setting: str, hook: Any, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUMANSENSE_SEES", setting)
    message = stop(hook, row("ar", root), HEARS)
    assert "AR (Action Recognition) is asked about a video, and no video reaches --model qwen2_audio" in message
    assert "humansense_audio" in message


@pytest.mark.parametrize("wrapper", [{}, None, {"wrapper": "new_vlm"}], ids=str)
def test_an_unlisted_model_sees(wrapper: Any, root: str) -> None:
    assert utils.doc_to_text(row("ar", root), wrapper).strip()
    assert [Path(path).read_bytes() for path in utils.doc_to_visual(row("ar", root), wrapper)] == [b"action"]


def test_the_settings_say_what_is_not_known_of_a_model(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_HEARS", "1")
    assert len(utils.doc_to_visual(row("fr2", root), {"wrapper": "new_omni"})) == 1
    monkeypatch.setenv("HUMANSENSE_HEARS", "0")
    assert "humansense_video" in stop(utils.doc_to_messages, row("fr2", root), BOTH)
    monkeypatch.setenv("HUMANSENSE_SEES", "0")
    assert "humansense_audio" in stop(utils.doc_to_messages, row("ar", root), BOTH)


def test_a_setting_decides_whether_a_video_comes_with_its_sound(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_HEARS", "0")
    (message,) = utils.doc_to_messages(row("tr", root), BOTH)
    assert [part["type"] for part in message["content"]] == ["video", "text"]


@pytest.mark.parametrize(("name", "code"), [("HUMANSENSE_HEARS", "fr2"), ("HUMANSENSE_SEES", "ar")])
@pytest.mark.parametrize("value", ["yes", "2", "true"])
def test_a_setting_that_is_neither_1_nor_0_is_refused(
    name: str, code: str, value: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    message = stop(utils.doc_to_messages, row(code, root), BOTH)
    assert name in message
    assert repr(value) in message


# Results.


def test_a_response_is_scored_on_a_row_of_the_dataset(root: str) -> None:
    doc = row("ar", root)
    right, wrong = utils.process_results(doc, ["B"]), utils.process_results(doc, ["The answer is D."])
    assert list(right) == ["paper", "acc", "answered", "failed", "empty"]
    assert {name: credit["score"] for name, credit in right.items()} == {
        "paper": 1.0,
        "acc": 1.0,
        "answered": 1.0,
        "failed": 0.0,
        "empty": 0.0,
    }
    assert (wrong["acc"]["score"], wrong["acc"]["parsed"], wrong["acc"]["gold"]) == (0.0, "D", "B")
    assert {credit["clip"] for credit in right.values()} == {"data/videos/action.mp4"}
    assert right["acc"]["duration"] == 10.0


def test_the_length_of_a_fetched_sound_is_logged(root: str) -> None:
    doc = row("fr2", root)
    assert utils.process_results(doc, ["D"])["acc"]["duration"] is None
    utils.doc_to_visual(doc, HEARS)
    assert utils.process_results(doc, ["D"])["acc"]["duration"] == pytest.approx(0.5)


def test_results_do_not_fetch_media(root: str) -> None:
    utils.process_results(row("ar", root), ["B"])
    utils.process_results(row("fr2", root), ["B"])
    assert not list(Path(huggingface_hub.constants.HF_HOME).rglob("*.*"))


def test_an_unknown_length_costs_no_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(doc: Any) -> Path:
        raise DataError("the server is gone")

    monkeypatch.setattr(data, "local_media_if_fetched", lost)
    doc = utils.docs("fr2", str(Path(sample.__file__).parent), complete=False)[0]
    metrics = utils.process_results(doc, [doc["answer"]])
    assert metrics["acc"]["score"] == 1
    assert metrics["acc"]["duration"] is None
