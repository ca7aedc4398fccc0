"""`prepare --decoded` where something is wrong: full disks, damaged archives, files that can be shown only in part."""

import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from rich.filesize import decimal

from lmms_humansense.about import doctor
from lmms_humansense.dataset.found import find
from lmms_humansense.dataset.release import open_media_store, open_release
from lmms_humansense.models.media.errors import MediaError
from lmms_humansense.models.media.stand_in import StandIn, read_stand_in
from lmms_humansense.models.media.store import ClipStore
from lmms_humansense.prepare import decoded
from lmms_humansense.prepare.command import prepare_decoded
from lmms_humansense.prepare.decoded import check_all
from lmms_humansense.prepare.plan import plan, plan_check
from lmms_humansense.prepare.showing import showing
from lmms_humansense.prepare.work import SPARE, carry_out, check
from lmms_humansense.run import first_checks
from lmms_humansense.run.arguments import ArgumentsError
from lmms_humansense.tasks.humansense.annotations import DataError
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers import clips, releases
from tests.helpers.decoded import TASKS, InThisProcess, Said, decoded_to, shown_of
from tests.helpers.releases import Content, audio_item, item

from .conftest import CLIPS

pytestmark = pytest.mark.usefixtures("home")

unpacked = pytest.mark.parametrize("release", ["unpacked"], indirect=True)
packed = pytest.mark.parametrize("release", ["packed"], indirect=True)


@contextmanager
def files_of_at_most(count: int) -> Iterator[None]:
    """No file gets more bytes: writing them fails, as it does on a full disk or above a quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def stand_ins(to: Path) -> set[str]:
    return {path.name for media in ("videos", "audios") for path in (to / media).rglob("*") if path.is_file()}


@unpacked
def test_a_store_that_cannot_be_written_ends_the_command_and_replaces_no_clip(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "to"
    with files_of_at_most(100_000):
        assert prepare_decoded(TASKS, None, to, "", workers=2, check_only=False, as_json=True) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert f"{to / 'decoded'} cannot be written (" in error
    assert "free space, or choose another folder with --to" in error
    assert stand_ins(to) == set()
    assert not list((to / "decoded").rglob("*.part"))
    assert decoded_to(to).is_good
    assert len(stand_ins(to)) == 4


@unpacked
def test_a_folder_that_cannot_be_written_is_named(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "to"
    with files_of_at_most(100), pytest.raises(DataError, match=rf"^{to} cannot be written \(File too large\): free "):
        decoded_to(to)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"^.*/file/to/decoded cannot be written \(Not a directory\): free "):
        decoded_to(tmp_path / "file" / "to")
    monkeypatch.setattr(decoded, "write_list", lambda *_: None)
    with monkeypatch.context() as patched:
        patched.setattr("lmms_humansense.storage.cache.write_atomically", no_space)
        with pytest.raises(DataError, match=rf"^{to} cannot be written \(No space left on device\): free "):
            decoded_to(to)


def no_space(*_: Any) -> None:
    raise OSError(28, "No space left on device")


@packed
def test_a_damaged_member_of_an_archive_is_named_and_stops_no_other(release: Path, tmp_path: Path) -> None:
    releases.damage(release / "videos.zip", "videos/some/park.mp4", 0.5)
    to = tmp_path / "to"
    for made in (3, 0):
        outcome = decoded_to(to)
        (sentence,) = outcome.damaged
        assert "park.mp4" in sentence
        assert (outcome.made, outcome.present) == (made, 3 - made)
        assert "park.mp4" not in stand_ins(to)
        assert len(stand_ins(to)) == 3


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Questions of two tasks about a clip without sound, which one of the tasks needs. Returns the release."""
    clip = clips.write_video(tmp_path / "silent.mp4").read_bytes()
    content = Content(
        videos={"some/silent.mp4": clip},
        vqa=[
            item("data/videos/some/silent.mp4", task_type="Talkingperson_Recognition"),
            item("data/videos/some/silent.mp4"),
        ],
    )
    releases.write(tmp_path / "silent", "unpacked", content)
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path / "silent"))
    return tmp_path / "silent"


