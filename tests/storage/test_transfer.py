"""A local file is made completely or not at all, present bytes are not fetched again, temporary errors are retried."""

import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import pytest
import tenacity
from fsspec.implementations.http import HTTPFileSystem
from fsspec.implementations.local import LocalFileSystem

from lmms_humansense.storage import remote, transfer
from lmms_humansense.storage.errors import DamagedContent, StorageError
from lmms_humansense.storage.remote import RangedFile
from lmms_humansense.storage.stores import MediaStore, open_archive, open_folder
from tests.helpers import hub, releases
from tests.helpers.hub import Answer, Application

CLIP = random.Random(0).randbytes(100_000) + b"the same again " * 4000
METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]


@pytest.fixture(autouse=True)
def _small_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(transfer, "CHUNK", 10_000)
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)


def archive(folder: Path, method: int = zipfile.ZIP_STORED, **clips: bytes) -> Path:
    members = {f"videos/{name}.mp4": clip for name, clip in (clips or {"a": CLIP, "b": CLIP[::-1]}).items()}
    return releases.write_zip(folder / "release" / "videos.zip", members, compression=method)


def local(path: Path) -> MediaStore:
    return open_archive(LocalFileSystem(), str(path), unchanging=False)


def on_server(url: str) -> MediaStore:
    HTTPFileSystem.clear_instance_cache()
    return open_archive(HTTPFileSystem(), f"{url}/videos.zip", unchanging=False)


def faulty(application: Application, spoil: Callable[[int, Answer], Answer]) -> Application:
    """The application with spoilt answers about archives; `spoil` gets the number of each answer, from 0."""
    count = iter(range(10**6))

    def answer(path: str, query: str, body: bytes) -> Answer:
        good = application(path, query, body)
        return spoil(next(count), good) if path.endswith(".zip") else good

    return answer


# Continuing an interrupted attempt.


@pytest.mark.parametrize("method", METHODS, ids=["stored", "deflated"])
@pytest.mark.parametrize("there", [0, 1, 9_999, 10_000, 50_001, 1.0], ids=str)
def test_what_is_there_is_not_fetched_again(method: int, there: float, tmp_path: Path) -> None:
    path = archive(tmp_path, method)
    with hub.serving(hub.folder(path.parent)) as server:
        store = on_server(server.url)
        content, target = store.content("videos/a.mp4"), tmp_path / "made" / "a.mp4"
        count = content.packed if there == 1.0 else int(there)
        part = transfer.part_of(target, content)
        part.parent.mkdir()
        part.write_bytes(b"".join(store.content("videos/a.mp4").bytes_from(0))[:count])
        before, counts = server.settled().sent("videos.zip"), [0]
        assert transfer.bytes_there(target, content) == count
        transfer.make(target, content, counts.append)
        assert target.read_bytes() == CLIP
        assert sum(counts) == content.packed
        missing = content.packed - count
        # To continue, the member's local header has to be read again for its length.
        assert missing <= server.settled().sent("videos.zip") - before <= missing + 600
    assert [path.name for path in target.parent.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("method", METHODS, ids=["stored", "deflated"])
def test_a_part_with_a_hole_is_fetched_anew(method: int, tmp_path: Path) -> None:
    store = local(archive(tmp_path, method))
    content, target = store.content("videos/a.mp4"), tmp_path / "a.mp4"
    transfer.part_of(target, content).write_bytes(bytes(30_000))
    counts: list[int] = []
    transfer.make(target, content, counts.append)
    assert target.read_bytes() == CLIP
    assert sum(counts) == content.packed


def test_a_part_that_is_too_long_is_not_gone_on_with(tmp_path: Path) -> None:
    store = local(archive(tmp_path))
    content, target = store.content("videos/a.mp4"), tmp_path / "a.mp4"
    transfer.part_of(target, content).write_bytes(CLIP + b"more")
    transfer.make(target, content)
    assert target.read_bytes() == CLIP


def test_the_part_of_other_content_is_not_gone_on_with(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    old = local(archive(tmp_path / "old", a=CLIP)).content("videos/a.mp4")
    new = local(archive(tmp_path / "new", a=CLIP[::-1])).content("videos/a.mp4")
    transfer.part_of(target, old).write_bytes(CLIP[:20_000])
    transfer.make(target, new)
    assert target.read_bytes() == CLIP[::-1]


def test_a_cached_file_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    store = local(archive(tmp_path))
    path = store.fetch("videos/a.mp4")
    path.write_bytes(b"")
    assert store.find_local("videos/a.mp4") is None
    assert store.fetch("videos/a.mp4").read_bytes() == CLIP


def test_a_full_disk_is_named_and_what_was_fetched_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = local(archive(tmp_path))
    count = iter(range(100))

    def failing(more: int) -> None:
        if next(count) == 3:
            raise OSError(28, "No space left on device")

    target = tmp_path / "made" / "a.mp4"
    with pytest.raises(StorageError, match=r"a\.mp4 cannot be written \(No space left on device\)"):
        store.make("videos/a.mp4", target, failing)
    assert transfer.bytes_there(target, store.content("videos/a.mp4")) > 20_000
    store.make("videos/a.mp4", target)
    assert target.read_bytes() == CLIP


# Temporary errors of networks and servers.

_FAULTS: dict[str, Callable[[Answer], Answer]] = {
    "the connection is lost at once": lambda good: replace(good, cut_after=0),
    "the connection is lost in between": lambda good: replace(good, cut_after=5000),
    "more is announced than comes": lambda good: replace(good, excess=100),
    "status 500": lambda good: Answer(500),
    "status 503": lambda good: Answer(503, b"busy"),
    "status 429 at once": lambda good: Answer(429, headers={"Retry-After": "0"}),
    "status 408": lambda good: Answer(408),
    "another range": lambda good: Answer(206, b"x" * 77),
}


@pytest.mark.parametrize("fault", _FAULTS)
def test_what_passes_is_tried_again(fault: str, tmp_path: Path) -> None:
    path = archive(tmp_path)
    spoil = faulty(hub.folder(path.parent), lambda n, good: _FAULTS[fault](good) if n % 3 else good)
    with hub.serving(spoil) as server:
        store = on_server(server.url)
        assert store.fetch("videos/a.mp4").read_bytes() == CLIP
        assert store.fetch("videos/b.mp4").read_bytes() == CLIP[::-1]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416])
