"""Hostile or inconsistent archives: members are refused by name, and no file is written outside its folder."""

import io
import random
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
from fsspec.implementations.local import LocalFileSystem

from lmms_humansense.storage.archive import ArchiveContents, read_contents
from lmms_humansense.storage.errors import StorageError
from lmms_humansense.storage.stores import MediaStore, open_archive
from tests.helpers import releases

CLIP = random.Random(0).randbytes(3000)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))


def entry(name: str, mode: int = 0, compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr, info.compress_type = 3, mode << 16, compression
    return info


def packed(*members: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    """A zip file with these members, under any names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about duplicate names
        for info, content in members:
            archive.writestr(info, content, info.compress_type)
    return file.getvalue()


def good() -> tuple[zipfile.ZipInfo, bytes]:
    return entry("videos/good.mp4"), CLIP


def contents(archive: bytes) -> ArchiveContents:
    return read_contents(io.BytesIO(archive), len(archive), "videos.zip")


def opened(folder: Path, archive: bytes) -> MediaStore:
    path = folder / "release" / "videos.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(archive)
    return open_archive(LocalFileSystem(), str(path), unchanging=False)


def in_list(archive: bytes, field: int, form: str, value: int, number: int = 0) -> bytes:
    """The archive with a field of one of its central directory's entries changed."""
    data = bytearray(archive)
    place = -1
    for _ in range(number + 1):
        place = data.index(b"PK\1\2", place + 1)
    struct.pack_into(form, data, place + field, value)
    return bytes(data)


PACKED, SIZE, OFFSET = 20, 24, 42
"""Offsets of the fields in an entry (APPNOTE.TXT, 4.3.12)."""


def bomb() -> bytes:
    return packed(good(), (entry("bomb.mp4", compression=zipfile.ZIP_DEFLATED), bytes(40 << 20)))


def overlapping() -> bytes:
    first, second = (entry("one.mp4"), CLIP), (entry("two.mp4"), CLIP)
    return in_list(packed(good(), first, second), OFFSET, "<I", 3000, number=2)


def beyond() -> bytes:
    archive = packed(good(), (entry("x.mp4"), CLIP))
    return in_list(in_list(archive, PACKED, "<I", 99_999, number=1), SIZE, "<I", 99_999, number=1)


HOSTILE: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "absolute": (lambda: packed(good(), (entry("/etc/x.mp4"), CLIP)), "/etc/x.mp4", "leads out"),
    "parent": (lambda: packed(good(), (entry("videos/../../x.mp4"), CLIP)), "videos/../../x.mp4", "leads out"),
    "backslashes": (lambda: packed(good(), (entry("..\\x.mp4"), CLIP)), "..\\x.mp4", "leads out"),
    "drive": (lambda: packed(good(), (entry("C:\\x.mp4"), CLIP)), "C:\\x.mp4", "leads out"),
    "link": (lambda: packed(good(), (entry("link.mp4", stat.S_IFLNK | 0o777), b"/etc/passwd")), "link.mp4", "a link"),
    "device": (lambda: packed(good(), (entry("pipe.mp4", stat.S_IFIFO | 0o644), b"")), "pipe.mp4", "no regular file"),
    "twice": (
        lambda: packed(good(), (entry("x.mp4"), CLIP), (entry("x.mp4"), b"other")), "x.mp4", "more than once"
    ),
    "case": (lambda: packed(good(), (entry("a/X.mp4"), CLIP), (entry("A/x.mp4"), b"o")), "a/X.mp4", "in case only"),
    "accents": (
        lambda: packed(good(), (entry("é.mp4"), CLIP), (entry("e\u0301.mp4"), b"o")), "é.mp4", "in case only"
    ),
    "bomb": (bomb, "bomb.mp4", "would unpack to 41,943,040"),
    "stored lie": (
        lambda: in_list(packed(good(), (entry("x.mp4"), CLIP)), SIZE, "<I", 9999, number=1),
        "x.mp4",
        "3,000 stored bytes the size 9,999",
    ),
    "overlap": (overlapping, "two.mp4", "shares bytes"),
    "beyond the end": (beyond, "x.mp4", "past the end"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_hostile_is_refused_by_name_and_the_rest_can_be_used(case: str, tmp_path: Path) -> None:
    make, name, reason = HOSTILE[case]
    archive = make()
    found = contents(archive)
    assert reason in found.refused[name]
    assert name not in found.members
    store = opened(tmp_path, archive)
    with pytest.raises(StorageError) as error:
        store.fetch(name)
    assert repr(name) in str(error.value)
    assert reason in str(error.value)
    if case != "overlap":  # in that case, the good member shares its bytes with the hostile one
        assert store.fetch("videos/good.mp4").read_bytes() == CLIP
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name.endswith(".mp4")]
    assert {path.name for path in written} <= {"good.mp4"}
    assert not Path("/etc/x.mp4").exists()


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = releases.write_zip(tmp_path / "videos.zip", {"x.mp4": CLIP})
    releases.mark_as_encrypted(path)
    assert "encrypted" in contents(path.read_bytes()).refused["x.mp4"]


def test_both_of_two_namesakes_are_refused() -> None:
    found = contents(packed(good(), (entry("a/X.mp4"), CLIP), (entry("A/x.mp4"), CLIP)))
    assert set(found.refused) == {"a/X.mp4", "A/x.mp4"}
    assert set(found.members) == {"videos/good.mp4"}


def test_an_archive_that_would_fill_a_disk_is_refused_as_a_whole() -> None:
    archive = packed(*[(entry(f"{number}.mp4"), CLIP) for number in range(3)])
    for number in range(3):
        archive = in_list(archive, SIZE, "<I", 1 << 30, number)
    with pytest.raises(StorageError, match=r"videos\.zip has .* bytes but would unpack to 3,221,225,472"):
        contents(archive)


@pytest.mark.parametrize("size", [10, 2999, 3001, 100_000], ids=["far less", "less", "more", "far more"])
def test_a_packed_member_that_lies_about_its_size_is_refused_and_no_more_than_that_is_written(
    size: int, tmp_path: Path
) -> None:
    archive = packed(good(), (entry("x.mp4", compression=zipfile.ZIP_DEFLATED), CLIP))
    store = opened(tmp_path, in_list(archive, SIZE, "<I", size, number=1))
    with pytest.raises(StorageError, match=r"x\.mp4 in .*videos\.zip cannot be used"):
        store.fetch("x.mp4")
    assert not list((tmp_path / "home" / "humansense" / "media").rglob("*.*"))


def test_a_small_bomb_ends_at_the_size_that_the_list_gives(tmp_path: Path) -> None:
    archive = packed((entry("x.mp4", compression=zipfile.ZIP_DEFLATED), bytes(50 << 20)))
    store = opened(tmp_path, in_list(archive, SIZE, "<I", 1000))
    with pytest.raises(StorageError, match=r"x\.mp4"):
        store.fetch("x.mp4")
    assert not list((tmp_path / "home" / "humansense" / "media").rglob("*.*"))


def test_a_member_with_another_name_in_its_local_header_is_refused(tmp_path: Path) -> None:
    archive = packed(good(), (entry("x.mp4"), CLIP))
    place = archive.index(b"x.mp4")
    store = opened(tmp_path, archive[:place] + b"y.mp4" + archive[place + 5 :])
    with pytest.raises(StorageError, match=r"x\.mp4 in .* cannot be used: its local header has the name 'y\.mp4'"):
        store.fetch("x.mp4")


def test_a_list_that_points_nowhere_is_refused(tmp_path: Path) -> None:
    archive = bytearray(packed(good(), (entry("x.mp4"), CLIP)))
    place = archive.rindex(b"PK\3\4")
    archive[place : place + 4] = b"gone"
    store = opened(tmp_path, bytes(archive))
    with pytest.raises(
        StorageError, match=r"x\.mp4 in .* cannot be used: there is no file at the offset that the archive's list gives"
    ):
        store.fetch("x.mp4")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_silence_and_still_pictures_are_no_bombs(method: int, tmp_path: Path) -> None:
    silence = releases.wav(releases.sine(100, 16_000, amplitude=0), 16_000)
    store = opened(tmp_path, packed((entry("silence.wav", compression=method), silence)))
    assert store.refused == {}
    assert store.fetch("silence.wav").read_bytes() == silence


@pytest.mark.parametrize("method", [99, 9], ids=["AES", "Deflate64"])
def test_a_member_that_is_packed_in_an_unknown_way_is_refused_by_name(method: int, tmp_path: Path) -> None:
    archive = packed(good(), (entry("x.mp4", compression=zipfile.ZIP_DEFLATED), CLIP))
    store = opened(tmp_path, in_list(archive, 10, "<H", method, number=1))
    with pytest.raises(StorageError, match=r"x\.mp4 in .*videos\.zip"):
        store.fetch("x.mp4")


def test_names_of_other_systems_and_a_comment_are_no_hindrance(tmp_path: Path) -> None:
    file = tmp_path / "videos.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = b"made elsewhere " * 1000
        archive.writestr(entry("videos/日本 (é) #1%20.mp4"), CLIP)
        archive.writestr(entry("videos\\b.mp4"), b"b")
    store = open_archive(LocalFileSystem(), str(file), unchanging=False)
    assert store.refused == {}
    assert sorted(store.fetch(name).read_bytes() for name in store.names) == sorted([CLIP, b"b"])