def test_what_can_be_shown_of_a_file_is_kept_where_other_questions_about_it_fail(
    silent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "to"
    outcome = decoded_to(to, "ar,tr")
    (sentence,) = outcome.damaged
    assert sentence.startswith("some/silent.mp4: MediaError: ")
    assert "has no sound track, but the task needs it" in sentence
    assert (outcome.made, outcome.missing) == (1, [])
    assert stand_ins(to) == {"silent.mp4"}
    checked = check_all("ar,tr", None, to, showing(""))[1]
    assert (checked.missing, len(checked.damaged), checked.is_good) == ([], 1, False)
    shutil.rmtree(silent)
    monkeypatch.setenv("HUMANSENSE_DATA", str(to))
    (shown,) = shown_of(str(to), ClipStore(to / "decoded"), "ar")
    assert len(shown.videos) == 1
    with pytest.raises(MediaError, match="has no sound track, but the task needs it"):
        shown_of(str(to), ClipStore(to / "decoded"), "tr")


def test_a_name_may_hold_what_separates_it_from_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = Content(videos={"some/take: 2.mp4": b"no clip"}, vqa=[item("data/videos/some/take: 2.mp4")])
    releases.write(tmp_path / "release", "unpacked", content)
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path / "release"))
    assert len(decoded_to(tmp_path / "to", "ar").damaged) == 1
    assert stand_ins(tmp_path / "to") == set()


def many(root: Path, monkeypatch: pytest.MonkeyPatch, count: int = 12) -> int:
    """A packed release of so many clips, two of which are tried first; returns the bytes of each."""
    monkeypatch.setattr(decoded, "_TRIED", 2)
    clip = (ROOT / "videos" / CLIPS[0]).read_bytes()
    names = [f"some/{number:02}.mp4" for number in range(count)]
    content = Content(
        videos={name: clip + name[5:7].encode() for name in names},  # each has content of its own
        vqa=[item(f"data/videos/{name}") for name in names],
    )
    releases.write(root, "packed", content)
    monkeypatch.setenv("HUMANSENSE_DATA", str(root))
    return len(clip) + 2


def test_progress_counts_each_work_from_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = many(tmp_path / "release", monkeypatch)
    progress = Said()
    assert decoded_to(tmp_path / "to", "ar", progress=progress).made == 12
    assert progress.work == [("Fetching", 2, 2 * size), ("Fetching", 10, 10 * size), ("Decoding", 12, 12 * size)]
    assert progress.counted == (12, 12 * size, 2 * size)
    assert decoded_to(tmp_path / "to", "ar", progress=progress).present == 12
    assert progress.counted == (12, 12 * size, 12 * size)


def test_the_remaining_time_follows_from_what_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, now = Said(), [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    progress.expect(1, 24_000_000_000)
    progress.advance(24_000_000_000)
    now[0] = 600.0
    progress.expect(4, 4_000_000, "Decoding")
    progress.advance(2_000_000, is_new=False)
    now[0] = 660.0
    progress.advance(1_000_000)
    progress.file_done()
    assert progress._state() == "3.0 MB of 4.0 MB, 1 of 4 files, about 1 min left"


def test_the_size_is_said_and_a_small_disk_refused_before_the_rest_is_fetched(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = many(tmp_path / "release", monkeypatch)
    to, progress = tmp_path / "to", Said()
    with monkeypatch.context() as patched:
        patched.setattr(decoded, "SPARE", shutil.disk_usage(tmp_path).free * 2)
        wanted = (
            r"MB of decoded clips and .* of clips on the same disk are still to be written, and .* must remain free"
        )
        with pytest.raises(DataError, match=wanted):
            decoded_to(to, "ar", progress=progress)
    fetched = list((home / "humansense" / "media").rglob("*.mp4"))
    assert [path.stat().st_size for path in fetched] == [size] * 2
    (sentence,) = progress.sentences
    entries = [entry.stat().st_size for entry in (to / "decoded").rglob("*.parquet")]
    assert sentence.startswith(
        f"12 clips and sounds take about {decimal(sum(entries) * 6)} in {to / 'decoded'}; {decimal(sum(entries) * 5)} "
    )
    assert sentence.endswith(f"{decimal(10 * size)} are still to be fetched into {home / 'humansense'}.")


def test_only_entries_of_these_clips_make_a_small_disk_large_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(tmp_path / "release", monkeypatch)
    to = tmp_path / "to"
    other = to / "decoded" / "aa" / "of-another-release.parquet"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"x" * 50_000_000)
    free = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=SPARE))
    monkeypatch.setattr(decoded, "shutil", free)
    with pytest.raises(DataError, match="must remain free"):
        decoded_to(to, "ar")


