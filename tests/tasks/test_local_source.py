"""The tasks' own source: folders in every layout, and a snapshot of the dataset repository."""

import json
import os
import random
import shutil
import stat
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest

from lmms_humansense import tasks
from lmms_humansense.tasks.humansense import data, source
from lmms_humansense.tasks.humansense.annotations import DataError
from lmms_humansense.tasks.humansense.local_source import LocalMedia, LocalSource
from lmms_humansense.tasks.humansense.lookup import MediaIndex
from tests.helpers import hub, releases
from tests.helpers.releases import Content, item
from tests.helpers.waits import LIMIT

CLIP = b"the clip"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    hub.refuse_other_addresses(monkeypatch)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def packed(folder: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> tuple[Path, LocalMedia]:
    """A release with one `videos.zip`, and its media."""
    releases.write_annotations(folder, releases.small())
    path = releases.write_zip(folder / "videos.zip", members, compression=compression)
    return path, LocalSource().media(str(folder), "VQA")


def test_the_tasks_read_by_themselves_without_another_source() -> None:
    program = "from lmms_humansense.tasks.humansense import source; print(type(source.current()).__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "LocalSource"


def test_another_source_replaces_it_and_the_previous_one_is_returned() -> None:
    before, other = source.current(), LocalSource()
    assert source.use(other) is before
    assert source.current() is other
    assert source.use(before) is other


# Existing and missing files.


@pytest.mark.parametrize("layout", releases.LAYOUTS)
@pytest.mark.parametrize("key", ["VQA", "AQA"])
def test_a_release_is_read_in_every_layout(layout: str, key: str, tmp_path: Path) -> None:
    content = releases.small()
    root = releases.write(tmp_path, layout, content)
    items, files = (content.vqa, content.videos) if key == "VQA" else (content.aqa, content.audios)
    assert json.loads(LocalSource().annotations(root, key)) == items
    media = LocalSource().media(root, key)
    index = MediaIndex(media.names, media.refused, media.where)
    for each in items:
        path = each["video_path"]
        assert media.fetch(index.find(path)).read_bytes() == files[path.split("/", 2)[2]]


def test_the_training_data_beside_the_benchmark_are_never_read(tmp_path: Path) -> None:
    root = releases.write(tmp_path, "repository", releases.small())
    for path in (tmp_path / "train_data").iterdir():
        path.unlink()
        path.mkdir()  # reading it would be an error
    docs = data.load("AR", root, complete=False)
    assert [data.local_media(doc).read_bytes()[:14] for doc in docs] == [b"the first clip", b"the second cli"]


def test_no_annotation_file_is_refused_with_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        LocalSource().annotations(str(tmp_path / "nowhere"), "VQA")
    assert str(tmp_path / "nowhere") in str(error.value)
    assert "HUMANSENSE_DATA" in str(error.value)


@pytest.mark.parametrize(("key", "file"), [("VQA", "HumanSense_VQA.json"), ("AQA", "HumanSense_AQA.json")])
def test_the_missing_one_of_two_annotation_files_is_named(key: str, file: str, tmp_path: Path) -> None:
    root = releases.write(tmp_path, "packed", releases.small())
    (tmp_path / file).unlink()
    with pytest.raises(DataError, match=file):
        LocalSource().annotations(root, key)


@pytest.mark.parametrize(
    ("key", "media", "file"), [("VQA", "videos", "HumanSense_VQA.json"), ("AQA", "audios", "HumanSense_AQA.json")]
)
@pytest.mark.parametrize("empty", [False, True])
def test_missing_media_are_named_with_the_questions_that_need_them(
    key: str, media: str, file: str, empty: bool, tmp_path: Path
) -> None:
    releases.write_annotations(tmp_path, releases.small())
    if empty:
        (tmp_path / media).mkdir()
    with pytest.raises(DataError) as error:
        LocalSource().media(str(tmp_path), key)
    assert f"neither {media}/ nor {media}.zip" in str(error.value)
    assert file in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_an_address_is_refused_without_its_password() -> None:
    with pytest.raises(DataError, match="HUMANSENSE_DATA is an address") as error:
        LocalSource().annotations("https://me:secret@host/release", "VQA")
    assert "secret" not in str(error.value)


def test_a_folder_is_its_own_origin(tmp_path: Path) -> None:
    root = releases.write(tmp_path, "repository", releases.small())
    assert LocalSource().origin(root) == {"source": str(tmp_path / "bench_data")}


# Unpacked media.


def test_unpacked_media_win_and_are_used_where_they_lie(tmp_path: Path, home: Path) -> None:
    root = releases.write(tmp_path, "packed", releases.small())
    releases.write_files(tmp_path / "videos", {"action/one.mp4": b"unpacked"})
    media = LocalSource().media(root, "VQA")
    assert media.find_local("action/one.mp4") == tmp_path / "videos/action/one.mp4"
    assert media.fetch("action/one.mp4").read_bytes() == b"unpacked"
    assert files_below(home) == set()


@pytest.mark.parametrize("linked", ["videos", "videos/action", "videos/action/one.mp4"])
def test_folders_and_files_may_be_links(linked: str, tmp_path: Path) -> None:
    content = releases.small()
    releases.write_files(tmp_path / "elsewhere" / "videos", content.videos)
    root = tmp_path / "release"
    releases.write_annotations(root, content)
    (root / linked).parent.mkdir(parents=True, exist_ok=True)
    (root / linked).symlink_to(tmp_path / "elsewhere" / linked)
    assert (
        LocalSource().media(str(root), "VQA").fetch("action/one.mp4").read_bytes() == content.videos["action/one.mp4"]
    )


def test_a_file_that_was_lost_is_named(tmp_path: Path) -> None:
    media = LocalSource().media(releases.write(tmp_path, "unpacked", releases.small()), "VQA")
    (tmp_path / "videos/action/one.mp4").unlink()
    assert media.find_local("action/one.mp4") is None
    with pytest.raises(DataError, match=r"action/one\.mp4 is not in .*videos"):
        media.fetch("action/one.mp4")


# Members of an archive.


def test_only_requested_members_are_extracted(tmp_path: Path, home: Path) -> None:
    _, media = packed(tmp_path, {"videos/a.mp4": CLIP, "videos/b.mp4": b"another", "videos/c.mp4": b"a third"})
    assert files_below(home) == set()
    assert media.find_local("videos/b.mp4") is None
    path = media.fetch("videos/b.mp4")
    assert path.read_bytes() == b"another"
    assert [name.rpartition("/")[2] for name in files_below(home)] == ["b.mp4"]
    assert (media.find_local("videos/b.mp4"), media.find_local("videos/a.mp4")) == (path, None)


def test_folders_in_an_archive_are_no_files(tmp_path: Path) -> None:
    releases.write_annotations(tmp_path, releases.small())
    releases.write_zip(tmp_path / "videos.zip", {"videos/a/b.mp4": CLIP}, folders=["videos/", "videos/a/"])
    assert LocalSource().media(str(tmp_path), "VQA").names == ["videos/a/b.mp4"]


def test_a_member_is_extracted_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, media = packed(tmp_path, {"videos/a.mp4": CLIP})
    path = media.fetch("videos/a.mp4")
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    assert media.fetch("videos/a.mp4") == path
    assert LocalSource().media(str(tmp_path), "VQA").fetch("videos/a.mp4") == path


def test_a_changed_archive_is_extracted_again(tmp_path: Path) -> None:
    path, media = packed(tmp_path, {"videos/a.mp4": b"old content"})
    before = media.fetch("videos/a.mp4")
    releases.write_zip(path, {"videos/a.mp4": b"new content"})
    os.utime(path, (1_900_000_000, 1_900_000_000))
    changed = LocalSource().media(str(tmp_path), "VQA")
    assert changed.find_local("videos/a.mp4") is None
    assert changed.fetch("videos/a.mp4").read_bytes() == b"new content"
    assert before.read_bytes() == b"old content"


def test_the_archives_of_two_releases_stay_apart(tmp_path: Path) -> None:
    both = [packed(tmp_path / name, {"videos/a.mp4": name.encode()})[1] for name in ("one", "two")]
    assert [media.fetch("videos/a.mp4").read_bytes() for media in both] == [b"one", b"two"]


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["stored", "deflated", "bzip2", "lzma"],
)
def test_a_damaged_member_is_refused_by_name_and_leaves_nothing(compression: int, tmp_path: Path, home: Path) -> None:
    clip = random.Random(0).randbytes(3000) + b"the same again " * 200
    path, media = packed(tmp_path, {"videos/a.mp4": clip, "videos/b.mp4": clip}, compression)
    releases.damage(path, "videos/a.mp4", 0.5)
    with pytest.raises(DataError) as error:
        media.fetch("videos/a.mp4")
    assert "videos/a.mp4" in str(error.value)
    assert str(path) in str(error.value)
    assert files_below(home) == set()
    assert media.fetch("videos/b.mp4").read_bytes() == clip


