"""Every file of a folder gets its outcome, whatever it does to the programs that read it."""

import csv
import os
import shutil
import signal
import time
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from typer.testing import CliRunner

from lmms_humansense.check_media import check
from lmms_humansense.check_media.check import FileCheck, MediaChecker, media_below
from lmms_humansense.check_media.comparing import against_decord, against_ffmpeg, sounds_apart
from lmms_humansense.check_media.ffmpeg_program import Pictures
from lmms_humansense.check_media.isolation import IsolatedError, Isolation
from lmms_humansense.check_media.reading import FileRead
from lmms_humansense.cli import app
from tests.helpers import clips
from tests.helpers.cut_clips import ffmpeg, write_event


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: whole, cut and broken clips, a sound, and something else."""
    folder = tmp_path_factory.mktemp("media")
    (folder / "clips").mkdir()
    write_event(folder / "clips" / "whole.mp4", 5.0, {"g": "250", "sc_threshold": "0"})
    ffmpeg("-ss", 4.5, "-i", folder / "clips" / "whole.mp4", "-t", 6, "-c", "copy", folder / "clips" / "cut.MP4")
    clips.write_sound(folder / "sound.wav", clips.tones(16_000, 2), 16_000, "pcm_s16le")
    (folder / "broken.mp4").write_bytes((folder / "clips" / "whole.mp4").read_bytes()[:2000])
    (folder / "notes.txt").write_text("no clip")
    return folder


@pytest.fixture
def with_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ffmpeg program is installed."""
    (tmp_path / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def outcomes(folder: Path, limit: float = 60.0) -> dict[str, FileCheck]:
    names, _ = media_below(folder)
    return {each.name: each for each in MediaChecker(limit).check(folder, names)}


@pytest.mark.usefixtures("with_ffmpeg")
def test_the_outcome_of_each_file(folder: Path) -> None:
    found = outcomes(folder)
    assert set(found) == {"clips/whole.mp4", "clips/cut.MP4", "sound.wav", "broken.mp4"}
    whole, cut, sound, broken = (
        found[name] for name in ("clips/whole.mp4", "clips/cut.MP4", "sound.wav", "broken.mp4")
    )
    assert (whole.outcome, whole.frames, whole.fps, whole.notes) == ("equal", 600, 30.0, ())
    assert whole.seconds == pytest.approx(20.0, abs=0.1)
    assert (cut.outcome, cut.frames) == ("differs", 182)
    assert cut.notes[0] == "decord counts 317 frames at 30 per second, not 182 at 30"
    assert (sound.outcome, sound.frames, sound.seconds, sound.notes) == ("equal", None, 1.5, ())
    assert broken.outcome == "refused"
    assert "broken.mp4 is an MP4 or MOV file whose index (moov) is missing" in broken.notes[0]


def test_without_other_programs_files_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = outcomes(folder)
    assert {name: each.outcome for name, each in found.items()} == {
        "clips/whole.mp4": "read", "clips/cut.MP4": "read", "sound.wav": "read", "broken.mp4": "refused",
    }  # fmt: skip


def test_the_command_prints_and_writes_every_file(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "check.csv"
    result = CliRunner().invoke(app, ["check-media", str(folder), "--out", str(out)])
    assert result.exit_code == 1
    assert "4 clips and sounds, compared with decord" in result.output
    assert "1 other files are ignored" in result.output
    for line in ("differs clips/cut.MP4", "refused broken.mp4", "1 refused"):
        assert line in result.output
    with out.open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(outcomes(folder))
    assert rows["clips/cut.MP4"]["frames"] == "182"


def test_a_folder_whose_files_can_all_be_read_ends_with_status_0(tmp_path: Path) -> None:
    clips.write_sound(tmp_path / "sound.wav", clips.tones(16_000, 1), 16_000, "pcm_s16le")
    assert CliRunner().invoke(app, ["check-media", str(tmp_path)]).exit_code == 0


def test_a_name_that_is_not_text_is_printed_and_written(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    name = os.fsdecode(b"s\xff.wav")
    clips.write_sound(tmp_path / "sound.wav", clips.tones(16_000, 1), 16_000, "pcm_s16le")
    try:
        (tmp_path / "sound.wav").rename(tmp_path / "media" / name)
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    out = tmp_path / "check.csv"
    result = CliRunner().invoke(app, ["check-media", str(tmp_path / "media"), "--out", str(out)])
    assert (result.exit_code, r"s\udcff.wav" in result.output) == (0, True)
    assert b"\ns\xff.wav," in out.read_bytes()


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_read(folder: Path) -> None:
    out = folder / "notes.txt" / "check.csv"
    result = CliRunner().invoke(app, ["check-media", str(folder), "--out", str(out)])
    assert result.exit_code == 1
    assert "check.csv cannot be written (" in result.output.replace("\n", "")
    assert "whole.mp4" not in result.output


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_nothing_to_check_is_said(kind: str, tmp_path: Path) -> None:
    folder = tmp_path if kind == "empty" else tmp_path / "missing"
    result = CliRunner().invoke(app, ["check-media", str(folder)])
    assert result.exit_code == (1 if kind == "empty" else 2)
    assert ("holds no clips or sounds" if kind == "empty" else "no file or folder") in result.output


def crash(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(path: Path) -> None:
    time.sleep(600)


def refuse(path: Path) -> None:
    raise ValueError(f"{path} is bad")


@pytest.mark.parametrize(
    ("function", "limit", "said"),
    [(crash, 60.0, "SIGSEGV"), (hang, 2.0, "takes more than 2 s"), (refuse, 60.0, "is bad")],
)
def test_a_process_that_fails_takes_nobody_with_it(function: object, limit: float, said: str) -> None:
    isolation = Isolation()
    with pytest.raises(IsolatedError, match=said):
        isolation.call(function, Path("x"), limit)  # type: ignore[arg-type]
    assert isolation.call(str, Path("x"), 60.0) == "x"


GREY = np.full((2, 4, 6, 3), 100, np.uint8)


def read(**changes: object) -> FileRead:
    return FileRead(**{"numbers": (0, 9), "pixels": GREY, "total_frames": 10, "fps": 25.0, **changes})  # type: ignore[arg-type]


def test_pictures_are_compared() -> None:
    other = GREY.copy()
    other[1] += 7
    assert against_decord(read(), read()) is None
    said = against_decord(read(), read(pixels=other))
    assert said == "decord shows other pictures (mean difference, of 255 levels): frames 9 (7.0)"
    assert against_decord(read(), read(fps=24.0)) == "decord counts 10 frames at 24 per second, not 10 at 25"
    assert against_ffmpeg(read(), Pictures(10, GREY + 3)) is None
    assert against_ffmpeg(read(), Pictures(10, other)) is not None
    assert against_ffmpeg(read(), Pictures(9, GREY)) == "ffmpeg decodes 9 pictures, not 10"


def test_sounds_are_compared() -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000).astype(np.float32)
    assert sounds_apart(sound, sound) is None
    assert sounds_apart(sound, sound[1000:]) is None  # the padding of a codec
    assert sounds_apart(sound, sound[4000:]) == "the sound lasts 1.00 s, with ffmpeg 0.75 s"
    assert sounds_apart(sound, sound[::-1].copy()) is not None
