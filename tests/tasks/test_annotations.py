"""Annotation files become docs: every bad input is refused in one sentence, and mixed types become one type."""

import json
import math
from typing import Any

import pytest

from lmms_humansense.tasks.humansense import annotations
from lmms_humansense.tasks.humansense.annotations import DataError, Doc
from lmms_humansense.tasks.humansense.taxonomy import TaxonomyError
from tests.helpers import releases
from tests.helpers.releases import COUNT, MULTI, SINGLE, YESNO, audio_item, item

FIELD_TYPES = {
    "id": str,
    "code": str,
    "level": str,
    "task_type": str,
    "question": str,
    "pattern": str,
    "options": list,
    "answer": str,
    "gold": str,
    "media": str,
    "frame_count": int,
    "fps": float,
    "transcript": str | None,
}


NO_COUNTS: list[Any] = ["abc", "", 0, -1, "0", True, False, math.nan, math.inf, "nan", [25], {}, 10**400]


def read(*items: Any, key: str = "VQA", overrides: dict[str, str] | None = None) -> list[Doc]:
    return annotations.read(json.dumps(items), key, overrides)["docs"]


def refusal(text: str | bytes, key: str = "VQA") -> str:
    with pytest.raises(DataError) as error:
        annotations.read(text, key)
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "is not valid JSON", id="empty file"),
        pytest.param("<html>Not found</html>", "is not valid JSON", id="a web page"),
        pytest.param(json.dumps([item()])[:-20], "is not valid JSON", id="cut off"),
        pytest.param(b'[{"video_path": "\xe9.mp4"}]', "is not valid JSON", id="not UTF-8"),
        pytest.param(f"{json.dumps(item())}\n{json.dumps(item())}", "is not valid JSON", id="JSON Lines"),
        pytest.param(json.dumps(item()), "must be one JSON array", id="one object"),
        pytest.param("null", "must be one JSON array", id="null"),
        pytest.param('"questions"', "must be one JSON array", id="a text"),
        pytest.param("[]", "with at least one question", id="empty array"),
        pytest.param("[" * 10**6, "is not valid JSON", id="a million arrays in each other"),
    ],
)
@pytest.mark.parametrize(("key", "file"), [("VQA", "HumanSense_VQA.json"), ("AQA", "HumanSense_AQA.json")])
def test_a_file_that_is_no_array_of_items_is_refused_by_name(
    text: str | bytes, reason: str, key: str, file: str
) -> None:
    message = refusal(text, key)
    assert message.startswith(file)
    assert reason in message
    assert "download it again" in message


@pytest.mark.parametrize("wrong", [None, "data/videos/a.mp4", 7, ["a"]], ids=repr)
def test_an_item_that_is_no_object_is_named(wrong: Any) -> None:
    message = refusal(json.dumps([item(), item(), wrong]))
    assert message.startswith("HumanSense_VQA.json, item 2 (the first is 0) is not an object")


@pytest.mark.parametrize(
    ("wrong", "field", "reason"),
    [
        pytest.param({"video_path": "a.mp4"}, "questions", "is missing", id="no questions"),
        pytest.param({"video_path": "a.mp4", "questions": None}, "questions", "is missing", id="null questions"),
        pytest.param({"video_path": "a.mp4", "questions": [{}]}, "questions", "must be an object", id="a list"),
        pytest.param({"questions": releases.questions()}, "video_path", "is missing", id="no path"),
        pytest.param(item(None), "video_path", "is missing", id="null path"),
        pytest.param(item("  "), "video_path", "'  '", id="blank path"),
        pytest.param(item(["a.mp4"]), "video_path", "['a.mp4']", id="a list of paths"),
    ],
)
def test_an_item_without_its_parts_is_named_with_the_field(wrong: Any, field: str, reason: str) -> None:
    message = refusal(json.dumps([item(), wrong]))
    assert message.startswith(f"HumanSense_VQA.json, item 1 (the first is 0): the field {field} ")
    assert reason in message


