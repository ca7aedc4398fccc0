"""Raw messages become the right turns: what is heard with a video, what stands for itself, in which order."""

from typing import Any

import pytest

from lmms_humansense.models.inputs.conversation import (
    AudioPart,
    ImagePart,
    TextPart,
    Turn,
    VideoPart,
    read_messages,
)
from lmms_humansense.models.inputs.policy import Policy
from lmms_humansense.models.media.types import FrameRule

PLAIN = FrameRule()
HEARD = VideoPart("/a.mp4", PLAIN, heard=True, needs_sound=True)


def user(*content: dict[str, object]) -> list[dict[str, object]]:
    return [{"role": "user", "content": list(content)}]


def test_a_video_and_the_audio_of_the_same_file_are_one_heard_video() -> None:
    turns = read_messages(user({"type": "video", "url": "/a.mp4"}, {"type": "audio", "url": "/a.mp4"}))
    assert turns == (Turn("user", (HEARD,)),)


def test_the_audio_may_come_before_its_video() -> None:
    turns = read_messages(user({"type": "audio", "url": "/a.mp4"}, {"type": "video", "url": "/a.mp4"}))
    assert turns[0].parts == (HEARD,)


def test_a_video_alone_is_silent() -> None:
    assert read_messages(user({"type": "video", "url": "/a.mp4"}))[0].parts == (VideoPart("/a.mp4", PLAIN),)


def test_the_audio_of_another_file_stands_for_itself() -> None:
    turns = read_messages(user({"type": "video", "url": "/a.mp4"}, {"type": "audio", "url": "/b.wav"}))
    assert turns[0].parts == (VideoPart("/a.mp4", PLAIN), AudioPart("/b.wav"))


def test_sound_and_video_of_different_turns_are_not_joined() -> None:
    turns = read_messages(user({"type": "video", "url": "/a.mp4"}) + user({"type": "audio", "url": "/a.mp4"}))
    assert [turn.parts for turn in turns] == [(VideoPart("/a.mp4", PLAIN),), (AudioPart("/a.mp4"),)]


def test_any_order_and_number_of_contents_is_kept() -> None:
    picture, waveform = object(), {"array": [0.0], "sampling_rate": 16000}
    turns = read_messages(
        user(
            {"type": "text", "text": "first"},
            {"type": "image", "url": picture},
            {"type": "audio", "url": waveform},
            {"type": "text", "text": "second"},
        )
    )
    assert turns[0].parts == (TextPart("first"), ImagePart(picture), AudioPart(waveform), TextPart("second"))


def test_a_content_that_is_a_text_is_one_text() -> None:
    assert read_messages([{"role": "system", "content": "Be kind."}]) == (Turn("system", (TextPart("Be kind."),)),)


def test_hints_of_the_task_reach_the_frame_rule_and_the_part_shown() -> None:
    hints = {"fps": 0.5, "max_pixels": 151_200, "start_time": 1.0, "end_time": 2.5}
    (video,) = read_messages(user({"type": "video", "url": "/a.mp4", **hints}))[0].parts
    assert video == VideoPart("/a.mp4", FrameRule(fps=0.5, max_pixels=151_200), 1.0, 2.5)


SHOWN: dict[str, object] = {"type": "video", "url": "/a.mp4"}
HINTED = {**SHOWN, "fps": 0.5, "max_pixels": 1000, "time_axis": "release"}
SPOKEN = {"type": "audio", "url": "/a.mp4"}


def only_video(policy: Policy, *content: dict[str, object]) -> VideoPart:
    ((part,),) = (turn.parts for turn in read_messages(user(*content), policy))
    assert isinstance(part, VideoPart)
    return part


@pytest.mark.parametrize(
    ("policy", "content", "heard", "needs_sound"),
    [
        ("auto", [SHOWN], False, False),
        ("auto", [SHOWN, SPOKEN], True, True),
        ("always", [SHOWN], True, False),
        ("always", [SHOWN, SPOKEN], True, True),
        ("never", [SHOWN], False, False),
        ("never", [SHOWN, SPOKEN], False, False),
    ],
)
def test_the_sound_policy(policy: Any, content: list[dict[str, object]], heard: bool, needs_sound: bool) -> None:
    video = only_video(Policy(use_audio_in_video=policy), *content)
    assert (video.heard, video.needs_sound) == (heard, needs_sound)


@pytest.mark.parametrize("policy", ["auto", "always", "never"])
def test_a_sound_of_its_own_is_heard_under_every_policy(policy: Any) -> None:
    (turn,) = read_messages(user({"type": "audio", "url": "/b.wav"}), Policy(use_audio_in_video=policy))
    assert turn.parts == (AudioPart("/b.wav"),)


@pytest.mark.parametrize(
    ("policy", "rule"),
    [
        (Policy(), FrameRule(fps=0.5, max_pixels=1000)),
        (Policy(frames="model"), PLAIN),
        (Policy(fps=3.0), FrameRule(fps=3.0, max_pixels=1000)),
        (Policy(nframes=8), FrameRule(nframes=8, max_pixels=1000)),
        (Policy(video_reader="decord"), FrameRule(fps=0.5, max_pixels=1000, reader="decord")),
        (Policy(max_pixels=500), FrameRule(fps=0.5, max_pixels=500)),
        (Policy(frames="model", nframes=8, max_pixels=500), FrameRule(nframes=8, max_pixels=500)),
    ],
)
def test_the_frame_rule_of_the_messages_and_what_overrules_it(policy: Policy, rule: FrameRule) -> None:
    assert only_video(policy, HINTED).rule == rule


@pytest.mark.parametrize(
    ("policy", "hinted", "plain"), [("auto", False, True), ("release", False, False), ("true", True, True)]
)
def test_the_time_axis_is_the_releases_where_the_task_asks_for_it(policy: Any, hinted: bool, plain: bool) -> None:
    assert only_video(Policy(time_axis=policy), HINTED).true_time is hinted
    assert only_video(Policy(time_axis=policy), SHOWN).true_time is plain


def test_a_sound_in_memory_that_is_called_a_video_is_a_sound() -> None:
    waveform = {"array": [0.0], "sampling_rate": 8000}
    assert read_messages(user({"type": "video", "url": waveform}))[0].parts == (AudioPart(waveform),)


def test_the_part_of_a_clip_may_be_given_beside_its_path() -> None:
    where = {"type": "video", "path": "/a.mp4", "video_start": 2.0, "video_end": 5.0}
    assert only_video(Policy(), {"type": "video", "url": where}) == VideoPart("/a.mp4", PLAIN, 2.0, 5.0)


def test_a_file_address_is_a_path() -> None:
    assert only_video(Policy(), {"type": "video", "url": "file:///a.mp4"}).path == "/a.mp4"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"type": "smell", "url": "x"}, "content of type 'smell'; the known types are text, image, video and audio"),
        ({"type": "video"}, "content of type 'video' without a field 'url'"),
        ({"type": "text"}, "content of type 'text' without a field 'text'"),
        ({"type": "video", "url": {"timestep": 3}}, "a medium with the keys timestep, none of them a file"),
        ({"type": "video", "url": 3}, "a medium of type int, which is neither a path nor a waveform"),
    ],
)
def test_contents_that_cannot_be_read_are_named(content: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_messages(user(content))
