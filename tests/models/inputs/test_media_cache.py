"""Media of several conversations are read once, and stay the same for each, whether another one hears them or not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lmms_humansense.models.inputs import media_cache
from lmms_humansense.models.inputs.conversation import VideoPart
from lmms_humansense.models.inputs.media_cache import MediaCache
from lmms_humansense.models.media import video
from lmms_humansense.models.media.audio import read_waveform
from lmms_humansense.models.media.errors import MediaError, UnsuitableReaderError
from lmms_humansense.models.media.types import FrameRule
from lmms_humansense.models.media.video import read_clip
from tests.helpers import clips
from tests.helpers.clips import read_frames

RULE = FrameRule(nframes=6)


def always(seconds: float | None) -> bool:
    return True


def never(seconds: float | None) -> bool:
    return False


@pytest.fixture
def clip(heard_clip: Path) -> Path:
    return heard_clip


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize(("start", "end"), [(None, None), (1.0, 4.0)])
def test_one_pass_gives_what_two_give(
    clip: Path, opened: list[str], align: bool, start: float | None, end: float | None
) -> None:
    both = read_clip(clip, RULE, 28, start, end, always, align)
    assert opened == ["heard.mp4"]
    assert torch.equal(both.frames.pixels, read_frames(clip, RULE, 28, start, end).pixels)
    assert both.sound is not None
    assert np.array_equal(
        both.sound.samples, read_waveform(clip, start, end, both.frames.first_time if align else None).samples
    )
    assert both.sound_seconds == pytest.approx(6.0, abs=0.1)


def test_where_decord_reads_the_pictures_the_sound_is_the_same(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_clip(clip, RULE, hears=always)

    def unfit(*_: Any) -> Any:
        raise UnsuitableReaderError("of a test")

    monkeypatch.setattr(video, "PyavReader", unfit)
    read = read_clip(clip, RULE, hears=always)
    assert read.sound is not None and expected.sound is not None
    assert np.array_equal(read.sound.samples, expected.sound.samples)
    assert torch.equal(read.frames.pixels, expected.frames.pixels)


def test_a_clip_is_read_once_for_all_that_see_it(clip: Path, opened: list[str]) -> None:
    media = MediaCache(28)
    seen = [media.clip(VideoPart(str(clip), RULE), always) for _ in range(3)]
    assert opened == ["heard.mp4"]
    assert all(one.frames is seen[0].frames and one.sound is seen[0].sound for one in seen)
    assert media.clip(VideoPart(str(clip), RULE), never).sound is None
    assert opened == ["heard.mp4"]


def test_a_clip_that_was_silent_can_still_be_heard(clip: Path, opened: list[str]) -> None:
    media = MediaCache(28)
    silent = media.clip(VideoPart(str(clip), RULE), never)
    heard = media.clip(VideoPart(str(clip), RULE), always)
    assert heard.frames is silent.frames
    assert heard.sound is not None
    assert np.array_equal(heard.sound.samples, read_waveform(clip, begin=silent.frames.first_time).samples)


def test_the_two_time_axes_have_sounds_of_their_own(clip: Path) -> None:
    media = MediaCache(28)
    true = media.clip(VideoPart(str(clip), RULE, true_time=True), always)
    release = media.clip(VideoPart(str(clip), RULE, true_time=False), always)
    assert true.frames is release.frames
    assert true.sound is not None and release.sound is not None
    assert len(true.sound.samples) > len(release.sound.samples)


def test_other_rules_and_parts_are_other_clips(clip: Path, opened: list[str]) -> None:
    media = MediaCache(28)
    other_rule, part = FrameRule(nframes=4), VideoPart(str(clip), RULE, start=1.0)
    for shown in (VideoPart(str(clip), RULE), VideoPart(str(clip), other_rule), part):
        media.clip(shown, never)
    assert len(opened) == 3


def test_a_sound_is_read_once(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def noted(path: str) -> Any:
        read.append(path)
        return read_waveform(path)

    monkeypatch.setattr(media_cache, "read_waveform", noted)
    media = MediaCache(28)
    assert media.sound(str(clip)) is media.sound(str(clip))
    assert len(read) == 1


def test_what_needs_a_sound_that_is_not_there_fails_alone(tmp_path: Path) -> None:
    silent = VideoPart(str(clips.write_video(tmp_path / "silent.mp4", frames=20)), RULE)
    media = MediaCache(28)

    def needs(seconds: float | None) -> bool:
        raise MediaError("no sound")

    with pytest.raises(MediaError, match="no sound"):
        media.clip(silent, needs)
    assert len(media.clip(silent, never).frames.pixels) == 6
    with pytest.raises(MediaError, match="no sound"):
        media.clip(silent, needs)