@pytest.mark.parametrize("absent", [..., None], ids=["absent", "null"])
@pytest.mark.parametrize(
    "field", ["question", "task_type", "question_pattern", "answer", "options", "full_frame_number", "fps"]
)
def test_a_missing_field_is_named(field: str, absent: Any) -> None:
    message = refusal(json.dumps([item(), item(**{field: absent})]))
    assert message == f"HumanSense_VQA.json, item 1 (the first is 0): the field questions.{field} is missing."


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("question", 5),
        ("question", ["a"]),
        ("question", " "),
        ("task_type", 5),
        ("task_type", ""),
        ("question_pattern", "Fill in the blank"),
        ("question_pattern", ["single"]),
        ("options", "A. one B. two"),
        ("options", {"A": "one", "B": "two"}),
        ("options", []),
        ("options", ["A. only one"]),
        ("options", ["A. one", None]),
        ("options", ["A. one", ["B. two"]]),
        ("options", ["A. one", True]),
        ("answer", ["A", "B"]),
        ("answer", {"A": 1}),
        ("answer", True),
        ("answer", " "),
        ("answer", math.nan),
        ("answer", 10**400),
        *[(field, value) for field in ("fps", "full_frame_number") for value in NO_COUNTS],
        ("fps", 0.5),
        ("asr_en", ["Hello."]),
        ("asr_en", {"text": "Hello."}),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_field_of_the_wrong_type_or_value_is_named_with_its_value(field: str, value: Any) -> None:
    message = refusal(json.dumps([item(), item(**{field: value})]))
    assert message.startswith(f"HumanSense_VQA.json, item 1 (the first is 0): the field questions.{field} ")
    if isinstance(value, str) and value.strip():
        assert repr(value) in message


