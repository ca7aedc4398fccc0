"""The table of 15 tasks is the paper's, and the release's `task_type` names are resolved or refused, never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmms_humansense.tasks.humansense.taxonomy import (
    BY_CODE,
    LEVELS,
    TASKS,
    TaxonomyError,
    parse_overrides,
    resolve_task_types,
)

# code, name in the paper, level, questions, input
PAPER = [
    ("AR", "Action Recognition", "L1", 300, "video"),
    ("ER", "Emotion Recognition", "L1", 300, "video"),
    ("GR", "Gesture Recognition", "L1", 300, "video"),
    ("PA", "Person Appearance", "L1", 300, "video"),
    ("AC", "Abnormal Classification", "L2", 100, "video"),
    ("CM", "Complex Motion", "L2", 281, "video"),
    ("HC", "Human Counting with ReID", "L2", 360, "video"),
    ("TR", "Talking Person Recognition", "L2", 300, "video+sound"),
    ("FR1", "Familiarity Recognition", "L3", 200, "video+sound"),
    ("FR2", "Fraud Recognition", "L3", 300, "audio"),
    ("LD", "Lie Detection", "L3", 200, "video"),
    ("RR1", "Relation Recognition", "L3", 150, "video+sound"),
    ("RR2", "Rapport Recognition", "L3", 200, "video+sound"),
    ("ES", "Emotion Strategy", "L4", 300, "video+sound"),
    ("PC", "Psychological Chat", "L4", 291, "audio"),
]
VIDEO_TASKS = tuple(task for task in TASKS if not task.is_audio)

# The names that the release's code mentions, and for the other tasks the expected names.
RELEASE = {
    "Action_Recognition": "AR",
    "Emotion_Recognition": "ER",
    "Gesture_Recognition": "GR",
    "Person_Appearance": "PA",
    "Abnormal_Classification": "AC",
    "Complex_Motion": "CM",
    "Human_Counting": "HC",
    "Talkingperson_Recognition": "TR",
    "Familiarity_Recognition": "FR1",
    "Fraud_Recognition": "FR2",
    "Lie_Detection": "LD",
    "Relation_Recognition": "RR1",
    "Rapport_Recognition": "RR2",
    "Emo_Strategy": "ES",
    "Psychological_Chat": "PC",
}
COUNTS = {name: next(row[3] for row in PAPER if row[0] == code) for name, code in RELEASE.items()}


def renamed(**names: str) -> dict[str, int]:
    """The counts of the whole release, with other names for the tasks of these codes."""
    return {names.get(code, name): COUNTS[name] for name, code in RELEASE.items()}


def test_table_is_the_papers() -> None:
    assert [(task.code, task.name, task.level, task.count, task.input) for task in TASKS] == PAPER


def test_there_are_3882_questions() -> None:
    assert sum(task.count for task in TASKS) == 3882


@pytest.mark.parametrize(("level", "questions"), [("L1", 1200), ("L2", 1041), ("L3", 1050), ("L4", 591)])
def test_each_level_has_its_questions(level: str, questions: int) -> None:
    assert sum(task.count for task in TASKS if task.level == level) == questions


def test_levels_and_codes_are_those_of_the_table() -> None:
    assert LEVELS == ("L1", "L2", "L3", "L4")
    assert {code: task.name for code, task in BY_CODE.items()} == {row[0]: row[1] for row in PAPER}


def test_two_tasks_are_heard_five_are_heard_and_seen_and_eight_are_silent() -> None:
    assert {task.code for task in TASKS if task.is_audio} == {"FR2", "PC"}
    assert {task.code for task in TASKS if task.has_sound} == {"FR2", "PC", "TR", "FR1", "RR1", "RR2", "ES"}


def test_names_of_the_release_are_found_without_a_warning() -> None:
    resolution = resolve_task_types(COUNTS)
    assert resolution.codes == RELEASE
    assert set(resolution.how.values()) == {"name"}
    assert (resolution.skipped, resolution.warnings) == ({}, ())


@pytest.mark.parametrize("code", [row[0] for row in PAPER])
def test_paper_name_is_found(code: str) -> None:
    name = BY_CODE[code].name
    resolution = resolve_task_types({name: BY_CODE[code].count})
    assert (resolution.codes, resolution.how) == ({name: code}, {name: "name"})


@pytest.mark.parametrize(
    ("name", "code"),
    [
        # case
        ("action_recognition", "AR"),
        ("ACTION_RECOGNITION", "AR"),
        ("pSYCHOLOGICAL_cHAT", "PC"),
        # separators
        ("Action Recognition", "AR"),
        ("Action-Recognition", "AR"),
        ("Action__Recognition", "AR"),
        (" Emotion_Recognition ", "ER"),
        ("Gesture - Recognition", "GR"),
        ("ActionRecognition", "AR"),
        ("gesturerecognition", "GR"),
        ("LieDetection", "LD"),
        ("EmoStrategy", "ES"),
        ("emo strategy", "ES"),
        ("HumanCounting", "HC"),
        ("abnormal classification", "AC"),
        ("Complex-Motion", "CM"),
        # word order
        ("Recognition_Action", "AR"),
        ("Appearance_Person", "PA"),
        ("Counting Human", "HC"),
        ("chat psychological", "PC"),
        ("recognition-gesture", "GR"),
        # Talkingperson is one word in the release and two in the paper
        ("Talkingperson_Recognition", "TR"),
        ("TalkingPerson_Recognition", "TR"),
        ("Talking_Person_Recognition", "TR"),
        ("talkingperson recognition", "TR"),
        ("Person_Talking_Recognition", "TR"),
        # obvious variants
        ("Human_Counting_ReID", "HC"),
        ("Human_Counting_with_ReID", "HC"),
        ("Human_Counting_With_Reid", "HC"),
        ("Emotion_Strategy", "ES"),
        ("Emotional_Strategy", "ES"),
        ("Complex_Motion_Recognition", "CM"),
        ("Person_Appearance_Recognition", "PA"),
        ("Relationship_Recognition", "RR1"),
    ],
)
def test_name_is_found_whatever_its_case_separators_and_word_order(name: str, code: str) -> None:
    resolution = resolve_task_types({name: 7})
    assert (resolution.codes, resolution.how) == ({name: code}, {name: "name"})


@given(st.sampled_from(sorted(RELEASE)), st.sampled_from(["_", " ", "-", "__", " - "]), st.data())
def test_every_form_of_a_name_is_that_name(name: str, joint: str, data: st.DataObject) -> None:
    pieces = data.draw(st.permutations(name.split("_")))
    change = data.draw(st.sampled_from([str.lower, str.upper, str.title, str.swapcase]))
    form = joint.join(change(piece) for piece in pieces)
    assert resolve_task_types({form: 7}).codes == {form: RELEASE[name]}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Human_Actions", "AR"),
        ("Action_Quality", "AR"),
        ("Emotion_Analysis", "ER"),  # "emotion" holds "motion", the keyword of another task
        ("Micro_Expression", "ER"),
        ("Hand_Gestures", "GR"),
        ("Clothes_and_Appearance", "PA"),
        ("Face_Description", "PA"),
        ("Human_Attributes", "PA"),
        ("Abnormal_Behaviour", "AC"),
        ("Anomaly_Detection", "AC"),
        ("Motion_Understanding", "CM"),
        ("Counting_Task", "HC"),
        ("Crowd_Count", "HC"),
        ("Cross_Shot_ReID", "HC"),
        ("Lie_Classification", "LD"),
        ("Deception", "LD"),
        ("Is_It_Deceptive", "LD"),
    ],
)
def test_keyword_that_names_one_task_only_decides_when_no_name_does(name: str, code: str) -> None:
    resolution = resolve_task_types({name: 7})
    assert (resolution.codes, resolution.how) == ({name: code}, {name: "keyword"})


@pytest.mark.parametrize("name", ["Interaction", "Client_Talk", "Surface_Type", "Believe_It", "Account"])
def test_keyword_within_another_word_names_nothing(name: str) -> None:
    with pytest.raises(TaxonomyError):
        resolve_task_types({name: 7})


@pytest.mark.parametrize("name", ["Gesture_or_Action", "Expression_and_Motion", "Count_the_Lie", "Face_Expression_2"])
def test_keywords_of_two_tasks_name_nothing(name: str) -> None:
    with pytest.raises(TaxonomyError):
        resolve_task_types({name: 7})


def test_name_goes_before_keyword() -> None:
    # "Emotion" is the keyword of Emotion Recognition, but the whole name is another task's.
    assert resolve_task_types({"Emotion_Strategy": 300}).codes == {"Emotion_Strategy": "ES"}


def test_keyword_goes_before_count() -> None:
    # 281 is the count of Complex Motion.
    resolution = resolve_task_types({"Action_Quality": 281})
    assert (resolution.codes, resolution.how) == ({"Action_Quality": "AR"}, {"Action_Quality": "keyword"})


@pytest.mark.parametrize(
    ("code", "name"), [("CM", "Body_Dynamics"), ("AC", "Unusual_Events"), ("RR1", "Kinship"), ("HC", "How_Many")]
)
def test_count_that_one_task_alone_has_decides_last(code: str, name: str) -> None:
    resolution = resolve_task_types({name: BY_CODE[code].count})
    assert (resolution.codes, resolution.how) == ({name: code}, {name: "count"})


@pytest.mark.parametrize(("code", "name"), [("LD", "Truth_or_Not"), ("PA", "Looks"), ("AR", "Doing"), ("RR2", "Bond")])
def test_count_decides_among_what_is_left(code: str, name: str) -> None:
    # 200 and 300 are the counts of several tasks, but the others have been found by name.
    resolution = resolve_task_types(renamed(**{code: name}))
    assert resolution.codes[name] == code
    assert resolution.how[name] == "count"
    assert resolution.warnings == ()


def test_order_of_the_rules_in_one_file() -> None:
    counts = renamed(GR="Hand_Gestures", LD="Truth_or_Not", ER="Feelings")
    resolution = resolve_task_types(counts, overrides={"Feelings": "ER"})
    assert [resolution.how[name] for name in ("Feelings", "Action_Recognition", "Hand_Gestures", "Truth_or_Not")] == [
        "override",
        "name",
        "keyword",
        "count",
    ]
    assert sorted(resolution.codes.values()) == sorted(RELEASE.values())


def test_count_of_two_tasks_that_are_left_is_refused() -> None:
    with pytest.raises(TaxonomyError):
        resolve_task_types({"Truth_or_Not": 200})


def test_count_of_two_types_that_are_left_is_refused() -> None:
    counts = {name: count for name, count in COUNTS.items() if RELEASE[name] not in ("LD", "RR2")}
    with pytest.raises(TaxonomyError) as refused:
        resolve_task_types(counts | {"Truth_or_Not": 200, "Bond": 200})
    assert all(part in str(refused.value) for part in ("Truth_or_Not", "Bond", "200"))


@pytest.mark.parametrize("count", [0, 1, 99, 280, 282, 3882])
def test_count_that_no_task_has_is_refused(count: int) -> None:
    with pytest.raises(TaxonomyError):
        resolve_task_types({"Mystery": count})


def test_types_of_audio_tasks_are_no_tasks_of_the_video_file() -> None:
    with pytest.raises(TaxonomyError):
        resolve_task_types({"Fraud_Recognition": 300}, VIDEO_TASKS)


def test_refusal_names_the_types_their_counts_and_the_override_to_type() -> None:
    with pytest.raises(TaxonomyError) as refused:
        resolve_task_types(renamed(AR="Doing", GR="Hands", HC="Mystery") | {"Mystery": 77})
    message = str(refused.value)
    for part in ("Doing", "Hands", "Mystery", "300", "77", "HUMANSENSE_TASK_TYPES"):
        assert part in message
    assert all(f"{name}=" in message.partition("HUMANSENSE_TASK_TYPES")[2] for name in ("Doing", "Hands", "Mystery"))
    assert "Gesture Recognition" in message  # its candidates
    assert "Lie_Detection" not in message  # a type whose task was found needs no override


def test_what_the_refusal_says_to_type_works_when_the_codes_are_put_in() -> None:
    counts = renamed(AR="Doing", GR="Hands")
    with pytest.raises(TaxonomyError) as refused:
        resolve_task_types(counts)
    typed = str(refused.value).partition('HUMANSENSE_TASK_TYPES="')[2].partition('"')[0]
    assert typed.count("=CODE") == 2
    overrides = parse_overrides(typed.replace("Doing=CODE", "Doing=AR").replace("Hands=CODE", "Hands=GR"))
    codes = resolve_task_types(counts, overrides=overrides).codes
    assert (codes["Doing"], codes["Hands"]) == ("AR", "GR")


def test_two_types_that_claim_one_task_are_refused_by_name() -> None:
    with pytest.raises(TaxonomyError) as refused:
        resolve_task_types({"Action_Recognition": 150, "ActionRecognition": 151})
    message = str(refused.value)
    assert all(part in message for part in ("Action_Recognition", "ActionRecognition", "150", "151"))


def test_override_wins_over_name_keyword_and_count() -> None:
    counts = {"Action_Recognition": 300, "Hand_Gestures": 300, "Body_Dynamics": 281}
    overrides = {"Action_Recognition": "GR", "Hand_Gestures": "CM", "Body_Dynamics": "AR"}
    resolution = resolve_task_types(counts, overrides=overrides)
    assert resolution.codes == overrides
    assert set(resolution.how.values()) == {"override"}


@pytest.mark.parametrize("typed", ["their_name", "Their Name", "THEIR-NAME", "Their_Name"])
def test_override_is_found_whatever_its_case_and_separators(typed: str) -> None:
    assert resolve_task_types({"Their_Name": 7}, overrides={typed: "PA"}).codes == {"Their_Name": "PA"}


def test_override_for_a_type_that_the_file_lacks_does_nothing() -> None:
    assert resolve_task_types(COUNTS, overrides={"Elsewhere": "PA"}) == resolve_task_types(COUNTS)


def test_override_takes_its_task_from_the_other_rules() -> None:
    # With LD taken, the only task left with 200 questions is that of the unnamed type.
    counts = {name: count for name, count in COUNTS.items() if RELEASE[name] not in ("LD", "RR2")}
    resolution = resolve_task_types(counts | {"Truth_or_Not": 200, "Bond": 200}, overrides={"Truth_or_Not": "LD"})
    assert (resolution.codes["Truth_or_Not"], resolution.codes["Bond"]) == ("LD", "RR2")


def test_two_types_may_share_a_task_that_overrides_give_them() -> None:
    resolution = resolve_task_types({"One": 100, "Two": 200}, overrides={"One": "AR", "Two": "AR"})
    assert resolution.codes == {"One": "AR", "Two": "AR"}
    assert not any("AR" in warning.split() for warning in resolution.warnings)


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        ("", {}),
        (" , ", {}),
        ("Their_Name=PA", {"Their_Name": "PA"}),
        ("Their_Name=PA,Other=HC", {"Their_Name": "PA", "Other": "HC"}),
        (" Their Name = PA , Other=hc, ", {"Their Name": "PA", "Other": "HC"}),
        ("Familiar=FR1", {"Familiar": "FR1"}),
    ],
)
def test_overrides_are_read_from_their_setting(text: str, overrides: dict[str, str]) -> None:
    assert parse_overrides(text) == overrides


@pytest.mark.parametrize("text", ["Their_Name", "Their_Name=XX", "Their_Name=", "A=AR,B", "Their_Name:PA", "A==AR"])
def test_override_that_cannot_be_read_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(TaxonomyError) as refused:
        parse_overrides(text)
    message = str(refused.value)
    assert "HUMANSENSE_TASK_TYPES" in message
    assert text.split(",")[-1] in message
    assert all(code in message for code in ("PA", "HC", "FR1"))


def test_abnormal_recognition_is_left_out_and_counted() -> None:
    resolution = resolve_task_types(COUNTS | {"Abnormal_Recognition": 123})
    assert resolution.skipped == {"Abnormal_Recognition": 123}
    assert resolution.codes == RELEASE
    assert resolution.warnings == ()


def test_abnormal_recognition_is_never_abnormal_classification() -> None:
    # Neither by its keyword nor by its count.
    counts = {name: count for name, count in COUNTS.items() if RELEASE[name] != "AC"}
    resolution = resolve_task_types(counts | {"Abnormal_Recognition": 100})
    assert "AC" not in resolution.codes.values()
    assert resolution.skipped == {"Abnormal_Recognition": 100}
    (warning,) = resolution.warnings
    assert "Abnormal Classification" in warning


def test_override_takes_abnormal_recognition_in() -> None:
    resolution = resolve_task_types({"Abnormal_Recognition": 100}, overrides={"Abnormal_Recognition": "AC"})
    assert resolution.codes == {"Abnormal_Recognition": "AC"}
    assert resolution.skipped == {}


@pytest.mark.parametrize("found", [1, 299, 301, 1000])
def test_count_that_differs_is_one_warning_that_names_the_task_and_both_counts(found: int) -> None:
    (warning,) = resolve_task_types(COUNTS | {"Emo_Strategy": found}).warnings
    assert all(part in warning for part in ("ES", "Emotion Strategy", str(found), "300", "Emo_Strategy"))


def test_task_without_questions_is_a_warning_that_names_it() -> None:
    counts = {name: count for name, count in COUNTS.items() if name != "Lie_Detection"}
    (warning,) = resolve_task_types(counts).warnings
    assert all(part in warning for part in ("LD", "Lie Detection", "200"))


def test_many_counts_that_differ_are_one_warning_that_names_each() -> None:
    (warning,) = resolve_task_types(dict.fromkeys(COUNTS, 5)).warnings
    assert all(f"{row[0]} 5 (" in warning for row in PAPER)


def test_tasks_of_the_other_file_are_no_warning() -> None:
    counts = {name: count for name, count in COUNTS.items() if RELEASE[name] not in ("FR2", "PC")}
    assert resolve_task_types(counts, VIDEO_TASKS).warnings == ()


def test_file_without_types_resolves_to_nothing_and_warns_of_every_task() -> None:
    resolution = resolve_task_types({})
    assert resolution.codes == {}
    (warning,) = resolution.warnings
    assert all(f"{row[0]} 0 (" in warning for row in PAPER)


@given(st.permutations(sorted(COUNTS)))
def test_order_of_the_types_does_not_matter(names: list[str]) -> None:
    counts = {name: COUNTS[name] for name in names} | {"Abnormal_Recognition": 9}
    assert resolve_task_types(counts).codes == RELEASE
