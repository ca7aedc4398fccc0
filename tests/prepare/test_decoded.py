"""`prepare --decoded`: clips are decoded beforehand, and a run from the folder needs neither videos nor archives."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import psutil
import pyarrow.parquet as pq
import pytest
import torch

from lmms_humansense.models.media.stand_in import read_stand_in
from lmms_humansense.models.media.store import ClipStore
from lmms_humansense.prepare.command import prepare_decoded
from lmms_humansense.prepare.decoded import check_all, decode_all
from lmms_humansense.prepare.plan import plan, plan_check
from lmms_humansense.prepare.showing import showing
from lmms_humansense.prepare.work import carry_out
from lmms_humansense.tasks.humansense import data
from lmms_humansense.tasks.humansense.annotations import DataError
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers import releases
from tests.helpers.decoded import TASKS, Said, decoded_to, shown_of
from tests.helpers.releases import Content, item
from tests.helpers.waits import until

from .conftest import CLIPS

pytestmark = pytest.mark.usefixtures("home")


def test_a_folder_runs_without_the_videos(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to, progress = tmp_path / "to", Said()
    outcome = decoded_to(to, progress=progress)
    assert (outcome.present, outcome.made, outcome.missing, outcome.damaged) == (0, 4, [], [])
    entries = list((to / "decoded").glob("??/*.parquet"))
    assert outcome.size == sum(place.stat().st_size for place in entries)
    assert progress.sentences[-1].startswith("4 clips and sounds take about ")
    expected = shown_of(data.release_root("x"))
    shutil.rmtree(release)
    shutil.rmtree(tmp_path / "home")
    monkeypatch.setenv("HUMANSENSE_DATA", str(to))

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(av, "open", refused)
    found = shown_of(str(to), ClipStore(to / "decoded"))
    assert len(found) == len(expected) == 5
    for one, other in zip(found, expected, strict=True):
        assert len(one.videos) + len(one.sounds) > 0
        assert (one.rates, one.sound_of_video, one.stats) == (other.rates, other.sound_of_video, other.stats)
        for mine, theirs in zip([*one.videos, *map(torch.from_numpy, one.sounds)],
                                [*other.videos, *map(torch.from_numpy, other.sounds)], strict=True):  # fmt: skip
            assert torch.equal(mine, theirs)
    assert check_all(TASKS, None, to, showing(""))[1].is_good
    assert plan_check(TASKS, None, to).questions == 5


def test_the_same_command_goes_on_where_it_stopped(release: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    decode_all("ar", None, to, showing(""), Said(), 2)
    first = {place: place.stat().st_ino for place in to.rglob("*.parquet")}
    outcome = decoded_to(to)
    assert (outcome.present, outcome.made) == (2, 2)
    assert {place: place.stat().st_ino for place in first} == first
    assert decoded_to(to).made == 0


@pytest.mark.slow
@pytest.mark.parametrize("release", ["packed"], indirect=True)
def test_processes_do_the_same(release: Path, tmp_path: Path) -> None:
    assert decoded_to(tmp_path / "to").made == 4
    assert check_all(TASKS, None, tmp_path / "to", showing(""))[1].present == 4


@pytest.mark.slow
def test_killed_while_it_decodes_it_goes_on_without_decoding_what_is_there(home: Path, tmp_path: Path) -> None:
    clip, to = (ROOT / "videos" / CLIPS[0]).read_bytes(), tmp_path / "to"
    names = [f"some/{number:02}.mp4" for number in range(40)]
    content = Content(
        videos={name: clip + name[5:7].encode() for name in names},  # each has content of its own
        vqa=[item(f"data/videos/{name}") for name in names],
    )
    releases.write(tmp_path / "release", "packed", content)
    command = [
        sys.executable,
        "-m",
        "lmms_humansense",
        "prepare",
        "--decoded",
        "--tasks",
        "humansense_ar",
        "--to",
        str(to),
    ]
    environment = {**os.environ, "HUMANSENSE_DATA": str(tmp_path / "release"), "HF_HOME": str(home)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        until(lambda: len(entries(to)) >= 2 or process.poll() is not None, 300)  # a program that has to start
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert workers
    until(lambda: not any(worker.is_running() for worker in workers))
    began = len(entries(to))
    assert 2 <= began < 40
    assert not list(to.rglob("*.mp4"))
    there = {place: place.stat().st_ino for place in entries(to)}
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert (told["ok"], told["present"], told["made"]) == (True, began, 40 - began)
    assert {place: place.stat().st_ino for place in there} == there
    assert len(entries(to)) == len(list(to.rglob("*.mp4"))) == 40


def entries(to: Path) -> list[Path]:
    return list((to / "decoded").glob("??/*.parquet"))


def test_the_cache_is_filled_without_a_folder(release: Path, tmp_path: Path) -> None:
    assert decoded_to(None).made == 4
    assert len(list((tmp_path / "home" / "humansense" / "decoded").glob("??/*.parquet"))) == 5
    assert decoded_to(None).present == 4


def test_real_clips_in_the_folder_stay(release: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    carry_out(plan(TASKS, None, to), Said())
    clips = [path for path in (to / "videos").rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in clips}
    assert decoded_to(to).made == 4
    assert {path: path.read_bytes() for path in clips} == before
    assert all(read_stand_in(path) is None for path in clips)


def _content_of(entry: Path) -> str:
    """The digest of the file that an entry was decoded from. A heard clip has two entries."""
    content: str = json.loads(pq.read_schema(entry).metadata[b"humansense"])["of"]["sha256"]
    return content


def test_what_is_missing_or_damaged_is_named_and_made_again(release: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    decoded_to(to)
    first, second, *_ = {_content_of(entry): entry for entry in to.rglob("*.parquet")}.values()
    first.unlink()
    second.write_bytes(second.read_bytes()[:-30])
    _, outcome = check_all(TASKS, None, to, showing(""))
    assert len(outcome.missing) == len(outcome.damaged) == 1
    assert "in the store of decoded clips is damaged" in outcome.damaged[0]
    assert not first.exists()
    assert decoded_to(to).made == 2
    assert check_all(TASKS, None, to, showing(""))[1].is_good


@pytest.mark.parametrize("release", ["unpacked"], indirect=True)
def test_a_clip_that_cannot_be_decoded_is_named_and_stops_no_other(release: Path, tmp_path: Path) -> None:
    (release / "videos" / "some" / "park.mp4").write_bytes(b"no clip")
    to = tmp_path / "to"
    outcome = decoded_to(to)
    (sentence,) = outcome.damaged
    assert "park.mp4: MediaError" in sentence
    assert outcome.made == 3
    assert not (to / "videos" / "some" / "park.mp4").exists()


@pytest.mark.parametrize("release", ["unpacked"], indirect=True)
def test_other_settings_are_other_clips(release: Path, tmp_path: Path, tiny_qwen3: Path) -> None:
    to = tmp_path / "to"
    decoded_to(to)
    arguments = f"pretrained={tiny_qwen3},nframes=4,device=cpu"
    assert decode_all(TASKS, None, to, showing(arguments), Said(), 2)[1].made == 3  # the sound is the same
    assert showing(arguments).factor == 32
    with_vllm = showing(f"{arguments},engine=vllm,max_num_seqs=8")
    assert (with_vllm.factor, with_vllm.policy.nframes) == (32, showing(arguments).policy.nframes)
    with pytest.raises(DataError, match=r"--model-args: .*has no argument 'nframe'. Did you mean nframes\?"):
        showing("nframe=4")
    with pytest.raises(DataError, match="--model-args: pretrained=/no/such is not a checkpoint that can be read"):
        showing("pretrained=/no/such")


@pytest.mark.parametrize("release", ["unpacked"], indirect=True)
def test_the_command_reports_and_says_how_to_use_it(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "to"
    names = f"humansense_sample,{TASKS}"
    assert prepare_decoded(names, None, to, "", workers=2, check_only=False, as_json=True) == 0
    said = capsys.readouterr()
    assert said.err.startswith("humansense_sample is embedded in this package: ")
    told = json.loads(said.out)
    assert (told["ok"], told["made"], told["files"], told["questions"]) == (True, 4, 4, 5)
    assert told["hours"] == pytest.approx(sum(map(seconds, CLIPS)) / 3600, abs=0.02)
    assert f"export HUMANSENSE_DATA={to} HUMANSENSE_MEDIA_CACHE={to / 'decoded'}" in said.err.replace("\n", "")
    shutil.rmtree(to / "decoded")
    assert prepare_decoded(TASKS, None, to, "", workers=2, check_only=True, as_json=False) == 1
    assert "4 are missing" in capsys.readouterr().err


def seconds(name: str) -> float:
    with av.open(str(ROOT / "videos" / name)) as container:
        return float((container.duration or 0) / av.time_base)


@pytest.mark.parametrize("check_only", [False, True])
def test_the_embedded_sample_needs_no_decoding(check_only: bool, capsys: pytest.CaptureFixture[str]) -> None:
    names = "humansense_sample,humansense_sample_think"
    assert prepare_decoded(names, None, None, "", workers=1, check_only=check_only, as_json=True) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"ok": True, "questions": 0, "files": 0}
    assert said.err.startswith("humansense_sample is embedded in this package: ")
