"""A release is found in every layout and file system, and its annotations and media are read."""

import os
import random
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import fsspec
import huggingface_hub.constants
import pytest
from fsspec.registry import known_implementations

from lmms_humansense.dataset import release
from lmms_humansense.dataset.release import Release
from lmms_humansense.storage.errors import StorageError
from lmms_humansense.storage.prepared import LIST, PreparedList
from lmms_humansense.storage.stores import MediaStore
from lmms_humansense.tasks.humansense import folders
from lmms_humansense.tasks.humansense.annotations import DataError
from lmms_humansense.tasks.humansense.lookup import MediaIndex
from tests.helpers import hub, releases

CLIP = b"the clip"


def opened(root: str | Path) -> Release:
    """The release at `root`, as in a process that has not opened it before."""
    release.open_release.cache_clear()
    return release.open_release(str(root))


def index_of(store: MediaStore) -> MediaIndex:
    return MediaIndex(store.names, store.refused, store.where)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    hub.refuse_other_addresses(monkeypatch)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def memory() -> Iterator[str]:
    """The name of an empty folder of the memory file system."""
    yield "release"
    fs = fsspec.filesystem("memory")
    fs.rm("/release", recursive=True)


def files_below(folder: Path) -> set[str]:
    """The files that were made, without locks and lists of archives."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if not {"locks", "archives"} & set(path.parts)}


def archive(folder: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> tuple[Path, MediaStore]:
    """A release with one `videos.zip`, opened."""
    releases.write_annotations(folder, releases.small())
    path = releases.write_zip(folder / "videos.zip", members, compression=compression)
    return path, opened(str(folder)).media("VQA")


# Present and missing files.


@pytest.mark.parametrize("layout", releases.LAYOUTS)
@pytest.mark.parametrize("key", ["VQA", "AQA"])
def test_a_release_is_found_in_every_layout(layout: str, key: str, tmp_path: Path) -> None:
    content = releases.small()
    found = opened(releases.write(tmp_path, layout, content))
    items, files = (content.vqa, content.videos) if key == "VQA" else (content.aqa, content.audios)
    assert found.annotations(key)
    store = found.media(key)
    index = index_of(store)
    for item in items:
        path = item["video_path"]
        assert store.fetch(index.find(path)).read_bytes() == files[path.split("/", 2)[2]]


@pytest.mark.parametrize("layout", ["unpacked", "packed", "repository"])
def test_a_release_may_lie_in_any_file_system(layout: str, tmp_path: Path, memory: str, home: Path) -> None:
    content = releases.small()
    fsspec.filesystem("memory").put(releases.write(tmp_path / "made", layout, content), f"/{memory}", recursive=True)
    store = opened(f"memory://{memory}").media("VQA")
    index = index_of(store)
    name = index.find("data/videos/action/two.mp4")
    assert store.find_local(name) is None
    path = store.fetch(name)
    assert path.read_bytes() == content.videos["action/two.mp4"]
    assert path.is_relative_to(home)
    assert store.find_local(name) == path
    assert len(files_below(home)) == 1


def test_no_annotation_file_is_refused_with_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        opened(str(tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in str(error.value)
    assert "HUMANSENSE_DATA" in str(error.value)


@pytest.mark.parametrize(("key", "file"), [("VQA", "HumanSense_VQA.json"), ("AQA", "HumanSense_AQA.json")])
def test_the_missing_one_of_two_annotation_files_is_named(key: str, file: str, tmp_path: Path) -> None:
    root = releases.write(tmp_path, "packed", releases.small())
    (tmp_path / file).unlink()
    with pytest.raises(DataError, match=file):
        opened(root).annotations(key)


@pytest.mark.parametrize(
    ("key", "media", "file"), [("VQA", "videos", "HumanSense_VQA.json"), ("AQA", "audios", "HumanSense_AQA.json")]
)
def test_missing_media_are_named_with_the_questions_that_need_them(
    key: str, media: str, file: str, tmp_path: Path
) -> None:
    releases.write_annotations(tmp_path, releases.small())
    with pytest.raises(DataError) as error:
        opened(str(tmp_path)).media(key)
    assert f"neither {media}/ nor {media}.zip" in str(error.value)
    assert file in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_an_address_that_no_file_system_knows_is_refused() -> None:
    with pytest.raises(DataError, match="nosuch"):
        opened("nosuch://bucket/release")


def test_a_file_system_that_is_not_installed_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"class": "no_such_module.FileSystem", "err": "Install bucketfs"}
    monkeypatch.setitem(known_implementations, "bucket", missing)
    with pytest.raises(DataError, match="Install bucketfs"):
        opened("bucket://release")


# Unpacked media.


def test_unpacked_media_win_and_are_used_where_they_lie(tmp_path: Path, home: Path) -> None:
    root = releases.write(tmp_path, "packed", releases.small())
    releases.write_files(tmp_path / "videos", {"action/one.mp4": b"unpacked"})
    store = opened(root).media("VQA")
    assert store.find_local("action/one.mp4") == tmp_path / "videos/action/one.mp4"
    assert store.fetch("action/one.mp4").read_bytes() == b"unpacked"
    assert files_below(home) == set()


@pytest.mark.parametrize("linked", ["videos", "videos/action", "videos/action/one.mp4"])
def test_folders_and_files_may_be_links(linked: str, tmp_path: Path) -> None:
    content = releases.small()
    elsewhere = tmp_path / "elsewhere"
    releases.write_files(elsewhere / "videos", content.videos)
    root = tmp_path / "release"
    releases.write_annotations(root, content)
    (root / linked).parent.mkdir(parents=True, exist_ok=True)
    (root / linked).symlink_to(elsewhere / linked)
    store = opened(str(root)).media("VQA")
    index = index_of(store)
    path = store.fetch(index.find("data/videos/action/one.mp4"))
    assert path.read_bytes() == content.videos["action/one.mp4"]


# A release on a web server.


def test_one_member_of_a_remote_archive_costs_little_more_than_its_bytes(tmp_path: Path) -> None:
    clips = {f"videos/{number}.mp4": random.Random(number).randbytes(50_000) for number in range(100)}
    path, _ = archive(tmp_path, clips)
    with hub.serving(hub.folder(tmp_path)) as server:
        store = opened(server.url).media("VQA")
        index = index_of(store)
        fetched = store.fetch(index.find("data/videos/50.mp4"))
        assert fetched.read_bytes() == clips["videos/50.mp4"]
        assert any(request.status == 206 for request in server.requests)
        share = server.sent("videos.zip") / path.stat().st_size
        assert share < 0.2, f"{share:.0%} of the archive was transferred for 1% of it"


def test_a_server_that_cannot_send_ranges_is_refused_by_name(tmp_path: Path) -> None:
    archive(tmp_path, {"videos/a.mp4": CLIP})
    with hub.serving(hub.folder(tmp_path, ranges=False)) as server, pytest.raises(DataError, match=r"videos\.zip"):
        opened(server.url).media("VQA").fetch("videos/a.mp4")


@pytest.mark.parametrize("name", ["action/one.mp4", "action/two words (é).mp4"])
def test_unpacked_media_may_lie_on_a_server(name: str, tmp_path: Path) -> None:
    releases.write_annotations(tmp_path, releases.small())
    releases.write_files(tmp_path / "videos", {name: CLIP, "action/other.mp4": b"other"})
    with hub.serving(hub.folder(tmp_path)) as server:
        store = opened(server.url).media("VQA")
        index = index_of(store)
        assert store.fetch(index.find(f"data/videos/{name}")).read_bytes() == CLIP


def test_the_training_data_of_a_repository_are_not_even_asked_for(tmp_path: Path) -> None:
    content = releases.small()
    releases.write(tmp_path, "repository", content)
    with hub.serving(hub.folder(tmp_path)) as server:
        found = opened(server.url)
        assert b"data/videos/action/one.mp4" in found.annotations("VQA")
        store = found.media("VQA")
        index = index_of(store)
        path = store.fetch(index.find("data/videos/action/one.mp4"))
        assert path.read_bytes() == content.videos["action/one.mp4"]
        assert not any("train_data" in path for path in server.paths())


def test_a_release_is_opened_and_its_archive_listed_once_per_process(tmp_path: Path) -> None:
    root = releases.write(tmp_path, "packed", releases.small())
    assert release.open_release(root) is release.open_release(root)
    assert release.open_media_store(root, "VQA") is release.open_media_store(root, "VQA")


def test_a_server_that_forbids_what_it_does_not_have_is_no_hindrance(tmp_path: Path) -> None:
    root = releases.write(tmp_path, "packed", releases.small())
    serve = hub.folder(Path(root))

    def answer(path: str, query: str, body: bytes) -> hub.Answer:
        good = serve(path, query, body)
        return hub.Answer(403) if good.status == 404 else good

    with hub.serving(answer) as server:
        store = opened(server.url).media("VQA")
        assert store.fetch("videos/action/one.mp4").read_bytes() == releases.small().videos["action/one.mp4"]


def test_a_folder_is_searched_once_and_never_for_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(releases.write(tmp_path, "unpacked", releases.small())).media("VQA")
    index = index_of(store)
    for name in ("walk", "scandir", "listdir"):
        monkeypatch.setattr(os, name, None)
    for _ in range(3):
        assert store.fetch(index.find("data/videos/action/one.mp4")).exists()


def test_a_list_in_a_folder_spares_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = releases.write(tmp_path, "unpacked", releases.small())
    clip = releases.small().videos["action/one.mp4"]
    listed = PreparedList(
        root, {"source": "elsewhere"}, {}, {"videos": {"action/one.mp4": (len(clip), zlib.crc32(clip))}}
    )
    (tmp_path / LIST).write_bytes(listed.to_json())
    for name in ("walk", "scandir", "listdir"):
        monkeypatch.setattr(os, name, None)
    found = opened(root)
    store = found.media("VQA")
    assert store.fetch(index_of(store).find("data/videos/action/one.mp4")).read_bytes() == clip
    assert found.origin == {"source": "elsewhere"}


def test_a_list_serves_elsewhere_too(tmp_path: Path) -> None:
    root = releases.write(tmp_path, "unpacked", releases.small())
    clip = releases.small().videos["action/one.mp4"]
    listed = PreparedList(
        root, {"source": "elsewhere"}, {}, {"videos": {"action/one.mp4": (len(clip), zlib.crc32(clip))}}
    )
    (tmp_path / LIST).write_bytes(listed.to_json())
    with hub.serving(hub.folder(tmp_path)) as server:
        store = opened(server.url).media("VQA")
        assert store.fetch("action/one.mp4").read_bytes() == clip
        assert store.names == ["action/one.mp4"]
        (tmp_path / "videos/action/one.mp4").write_bytes(bytes(len(clip)))
        store.place("action/one.mp4").unlink()
        with pytest.raises(StorageError, match="its checksum is wrong"):
            store.fetch("action/one.mp4")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"form": 99}', b'{"form": 1}', b"\xff"])
def test_a_list_that_cannot_be_read_is_named(content: bytes, tmp_path: Path) -> None:
    root = releases.write(tmp_path, "unpacked", releases.small())
    (tmp_path / LIST).write_bytes(content)
    with pytest.raises(DataError, match=rf"{LIST} cannot be read .*; delete it and prepare the folder again"):
        opened(root).media("VQA")


@pytest.mark.parametrize("kind", ["pipe", "large"])
def test_a_list_that_is_no_list_is_refused_by_name_and_never_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = releases.write(tmp_path, "unpacked", releases.small())
    if kind == "pipe":
        os.mkfifo(tmp_path / LIST)
    else:
        with (tmp_path / LIST).open("wb") as file:
            file.truncate(3 << 30)
    monkeypatch.setattr(Path, "read_bytes", None)
    with pytest.raises(DataError, match=rf"{LIST} (is no regular file|has 3,221,225,472 bytes)"):
        opened(root).media("VQA")


def test_a_large_annotation_file_elsewhere_is_refused_before_it_is_transferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MOST_BYTES", 100)
    releases.write_annotations(tmp_path, releases.small())
    with hub.serving(hub.folder(tmp_path)) as server:
        with pytest.raises(DataError, match=r"HumanSense_VQA\.json has [0-9,]{3,} bytes, more than 100; download it"):
            opened(server.url).annotations("VQA")
        assert not [sent for sent in server.requests if sent.method == "GET" and "VQA" in sent.path and sent.sent > 100]


def test_a_pipe_in_a_list_is_neither_used_nor_opened(tmp_path: Path) -> None:
    root = releases.write(tmp_path, "unpacked", releases.small())
    clips = {"action/one.mp4": (None, None), "action/two.mp4": (5, None)}
    (tmp_path / LIST).write_bytes(PreparedList(root, {"source": "x"}, {}, {"videos": dict(clips)}).to_json())
    for name in clips:
        (tmp_path / "videos" / name).unlink()
        os.mkfifo(tmp_path / "videos" / name)
    store = opened(root).media("VQA")
    for name in clips:
        assert store.find_local(name) is None
        with pytest.raises(StorageError, match=f"{name} is not in"):
            store.fetch(name)
        with pytest.raises(StorageError, match=f"{name} in .* is missing or no regular file"):
            store.make(name, tmp_path / "made.mp4")
    assert not (tmp_path / "made.mp4").exists()
