"""The store of decoded clips: what comes back is what was decoded, whatever happens to its folder."""

import errno
import logging
import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from lmms_humansense.models.inputs import media_cache
from lmms_humansense.models.inputs.conversation import VideoPart
from lmms_humansense.models.inputs.media_cache import MediaCache
from lmms_humansense.models.media import environment, publishing, store, trimming
from lmms_humansense.models.media.digests import FileDigests
from lmms_humansense.models.media.entries import DamagedEntryError, UnreadableEntryError, read_entry, write_entry
from lmms_humansense.models.media.errors import MediaError
from lmms_humansense.models.media.stand_in import StandIn, read_stand_in
from lmms_humansense.models.media.store import ClipStore, NotKeptError
from lmms_humansense.models.media.types import Clip, FrameRule
from lmms_humansense.models.media.video import read_clip
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers import clips
from tests.helpers.waits import LIMIT

RULE = FrameRule(nframes=6)
PARK = ROOT / "videos" / "count" / "park.mp4"


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


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Within this context, the folder cannot be written, not even by root."""
    if sys.platform != "linux" or os.geteuid() != 0:
        places = [folder, *(place for place in folder.iterdir() if place.is_dir())]
        for place in places:
            place.chmod(0o500)
        yield
        for place in places:
            place.chmod(0o700)
        return
    if subprocess.run(["mount", "--bind", folder, folder], check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


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
    monkeypatch.setattr(environment, "_ffmpeg", lambda: {"libswscale": "99.1.0"})
    frames_of()
    monkeypatch.setattr(environment, "processor", lambda: ["x86_64", "DEFAULT"])
    frames_of()
    monkeypatch.setattr("qwen_omni_utils.v2_5.vision_process.MODEL_SEQ_LEN", 1000)
    frames_of()
    assert counts == [2, 3, 4, 6, 7, 9, 11, 13, 15, 17, 19]


@pytest.mark.parametrize(
    ("capability", "kind"), [("DEFAULT", "DEFAULT"), ("AVX2", "AVX2 or AVX512"), ("AVX512", "AVX2 or AVX512")]
)
def test_processors_are_alike_where_torch_resizes_alike(
    capability: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    environment.processor.cache_clear()
    assert environment.processor() == [platform.machine(), kind]
    environment.processor.cache_clear()


@pytest.mark.slow
@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() != "AVX512", reason="needs a processor with AVX512")
def test_frames_are_the_same_with_avx2_and_avx512(clip: Path) -> None:
    """The entries of one are used by the other. In processes of their own, as torch looks only once."""
    code = f"""
import hashlib, torch
from pathlib import Path
from tests.models.media.test_store import read
frames = read(None, Path({str(clip)!r})).frames.pixels
print(torch.backends.cpu.get_cpu_capability(), hashlib.sha256(frames.numpy().tobytes()).hexdigest())
"""
    found = {}
    for wanted in ("avx2", "avx512"):
        said = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "ATEN_CPU_CAPABILITY": wanted},
        ).stdout.split()  # fmt: skip
        found[said[0]] = said[1]
    assert found.keys() == {"AVX2", "AVX512"}
    assert len(set(found.values())) == 1


def replaced(clip: Path) -> None:
    """Put another clip in its place, as rsync does: by renaming."""
    other = clips.write_video(clip.with_name("other.mp4"), frames=60)
    other.replace(clip)


def written_again(clip: Path) -> None:
    """Write another clip into the same file, within one step of the clock, and with the same size."""
    before = clip.stat()
    with clip.open("r+b") as file:
        file.seek(-20, os.SEEK_END)
        file.write(bytes(20))
    os.utime(clip, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [replaced, written_again, Path.unlink])
@pytest.mark.parametrize("what", ["clip", "its sound", "a sound"])
def test_what_was_decoded_of_a_file_that_changed_meanwhile_is_not_kept(
    change: Callable[[Path], None], what: str, clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """It would stand under the key of the new content, or that of the old one, for all later runs."""
    store = ClipStore(folder)
    media = MediaCache(28, store)
    if what == "its sound":
        media.clip(VideoPart(str(clip), RULE), lambda seconds: False)
    before = len(entries(folder))

    def changing(name: str, whose: Any = media_cache) -> None:
        decode = getattr(whose, name)

        def changed(path: str, *rest: Any) -> Any:
            try:
                return decode(path, *rest)
            finally:
                change(clip)

        monkeypatch.setattr(whose, name, changed)

    changing("read_clip")
    changing("read_waveform")
    monkeypatch.setattr(media_cache, "sound_seconds", lambda path: None)
    if what == "a sound":
        media.sound(str(clip))
    else:
        media.clip(VideoPart(str(clip), RULE), always)
    assert len(entries(folder)) == before
    assert f"{clip} changed while it was decoded, so what was decoded is not kept." in caplog.text
    monkeypatch.undo()
    other = Path(shutil.copy(PARK, clip.with_name("park.mp4")))
    MediaCache(28, store).clip(VideoPart(str(other), RULE), lambda seconds: False)
    assert len(entries(folder)) == before + 1, "the others are still kept"


def test_a_store_that_must_be_written_says_that_a_file_was_not_kept(
    clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`prepare --decoded` would count it as present, and its clip could be deleted."""
    store = ClipStore(folder, must_write=True)

    def changed(*arguments: Any) -> Clip:
        decoded = read_clip(*arguments)
        written_again(clip)
        return decoded

    monkeypatch.setattr(media_cache, "read_clip", changed)
    with pytest.raises(NotKeptError, match="changed while it was decoded"):
        MediaCache(28, store).clip(VideoPart(str(clip), RULE), lambda seconds: False)
    monkeypatch.undo()
    clip.unlink()
    with pytest.raises(FileNotFoundError):
        store.content(str(clip))


