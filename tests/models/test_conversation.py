"""Raw messages become the right turns: what is heard with a video, what stands alone, in which order."""

import pytest
from lmms_humansense.models.conversation import Image, Sound, Text, Turn, Video, read_messages
from lmms_humansense.models.media import FrameRule

PLAIN = FrameRule()


def user(*content: dict[str, object]) -> list[dict[str, object]]:
    return [{"role": "user", "content": list(content)}]


def test_a_video_and_the_audio_of_the_same_file_are_one_heard_video() -> None:
    turns = read_messages(user({"type": "video", "url": "/a.mp4"}, {"type": "audio", "url": "/a.mp4"}))
    assert turns == (Turn("user", (Video("/a.mp4", PLAIN, heard=True),)),)


def test_the_audio_may_come_before_its_video() -> None:
    turns = read_messages(user({"type": "audio", "url": "/a.mp4"}, {"type": "video", "url": "/a.mp4"}))
    assert turns[0].parts == (Video("/a.mp4", PLAIN, heard=True),)


def test_a_video_alone_is_silent() -> None:
    assert read_messages(user({"type": "video", "url": "/a.mp4"}))[0].parts == (Video("/a.mp4", PLAIN),)


def test_the_audio_of_another_file_stands_for_itself() -> None:
    turns = read_messages(user({"type": "video", "url": "/a.mp4"}, {"type": "audio", "url": "/b.wav"}))
    assert turns[0].parts == (Video("/a.mp4", PLAIN), Sound("/b.wav"))


def test_sound_and_video_of_different_turns_are_not_joined() -> None:
    turns = read_messages(user({"type": "video", "url": "/a.mp4"}) + user({"type": "audio", "url": "/a.mp4"}))
    assert [turn.parts for turn in turns] == [(Video("/a.mp4", PLAIN),), (Sound("/a.mp4"),)]


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
    assert turns[0].parts == (Text("first"), Image(picture), Sound(waveform), Text("second"))


def test_a_content_that_is_a_text_is_one_text() -> None:
    assert read_messages([{"role": "system", "content": "Be kind."}]) == (Turn("system", (Text("Be kind."),)),)


def test_hints_of_the_task_reach_the_frame_rule_and_the_part_shown() -> None:
    hints = {"fps": 0.5, "max_pixels": 151_200, "start_time": 1.0, "end_time": 2.5}
    (video,) = read_messages(user({"type": "video", "url": "/a.mp4", **hints}))[0].parts
    assert video == Video("/a.mp4", FrameRule(fps=0.5, max_pixels=151_200), 1.0, 2.5)


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(ValueError, match="'smell'; known are text, image, video and audio"):
        read_messages(user({"type": "smell", "url": "/a"}))
