"""The store of decoded clips: what comes back is what was decoded, whatever happens to its folder."""

import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lmms_humansense.models.inputs.conversation import VideoPart
from lmms_humansense.models.inputs.media_cache import MediaCache
from lmms_humansense.models.media import environment, store
from lmms_humansense.models.media.digests import FileDigests
from lmms_humansense.models.media.errors import MediaError
from lmms_humansense.models.media.stand_in import StandIn, read_stand_in
from lmms_humansense.models.media.store import ClipStore
from lmms_humansense.models.media.types import Clip, FrameRule

RULE = FrameRule(nframes=6)


def always(seconds: float | None) -> bool:
    return True


@pytest.fixture
def clip(heard_clip: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(heard_clip, tmp_path / "heard.mp4"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


def read(folder: Path | None, clip: Path, rule: FrameRule = RULE, factor: int = 28, **part: Any) -> Clip:
    media = MediaCache(factor, ClipStore(folder) if folder else None)
    return media.clip(VideoPart(str(clip), rule, **part), always)


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("??/*.parquet"))


def assert_equal(one: Clip, other: Clip) -> None:
    assert torch.equal(one.frames.pixels, other.frames.pixels)
    assert one.frames.pixels.dtype == other.frames.pixels.dtype == torch.uint8
    facts = [{name: value for name, value in vars(each.frames).items() if name != "pixels"} for each in (one, other)]
    assert facts[0] == facts[1]
    assert one.sound_seconds == other.sound_seconds
    assert (one.sound is None) == (other.sound is None)
    if one.sound is not None and other.sound is not None:
        assert one.sound.samples.dtype == other.sound.samples.dtype == np.float32
        assert np.array_equal(one.sound.samples, other.sound.samples)


@pytest.mark.parametrize("part", [{}, {"start": 1.0, "end": 4.0}, {"true_time": False}])
def test_a_clip_is_decoded_once_and_comes_back_bit_by_bit(
    clip: Path, folder: Path, opened: list[str], part: dict[str, Any]
) -> None:
    decoded = read(None, clip, **part)
    assert_equal(read(folder, clip, **part), decoded)
    before = len(opened)
    assert_equal(read(folder, clip, **part), decoded)
    assert len(opened) == before
    assert len(entries(folder)) == 2


def test_a_whole_sound_comes_back(clip: Path, folder: Path, opened: list[str]) -> None:
    expected, seconds = MediaCache(28).sound(str(clip))
    MediaCache(28, ClipStore(folder)).sound(str(clip))
    before = len(opened)
    found, told = MediaCache(28, ClipStore(folder)).sound(str(clip))
    assert (len(opened), told) == (before, seconds)
    assert np.array_equal(found.samples, expected.samples)


def test_a_copy_of_a_clip_is_the_same_clip(clip: Path, folder: Path, opened: list[str]) -> None:
    read(folder, clip)
    copy = Path(shutil.copy(clip, clip.with_name("copy.mp4")))
    read(folder, copy)
    assert opened == ["heard.mp4"]


def test_whatever_decides_what_is_decoded_is_another_entry(
    clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []

    def frames_of(**shown: Any) -> None:
        read(folder, **{"clip": clip, **shown})
        counts.append(len(entries(folder)))

    frames_of()
    frames_of(rule=FrameRule(nframes=4))
    frames_of(factor=32)
    frames_of(start=1.0)
    frames_of(true_time=False)  # another sound, the same frames
    with clip.open("ab") as file:
        file.write(b"\0")
    frames_of()
    monkeypatch.setattr(environment, "_code", lambda: "of another release")
    frames_of()
    monkeypatch.setattr(environment, "_versions", lambda: {"av": "99"})
    frames_of()
    monkeypatch.setattr("qwen_omni_utils.v2_5.vision_process.MODEL_SEQ_LEN", 1000)
    frames_of()
    assert counts == [2, 3, 4, 6, 7, 9, 11, 13, 15]


@pytest.mark.parametrize("damage", ["cut off", "empty", "one bit", "another entry"])
def test_a_damaged_entry_is_named_and_decoded_anew(
    clip: Path, folder: Path, opened: list[str], damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    decoded = read(folder, clip)
    frames, sound = sorted(entries(folder), key=lambda place: place.stat().st_size)
    content = frames.read_bytes()
    whole = len(content)
    if damage == "cut off":
        frames.write_bytes(content[: whole // 2])
    elif damage == "empty":
        frames.write_bytes(b"")
    elif damage == "one bit":
        frames.write_bytes(content[: whole // 2] + bytes([content[whole // 2] ^ 1]) + content[whole // 2 + 1 :])
    else:
        shutil.copy(sound, frames)
    with caplog.at_level(logging.WARNING):
        assert_equal(read(folder, clip), decoded)
    assert opened == ["heard.mp4"] * 2
    assert str(frames) in caplog.text and str(clip) in caplog.text and "is decoded anew" in caplog.text
    assert_equal(read(folder, clip), decoded)
    assert opened == ["heard.mp4"] * 2


def test_a_folder_that_cannot_be_written_is_read(
    clip: Path, folder: Path, read_only: Path, opened: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    decoded = read(read_only, clip)
    assert caplog.text.count("Decoded clips are not kept in") == 1
    assert_equal(read(None, clip), decoded)


@pytest.mark.parametrize("shape", [(2, 3, 28, 56), (1, 3, 1, 1), (3, 3, 2, 5)])
def test_differences_sum_up_to_the_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    made = store.differences(pixels)
    store.sum_up(made)
    assert np.array_equal(made, pixels)


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_nothing_half(clip: Path, folder: Path) -> None:
    """It is killed while it writes the second of two entries."""
    code = f"""
import os, signal
from lmms_humansense.models.media import store
write, count = store.write_entry, 0
def killed(place, table, facts):
    global count
    count += 1
    write(place, table, facts)
    if count == 2:
        os.truncate(place, 100)
        os.kill(os.getpid(), signal.SIGKILL)
store.write_entry = killed
from tests.models.media.test_store import read
from pathlib import Path
read(Path({str(folder)!r}), Path({str(clip)!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -9
    assert len(entries(folder)) == 1
    assert_equal(read(folder, clip), read(None, clip))
    (left,) = [path for path in folder.glob("??/*") if path.suffix == ".part"]
    os.utime(left, (0, 0))
    store.trim(folder, 10**9)
    assert not left.exists()
    assert len(entries(folder)) == 2


def test_threads_that_fill_one_folder_agree(clip: Path, folder: Path) -> None:
    found: list[Clip] = []
    threads = [threading.Thread(target=lambda: found.append(read(folder, clip))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = read(None, clip)
    assert len(found) == 6
    for one in found:
        assert_equal(one, expected)
    assert len(entries(folder)) == 2


def test_the_least_recently_used_entries_go_first(clip: Path, folder: Path) -> None:
    rules = [FrameRule(nframes=count) for count in (4, 6, 8)]
    media = MediaCache(28, ClipStore(folder))
    for age, rule in enumerate(rules):
        before = set(entries(folder))
        media.clip(VideoPart(str(clip), rule), lambda seconds: False)
        (made,) = set(entries(folder)) - before
        os.utime(made, (1000 + age, 1000 + age))
    oldest, middle, newest = sorted(entries(folder), key=lambda place: place.stat().st_mtime)
    MediaCache(28, ClipStore(folder)).clip(VideoPart(str(clip), rules[0]), lambda seconds: False)  # used again
    store.trim(folder, oldest.stat().st_size + newest.stat().st_size + 1)
    assert not middle.exists()
    # The bound leaves some room for what other processes write meanwhile, so only one of the two may stay.
    assert oldest.exists()


def test_a_bound_holds_while_the_folder_is_filled(clip: Path, folder: Path) -> None:
    unbounded = ClipStore(folder)
    MediaCache(28, unbounded).clip(VideoPart(str(clip), FrameRule(nframes=4)), lambda seconds: False)
    (entry,) = entries(folder)
    bound = int(entry.stat().st_size * 5)
    media = MediaCache(28, ClipStore(folder, bound))
    for count in range(4, 26, 2):
        media.clip(VideoPart(str(clip), FrameRule(nframes=count)), lambda seconds: False)
        assert sum(place.stat().st_size for place in entries(folder)) <= bound


def test_a_file_that_stands_for_a_clip_finds_what_was_decoded_of_it(
    clip: Path, folder: Path, opened: list[str]
) -> None:
    decoded = read(folder, clip)
    digest = FileDigests().digest(str(clip))
    said = StandIn(digest, clip.stat().st_size)
    clip.write_bytes(said.to_bytes())
    assert read_stand_in(clip) == said
    assert FileDigests().digest(str(clip)) == digest
    before = len(opened)
    assert_equal(read(folder, clip), decoded)
    assert len(opened) == before
    with pytest.raises(MediaError, match=r"heard.mp4 was decoded beforehand, and media_cache does not hold it as it"):
        read(folder, clip, rule=FrameRule(nframes=4))
    with pytest.raises(MediaError, match="was decoded beforehand"):
        read(None, clip)


@pytest.mark.parametrize("content", [b"", b"x", b"lmms-humansense: this clip\n", b"\xff" * 100])
def test_other_small_files_stand_for_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "small.mp4").write_bytes(content)
    assert read_stand_in(tmp_path / "small.mp4") is None


@pytest.mark.parametrize("pictures", [None, True, False])
def test_a_small_file_says_what_it_stands_for(tmp_path: Path, pictures: bool | None) -> None:
    said = StandIn("0" * 64, 12, pictures)
    (tmp_path / "small.webm").write_bytes(said.to_bytes())
    assert read_stand_in(tmp_path / "small.webm") == said
    (tmp_path / "small.webm").write_bytes(said.to_bytes() + b"more\n")
    assert read_stand_in(tmp_path / "small.webm") is None


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert read_stand_in(tmp_path / "pipe.mp4") is None


def test_checking_changes_nothing_and_raises_what_is_damaged(clip: Path, folder: Path) -> None:
    read(folder, clip)
    for entry in entries(folder):
        entry.write_bytes(entry.read_bytes()[:-20])
    before = {place: place.stat().st_mtime_ns for place in entries(folder)}
    with pytest.raises(store.DamagedEntryError, match="in the store of decoded clips is damaged"):
        MediaCache(28, ClipStore(folder, checking=True)).clip(VideoPart(str(clip), RULE), always)
    assert {place: place.stat().st_mtime_ns for place in entries(folder)} == before