def test_a_clip_that_is_only_touched_while_it_is_decoded_is_kept(
    clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def linked(*arguments: Any) -> Clip:
        os.link(clip, clip.with_name("link.mp4"))
        return read_clip(*arguments)

    monkeypatch.setattr(media_cache, "read_clip", linked)
    read(folder, clip)
    assert len(entries(folder)) == 2


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


def test_a_folder_that_cannot_be_written_is_no_error(
    clip: Path, read_only: Path, caplog: pytest.LogCaptureFixture
) -> None:
    decoded = read(read_only, clip)
    assert caplog.text.count("Decoded clips are not kept in") == 1
    assert_equal(read(None, clip), decoded)


def test_a_folder_that_cannot_be_written_is_read(
    clip: Path, folder: Path, opened: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """What it holds comes from it, and of what it does not hold nothing is lost."""
    decoded = read(folder, clip)
    with unwritable(folder):
        before = {place: (place.read_bytes(), place.stat().st_mtime_ns) for place in entries(folder)}
        assert_equal(read(folder, clip), decoded)
        assert (opened, caplog.text) == (["heard.mp4"], "")
        other = FrameRule(nframes=4)
        assert_equal(read(folder, clip, rule=other), read(None, clip, rule=other))
        assert caplog.text.count("Decoded clips are not kept in") == 1
        assert {place: (place.read_bytes(), place.stat().st_mtime_ns) for place in entries(folder)} == before


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EMFILE, "Too many open files"), OSError(errno.EIO, "Input/output error"), PermissionError("no"),
     pa.ArrowMemoryError("malloc of size 64 failed")],
    ids=["EMFILE", "EIO", "EACCES", "memory"],
)  # fmt: skip
def test_an_entry_that_cannot_be_read_now_stays(
    error: Exception, clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """The folder cannot be written either, so that what is decoded anew does not take its place."""
    decoded = read(folder, clip)
    before = {place: place.read_bytes() for place in entries(folder)}

    def failing(*_: Any, **__: Any) -> Any:
        raise error

    with monkeypatch.context() as patched:
        if isinstance(error, OSError):
            patched.setattr(Path, "read_bytes", failing)
        else:
            patched.setattr(pq, "ParquetFile", failing)
        patched.setattr(store, "write_entry", failing)
        assert_equal(read(folder, clip), decoded)
        with pytest.raises(UnreadableEntryError, match="cannot be read"):
            MediaCache(28, ClipStore(folder, checking=True)).clip(VideoPart(str(clip), RULE), always)
    assert {place: place.read_bytes() for place in entries(folder)} == before
    assert "in the store of decoded clips cannot be read" in caplog.text and "is damaged" not in caplog.text


def test_an_entry_that_is_removed_meanwhile_is_none(
    clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As `trim` of another process does."""
    decoded = read(folder, clip)

    def removed(place: Path, *rest: Any) -> Any:
        place.unlink()
        return read_entry(place, *rest)

    monkeypatch.setattr(store, "read_entry", removed)
    assert_equal(read(folder, clip), decoded)
    assert caplog.text == ""


def test_a_full_disk_ends_keeping_and_no_question(
    clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    decoded = read(folder, clip)
    tried: list[Path] = []

    def full(place: Path, table: pa.Table, facts: Any) -> None:
        tried.append(place)
        write_entry(place, table, facts)
        os.truncate(place, 1000)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "write_entry", full)
    full_store = ClipStore(folder)
    for count in (4, 8, 10):
        rule = FrameRule(nframes=count)
        shown = MediaCache(28, full_store).clip(VideoPart(str(clip), rule), always)
        assert torch.equal(shown.frames.pixels, read(None, clip, rule=rule).frames.pixels)
    assert len(tried) == 1
    assert caplog.text.count("No space left on device") == 1
    assert len(list(folder.glob("??/*"))) == 2, "nothing half is left"
    assert_equal(read(folder, clip), decoded)


def test_an_entry_for_which_there_is_no_memory_is_not_kept_and_others_are(
    clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[Path] = []

    def failing(place: Path, table: pa.Table, facts: Any) -> None:
        tried.append(place)
        if len(tried) == 1:
            raise pa.ArrowMemoryError("malloc of size 64 failed")
        write_entry(place, table, facts)

    monkeypatch.setattr(store, "write_entry", failing)
    assert_equal(read(folder, clip), read(None, clip))
    assert f"What was decoded of {clip} is not kept (malloc of size 64 failed)." in caplog.text
    assert len(entries(folder)) == 1  # of the sound, which came after the frames


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
    trimming.trim(folder, 10**9)
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


@pytest.mark.slow
def test_processes_that_fill_one_folder_agree(clip: Path, folder: Path, tmp_path: Path) -> None:
    """Each waits for the other before every entry, and decodes what the other decodes."""
    code = f"""
import sys, time
from pathlib import Path
from lmms_humansense.models.inputs import media_cache
from lmms_humansense.models.media.types import FrameRule
from tests.helpers.waits import until
from tests.models.media.test_store import read
own, other, read_clip, met = sys.argv[1], sys.argv[2], media_cache.read_clip, 0
def together(*arguments):
    global met
    met += 1
    Path({str(tmp_path)!r}, f"{{own}}{{met}}").touch()
    until(lambda: Path({str(tmp_path)!r}, f"{{other}}{{met}}").exists())
    return read_clip(*arguments)
media_cache.read_clip = together
for count in (4, 6, 8):
    read(Path({str(folder)!r}), Path({str(clip)!r}), rule=FrameRule(nframes=count))
assert met == 3
"""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = [subprocess.Popen([sys.executable, "-c", code, *names], env=environ) for names in ("ab", "ba")]
    assert [process.wait(3 * LIMIT) for process in running] == [0, 0]
    assert len(entries(folder)) == 4  # of frames; the three have one sound
    assert not [place for place in folder.glob("??/*") if place.suffix == ".part"]
    for count in (4, 6, 8):
        rule = FrameRule(nframes=count)
        assert_equal(read(folder, clip, rule=rule), read(None, clip, rule=rule))


def test_what_killed_processes_left_goes_with_the_first_entry_of_a_process(clip: Path, folder: Path) -> None:
    read(folder, clip)
    old, new, foreign = (folder / "ab" / name for name in (f".{'0' * 32}.part", f".{'1' * 32}.part", "film.part"))
    old.parent.mkdir(exist_ok=True)
    for path in (old, new, foreign):
        path.write_bytes(b"half")
    for path in (old, foreign):
        os.utime(path, (0, 0))
    publishing.sweep_once.cache_clear()
    read(folder, clip, rule=FrameRule(nframes=4))
    assert [path.exists() for path in (old, new, foreign)] == [False, True, True]
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    read(folder, clip, rule=FrameRule(nframes=8))
    assert old.exists(), "looking again for each entry would take long"


def test_files_that_are_no_entries_are_left_alone(clip: Path, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Also a folder that has the name of one, and ends neither trimming nor filling."""
    read(folder, clip)
    foreign = [folder / "ab" / "table.parquet", folder / "ab" / "film.mp4", folder / "notes.parquet"]
    odd = folder / "ab" / f"{'0' * 38}.parquet"
    odd.mkdir(parents=True)
    for path in foreign:
        path.write_bytes(bytes(1000))
        os.utime(path, (0, 0))
    media = MediaCache(28, ClipStore(folder, most_bytes=1))
    for count in (4, 8):
        media.clip(VideoPart(str(clip), FrameRule(nframes=count)), always)
    assert all(path.exists() for path in (*foreign, odd))
    assert [place for place in entries(folder) if place.is_file() and place not in foreign] == []
    assert "some entries cannot be removed by this user" in caplog.text


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
    trimming.trim(folder, oldest.stat().st_size + newest.stat().st_size + 1)
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
    with pytest.raises(DamagedEntryError, match="in the store of decoded clips is damaged"):
        MediaCache(28, ClipStore(folder, checking=True)).clip(VideoPart(str(clip), RULE), always)
    assert {place: place.stat().st_mtime_ns for place in entries(folder)} == before
