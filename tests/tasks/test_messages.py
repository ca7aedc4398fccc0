"""The frame rate of a clip and the messages for a model, worked out by hand from the release's rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmms_humansense.tasks.humansense import handover, messages, wrappers
from lmms_humansense.tasks.humansense.annotations import Doc
from lmms_humansense.tasks.humansense.messages import MAX_PIXELS, frame_rate
from lmms_humansense.tasks.humansense.taxonomy import BY_CODE
from lmms_humansense.tasks.humansense.variants import BENCHMARK

PROMPT = "\nYou are …\n\nQuestion: {who} speaks %s\n"
MEDIA = Path("/data/videos/talk/meeting 1.mp4")
SILENT = ("AR", "ER", "GR", "PA", "AC", "CM", "HC", "LD")
SOUNDING = ("TR", "FR1", "RR1", "RR2", "ES")
AUDIO = ("FR2", "PC")


def doc(code: str, frame_count: int = 250, fps: float = 25.0) -> Doc:
    return {
        "id": "VQA-0",
        "code": code,
        "level": "L1",
        "task_type": "Some_Type",
        "question": "Who speaks",
        "pattern": "single",
        "options": ["A. x", "B. y"],
        "answer": "A",
        "gold": "A",
        "media": "data/videos/talk/meeting 1.mp4",
        "frame_count": frame_count,
        "fps": fps,
        "transcript": "",
    }


def content(message_doc: Doc, hears: bool) -> list[dict[str, Any]]:
    """The content for a model of this package."""
    with pytest.MonkeyPatch.context() as setting:
        setting.setenv("HUMANSENSE_HEARS", "1" if hears or message_doc["code"] in AUDIO else "0")
        plan = wrappers.plan("humansense_omni", "chat", BY_CODE[message_doc["code"]], BENCHMARK, "humansense")
    (turn,) = messages.build(message_doc, *handover.media(MEDIA, plan), PROMPT)
    assert turn["role"] == "user"
    return turn["content"]


@pytest.mark.parametrize(
    ("frame_count", "fps", "rate"),
    [
        # up to 300 frames: 1
        (1, 30, 1.0),
        (250, 25, 1.0),
        (299, 30, 1.0),
        (300, 30, 1.0),
        (300, 25, 1.0),
        (300, 29.97, 1.0),
        # more than 300, less than 600: 0.5
        (301, 30, 0.5),
        (301, 25, 0.5),
        (301, 29.97, 0.5),
        (450, 29.97, 0.5),
        (599, 30, 0.5),
        (599, 25, 0.5),
        (599, 29.97, 0.5),
        # from 600 on: 0.2
        (600, 30, 0.2),
        (600, 25, 0.2),
        (600, 29.97, 0.2),
        (601, 30, 0.2),
        (2500, 25, 0.2),
    ],
)
def test_rate_depends_on_the_number_of_frames(frame_count: int, fps: float, rate: float) -> None:
    assert frame_rate(frame_count, fps) == rate


@pytest.mark.parametrize(
    ("frame_count", "fps", "rate"),
    [
        pytest.param(288, 12, 1.0, id="24 s at 1 are 24 frames, not more"),
        pytest.param(289, 12, 24 * 12 / 289, id="24.08 s at 1"),
        pytest.param(300, 12, 0.96, id="25 s at 1: 24/25"),
        pytest.param(300, 10, 0.8, id="30 s at 1: 24/30"),
        pytest.param(300, 1, 0.08, id="300 s at 1: 24/300"),
        pytest.param(576, 12, 0.5, id="48 s at 0.5 are 24 frames, not more"),
        pytest.param(577, 12, 24 * 12 / 577, id="48.08 s at 0.5"),
        pytest.param(599, 12, 24 * 12 / 599, id="49.92 s at 0.5"),
        pytest.param(301, 10, 0.5, id="30.1 s at 0.5"),
        pytest.param(600, 5, 0.2, id="120 s at 0.2 are 24 frames, not more"),
        pytest.param(605, 5, 24 / 121, id="121 s at 0.2"),
        pytest.param(3000, 25, 0.2, id="120 s at 0.2 are 24 frames, not more, 25 fps"),
        pytest.param(3001, 25, 24 * 25 / 3001, id="120.04 s at 0.2"),
        pytest.param(3600, 30, 0.2, id="120 s at 0.2, 30 fps"),
        pytest.param(3601, 30, 24 * 30 / 3601, id="120.03 s at 0.2, 30 fps"),
        pytest.param(7500, 25, 0.08, id="300 s: 24/300"),
        pytest.param(15000, 25, 0.04, id="600 s: 24/600"),
        pytest.param(9000, 30, 0.08, id="300 s, 30 fps"),
    ],
)
def test_never_more_than_24_frames(frame_count: int, fps: float, rate: float) -> None:
    assert frame_rate(frame_count, fps) == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize(
    ("frame_count", "fps", "rate"),
    [
        pytest.param(3480, 29.97, 0.2, id="3480/29 = 120 s"),
        pytest.param(3481, 29.97, 24 * 29 / 3481, id="3481/29 > 120 s"),
        pytest.param(3600, 29.97, 24 * 29 / 3600, id="3600/29 s, not 3600/29.97 = 120.1 s"),
        pytest.param(3500, 29.97, 24 * 29 / 3500, id="3500/29 = 120.7 s, although 3500/29.97 = 116.8 s"),
        pytest.param(300, 12.9, 0.96, id="300/12 = 25 s, although 300/12.9 = 23.3 s"),
        pytest.param(2760, 23.976, 0.2, id="2760/23 = 120 s"),
        pytest.param(2800, 23.976, 24 * 23 / 2800, id="2800/23 s"),
    ],
)
def test_rate_of_the_clip_is_cut_to_a_whole_number(frame_count: int, fps: float, rate: float) -> None:
    assert frame_rate(frame_count, fps) == pytest.approx(rate, rel=1e-12)


@given(st.integers(1, 100_000), st.floats(1, 120))
def test_rate_shows_as_many_frames_as_its_step_allows_up_to_24(frame_count: int, fps: float) -> None:
    step = 1.0 if frame_count <= 300 else 0.5 if frame_count < 600 else 0.2
    shown = frame_rate(frame_count, fps) * frame_count / int(fps)
    assert shown == pytest.approx(min(24, step * frame_count / int(fps)))


def test_max_pixels_are_those_of_the_release() -> None:
    assert MAX_PIXELS == 360 * 420


@pytest.mark.parametrize("hears", [True, False])
@pytest.mark.parametrize("code", SILENT)
def test_silent_video_is_sent_without_sound(code: str, hears: bool) -> None:
    assert content(doc(code), hears) == [
        {"type": "video", "url": str(MEDIA), "fps": 1.0, "max_pixels": 151_200, "time_axis": "release"},
        {"type": "text", "text": PROMPT},
    ]


@pytest.mark.parametrize("code", SOUNDING)
def test_video_is_followed_by_its_sound_for_a_model_that_hears(code: str) -> None:
    assert content(doc(code), hears=True) == [
        {"type": "video", "url": str(MEDIA), "fps": 1.0, "max_pixels": 151_200, "time_axis": "release"},
        {"type": "audio", "url": str(MEDIA)},
        {"type": "text", "text": PROMPT},
    ]


@pytest.mark.parametrize("code", SOUNDING)
def test_video_is_sent_without_its_sound_to_a_model_that_does_not_hear(code: str) -> None:
    assert content(doc(code), hears=False) == [
        {"type": "video", "url": str(MEDIA), "fps": 1.0, "max_pixels": 151_200, "time_axis": "release"},
        {"type": "text", "text": PROMPT},
    ]


@pytest.mark.parametrize("hears", [True, False])
@pytest.mark.parametrize("code", AUDIO)
def test_audio_task_gets_its_file_and_no_video(code: str, hears: bool) -> None:
    assert content(doc(code, frame_count=0, fps=0.0), hears) == [
        {"type": "audio", "url": str(MEDIA)},
        {"type": "text", "text": PROMPT},
    ]


@pytest.mark.parametrize(("frame_count", "fps", "rate"), [(300, 25.0, 1.0), (301, 25.0, 0.5), (7500, 25.0, 0.08)])
def test_video_says_the_rate_of_its_clip(frame_count: int, fps: float, rate: float) -> None:
    video = content(doc("LD", frame_count, fps), hears=False)[0]
    assert video["fps"] == pytest.approx(rate)


@pytest.mark.parametrize("code", [*SILENT, *SOUNDING, *AUDIO])
def test_prompt_is_sent_last_and_unchanged(code: str) -> None:
    assert content(doc(code), hears=True)[-1] == {"type": "text", "text": PROMPT}
