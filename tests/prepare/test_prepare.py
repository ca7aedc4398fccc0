"""`lmms-humansense prepare`, against a stand-in for the Hub and on local releases."""

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections import namedtuple
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from rich.console import Console

from lmms_humansense.prepare import work
from lmms_humansense.prepare.command import prepare as prepare_data
from lmms_humansense.prepare.plan import plan, plan_check, unpacked_names
from lmms_humansense.prepare.progress import ProgressDisplay
from lmms_humansense.prepare.work import PrepareResult, carry_out, check
from lmms_humansense.storage import cache, transfer
from lmms_humansense.storage.prepared import LIST, PreparedList
from lmms_humansense.storage.remote import RangedFile
from lmms_humansense.tasks.humansense import data
from lmms_humansense.tasks.humansense.annotations import DataError
from lmms_humansense.tasks.humansense.taxonomy import TASKS
from tests.helpers import hub, releases
from tests.helpers.hub import Server
from tests.helpers.releases import Content, audio_item, item

COMMAND = str(Path(sys.executable).with_name("lmms-humansense"))
CLIPS = 30


class Silent(ProgressDisplay):
    """Progress that is counted and not shown."""

    def __init__(self) -> None:
        super().__init__("", Console(quiet=True))
        self.expected, self.count, self.files = (0, 0), 0, 0

    def expect(self, files: int, count: int, what: str | None = None) -> None:
        self.expected = files, count

    def advance(self, count: int, is_new: bool = True) -> None:
        self.count += count

    def file_done(self) -> None:
        self.files += 1

    def say(self, sentence: str) -> None:
        raise AssertionError(sentence)