def test_nothing_is_refused_where_nothing_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many(tmp_path / "release", monkeypatch)
    decoded_to(tmp_path / "to", "ar")
    monkeypatch.setattr(decoded, "SPARE", shutil.disk_usage(tmp_path).free * 2)
    assert decoded_to(tmp_path / "to", "ar").present == 12


def test_tried_files_that_fail_do_not_lower_the_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many(tmp_path / "release", monkeypatch)
    progress = Said()
    decoded_to(tmp_path / "whole", "ar", progress=progress)
    releases.damage(tmp_path / "release" / "videos.zip", "videos/some/00.mp4", 0.5)
    shutil.rmtree(tmp_path / "home")
    decoded_to(tmp_path / "damaged", "ar", progress=progress)
    whole, damaged = (sentence.partition(" in ")[0] for sentence in progress.sentences)
    assert whole == damaged


@unpacked
def test_the_time_limit_of_the_run_is_that_of_decoding(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = []

    class Pool(InThisProcess):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            limits.append(self.limit)

    monkeypatch.setattr("lmms_humansense.prepare.pool.WorkerPool", Pool)
    decoded_to(tmp_path / "to", model_args="media_timeout=7")
    check_all(TASKS, None, tmp_path / "to", showing("media_timeout=8"))
    assert limits == [7, 8]


def webm(path: Path, pictures: bool) -> bytes:
    """A .webm of a second of noise, with or without pictures."""
    with av.open(str(path), "w") as container:
        shown = container.add_stream("libvpx", rate=5) if pictures else None
        heard = container.add_stream("libopus", rate=48000, layout="mono")
        if shown is not None:
            shown.width, shown.height, shown.pix_fmt = 64, 64, "yuv420p"
            for number in range(5):
                frame = av.VideoFrame.from_ndarray(clips.picture(number, 64, 64), format="rgb24")
                container.mux(shown.encode(frame.reformat(format="yuv420p")))
            container.mux(shown.encode())
        noise = np.random.default_rng(0).normal(0, 0.1, (1, 48000)).astype(np.float32)
        sound = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
        sound.sample_rate = 48000
        container.mux(heard.encode(sound))
        container.mux(heard.encode())
    return path.read_bytes()


@pytest.mark.parametrize("pictures", [True, False])
def test_a_webm_is_shown_and_heard_as_before(
    pictures: bool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = Content(
        audios={"calls/one.webm": webm(tmp_path / "one.webm", pictures)},
        aqa=[audio_item("data/audios/calls/one.webm", task_type="Fraud_Recognition")],
    )
    root, to = tmp_path / "release", tmp_path / "to"
    releases.write(root, "unpacked", content)
    monkeypatch.setenv("HUMANSENSE_DATA", str(root))
    assert decoded_to(to, "fr2").is_good
    said = read_stand_in(to / "audios" / "calls" / "one.webm")
    assert said is not None
    assert said.pictures is pictures
    (expected,) = shown_of(str(root), tasks="fr2")
    shutil.rmtree(root)
    monkeypatch.setenv("HUMANSENSE_DATA", str(to))
    (found,) = shown_of(str(to), ClipStore(to / "decoded"), "fr2")
    assert (len(found.videos), len(found.sounds)) == (int(pictures), 1)
    assert (found.messages, found.remarks[0][0] if pictures else None) == (
        expected.messages, expected.remarks[0][0] if pictures else None
    )  # fmt: skip
    assert np.array_equal(found.sounds[0], expected.sounds[0])
    assert check_all("fr2", None, to, showing(""))[1].is_good


@packed
def test_real_clips_replace_the_small_files_and_small_files_replace_no_real_clip(release: Path, tmp_path: Path) -> None:
    to, silent = tmp_path / "to", Said()
    decoded_to(to)
    assert carry_out(plan("ar", None, to), silent).made == 2
    real = {path for path in (to / "videos").rglob("*.mp4") if read_stand_in(path) is None}
    assert {path.name for path in real} == {"clip_01.mp4", "park.mp4"}
    assert check(plan_check(TASKS, None, to), silent).is_good  # also the small files that stayed
    open_release.cache_clear()
    open_media_store.cache_clear()
    assert decoded_to(to).is_good
    assert all(read_stand_in(path) is None for path in real)
    assert carry_out(plan(TASKS, None, to), silent).made == 2
    assert check(plan_check(TASKS, None, to), silent).is_good
    assert all(read_stand_in(path) is None for path in to.rglob("*.mp4"))


def test_a_folder_may_be_made_of_another_such_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = many(tmp_path / "release", monkeypatch, 1)
    decoded_to(tmp_path / "one", "ar")
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path / "one"))
    shutil.copytree(tmp_path / "one" / "decoded", tmp_path / "two" / "decoded")
    assert decoded_to(tmp_path / "two", "ar").present == 1
    (said,) = (read_stand_in(path) for path in (tmp_path / "two").rglob("*.mp4"))
    assert isinstance(said, StandIn)
    assert said.size == size


