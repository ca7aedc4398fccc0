"""A file in an archive becomes a local file: by name, once, and completely or not at all."""

import os
import random
import stat
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import huggingface_hub.constants
import pytest
from fsspec.implementations.http import HTTPFileSystem
from fsspec.implementations.local import LocalFileSystem

from lmms_humansense.storage.errors import StorageError
from lmms_humansense.storage.stores import MediaStore, open_archive
from tests.helpers import hub, releases
from tests.helpers.waits import LIMIT

CLIP = b"the clip"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    hub.refuse_other_addresses(monkeypatch)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def files_below(folder: Path) -> set[str]:
    """The files that were made, without locks and lists of archives."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if not {"locks", "archives"} & set(path.parts)}


def opened(folder: Path) -> MediaStore:
    """The archive `videos.zip` in a folder."""
    return open_archive(LocalFileSystem(), str(folder / "videos.zip"), unchanging=False)


def on_server(url: str) -> MediaStore:
    """The archive `videos.zip` on a server."""
    HTTPFileSystem.clear_instance_cache()
    return open_archive(HTTPFileSystem(), f"{url}/videos.zip", unchanging=False)


def archive(folder: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> tuple[Path, MediaStore]:
    """An archive `videos.zip` in a folder, opened."""
    path = releases.write_zip(folder / "videos.zip", members, compression=compression)
    return path, opened(folder)


def test_folders_in_an_archive_are_no_files(tmp_path: Path) -> None:
    releases.write_zip(tmp_path / "videos.zip", {"videos/a/b.mp4": CLIP}, folders=["videos/", "videos/a/"])
    assert opened(tmp_path).names == ["videos/a/b.mp4"]


def test_only_the_members_that_are_asked_for_are_taken_out(tmp_path: Path, home: Path) -> None:
    _, store = archive(tmp_path, {"videos/a.mp4": CLIP, "videos/b.mp4": b"another", "videos/c.mp4": b"a third"})
    assert files_below(home) == set()
    assert store.find_local("videos/b.mp4") is None
    path = store.fetch("videos/b.mp4")
    assert path.read_bytes() == b"another"
    assert [name.rpartition("/")[2] for name in files_below(home)] == ["b.mp4"]
    assert (store.find_local("videos/b.mp4"), store.find_local("videos/a.mp4")) == (path, None)


def test_a_member_is_taken_out_once_whoever_asks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, store = archive(tmp_path, {"videos/a.mp4": CLIP})
    path = store.fetch("videos/a.mp4")
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    assert store.fetch("videos/a.mp4") == path
    assert opened(tmp_path).fetch("videos/a.mp4") == path


def test_members_with_one_base_name_stay_apart(tmp_path: Path) -> None:
    _, store = archive(tmp_path, {"videos/a/clip.mp4": b"first", "videos/b/clip.mp4": b"second"})
    assert [store.fetch(name).read_bytes() for name in store.names] == [b"first", b"second"]


def test_the_archives_of_two_releases_stay_apart(tmp_path: Path) -> None:
    stores = [archive(tmp_path / name, {"videos/a.mp4": name.encode()})[1] for name in ("one", "two")]
    assert [store.fetch("videos/a.mp4").read_bytes() for store in stores] == [b"one", b"two"]


def test_a_changed_archive_is_taken_out_anew(tmp_path: Path) -> None:
    path, store = archive(tmp_path, {"videos/a.mp4": b"old content"})
    before = store.fetch("videos/a.mp4")
    releases.write_zip(path, {"videos/a.mp4": b"new content"})
    os.utime(path, (1_900_000_000, 1_900_000_000))
    changed = opened(tmp_path)
    assert changed.find_local("videos/a.mp4") is None
    assert changed.fetch("videos/a.mp4").read_bytes() == b"new content"
    assert before.read_bytes() == b"old content"


@pytest.mark.parametrize("place", [0, 0.5, 1], ids=["start", "middle", "end"])
@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["stored", "deflated", "bzip2", "lzma"],
)
def test_a_damaged_member_is_refused_by_name_and_leaves_nothing(
    compression: int, place: float, tmp_path: Path, home: Path
) -> None:
    clip = random.Random(0).randbytes(3000) + b"the same again " * 200
    path, store = archive(tmp_path, {"videos/a.mp4": clip, "videos/b.mp4": clip}, compression)
    releases.damage(path, "videos/a.mp4", place)
    with pytest.raises(StorageError) as error:
        store.fetch("videos/a.mp4")
    assert "videos/a.mp4" in str(error.value)
    assert str(path) in str(error.value)
    assert files_below(home) == set()
    assert store.fetch("videos/b.mp4").read_bytes() == clip


@pytest.mark.parametrize("kept", [0, 1, 22, 1000, -1, -30])
def test_a_cut_off_archive_is_refused_by_name(kept: int, tmp_path: Path) -> None:
    path, _ = archive(tmp_path, {"videos/a.mp4": bytes(3000), "videos/b.mp4": bytes(3000)})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StorageError, match=r"videos\.zip is not a complete zip file .*download it again"):
        opened(tmp_path)


@pytest.mark.parametrize(("start", "end"), [(0, 1000), (1000, 2000), (0, 3100)])
def test_an_archive_with_a_hole_is_refused_by_name(start: int, end: int, tmp_path: Path, home: Path) -> None:
    path, _ = archive(tmp_path, {"videos/a.mp4": bytes(3000), "videos/b.mp4": bytes(3000)})
    content = path.read_bytes()
    path.write_bytes(content[:start] + content[end:])
    store = opened(tmp_path)
    with pytest.raises(StorageError, match=r"videos/a\.mp4.*videos\.zip"):
        store.fetch("videos/a.mp4")
    assert files_below(home) == set()


def test_a_member_that_needs_a_password_is_refused_by_name(tmp_path: Path, home: Path) -> None:
    path, _ = archive(tmp_path, {"videos/a.mp4": CLIP})
    releases.mark_as_encrypted(path)
    with pytest.raises(StorageError, match=r"videos/a\.mp4.*videos\.zip.*encrypted"):
        opened(tmp_path).fetch("videos/a.mp4")
    assert files_below(home) == set()


@pytest.mark.parametrize("name", ["../x.mp4", "a/../../../x.mp4", "..", "/abs/x.mp4", "C:\\x.mp4", "..\\x.mp4"])
def test_a_name_that_leads_out_of_the_cache_is_refused_and_writes_nothing(name: str, tmp_path: Path) -> None:
    _, store = archive(tmp_path / "release", {name: CLIP, "good.mp4": CLIP})
    before = files_below(tmp_path)
    with pytest.raises(StorageError) as error:
        store.fetch(name)
    assert repr(name) in str(error.value)
    assert files_below(tmp_path) == before
    assert not Path("/abs/x.mp4").exists()
    assert store.fetch("good.mp4").read_bytes() == CLIP


def test_a_member_named_with_backslashes_can_be_taken_out(tmp_path: Path, home: Path) -> None:
    _, store = archive(tmp_path, {"videos\\a\\b.mp4": CLIP})
    path = store.fetch("videos\\a\\b.mp4")
    assert path.read_bytes() == CLIP
    assert path.is_relative_to(home)


def test_threads_that_want_the_same_member_all_get_it_whole(tmp_path: Path, home: Path) -> None:
    clips = {f"videos/{number}.mp4": random.Random(number).randbytes(300_000) for number in range(4)}
    _, store = archive(tmp_path, clips, zipfile.ZIP_DEFLATED)
    ready = threading.Barrier(8)

    def fetch(name: str) -> bytes:
        ready.wait(LIMIT)
        return store.fetch(name).read_bytes()

    with ThreadPoolExecutor(8) as pool:
        wanted = list(clips) * 2
        assert list(pool.map(fetch, wanted)) == [clips[name] for name in wanted]
    assert len(files_below(home)) == 4


def test_two_releases_opened_apart_may_take_out_the_same_member_at_once(tmp_path: Path, home: Path) -> None:
    clip = random.Random(0).randbytes(1_000_000)
    _, first = archive(tmp_path, {"videos/a.mp4": clip})
    stores = [first, opened(tmp_path)]
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda store: store.fetch("videos/a.mp4"), stores))
    assert paths[0] == paths[1]
    assert paths[0].read_bytes() == clip
    assert len(files_below(home)) == 1


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_others_may_read_what_was_taken_out_as_the_umask_says(tmp_path: Path) -> None:
    _, store = archive(tmp_path, {"videos/a.mp4": CLIP})
    before = os.umask(0o022)
    try:
        assert stat.S_IMODE(store.fetch("videos/a.mp4").stat().st_mode) == 0o644
    finally:
        os.umask(before)


def test_the_cache_is_found_by_a_process_that_did_nothing_else(tmp_path: Path) -> None:
    code = "from lmms_humansense.storage import cache; print(cache.cache_folder())"
    environment = {**os.environ, "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "humansense")


def test_a_second_fetch_from_a_server_transfers_nothing(tmp_path: Path) -> None:
    archive(tmp_path, {"videos/a.mp4": CLIP})
    with hub.serving(hub.folder(tmp_path)) as server:
        store = on_server(server.url)
        path = store.fetch("videos/a.mp4")
        before = server.sent("videos.zip")
        assert store.fetch("videos/a.mp4") == path
        assert server.sent("videos.zip") == before


def test_a_changed_archive_on_a_server_is_taken_out_anew(tmp_path: Path) -> None:
    path, _ = archive(tmp_path, {"videos/a.mp4": b"old content"})
    with hub.serving(hub.folder(tmp_path)) as server:
        assert on_server(server.url).fetch("videos/a.mp4").read_bytes() == b"old content"
        releases.write_zip(path, {"videos/a.mp4": b"new content"})
        assert on_server(server.url).fetch("videos/a.mp4").read_bytes() == b"new content"