def test_a_member_that_needs_a_password_is_refused_by_name(tmp_path: Path, home: Path) -> None:
    path, _ = packed(tmp_path, {"videos/a.mp4": CLIP})
    releases.mark_as_encrypted(path)
    with pytest.raises(DataError, match=r"videos/a\.mp4.*videos\.zip.*encrypted"):
        LocalSource().media(str(tmp_path), "VQA").fetch("videos/a.mp4")
    assert files_below(home) == set()


@pytest.mark.parametrize("kept", [0, 1, 22, 1000, -1, -30])
def test_a_cut_off_archive_is_refused_by_name(kept: int, tmp_path: Path) -> None:
    path, _ = packed(tmp_path, {"videos/a.mp4": bytes(3000), "videos/b.mp4": bytes(3000)})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"videos\.zip is not a complete zip file; download it again"):
        LocalSource().media(str(tmp_path), "VQA")


@pytest.mark.parametrize("name", ["../x.mp4", "a/../../../x.mp4", "..", "/abs/x.mp4", "C:\\x.mp4", "..\\x.mp4"])
def test_a_name_that_leads_out_of_the_folder_is_refused_and_writes_nothing(name: str, tmp_path: Path) -> None:
    _, media = packed(tmp_path / "release", {name: CLIP, "good.mp4": CLIP})
    before = files_below(tmp_path)
    assert media.names == ["good.mp4"]
    for read in (media.fetch, media.find_local):
        with pytest.raises(DataError, match="is refused: its name leads out of its folder") as error:
            read(name)
        assert repr(name) in str(error.value)
    assert files_below(tmp_path) == before
    assert not Path("/abs/x.mp4").exists()
    assert media.fetch("good.mp4").read_bytes() == CLIP