def test_what_does_not_pass_is_not_tried_again(status: int, tmp_path: Path) -> None:
    path = archive(tmp_path)
    refusing = False
    with hub.serving(faulty(hub.folder(path.parent), lambda n, good: Answer(status) if refusing else good)) as server:
        store = on_server(server.url)
        refusing = True
        with pytest.raises(StorageError, match=r"a\.mp4 in http.*cannot be read"):
            store.fetch("videos/a.mp4")
    # A server also answers 416 when a file has become shorter.
    refused = [request for request in server.settled().requests if request.status == status]
    assert len(refused) == (remote.ATTEMPTS if status == 416 else 1)


def test_a_server_that_stays_broken_is_named_and_what_was_fetched_stays(tmp_path: Path) -> None:
    path = archive(tmp_path)
    broken = False

    def spoil(number: int, good: Answer) -> Answer:
        return Answer(502) if broken and number > limit else good

    with hub.serving(faulty(hub.folder(path.parent), spoil)) as server:
        store = on_server(server.url)
        limit, broken = len(server.settled().requests) + 2, True
        with pytest.raises(StorageError, match=r"a\.mp4 in http.*502"):
            store.fetch("videos/a.mp4")
        content = store.content("videos/a.mp4")
        there = transfer.bytes_there(store.place("videos/a.mp4"), content)
        assert 0 < there < content.packed
        broken = False
        before = server.settled().sent("videos.zip")
        assert store.fetch("videos/a.mp4").read_bytes() == CLIP
        assert server.settled().sent("videos.zip") - before <= content.packed - there + 600


NOW = 1_800_000_000.0


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits before further attempts, in seconds. No time passes: it is always `NOW`."""
    asked: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=asked.append))
    monkeypatch.setattr(remote, "time", SimpleNamespace(time=lambda: NOW))
    return asked


@pytest.mark.parametrize("after", ["7", formatdate(NOW + 7, usegmt=True)], ids=["seconds", "date"])
def test_a_server_is_given_the_time_that_it_asks_for(after: str, tmp_path: Path, waits: list[float]) -> None:
    path = archive(tmp_path, a=CLIP[:5000])
    busy = iter([True, False])
    armed = False

    def spoil(number: int, good: Answer) -> Answer:
        return Answer(429, headers={"Retry-After": after}) if armed and next(busy) else good

    with hub.serving(faulty(hub.folder(path.parent), spoil)) as server:
        store = on_server(server.url)
        armed = True
        assert store.fetch("videos/a.mp4").read_bytes() == CLIP[:5000]
    assert waits == [7]


def test_an_archive_that_is_replaced_between_two_requests_is_reported(tmp_path: Path) -> None:
    path = archive(tmp_path)
    with hub.serving(hub.folder(path.parent)) as server:
        store = on_server(server.url)
        store.fetch("videos/b.mp4")
        archive(tmp_path, a=CLIP[::-1], b=CLIP)
        with pytest.raises(StorageError, match="it was replaced while it was being read; run again"):
            store.fetch("videos/a.mp4")
        assert on_server(server.url).fetch("videos/a.mp4").read_bytes() == CLIP[::-1]
    assert len(list((tmp_path / "home").rglob("*.mp4"))) == 2


def test_an_unpacked_file_that_is_replaced_between_two_requests_is_reported(tmp_path: Path) -> None:
    root = tmp_path / "release"
    releases.write_files(root, {"action/clip.mp4": CLIP})
    replaced = False

    def answer(path: str, query: str, body: bytes) -> Answer:
        nonlocal replaced
        if "clip.mp4" in path and server.sent("clip.mp4") > 30_000 and not replaced:
            replaced = True
            (root / "action" / "clip.mp4").write_bytes(CLIP[::-1])
        return serve(path, query, body)

    serve = hub.folder(root)
    with hub.serving(answer) as server:
        HTTPFileSystem.clear_instance_cache()
        store = open_folder(HTTPFileSystem(), server.url)
        with pytest.raises(DamagedContent, match="it was replaced while it was being read; run again"):
            store.fetch("action/clip.mp4")
    assert replaced
    assert not list((tmp_path / "home").rglob("*.mp4"))


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone"), OSError(5, "broken")], ids=["gone", "broken"])
def test_a_local_disk_is_not_asked_again(
    error: OSError, tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def failing(self: RangedFile, start: int, end: int) -> bytes:
        asked.append(start)
        raise error

    monkeypatch.setattr(RangedFile, "_read_local", failing)
    with pytest.raises(type(error)):
        RangedFile(LocalFileSystem(), str(tmp_path / "clip.mp4"), 10).read(0, 10)
    assert (asked, waits) == ([0], [])