@pytest.mark.parametrize(
    "changes",
    [
        {"options": ["A. one"] * 10**6},
        {"options": "A. one" * 10**6},
        {"options": ["A. one", ["B"] * 10**6]},
        {"options": {str(number): "A" for number in range(10**5)}},
        {"answer": ["A"] * 10**6},
        {"question_pattern": "x" * 10**6},
        {"question": [["x"] * 10**6]},
        {"fps": "x" * 10**6},
        {"asr_en": ["Hello."] * 10**6},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_vast_value_is_not_shown_whole(changes: dict[str, Any]) -> None:
    message = refusal(json.dumps([item(**changes)]))
    assert message.startswith("HumanSense_VQA.json, item 0 (the first is 0): the field questions.")
    assert "..." in message
    assert len(message) < 1000


def test_more_options_than_letters_are_refused_with_their_limit() -> None:
    assert "must be a list of 2 to 26 options, not ['A', 'A', 'A', 'A', 'A', 'A', ...]" in refusal(
        json.dumps([item(options=["A"] * 27)])
    )
    assert len(read(item(options=["A"] * 26))[0]["options"]) == 26


def test_a_path_that_no_system_takes_is_refused() -> None:
    assert read(item("a/" * 2048))[0]["media"] == "a/" * 2048
    message = refusal(json.dumps([item("a/" * 10**6)]))
    assert "the field video_path must be a path of at most 4,096 characters, not 'a/a/" in message
    assert len(message) < 500


def test_a_vast_number_of_task_types_is_counted_and_not_listed() -> None:
    with pytest.raises(TaxonomyError, match=r"^The annotations have 5,000 task types, but") as error:
        read(*(item(task_type=f"Type_{number}") for number in range(5000)))
    assert len(str(error.value)) < 200
    with pytest.raises(TaxonomyError, match=r"Type_29 \(1 questions\), and 870 more\. ") as error:
        read(*(item(task_type=f"Type_{number}") for number in range(900)))
    assert len(str(error.value)) < 3000


def test_an_unknown_question_pattern_is_refused_with_the_known_ones() -> None:
    message = refusal(json.dumps([item(question_pattern="Fill in the blank")]))
    assert "'Fill in the blank'" in message
    for known in (SINGLE, MULTI, COUNT, YESNO):
        assert repr(known) in message


@pytest.mark.parametrize("answer", ["A", "three", "3.5", 3.5, "-1", -1, "²", "3 people"], ids=repr)
def test_a_counting_answer_that_is_no_whole_number_is_refused(answer: Any) -> None:
    message = refusal(json.dumps([item(question_pattern=COUNT, options=..., answer=answer)]))
    assert "questions.answer must be a whole number" in message
    assert repr(answer) in message


def test_an_unknown_task_type_is_refused_with_the_override_to_type() -> None:
    with pytest.raises(TaxonomyError) as error:
        read(item(), item(task_type="Zither_Playing"), item(task_type="Zither_Playing"))
    message = str(error.value)
    assert "Zither_Playing (2 questions)" in message
    assert 'HUMANSENSE_TASK_TYPES="Zither_Playing=CODE"' in message
    assert "Action_Recognition" not in message


def test_two_task_types_that_may_be_one_task_are_both_named() -> None:
    with pytest.raises(TaxonomyError) as error:
        read(item(task_type="Gesture_Naming"), item(task_type="Gesture_Finding"))
    assert "Gesture_Naming (1 questions), Gesture_Finding (1 questions)" in str(error.value)
    assert 'HUMANSENSE_TASK_TYPES="Gesture_Naming=CODE,Gesture_Finding=CODE"' in str(error.value)


def test_an_override_decides_an_ambiguous_task_type() -> None:
    docs = read(item(), item(task_type="Zither_Playing"), overrides={"Zither_Playing": "GR"})
    assert [doc["code"] for doc in docs] == ["AR", "GR"]


def test_a_doc_is_flat_with_one_type_per_field() -> None:
    docs = read(
        item(answer="B"),
        item(answer=4, question_pattern=COUNT, options=..., task_type="Human_Counting"),
        item(answer="4", question_pattern=COUNT, options=None, task_type="Human_Counting", fps="30"),
        item(answer=4.0, question_pattern=COUNT, options=[], task_type="Human_Counting", full_frame_number="250"),
        item(answer="ABD", question_pattern=MULTI, fps=29.97, full_frame_number=250.0),
        item(answer="Yes", question_pattern=YESNO, options=..., asr_en=None),
        item(answer=2, options=[1, "2", 2.5, 3.0], asr_en="Hello."),
    )
    docs += read(audio_item(), audio_item(full_frame_number=3, fps=1), key="AQA")
    for doc in docs:
        assert doc.keys() == FIELD_TYPES.keys()
        assert all(isinstance(doc[name], kind) for name, kind in FIELD_TYPES.items())  # type: ignore[literal-required]
        assert all(type(option) is str for option in doc["options"])


@pytest.mark.parametrize("answer", [4, "4", 4.0], ids=repr)
def test_a_counting_answer_may_be_a_number_or_a_text(answer: Any) -> None:
    (doc,) = read(item(answer=answer, question_pattern=COUNT, options=...))
    assert (doc["answer"], doc["gold"]) == ("4", "4")


@pytest.mark.parametrize(("fps", "read_as"), [(29.97, 29.97), (25, 25.0), ("30", 30.0), ("23.976", 23.976)], ids=repr)
def test_a_frame_rate_may_be_a_number_or_a_text(fps: Any, read_as: float) -> None:
    assert read(item(fps=fps))[0]["fps"] == read_as


@pytest.mark.parametrize("frames", [250, "250", 250.0, "250.0"], ids=repr)
def test_a_number_of_frames_may_be_a_number_or_a_text(frames: Any) -> None:
    assert read(item(full_frame_number=frames))[0]["frame_count"] == 250


def test_options_may_hold_numbers() -> None:
    assert read(item(options=[1, "2", 2.5, 3.0]))[0]["options"] == ["1", "2", "2.5", "3"]


@pytest.mark.parametrize(
    ("pattern", "answer", "gold"),
    [(SINGLE, "c", "C"), (MULTI, "D, A", "AD"), (COUNT, "10", "10"), (YESNO, "No.", "no")],
)
def test_the_right_answer_is_kept_as_it_stands_and_parsed_once(pattern: str, answer: str, gold: str) -> None:
    (doc,) = read(item(answer=answer, question_pattern=pattern))
    assert (doc["answer"], doc["gold"]) == (answer, gold)


def test_the_characters_of_question_options_and_transcript_are_kept() -> None:
    fields = {"question": " What  is\nthis ? ", "options": ["A.  one ", "B. zwei\t"], "asr_en": "  Hello.\n你好 "}
    (doc,) = read(item(**fields))
    assert (doc["question"], doc["options"], doc["transcript"]) == tuple(fields.values())


@pytest.mark.parametrize("absent", [..., None], ids=["absent", "null"])
def test_a_transcript_may_be_absent(absent: Any) -> None:
    assert read(item(asr_en=absent))[0]["transcript"] is None


def test_audio_questions_need_no_frames() -> None:
    (doc,) = read(audio_item(), key="AQA")
    assert (doc["code"], doc["frame_count"], doc["fps"]) == ("FR2", 0, 0.0)


def test_unused_and_unknown_fields_change_nothing() -> None:
    plain = item()
    full = item(time_stamp=[0, 5], response="<answer>A</answer>", score=0.5)
    full |= {"video_or_clip": "clip", "time": "[0:00:00 - 0:00:05]", "response": {"text": "A"}, "model": 3}
    assert read(plain) == read(full)


def test_ids_are_places_in_the_file() -> None:
    docs = read(item(), item(task_type="Abnormal_Recognition"), item())
    assert [doc["id"] for doc in docs] == ["VQA-0", "VQA-2"]


def test_left_out_questions_are_counted_and_need_not_be_well_formed() -> None:
    found = annotations.read(json.dumps([item(), item(task_type="Abnormal_Recognition", answer=..., fps="abc")]), "VQA")
    assert found["resolution"].skipped == {"Abnormal_Recognition": 1}
    assert [doc["code"] for doc in found["docs"]] == ["AR"]


def test_a_byte_order_mark_is_accepted() -> None:
    assert len(annotations.read(json.dumps([item()]).encode("utf-8-sig"), "VQA")["docs"]) == 1