def test_a_question_about_a_file_that_leads_out_is_refused(tmp_path: Path) -> None:
    releases.write_annotations(tmp_path, Content(vqa=[item("../x.mp4")]))
    releases.write_zip(tmp_path / "videos.zip", {"../x.mp4": CLIP})
    with pytest.raises(DataError, match=r"'\.\./x\.mp4' in .*videos\.zip is refused"):
        data.load("AR", str(tmp_path), complete=False)


def test_threads_that_want_the_same_member_all_get_it_whole(tmp_path: Path, home: Path) -> None:
    clips = {f"videos/{number}.mp4": random.Random(number).randbytes(300_000) for number in range(4)}
    _, media = packed(tmp_path, clips, zipfile.ZIP_DEFLATED)
    ready = threading.Barrier(8)

    def fetch(name: str) -> bytes:
        ready.wait(LIMIT)
        return media.fetch(name).read_bytes()

    with ThreadPoolExecutor(8) as pool:
        wanted = list(clips) * 2
        assert list(pool.map(fetch, wanted)) == [clips[name] for name in wanted]
    assert len(files_below(home)) == 4


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_extracted_files_have_the_permissions_of_the_umask(tmp_path: Path) -> None:
    _, media = packed(tmp_path, {"videos/a.mp4": CLIP})
    before = os.umask(0o022)
    try:
        assert stat.S_IMODE(media.fetch("videos/a.mp4").stat().st_mode) == 0o644
    finally:
        os.umask(before)


