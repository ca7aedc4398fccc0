"""A clip that was cut without being encoded again is shown as a player shows it: nothing freezes, nothing shifts."""

from collections.abc import Callable
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from qwen_omni_utils.v2_5 import vision_process

from lmms_humansense.models.media.types import SAMPLE_RATE, Clip, FrameRule, Frames
from lmms_humansense.models.media.video import CUT, plan_frames, read_clip
from tests.helpers.cut_clips import RATE, end_early, ffmpeg, times_by_ffmpeg, write_event

EVENT_FRAMES = round(0.2 * RATE)
EVERY = FrameRule(nframes=10_000, max_pixels=28 * 28 * 4)
OPEN = {"x264-params": "keyint=60:min-keyint=60:open-gop=1:bframes=3:scenecut=0"}
HEVC = {"x265-params": "keyint=60:min-keyint=60:open-gop=1:bframes=3:scenecut=0:log-level=none"}

_folder: Path


@pytest.fixture(scope="module", autouse=True)
def _originals(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _folder
    _folder = tmp_path_factory.mktemp("originals")
    write_event(_folder / "long.mp4", 5.0, {"g": "250", "sc_threshold": "0"})
    write_event(_folder / "short.mp4", 6.5, {"g": "60", "sc_threshold": "0"})
    write_event(_folder / "open.mp4", 6.5, OPEN)
    write_event(_folder / "hevc.mp4", 6.5, HEVC, "libx265")
    write_event(_folder / "mpeg4.mkv", 6.5, {"g": "60", "bf": "2", "b": "800k"}, "mpeg4")


def cut_before(source: str, name: str) -> Callable[[Path], Path]:
    """Cut in the fast way: from the key frame before the start; MP4 hides what is before the start."""

    def cut(folder: Path) -> Path:
        ffmpeg("-ss", 4.5, "-i", _folder / source, "-t", 6, "-c", "copy", folder / name)
        return folder / name

    return cut


def cut_between(source: str, name: str) -> Callable[[Path], Path]:
    """Cut at the start exactly, so that there is no key frame for the first pictures."""

    def cut(folder: Path) -> Path:
        ffmpeg("-i", _folder / source, "-copyinkf", "-ss", 4.5, "-t", 6, "-c", "copy", folder / name)
        return folder / name

    return cut


CUT_CLIPS = {
    "edit list": cut_before("long.mp4", "cut.mp4"),
    "edit list, mov": cut_before("long.mp4", "cut.mov"),
    "edit list, short groups": cut_before("short.mp4", "cut.mp4"),
    "edit list, open groups": cut_before("open.mp4", "cut.mp4"),
    "no edit list, open groups": cut_before("open.mp4", "cut.mkv"),
    "edit list, hevc": cut_before("hevc.mp4", "cut.mp4"),
    "no key frame, hevc": cut_between("hevc.mp4", "cut.mkv"),
    "no key frame": cut_between("short.mp4", "cut.mp4"),
    "no key frame, mkv": cut_between("short.mp4", "cut.mkv"),
    "no key frame, ts": cut_between("short.mp4", "cut.ts"),
    "no key frame, avi": cut_between("short.mp4", "cut.avi"),
    "pictures moved behind the key frame": cut_before("mpeg4.mkv", "cut.mp4"),
    "pictures moved behind the key frame, mkv": cut_before("mpeg4.mkv", "cut.mkv"),
}


def event_seen(frames: Frames) -> float:
    """When the white picture is shown, in seconds."""
    brightness = frames.pixels.float().mean((1, 2, 3))
    return frames.indices[int(torch.nonzero(brightness > 200)[0])] / frames.video_fps


def longest_still(frames: Frames) -> int:
    """The most pictures in a row that are alike."""
    alike = [torch.equal(one, other) for one, other in pairwise(frames.pixels)]
    return 1 + max(len(list(run)) for is_alike, run in groupby(alike) if is_alike)


def event_heard(clip: Clip) -> float:
    """When the beep is heard, in seconds."""
    assert clip.sound is not None
    return float(np.flatnonzero(np.abs(clip.sound.samples) > 0.3)[0] / SAMPLE_RATE)


@pytest.mark.parametrize("name", CUT_CLIPS)
def test_a_cut_clip_is_shown_as_a_player_shows_it(name: str, tmp_path: Path) -> None:
    path = CUT_CLIPS[name](tmp_path)
    by_ffmpeg = times_by_ffmpeg(path)
    clip = read_clip(path, EVERY, hears=lambda seconds: True, align=True)
    frames = clip.frames
    assert frames.total_frames == len(by_ffmpeg)
    assert frames.video_fps == pytest.approx(RATE)
    assert event_seen(frames) == pytest.approx(event_heard(clip), abs=1.2 / RATE)
    assert longest_still(frames) <= EVENT_FRAMES
    assert frames.remarks == (CUT,)
    assert plan_frames(path, EVERY).frames == len(frames.indices)


def test_pictures_that_need_earlier_ones_are_left_out_without_times_of_presentation(tmp_path: Path) -> None:
    path = cut_before("mpeg4.mkv", "cut.avi")(tmp_path)
    frames = read_clip(path, EVERY).frames
    assert frames.total_frames == len(times_by_ffmpeg(path))
    assert longest_still(frames) <= EVENT_FRAMES
    assert frames.remarks == (CUT,)


def test_a_clip_whose_end_is_cut_off_ends_there(tmp_path: Path) -> None:
    path = end_early(_folder / "short.mp4", tmp_path / "ended.mp4", 10.0)
    by_ffmpeg = times_by_ffmpeg(path)
    frames = read_clip(path, EVERY).frames
    assert frames.total_frames == len(by_ffmpeg) == 10 * RATE
    assert frames.video_fps == pytest.approx(RATE)
    assert event_seen(frames) == pytest.approx(6.5, abs=1e-6)


def test_a_clip_of_which_nothing_is_left_out_has_no_remark() -> None:
    assert read_clip(_folder / "open.mp4", FrameRule(nframes=4)).frames.remarks == ()


@pytest.mark.parametrize("rule", [{"fps": 1.0}, {"fps": 0.5}, {"nframes": 24}])
def test_the_frames_of_decord_can_be_asked_for(
    rule: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = CUT_CLIPS["edit list"](tmp_path)
    monkeypatch.setattr(vision_process, "get_video_reader_backend", lambda: "decord")
    wanted, sample_fps = vision_process.fetch_video(
        {"video": str(path), **rule}, image_patch_size=14, return_video_sample_fps=True
    )
    read = read_clip(path, FrameRule(reader="decord", **rule), hears=lambda seconds: True)
    assert torch.equal(read.frames.pixels, wanted.to(torch.uint8))
    assert (read.frames.sample_fps, read.frames.total_frames) == (sample_fps, 317)
    assert read.sound is not None
    assert read_clip(path, FrameRule(**rule)).frames.total_frames == 182