def content() -> Content:
    """A release with questions of all tasks: 30 clips for AR, one larger one for all other video tasks, and sounds."""
    videos = {f"action/{number:02d}.mp4": random.Random(number).randbytes(20_000 + number) for number in range(CLIPS)}
    videos["long/one.mp4"] = random.Random(99).randbytes(3_000_000)
    others = [task for task in TASKS if not task.is_audio and task.code != "AR"]
    return Content(
        videos=videos,
        audios={f"calls/{name}.wav": random.Random(name).randbytes(9000) for name in ("one", "two", "three")},
        vqa=[
            *(item(f"data/videos/action/{number:02d}.mp4") for number in range(CLIPS)),
            *(item("data/videos/long/one.mp4", task_type=task.aliases[0]) for task in others),
        ],
        aqa=[
            audio_item("data/audios/calls/one.wav"),
            audio_item("data/audios/calls/two.wav"),
            audio_item("data/audios/calls/three.wav", task_type="Psychological_Chat"),
        ],
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    releases.write(folder, "repository", content())
    return folder


def archive_bytes(repository: Path) -> int:
    return sum((repository / "bench_data" / f"{name}.zip").stat().st_size for name in ("videos", "audios"))


def fetched(server: Server) -> int:
    return sum(request.sent for request in server.requests if request.path.startswith("/large/"))


def prepare(home: Path, server: Server, *arguments: str, status: int = 0, **settings: str) -> dict[str, Any]:
    """The outcome that the command prints as JSON."""
    done = subprocess.run(
        [COMMAND, "prepare", "--json", *arguments],
        env=hub.client_environment(home, server.url, **settings),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == status, done.stdout + done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


_ASK = """
import json
from lmms_humansense.dataset.anywhere import install
from lmms_humansense.tasks.humansense import data
from lmms_humansense.tasks.humansense.taxonomy import TASKS

install()
root = data.release_root("antgroup/HumanSense_Benchmark")
docs = [doc for task in TASKS for doc in data.load(task.code, root, complete=False)]
print(json.dumps({doc["id"]: data.local_media(doc).stat().st_size for doc in docs}))
print(json.dumps(data.origin(docs[0]["root"])))
"""


def ask(home: Path, endpoint: str, **settings: str) -> "subprocess.Popen[str]":
    """A process that loads all docs and has all their media."""
    return subprocess.Popen(
        [sys.executable, "-c", _ASK],
        env=hub.client_environment(home, endpoint, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def asked(process: "subprocess.Popen[str]") -> tuple[dict[str, int], dict[str, Any]]:
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    sizes, origin = map(json.loads, out.splitlines())
    return sizes, origin


# From the Hub.


def test_all_of_it_comes_into_the_cache_and_is_used_without_any_network(repository: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with hub.serving(hub.dataset({"main": repository})) as server:
        first = prepare(home, server)
        assert first["ok"]
        assert (first["questions"], first["files"], first["made"]) == (CLIPS + 12 + 3, CLIPS + 1 + 3, CLIPS + 1 + 3)
        assert first["commit"] == hub.commit("main")
        assert fetched(server) < 1.01 * archive_bytes(repository)
        assert not any("train_data" in path for path in server.paths())
        before = len(server.requests)
        again = prepare(home, server)
        assert (again["present"], again["made"], again["fetched_bytes"]) == (CLIPS + 4, 0, 0)
        assert len(server.requests) - before < 5  # which commit is it now
    sizes, origin = asked(ask(home, server.url, HF_HUB_OFFLINE="1"))
    assert sizes["VQA-3"] == 20_003
    assert (origin["source"], origin["commit"]) == (f"hf://datasets/{hub.REPOSITORY}", hub.commit("main"))
    assert set(origin["annotations"]) == {"HumanSense_VQA.json", "HumanSense_AQA.json"}
    checked = prepare(home, server, "--check", HF_HUB_OFFLINE="1")
    assert checked["present"] == CLIPS + 4


def test_a_folder_of_its_own_is_in_the_releases_layout_and_needs_neither_hub_nor_cache(
    repository: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "prepared"
    with hub.serving(hub.dataset({"main": repository})) as server:
        prepare(tmp_path / "home", server, "--to", str(folder))
    videos, audios = content().videos, content().audios
    for name, clip in videos.items():
        assert (folder / "videos" / name).read_bytes() == clip
    for name, sound in audios.items():
        assert (folder / "audios" / name).read_bytes() == sound
    for name in ("HumanSense_VQA.json", "HumanSense_AQA.json"):
        assert (folder / name).read_bytes() == (repository / "bench_data" / name).read_bytes()
    home = tmp_path / "another home"
    sizes, origin = asked(ask(home, server.url, HF_HUB_OFFLINE="1", HUMANSENSE_DATA=str(folder)))
    assert len(sizes) == CLIPS + 12 + 3
    assert origin["commit"] == hub.commit("main")
    assert prepare(home, server, "--check", "--to", str(folder))["present"] == CLIPS + 4


def test_what_is_in_the_cache_is_not_downloaded_again_for_a_folder(repository: Path, tmp_path: Path) -> None:
    with hub.serving(hub.dataset({"main": repository})) as server:
        prepare(tmp_path / "home", server)
        before = fetched(server)
        outcome = prepare(tmp_path / "home", server, "--to", str(tmp_path / "prepared"))
        assert (outcome["made"], outcome["fetched_bytes"]) == (CLIPS + 4, 0)
        assert fetched(server) == before


def test_a_part_is_prepared_and_then_the_rest_with_the_folder_already_in_use(repository: Path, tmp_path: Path) -> None:
    folder, home = tmp_path / "prepared", tmp_path / "home"
    with hub.serving(hub.dataset({"main": repository})) as server:
        outcome = prepare(home, server, "--to", str(folder), "--tasks", "AR,humansense_fr2", "--limit", "2")
        assert (outcome["questions"], outcome["files"]) == (4, 4)
        assert {path.name for path in folder.rglob("*.*4")} == {"00.mp4", "01.mp4"}
        assert fetched(server) < 80_000
        missing = prepare(home, server, "--check", "--to", str(folder), "--tasks", "humansense_video", status=1)
        assert len(missing["missing"]) == CLIPS - 2 + 1
        assert "videos/long/one.mp4" in missing["missing"]
        outcome = prepare(home, server, "--to", str(folder), HUMANSENSE_DATA=str(folder))
        assert (outcome["present"], outcome["made"]) == (4, CLIPS)
        assert fetched(server) < 1.01 * archive_bytes(repository)
    assert prepare(home, server, "--check", "--to", str(folder))["ok"]


def test_a_run_on_a_part_names_the_command_for_the_rest(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", str(repository))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))
    carry_out(plan("AR", 1, tmp_path / "prepared"), Silent())
    first, second = data.load("AR", str(tmp_path / "prepared"), complete=False)[:2]
    assert data.local_media(first).is_relative_to(tmp_path / "prepared")
    with pytest.raises(DataError, match=r"01\.mp4 is not in .*run `lmms-humansense prepare --to .*prepared`"):
        data.local_media(second)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_killed_at_any_byte_it_goes_on_without_fetching_what_is_there(compression: int, tmp_path: Path) -> None:
    repository, folder = tmp_path / "repository", tmp_path / "prepared"
    releases.write(repository, "repository", content(), compression)
    chunk, workers, kills = 20_000, 4, 4
    program = (
        f"from lmms_humansense.storage import transfer; transfer.CHUNK = {chunk}; "
        "from lmms_humansense.cli import app; app()"
    )
    chance = random.Random(compression)
    with hub.serving(hub.dataset({"main": repository})) as server:
        environment = hub.client_environment(tmp_path / "home", server.url)
        command = [sys.executable, "-c", program, "prepare", "--to", str(folder), "--workers", str(workers)]
        for _ in range(kills):
            enough = fetched(server) + chance.randrange(1, 800_000)
            with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
                while fetched(server) < enough and process.poll() is None:
                    time.sleep(0.002)
                process.send_signal(signal.SIGKILL)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        # A chunk in transit is lost, and to continue a file its local header has to be read again.
        lost = kills * workers * (chunk + 600)
        assert fetched(server) < 1.02 * archive_bytes(repository) + lost
    for name, clip in content().videos.items():
        assert (folder / "videos" / name).read_bytes() == clip
    assert not [path for ending in ("part", "unpacked") for path in folder.rglob(f"*.{ending}")]


def test_two_at_once_fetch_everything_once(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "prepared"
    with hub.serving(hub.dataset({"main": repository})) as server:
        environment = hub.client_environment(tmp_path / "home", server.url)
        command = [COMMAND, "prepare", "--to", str(folder)]
        both = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [process.communicate(timeout=100)[1] for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        assert fetched(server) < 1.05 * archive_bytes(repository)
    assert any(f"{CLIPS + 4} were present" in text for text in said)


def test_eight_processes_that_run_need_one_download(repository: Path, tmp_path: Path) -> None:
    with hub.serving(hub.dataset({"main": repository})) as server:
        processes = [ask(tmp_path / "home", server.url) for _ in range(8)]
        found = [asked(process) for process in processes]
        assert all(each == found[0] for each in found)
        assert fetched(server) < 1.01 * archive_bytes(repository)
        asked_for = [request.path for request in server.requests if request.method == "GET" and request.sent]
        assert sum("HumanSense_VQA.json" in path for path in asked_for) == 1
    kept = [path for path in (tmp_path / "home" / "humansense" / "media").rglob("*.*") if path.is_file()]
    assert len(kept) == CLIPS + 4


def test_a_folder_goes_on_with_the_commit_that_it_was_begun_with(tmp_path: Path) -> None:
    old, new, folder, home = (tmp_path / name for name in ("old", "new", "prepared", "home"))
    releases.write(old, "repository", content())
    releases.write(new, "repository", replace(content(), videos={**content().videos, "action/00.mp4": b"x" * 100}))
    with hub.serving(hub.dataset({"main": old, "next": new})) as server:
        begun = prepare(home, server, "--to", str(folder), "--tasks", "AR", "--limit", "1")
        assert begun["commit"] == hub.commit("main")
        other = prepare(home, server, "--to", str(folder), status=1, HUMANSENSE_REVISION="next")
        assert "choose another folder" in other["error"]
        assert prepare(home, server, "--to", str(folder), "--tasks", "AR")["commit"] == hub.commit("main")
        assert (folder / "videos/action/00.mp4").read_bytes() == content().videos["action/00.mp4"]


def test_archives_are_kept_if_asked_for(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "prepared"
    with hub.serving(hub.dataset({"main": repository})) as server:
        prepare(tmp_path / "home", server, "--to", str(folder), "--keep-archives")
        assert fetched(server) < 1.05 * archive_bytes(repository)
        refused = prepare(tmp_path / "home", server, "--keep-archives", status=1)
        assert "--keep-archives needs --to" in refused["error"]
    for name in ("videos.zip", "audios.zip"):
        assert (folder / name).read_bytes() == (repository / "bench_data" / name).read_bytes()
    assert (folder / "videos/action/00.mp4").read_bytes() == content().videos["action/00.mp4"]


def test_another_archive_in_the_folder_is_not_taken_for_the_one_to_keep(repository: Path, local: Path) -> None:
    local.mkdir()
    archive = (repository / "bench_data" / "videos.zip").read_bytes()
    (local / "videos.zip").write_bytes(archive.replace(b"action/00.mp4", b"action/zz.mp4"))
    with hub.serving(hub.folder(repository / "bench_data")) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUMANSENSE_DATA", server.url)
        with pytest.raises(DataError, match=r"videos\.zip is another archive than http.*: delete it"):
            carry_out(plan(to=local), Silent(), keep_archives=True)


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (403, "GatedRepo", "the repository is gated: request access on its page on the Hub, then set HF_TOKEN"),
        (401, "RepoNotFound", "the Hub has no such repository, or hides it from you: check the name"),
        (404, "RevisionNotFound", "set HUMANSENSE_REVISION to one of its branches, tags or commits"),
    ],
)
def test_what_the_hub_refuses_is_reported_with_the_remedy(
    status: int, code: str, advice: str, repository: Path, tmp_path: Path
) -> None:
    with hub.serving(hub.refusing(hub.dataset({"main": repository}), status, code, "No.")) as server:
        outcome = prepare(tmp_path / "home", server, status=1)
        assert not outcome["ok"]
        assert advice in outcome["error"]
        assert hub.REPOSITORY in outcome["error"]


def test_a_hub_that_falters_is_asked_again(repository: Path, tmp_path: Path) -> None:
    count = iter(range(10**6))
    serve = hub.dataset({"main": repository})

    def answer(path: str, query: str, body: bytes) -> hub.Answer:
        good = serve(path, query, body)
        number = next(count) if path.startswith("/large/") else -1
        if number == 5:
            return hub.Answer(429, headers={"Retry-After": "1"})
        if number == 9:
            return hub.Answer(503)
        return hub.Answer(good.status, good.body, good.headers, cut_after=1000) if number == 12 else good

    with hub.serving(answer) as server:
        assert prepare(tmp_path / "home", server, "--tasks", "AR")["made"] == CLIPS


# On this machine.


@pytest.fixture
def local(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to prepare from the repository, which is on this machine."""
    monkeypatch.setenv("HUMANSENSE_DATA", str(repository))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))
    return tmp_path / "prepared"


def test_progress_comes_to_what_was_expected(local: Path) -> None:
    for _ in range(2):
        progress = Silent()
        carry_out(plan(to=local), progress)
        assert (progress.files, progress.count) == progress.expected
        assert progress.files == CLIPS + 4


def test_a_check_names_what_is_missing_and_what_is_damaged_and_preparing_mends_it(local: Path) -> None:
    carry_out(plan(to=local), Silent())
    (local / "videos/action/03.mp4").unlink()
    flipped = bytearray((local / "videos/action/04.mp4").read_bytes())
    flipped[500] ^= 1
    (local / "videos/action/04.mp4").write_bytes(flipped)
    (local / "audios/calls/one.wav").write_bytes(b"")
    found = check(plan_check(to=local), Silent())
    assert found.missing == ["videos/action/03.mp4"]
    assert sorted(found.damaged) == ["audios/calls/one.wav", "videos/action/04.mp4"]
    assert found.present == CLIPS + 1
    assert (local / "videos/action/04.mp4").read_bytes() == flipped
    mended = carry_out(plan(to=local), Silent())
    assert (mended.present, mended.made) == (CLIPS + 1, 3)
    assert check(plan_check(to=local), Silent()).is_good


def test_changed_annotations_are_damage_and_lost_ones_are_missing(local: Path) -> None:
    carry_out(plan(to=local), Silent())
    (local / "HumanSense_AQA.json").unlink()
    assert check(plan_check("AR", to=local), Silent()).missing == ["HumanSense_AQA.json"]
    carry_out(plan(to=local), Silent())
    file = local / "HumanSense_VQA.json"
    file.write_text(file.read_text().replace("What is", "What was"))
    assert check(plan_check(to=local), Silent()).damaged == ["HumanSense_VQA.json"]


def test_a_folder_that_was_not_prepared_cannot_be_checked(local: Path, repository: Path) -> None:
    with pytest.raises(DataError, match=r"has no humansense_prepared\.json: it was not prepared"):
        plan_check(to=repository / "bench_data")


def test_the_folder_of_the_data_is_not_prepared_from_itself(repository: Path, local: Path) -> None:
    with pytest.raises(DataError, match=r"HUMANSENSE_DATA is .*, the folder to prepare"):
        plan(to=repository)


@pytest.mark.parametrize("name", ["../../x.mp4", "/tmp/x.mp4", "action/../../x.mp4"])
def test_names_in_a_list_that_lead_out_of_the_folder_are_refused(
    name: str, tmp_path: Path, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "release"
    releases.write(root, "unpacked", Content(vqa=[item(name)], videos={"other.mp4": b"other"}))
    hostile = PreparedList(str(root), {}, {}, {"videos": {name: (5, zlib.crc32(b"other"))}})
    (root / LIST).write_bytes(hostile.to_json())
    monkeypatch.setenv("HUMANSENSE_DATA", str(root))
    with pytest.raises(DataError, match="is refused: its name leads out of its folder"):
        plan("AR", to=local)


def test_a_damaged_member_is_named_and_the_others_are_made(
    tmp_path: Path, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases.write(tmp_path / "release", "packed", content())
    releases.damage(tmp_path / "release" / "videos.zip", "videos/action/07.mp4", 0.5)
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path / "release"))
    outcome = carry_out(plan(to=local), Silent())
    assert outcome.made == CLIPS + 3
    (sentence,) = outcome.damaged
    assert "videos/action/07.mp4" in sentence
    assert not (local / "videos/action/07.mp4").exists()


_Usage = namedtuple("_Usage", "total used free")


@pytest.mark.parametrize("keep", [False, True])
def test_a_small_disk_is_refused_before_anything_is_written(
    keep: bool, repository: Path, tmp_path: Path, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: _Usage(10**9, 10**9 - 1, work.SPARE + 3_000_000))
    with hub.serving(hub.folder(repository / "bench_data")) as server:
        monkeypatch.setenv("HUMANSENSE_DATA", server.url)
        with pytest.raises(DataError) as error:
            carry_out(plan(to=local), Silent(), keep_archives=keep)
    assert f"{local} has 70.1 MB free, but the missing files need" in str(error.value)
    needed = "need 7.3 MB (3.6 MB without --keep-archives)" if keep else "need 3.6 MB (7.3 MB with --keep-archives)"
    assert needed in str(error.value)
    assert [path.name for path in local.iterdir()] == [".prepare.lock"]


def test_a_disk_is_large_enough_for_what_is_missing(local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out(plan("AR", to=local), Silent())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: _Usage(10**9, 10**9 - 1, work.SPARE + 3_100_000))
    assert carry_out(plan(to=local), Silent()).is_good


def test_unpacked_media_are_used_where_they_lie_and_copied_into_a_folder(
    tmp_path: Path, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", releases.write(tmp_path / "unpacked", "unpacked", content()))
    planned = plan()
    assert carry_out(planned, Silent()) == PrepareResult(present=CLIPS + 4)
    assert all(file.target.is_relative_to(tmp_path / "unpacked") for file in planned.files)
    carry_out(plan(to=local), Silent())
    assert check(plan_check(to=local), Silent()) == PrepareResult(present=CLIPS + 4)
    (local / "videos/action/04.mp4").write_bytes(bytes(20_004))
    assert check(plan_check(to=local), Silent()).damaged == ["videos/action/04.mp4"]


def test_data_read_from_a_prepared_folder_is_checked_where_it_lies(
    local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(plan(to=local), Silent())
    monkeypatch.setenv("HUMANSENSE_DATA", str(local))
    assert check(plan_check(), Silent()) == PrepareResult(present=CLIPS + 4)


@pytest.mark.parametrize("names", ["humansense_l9", "humansense,", "", "AR;ER"])
def test_tasks_that_do_not_exist_are_named(names: str, local: Path) -> None:
    with pytest.raises(DataError, match="--tasks: There is no task or group"):
        plan(names, to=local)


@pytest.mark.parametrize(
    ("names", "unpacked"),
    [
        (["videos/a/x.mp4", "videos/b.mp4"], ["a/x.mp4", "b.mp4"]),
        (["bench_data/videos/a/x.mp4", "__MACOSX/y"], ["a/x.mp4", "__MACOSX/y"]),
        (["a/x.mp4", "x.mp4"], ["a/x.mp4", "x.mp4"]),
        (["one/videos/x.mp4", "two/videos/x.mp4"], ["one/videos/x.mp4", "two/videos/x.mp4"]),
        (["videos\\a\\x.mp4"], ["a/x.mp4"]),
        (["videos"], ["videos"]),
    ],
)
def test_files_are_named_as_in_the_release_unless_two_would_be_one(names: list[str], unpacked: list[str]) -> None:
    assert list(unpacked_names(names, "videos").values()) == unpacked


@dataclass
class Counted:
    """What preparing does with files: bytes of each read of an archive, and what is checked, renamed and locked."""

    reads: list[int] = field(default_factory=list)
    checked: list[Path] = field(default_factory=list)
    made: list[Path] = field(default_factory=list)
    locked: list[Path] = field(default_factory=list)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    found = Counted()
    read, checksum, rename, lock = RangedFile.read, transfer.checksum, Path.replace, cache.locked

    def noted_read(self: RangedFile, start: int, end: int) -> bytes:
        found.reads.append(end - start)
        return read(self, start, end)

    def noted_checksum(path: Path) -> int:
        found.checked.append(path)
        return checksum(path)

    def noted_rename(self: Path, target: Path) -> Path:
        found.made.append(target)
        return rename(self, target)

    def noted_lock(path: Path) -> AbstractContextManager[None]:
        found.locked.append(path)
        return lock(path)

    monkeypatch.setattr(RangedFile, "read", noted_read)
    monkeypatch.setattr(transfer, "checksum", noted_checksum)
    monkeypatch.setattr(Path, "replace", noted_rename)
    monkeypatch.setattr(cache, "locked", noted_lock)
    return found


def test_a_small_member_is_read_checked_and_renamed_once_and_many_share_a_lock(
    tmp_path: Path, local: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `benchmarks/unpacking.py` measures, in numbers that do not depend on the machine."""
    count, size = 1000, 500
    videos = {f"many/{number:04d}/clip.mp4": random.Random(number).randbytes(size) for number in range(count)}
    vqa = [item(f"data/videos/{name}") for name in videos]
    root = Path(releases.write(tmp_path / "release", "packed", Content(videos=videos, vqa=vqa)))
    monkeypatch.setenv("HUMANSENSE_DATA", str(root))
    with zipfile.ZipFile(root / "videos.zip") as archive:
        members, listed = archive.start_dir, (root / "videos.zip").stat().st_size - archive.start_dir
    planned = plan("AR", to=local)
    assert sum(counted.reads) < listed + 1000  # the list, once
    counted.reads.clear()
    assert carry_out(planned, Silent()).made == count
    assert len(counted.reads) == count
    assert sum(counted.reads) == members  # each with its header, and nothing twice
    assert len(counted.checked) == count
    targets = [local / "videos" / name for name in videos]
    assert sorted(path for path in counted.made if path.suffix == ".mp4") == targets
    assert len(counted.made) < count + 5  # the questions and the list
    assert len(counted.locked) <= cache._LOCKS


def test_the_embedded_sample_needs_no_preparation(capsys: pytest.CaptureFixture[str]) -> None:
    given: dict[str, Any] = {"workers": 1, "keep_archives": False, "check_only": False}
    assert prepare_data("humansense_sample,humansense_sample_think", None, None, as_json=True, **given) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"ok": True, "questions": 0, "files": 0}
    assert printed.err.startswith("humansense_sample is embedded in this package: ")


def test_a_check_says_what_it_read_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = releases.write(tmp_path, "unpacked", content())
    monkeypatch.setenv("HUMANSENSE_DATA", root)
    given: dict[str, Any] = {"workers": 1, "keep_archives": False, "as_json": False}
    assert prepare_data("humansense_sample,humansense_ar", None, None, check_only=True, **given) == 0
    said = capsys.readouterr().err
    assert re.search(rf"Read \d+ files \(.*\), which \d+ questions of .* need, in {root}: \d+ are whole, 0 are m", said)
    assert "were made" not in said
    assert "is embedded" in said