# The Hub. Its client reads its settings on import, so it runs in separate processes.

_PROBE = """
import json, os, sys

from lmms_humansense.tasks.humansense import data
from tests.helpers import hub

found = {}
for revision in json.loads(sys.argv[1]):
    os.environ.pop("HUMANSENSE_REVISION", None)
    if revision:
        os.environ["HUMANSENSE_REVISION"] = revision
    try:
        docs = [doc for code in ("AR", "FR2") for doc in data.load(code, data.release_root(hub.REPOSITORY), False)]
        clip = data.local_media(docs[0]).read_bytes().decode()
        found[revision] = {"docs": len(docs), "clip": clip, "origin": data.origin(docs[0]["root"])}
    except Exception as error:
        found[revision] = {"error": type(error).__name__, "message": str(error)}
print(json.dumps(found))
"""


def start(home: Path, endpoint: str, *revisions: str, **settings: str) -> "subprocess.Popen[str]":
    """Starts a new process that reads docs of two tasks from the Hub at `endpoint`, at each revision ("" for none)."""
    return subprocess.Popen(
        [sys.executable, "-c", _PROBE, json.dumps(revisions)],
        env=hub.client_environment(home, endpoint, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result_of(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


class FromHub:
    """What processes get from a server in place of the Hub, and what they request."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        revisions = {name: folder / name.replace("/", "_") for name in ("main", "v2", "next/2")}
        for name, path in revisions.items():
            clip = {"action/clip.mp4": f"the clip of {name}".encode()}
            content = Content(vqa=[item()], videos=clip, aqa=releases.small().aqa, audios=releases.small().audios)
            releases.write(path, "repository", content)
        self.archive = f"{hub.commit('main')}/bench_data/videos.zip"
        self.archive_size = (revisions["main"] / "bench_data/videos.zip").stat().st_size
        with hub.serving(hub.dataset(revisions)) as server:
            both = [start(self.home, server.url, "") for _ in range(2)]
            self.at_once = [result_of(process)[""] for process in both]
            self.sent_first = server.settled().sent(self.archive)
            self.later = result_of(start(self.home, server.url, "", "v2", "next/2", "nosuch"))
            self.sent_later = server.settled().sent(self.archive) - self.sent_first
            self.offline = result_of(start(self.home, server.url, "", HF_HUB_OFFLINE="1"))[""]
            self.paths = server.paths()
        self.never_fetched = result_of(start(folder / "another home", server.url, "", HF_HUB_OFFLINE="1"))[""]


@pytest.fixture(scope="module")
def from_hub(tmp_path_factory: pytest.TempPathFactory) -> FromHub:
    return FromHub(tmp_path_factory.mktemp("hub"))


def test_without_any_setting_the_benchmarks_folder_comes_from_the_hub_and_says_its_commit(from_hub: FromHub) -> None:
    for found in from_hub.at_once:
        assert (found["docs"], found["clip"]) == (2, "the clip of main")
        origin = found["origin"]
        assert (origin["source"], origin["commit"]) == (f"hf://datasets/{hub.REPOSITORY}", hub.commit("main"))
        assert set(origin["annotations"]) == {"HumanSense_VQA.json", "HumanSense_AQA.json"}


def test_processes_at_once_and_later_ones_download_it_once(from_hub: FromHub) -> None:
    assert from_hub.sent_first == from_hub.archive_size
    assert from_hub.sent_later == 0
    assert from_hub.later[""] == from_hub.at_once[0] == from_hub.at_once[1]


def test_only_the_benchmarks_folder_is_requested(from_hub: FromHub) -> None:
    files = [path for path in from_hub.paths if "/resolve/" in path or path.startswith("/large/")]
    assert any(path.endswith("bench_data/videos.zip") for path in files)
    assert all("/bench_data/" in path for path in files)
    assert not any("train_data" in path for path in from_hub.paths)
    assert not list(from_hub.home.rglob("train_data"))


@pytest.mark.parametrize("revision", ["v2", "next/2"])
def test_the_revision_is_passed_on_to_the_hub(revision: str, from_hub: FromHub) -> None:
    assert from_hub.later[revision].get("clip") == f"the clip of {revision}", from_hub.later[revision]


def test_a_revision_that_does_not_exist_is_named_with_what_to_set(from_hub: FromHub) -> None:
    found = from_hub.later["nosuch"]
    assert found["error"] == "DataError"
    assert f"{hub.REPOSITORY} at nosuch" in found["message"]
    assert "set HUMANSENSE_REVISION" in found["message"]
    assert "\n" not in found["message"]


def test_offline_a_snapshot_that_is_there_is_used(from_hub: FromHub) -> None:
    assert from_hub.offline == from_hub.at_once[0]


def test_offline_a_snapshot_that_was_never_fetched_is_refused(from_hub: FromHub) -> None:
    assert from_hub.never_fetched["error"] == "DataError", from_hub.never_fetched
    assert hub.REPOSITORY in from_hub.never_fetched["message"]


def test_a_repository_that_cannot_be_downloaded_ends_a_run_with_one_line(tmp_path: Path) -> None:
    program = """
import datasets
from lmms_humansense.tasks.humansense import utils

source = datasets.Dataset.from_list([{"repository": "owner/name"}])
source.info.config_name = "ar"
utils.process_docs(source)
"""
    environment = hub.client_environment(tmp_path, "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("HumanSense: The dataset owner/name at main cannot be downloaded from the Hub")


# The folder under another name, as in lmms-eval.


def test_the_tasks_need_nothing_of_the_package_that_holds_them(tmp_path: Path) -> None:
    shutil.copytree(Path(str(tasks.__file__)).parent, tmp_path / "elsewhere" / "tasks")
    program = """
import sys
sys.modules["lmms_humansense"] = None
from elsewhere.tasks.humansense import utils
from elsewhere.tasks.humansense_sample.utils import ROOT
docs = utils.docs("hc", str(ROOT), complete=False)
print(utils.process_results(docs[0], [docs[0]["answer"]])["acc"]["score"], utils.doc_to_visual(docs[0]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1.0 ['")


_INCLUDED = """
import importlib.metadata, json, sys

installed = importlib.metadata.entry_points
importlib.metadata.entry_points = lambda **which: (
    [] if which.get("group", "").startswith("lmms_eval") else installed(**which)
)
from lmms_eval.tasks import TaskManager, get_task_dict

manager = TaskManager("ERROR", include_path=sys.argv[1], include_defaults=False, model_name="dummy")
found = get_task_dict(["humansense_sample_hc", "humansense_sample_fr2"], manager)
others = [name for name in sys.modules if name.startswith("lmms_humansense.") and ".tasks" not in name]
print(json.dumps([{name: len(task.doc_to_visual(task.test_docs()[0])) for name, task in found.items()}, others]))
"""


@pytest.mark.slow
def test_lmms_eval_takes_them_from_a_folder_where_no_entry_point_is_loaded() -> None:
    folder = str(Path(str(tasks.__file__)).parent)
    done = subprocess.run([sys.executable, "-c", _INCLUDED, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    visuals, others = json.loads(done.stdout.splitlines()[-1])
    assert visuals == {"humansense_sample_hc": 1, "humansense_sample_fr2": 1}
    assert others == []
