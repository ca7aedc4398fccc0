"""Digests are remembered on disk, for other processes and later runs, unless a file may have changed unseen."""

import os
import threading
import time
from pathlib import Path

import pytest

from lmms_humansense.models.media import digests
from lmms_humansense.models.media.digests import FileDigests, FileState, is_unchanged, sha256_of


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"pictures")
    return path


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files were written long ago."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 120 * 10**9)


def entries(memory: Path) -> list[Path]:
    return [path for path in memory.rglob("*") if path.is_file()]


@pytest.mark.usefixtures("settled")
def test_another_process_does_not_read_an_unchanged_file(clip: Path, memory: Path, read: list[str]) -> None:
    assert FileDigests(memory).digest(str(clip)) == FileDigests(memory).digest(str(clip)) == sha256_of(clip)
    assert read == ["clip.mp4"]


@pytest.mark.usefixtures("settled")
def test_a_file_is_read_again_after_any_change(clip: Path, memory: Path, read: list[str]) -> None:
    FileDigests(memory).digest(str(clip))
    stat = clip.stat()
    clip.write_bytes(b"pictureS")
    os.utime(clip, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # size and time are as before, and so is the inode
    assert FileDigests(memory).digest(str(clip)) == sha256_of(clip)
    assert read == ["clip.mp4"] * 2


def test_a_file_that_was_just_written_is_not_remembered(clip: Path, memory: Path, read: list[str]) -> None:
    """It may change again within one step of its file system's clock."""
    FileDigests(memory).digest(str(clip))
    assert entries(memory) == []
    FileDigests(memory).digest(str(clip))
    assert read == ["clip.mp4"] * 2


@pytest.mark.parametrize("behind", [0, 10])
@pytest.mark.parametrize("other_process", [False, True])
def test_a_file_that_changes_within_a_step_of_its_clock_is_read_again(
    behind: int, other_process: bool, clip: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000 * 10**9)
    first = FileState(8, (1_000_000_000 - behind) * 10**9, (1_000_000_000 - behind) * 10**9, 7)
    monkeypatch.setattr(digests, "state_of", lambda path: first)  # the same after the change
    files = FileDigests(memory)
    before = files.content(str(clip))
    assert is_unchanged(before)
    clip.write_bytes(b"pictureS")
    assert not is_unchanged(before)
    assert (FileDigests(memory) if other_process else files).digest(str(clip)) == sha256_of(clip) != before.sha256


@pytest.mark.usefixtures("settled")
def test_what_is_unchanged_is_not_read_again(clip: Path, read: list[str]) -> None:
    files = FileDigests()
    content = files.content(str(clip))
    assert content.settled and is_unchanged(content)
    assert files.content(str(clip)) == content
    assert read == ["clip.mp4"]
    os.link(clip, clip.with_name("link.mp4"))
    assert is_unchanged(content), "it was touched, and holds the same"
    assert read == ["clip.mp4"] * 2


@pytest.mark.usefixtures("settled")
def test_what_killed_processes_left_is_removed(clip: Path, memory: Path) -> None:
    left = memory / "ab" / f".{'0' * 32}.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    FileDigests(memory).digest(str(clip))
    assert not left.exists()


@pytest.mark.usefixtures("settled")
def test_a_file_that_changes_while_it_is_read_is_not_remembered(
    clip: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changing(path: Path) -> str:
        digest = sha256_of(path)
        path.write_bytes(b"other pictures")
        return digest

    monkeypatch.setattr(digests, "sha256_of", changing)
    FileDigests(memory).digest(str(clip))
    assert entries(memory) == []


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("damage", ["", "{", "[]", '{"path": 1}', '{"path": "P", "state": [1], "sha256": "x"}'])
def test_a_damaged_entry_is_written_anew(clip: Path, memory: Path, damage: str) -> None:
    FileDigests(memory).digest(str(clip))
    (entry,) = entries(memory)
    whole = entry.read_text()
    entry.write_text(damage.replace("P", str(clip)))
    assert FileDigests(memory).digest(str(clip)) == sha256_of(clip)
    assert entry.read_text() == whole


@pytest.mark.usefixtures("settled")
def test_a_folder_that_cannot_be_written_is_no_error(clip: Path, read_only: Path) -> None:
    assert FileDigests(read_only).digest(str(clip)) == sha256_of(clip)


@pytest.mark.usefixtures("settled")
def test_several_threads_write_one_entry(clip: Path, memory: Path) -> None:
    together = threading.Barrier(8)
    found: list[str] = []

    def digest() -> None:
        together.wait()
        found.append(FileDigests(memory).digest(str(clip)))

    threads = [threading.Thread(target=digest) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [sha256_of(clip)] * 8
    assert len(entries(memory)) == 1