@pytest.mark.parametrize("release", ["unpacked"], indirect=True)
def test_a_run_that_would_not_find_the_decoded_clips_is_refused_before_it_starts(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to, empty = tmp_path / "to", tmp_path / "empty"
    decoded_to(to)
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUMANSENSE_DATA", str(to))
    monkeypatch.delenv("HUMANSENSE_MEDIA_CACHE", raising=False)
    given = ["--model", "humansense_omni", "--tasks", "humansense_ar", "--model_args"]
    advice = rf"set HUMANSENSE_MEDIA_CACHE={to / 'decoded'}, or media_cache= in --model_args"
    with pytest.raises(ArgumentsError, match=f"no media_cache is named: {advice}"):
        first_checks.check([*given, f"pretrained={checkpoint}"])
    with pytest.raises(ArgumentsError, match=f"media_cache, {empty}, holds none: {advice}"):
        first_checks.check([*given, f"pretrained={checkpoint},media_cache={empty}"])
    with pytest.raises(ArgumentsError, match="--model qwen2_5_omni needs the clips themselves"):
        first_checks.check(["--model", "qwen2_5_omni", "--tasks", "humansense_ar"])
    assert (doctor._data(True).verdict, doctor._data(True).text) == ("wrong", find().problem_of_decoded(["VQA"], None))
    first_checks.check([*given, f"pretrained={checkpoint},media_cache={to / 'decoded'}"])
    monkeypatch.setenv("HUMANSENSE_MEDIA_CACHE", str(to / "decoded"))
    first_checks.check([*given, f"pretrained={checkpoint}"])
    assert doctor._data(True).verdict == "ok"


def test_a_folder_with_real_clips_needs_no_store(silent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out(plan("ar", None, tmp_path / "to"), Said())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path / "to"))
    monkeypatch.delenv("HUMANSENSE_MEDIA_CACHE", raising=False)
    assert find().decoded == ()
    first_checks.check(["--model", "qwen2_5_omni", "--tasks", "humansense_ar"])
