"""Folders that a stranger made: links in circles, pipes, devices and huge files; both searches of folders."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lmms_humansense.storage import folders as stored
from lmms_humansense.storage.errors import StorageError
from lmms_humansense.tasks.humansense import folders
from lmms_humansense.tasks.humansense.annotations import DataError
from tests.helpers import releases

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")

Search = Callable[[Path], tuple[list[str], dict[str, str]]]

IRREGULAR = "it is no regular file."


@pytest.fixture(params=[folders.files_below, stored.files_below], ids=["tasks", "storage"])
def search(request: pytest.FixtureRequest) -> Search:
    found: Search = request.param
    return found


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    releases.write_files(tmp_path / "videos", {"a/one.mp4": b"1", "a/b/two.mp4": b"2", "three.mp4": b"3"})
    return tmp_path / "videos"


def link(path: Path, target: str | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize(
    "links",
    [
        {"x": "."},
        {"x": ".", "y": "."},  # the system ends one circle after 40 rounds, but two make 2^40 paths
        {"a/x": "..", "a/y": "..", "a/b/z": "../.."},
        {"a/b/x": ".", "a/b/y": "..", "a/z": "."},
    ],
)
def test_links_in_a_circle_add_nothing(links: dict[str, str], search: Search, videos: Path) -> None:
    for name, target in links.items():
        link(videos / name, target)
    names, refused = search(videos)
    assert sorted(names) == ["a/b/two.mp4", "a/one.mp4", "three.mp4"]
    assert refused == {}


def test_two_folders_that_lead_to_each_other_end_too(search: Search, videos: Path, tmp_path: Path) -> None:
    releases.write_files(tmp_path / "other", {"four.mp4": b"4"})
    link(videos / "other", tmp_path / "other")
    for name in ("x", "y"):
        link(tmp_path / "other" / name, videos)
    names, _ = search(videos)
    assert sorted(names) == ["a/b/two.mp4", "a/one.mp4", "other/four.mp4", "three.mp4"]


def test_a_folder_of_clips_may_itself_be_a_link_to_the_folder_around_it(search: Search, videos: Path) -> None:
    link(videos / "videos", ".")
    assert sorted(search(videos / "videos")[0]) == ["a/b/two.mp4", "a/one.mp4", "three.mp4"]


def test_a_folder_with_several_names_is_found_by_each(search: Search, videos: Path, tmp_path: Path) -> None:
    releases.write_files(tmp_path / "other", {"four.mp4": b"4"})
    for name in ("x", "y", "a/z"):
        link(videos / name, tmp_path / "other")
    names, _ = search(videos)
    assert {"x/four.mp4", "y/four.mp4", "a/z/four.mp4"} < set(names)


def test_links_that_multiply_without_a_circle_are_refused(search: Search, videos: Path, tmp_path: Path) -> None:
    for number in range(40):
        for name in "xy":
            link(tmp_path / "chain" / str(number) / name, f"../{number + 1}")
    (tmp_path / "chain" / "40").mkdir()
    link(videos / "chain", tmp_path / "chain" / "0")
    with pytest.raises((DataError, StorageError), match=r"Links in .*videos lead to .*chain.* by more than 64 names"):
        search(videos)


def test_pipes_and_devices_are_no_clips(search: Search, videos: Path) -> None:
    os.mkfifo(videos / "pipe.mp4")
    link(videos / "to_a_pipe.mp4", "pipe.mp4")
    link(videos / "a/zero.mp4", "/dev/zero")
    names, refused = search(videos)
    assert sorted(names) == ["a/b/two.mp4", "a/one.mp4", "three.mp4"]
    assert refused == dict.fromkeys(["pipe.mp4", "to_a_pipe.mp4", "a/zero.mp4"], IRREGULAR)


def test_links_that_lead_nowhere_are_files_that_are_not_there(search: Search, videos: Path) -> None:
    link(videos / "self.mp4", "self.mp4")
    link(videos / "lost.mp4", "never fetched")
    names, refused = search(videos)
    assert {"self.mp4", "lost.mp4"} < set(names)
    assert refused == {}
    assert [stored.size_of(videos / name) for name in ("self.mp4", "lost.mp4", "three.mp4")] == [None, None, 1]


def test_folders_far_below_each_other_are_searched(search: Search, tmp_path: Path) -> None:
    deep = "/".join(["d"] * 300)
    releases.write_files(tmp_path, {f"{deep}/clip.mp4": b"1"})
    assert search(tmp_path)[0] == [f"{deep}/clip.mp4"]


# Small files.


def test_a_file_is_read_as_it_is_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"[1]")
    link(tmp_path / "link", "real")
    assert folders.read_small(tmp_path / "link") == b"[1]"


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "device", "folder"])
def test_what_is_no_file_is_refused_by_name_before_it_is_opened(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "HumanSense_VQA.json"
    if kind == "folder":
        path.mkdir()
    elif kind == "device":
        link(path, "/dev/zero")
    else:
        os.mkfifo(path if kind == "pipe" else tmp_path / "pipe")
        if kind != "pipe":
            link(path, "pipe")
    with pytest.raises(DataError, match=r"HumanSense_VQA\.json is no regular file"):
        folders.read_small(path)


def test_a_large_file_is_refused_by_name_and_size_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "HumanSense_VQA.json"
    with path.open("wb") as file:
        file.truncate(256_000_001)  # a hole, which takes no room on the disk
    monkeypatch.setattr(Path, "read_bytes", None)
    with pytest.raises(DataError, match=r"HumanSense_VQA\.json has 256,000,001 bytes, more than 256,000,000"):
        folders.read_small(path)


def test_the_largest_file_that_is_allowed_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_BYTES", 3)
    (tmp_path / "three").write_bytes(b"[1]")
    assert folders.read_small(tmp_path / "three") == b"[1]"
