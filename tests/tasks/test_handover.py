"""The files that models of lmms-eval are given: the right samples, the same packets, and no incomplete file."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
import threading
import wave
from pathlib import Path
from typing import Any

import av
import huggingface_hub.constants
import numpy as np
import pytest
from numpy.typing import NDArray

from lmms_humansense.tasks.humansense import handover, sound, source
from lmms_humansense.tasks.humansense.annotations import DataError
from lmms_humansense.tasks.humansense.wrappers import MediaForms, Video
from tests.helpers import clips, cut_clips
from tests.helpers.releases import sine, wav

MOUNT = ("mount", "-t", "tmpfs", "-o")

pytestmark = pytest.mark.usefixtures("either_source")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(folder))
    return folder


def talk(path: Path, codec: str = "aac", pictures: int = 15) -> Path:
    """A clip of 3 seconds with sound."""
    return clips.write_sound(path, clips.tones(16_000, 1, 3.0), 16_000, codec, pictures=pictures)


def handed(path: Path, video: Video) -> Path:
    given, heard = handover.media(path, MediaForms(video))
    assert given is not None
    assert heard is None
    return Path(given)


def packets(path: Path, kind: str = "video") -> list[bytes]:
    with av.open(str(path)) as container:
        stream = container.streams.best(kind)
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def pictures(path: Path) -> list[tuple[float | None, NDArray[Any]]]:
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def sounds(path: Path) -> int:
    with av.open(str(path)) as container:
        return len(container.streams.audio)


def samples(content: bytes) -> NDArray[np.float64]:
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767


# Sounds.


@pytest.mark.parametrize("name", ["talk.mp4", "talk.mkv", "sound.m4a", "sound.wav"])
def test_a_wav_file_has_the_samples_that_our_reader_reads(name: str, tmp_path: Path) -> None:
    if name == "sound.wav":
        (tmp_path / name).write_bytes(wav(sine(1.5, 44_100), 44_100))
    else:
        talk(tmp_path / name, pictures=0 if name == "sound.m4a" else 15)
    _, given = handover.media(tmp_path / name, MediaForms(None, "wav"))
    read = source.current().waveform(tmp_path / name)
    written = samples(Path(given).read_bytes())
    assert len(written) == len(read) >= 24_000 - 16
    np.testing.assert_allclose(written, np.clip(read, -1, 1), atol=0.6 / 32767)


def test_samples_that_are_too_loud_are_not_turned_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loud = np.array([1.5, -1.5, 1.0, -1.0, 0.0], np.float32)
    monkeypatch.setattr(type(source.current()), "waveform", lambda self, path: loud)
    path = tmp_path / "loud.wav"
    path.write_bytes(wav(sine(0.1, 16_000), 16_000))
    assert samples(handover.wav(path).read_bytes()).tolist() == [1.0, -1.0, 1.0, -1.0, 0.0]


def test_a_sound_can_be_an_address_or_an_array(tmp_path: Path) -> None:
    path = talk(tmp_path / "talk.mp4")
    video, address = handover.media(path, MediaForms("any", "data"))
    assert video == str(path)
    assert address.startswith("data:audio/wav;base64,")
    content = base64.b64decode(address.partition(",")[2])
    assert content == handover.wav(path).read_bytes()
    _, heard = handover.media(path, MediaForms("any", "array"))
    assert heard["sampling_rate"] == 16_000
    np.testing.assert_array_equal(heard["array"], source.current().waveform(path))


def test_our_models_get_the_file_itself(tmp_path: Path) -> None:
    path = talk(tmp_path / "talk.MKV.mkv")
    assert handover.media(path, MediaForms("own", "own")) == (str(path), str(path))
    assert handover.media(path, MediaForms(None, "own")) == (None, str(path))
    assert handover.media(path, MediaForms("own")) == (str(path), None)


HEARD = (MediaForms("heard"), MediaForms("any", "wav"), MediaForms("any", "data"), MediaForms("any", "array"))


@pytest.mark.parametrize("plan", HEARD, ids=str)
def test_a_clip_without_sound_that_is_heard_is_an_error_of_the_data(plan: MediaForms, tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "mute.mp4", frames=5)
    with pytest.raises(DataError, match=r"mute\.mp4 has no sound (track|stream)\."):
        handover.media(path, plan)


# Videos.


@pytest.mark.parametrize("video", ["any", "heard"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_file_that_wrappers_know_is_given_as_it_is(video: Video, suffix: str, tmp_path: Path) -> None:
    path = talk(tmp_path / f"talk{suffix}")
    assert handed(path, video) == path


@pytest.mark.parametrize("video", ["any", "heard"])
@pytest.mark.parametrize(("name", "suffix"), [("talk.MP4", ".mp4"), ("talk.m4v", ".mp4"), ("talk.MOV", ".mov")])
def test_a_file_with_another_name_gets_a_link_with_a_true_one(
    name: str, suffix: str, video: Video, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(talk(tmp_path / "written.mov").read_bytes())
    given = handed(path, video)
    assert given.suffix == suffix
    assert given.is_symlink()
    assert given.samefile(path)


def test_a_file_system_without_links_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Any) -> None:
        raise OSError("no links here")

    path = tmp_path / "talk.MP4"
    path.write_bytes(talk(tmp_path / "written.mp4").read_bytes())
    monkeypatch.setattr(Path, "symlink_to", refuse)
    given = handed(path, "any")
    assert not given.is_symlink()
    assert given.read_bytes() == path.read_bytes()


def test_a_link_that_leads_nowhere_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "talk.MP4"
    path.write_bytes(talk(tmp_path / "written.mp4").read_bytes())
    given = handed(path, "any")
    given.unlink()
    given.symlink_to(tmp_path / "gone")
    assert handed(path, "any").samefile(path)


@pytest.mark.parametrize("codec", ["aac", "flac", "libopus"])
def test_another_container_is_copied_with_the_same_packets(codec: str, tmp_path: Path) -> None:
    path = talk(tmp_path / "talk.mkv", codec)
    given = handed(path, "heard")
    assert given.suffix == ".mp4"
    assert packets(given) == packets(path)
    assert packets(given, "audio") == packets(path, "audio")
    with av.open(str(given)) as container:
        assert "mp4" in container.format.name
    assert sounds(handed(path, "any")) == 0


def test_a_copy_has_the_sound_track_that_is_heard(tmp_path: Path) -> None:
    tracks = [clips.tones(16_000, 1) * loud for loud in (0.2, 1.0)]
    files = [clips.write_video(tmp_path / "mute.mkv"), clips.write_tracks(tmp_path / "tracks.mkv", tracks, 1)]
    path = joined(files, tmp_path / "talk.mkv")
    given = handed(path, "heard")
    assert (sounds(path), sounds(given)) == (2, 1)
    np.testing.assert_allclose(sound.waveform(given), tracks[1][0], atol=1e-4)


def joined(files: list[Path], target: Path) -> Path:
    """All streams of several files in one."""
    with av.open(str(target), "w", options={"default_mode": "passthrough"}) as written:
        opened = [av.open(str(file)) for file in files]
        streams = {(read, each.index): each for read in opened for each in read.streams}
        copies = {key: written.add_stream_from_template(each) for key, each in streams.items()}
        for key, each in streams.items():
            copies[key].disposition = each.disposition.value
        for read in opened:
            for packet in read.demux():
                if packet.size:
                    packet.stream = copies[read, packet.stream.index]
                    written.mux(packet)
            read.close()
    return target


@pytest.mark.parametrize("name", ["talk.mp4", "talk.mov", "talk.avi", "talk.mkv", "talk.MP4"])
def test_a_silent_copy_has_the_same_pictures_and_no_sound(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    written = talk(tmp_path / f"written{path.suffix.lower()}", "mp3" if name.endswith("avi") else "aac")
    path.write_bytes(written.read_bytes())
    given = handed(path, "silent")
    assert given.suffix == {".mkv": ".mp4", ".MP4": ".mp4"}.get(path.suffix, path.suffix)
    assert (sounds(path), sounds(given)) == (1, 0)
    assert packets(given) == packets(path)
    for (before, shown), (after, copied) in zip(pictures(path), pictures(given), strict=True):
        assert after == before
        np.testing.assert_array_equal(copied, shown)


def test_a_clip_without_sound_needs_no_silent_copy(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "mute.mp4", frames=5)
    assert handed(path, "silent") == path


def test_a_copy_is_turned_as_its_clip_is(tmp_path: Path) -> None:
    path = clips.turn(talk(tmp_path / "upright.mp4"), tmp_path / "turned.mp4", 90)

    def turns(file: Path) -> int:
        with av.open(str(file)) as container:
            return next(container.decode(video=0)).rotation

    assert turns(handed(path, "silent")) == turns(path) != 0


def test_a_copy_of_a_clip_that_was_cut_begins_and_ends_with_it(tmp_path: Path) -> None:
    whole = cut_clips.write_event(tmp_path / "whole.mp4", 5.0, {"g": "60", "bf": "0"})
    cut = tmp_path / "cut.mp4"
    cut_clips.ffmpeg("-ss", "3.3", "-i", whole, "-t", "4", "-c", "copy", cut)
    for path in (cut, cut_clips.end_early(cut, tmp_path / "ended.mp4", 2.0)):
        shown, copied = pictures(path), pictures(handed(path, "silent"))
        assert [time for time, _ in copied] == pytest.approx([time for time, _ in shown], abs=1e-4)
        assert all((one == other).all() for (_, one), (_, other) in zip(shown, copied, strict=True))


def test_times_of_pictures_are_kept(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "slow.mkv", frames=5, times=[0, 100, 500, 600, 2000])
    assert [time for time, _ in pictures(handed(path, "any"))] == [0, 0.1, 0.5, 0.6, 2]


@pytest.mark.parametrize(
    ("content", "video"), [(b"", "silent"), (b"no clip at all " * 100, "silent"), (b"no clip", "any")], ids=str
)
def test_a_file_that_cannot_be_copied_is_an_error_of_the_data(content: bytes, video: Video, tmp_path: Path) -> None:
    path = tmp_path / "broken.mkv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.mkv cannot be read"):
        handed(path, video)
    with pytest.raises(DataError, match=r"gone\.mp4 cannot be read"):
        handed(tmp_path / "gone.mp4", "heard")


def test_a_sound_that_fits_into_no_file_that_wrappers_know_is_named(tmp_path: Path, home: Path) -> None:
    path = talk(tmp_path / "talk.mkv", "wavpack")
    with pytest.raises(DataError, match=r"talk\.mkv cannot be copied into a file \.mp4 .*wavpack.*: convert it to MP4"):
        handed(path, "heard")
    assert not [file for file in home.rglob("*") if file.is_file()]
    assert packets(handed(path, "any")) == packets(path)


# Where they are kept.


def test_a_file_is_made_once_and_again_if_its_clip_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = talk(tmp_path / "talk.mp4")
    first = handover.wav(path)
    before = first.stat().st_mtime_ns
    assert handover.wav(path) == first
    assert first.stat().st_mtime_ns == before
    link = tmp_path / "link.mp4"
    link.symlink_to(path)
    assert handover.wav(link) == first
    os.utime(path, ns=(1, 1))
    assert handover.wav(path) != first
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(1, 1))
    assert handover.wav(path) != first


def test_samples_of_another_reader_are_not_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = talk(tmp_path / "talk.mp4")
    first = handover.wav(path)
    monkeypatch.setattr(type(source.current()), "reader", lambda self: "another")
    assert handover.wav(path) != first


def test_the_files_lie_in_the_cache_and_their_names_look_like_no_other_file(tmp_path: Path, home: Path) -> None:
    path = talk(tmp_path / "talk.mp4")
    for file in (handover.wav(path), handed(path, "silent")):
        assert file.parent == home / "humansense" / "handover"
        assert file.name.count(".") == 1
    assert not list(home.rglob("*.part"))


def test_a_cache_that_cannot_be_written_is_replaced_by_a_temporary_folder(
    tmp_path: Path, read_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(read_only))
    path = talk(tmp_path / "talk.mp4")
    file = handover.wav(path)
    assert not file.is_relative_to(read_only)
    assert len(samples(file.read_bytes())) == len(source.current().waveform(path))
    assert handover.wav(path) == file


def test_a_file_in_a_cache_that_can_only_be_read_is_used(tmp_path: Path, home: Path) -> None:
    path = talk(tmp_path / "talk.mp4")
    file = handover.wav(path)
    handover._writable.cache_clear()
    file.parent.chmod(0o500)
    assert handover.wav(path) == file
    file.parent.chmod(0o700)


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if sys.platform != "linux" or subprocess.run([*MOUNT, "size=4k", "none", small], check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    path = talk(tmp_path / "talk.mp4", pictures=300)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(small))
    try:
        for plan in (MediaForms(None, "wav"), MediaForms("silent")):
            with pytest.raises(DataError, match=r"talk\.mp4 cannot be written to .*No space left on device.*HF_HOME"):
                handover.media(path, plan)
        assert not [file for file in small.rglob("*") if file.is_file()]
    finally:
        subprocess.run(["umount", "--lazy", small], check=True)


def test_threads_that_want_the_same_file_get_one_complete_file(tmp_path: Path) -> None:
    path = talk(tmp_path / "talk.mkv")
    start, found = threading.Barrier(8), []

    def want() -> None:
        start.wait(timeout=60)
        found.append((handover.wav(path), handed(path, "heard")))

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(samples(found[0][0].read_bytes())) == len(source.current().waveform(path))
