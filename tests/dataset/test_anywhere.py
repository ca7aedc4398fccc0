"""The package's own source: what the tasks read through it, above all from the Hub."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmms_humansense.dataset.anywhere import AnywhereSource, install
from lmms_humansense.models.media.audio import read_waveform
from lmms_humansense.storage import archive
from lmms_humansense.tasks.humansense import data, lookup, source
from lmms_humansense.tasks.humansense.annotations import DataError
from lmms_humansense.tasks.humansense.local_source import LocalSource
from tests.helpers import clips, hub, releases, sources
from tests.helpers.releases import Content, item


@pytest.fixture(autouse=True)
def _own_cache_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.refuse_other_addresses(monkeypatch)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))


def test_a_damaged_clip_is_an_error_of_the_data_by_that_name(tmp_path: Path) -> None:
    """Failed requests give the name of the error in their reason."""
    clip = bytes(range(256)) * 40
    root = releases.write(tmp_path, "packed", Content(vqa=[item()], videos={"action/clip.mp4": clip}))
    packed = tmp_path / "videos.zip"
    packed.write_bytes(packed.read_bytes().replace(clip[:100], bytes(100), 1))
    (doc,) = data.load("AR", root, complete=False)
    with pytest.raises(DataError, match=r"action/clip\.mp4 in .* cannot be used") as raised:
        data.local_media(doc)
    assert type(raised.value).__name__ == "Damaged"


# The location of the data.


def test_without_a_setting_the_data_are_the_dataset_repository_on_the_hub() -> None:
    assert data.release_root("owner/name") == "hf://datasets/owner/name@main/bench_data"


def test_the_revision_of_the_repository_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_REVISION", " v1.0 ")
    assert data.release_root("owner/name") == "hf://datasets/owner/name@v1.0/bench_data"


def test_a_blank_place_is_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", " ")
    assert data.release_root("owner/name").startswith("hf://")


def test_passwords_are_not_shown() -> None:
    assert AnywhereSource().shown("https://me:secret@host/release") == "https://host/release"


# Installing it into the tasks.


def test_it_is_used_once_it_is_installed_however_often() -> None:
    with sources.used(LocalSource()):
        install()
        first = source.current()
        install()
        assert source.current() is first
        assert isinstance(first, AnywhereSource)


def test_simple_models_hear_what_this_packages_models_hear(tmp_path: Path) -> None:
    path = clips.write_sound(tmp_path / "a.ogg", clips.tones(16_000, 1), 16_000, "libspeex")
    assert (AnywhereSource().waveform(path) == read_waveform(path).samples).all()
    with pytest.raises(DataError, match=r"nowhere\.wav does not exist"):
        AnywhereSource().waveform(tmp_path / "nowhere.wav")


def test_to_install_it_loads_nothing_heavy() -> None:
    check = (
        "import sys; from lmms_humansense.dataset.anywhere import install; install(); "
        "print(sorted({'fsspec', 'huggingface_hub', 'numpy', 'datasets', 'lmms_eval', 'av'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# The Hub. Its client reads its settings on import, so it runs in separate processes.

_PROBE = """
import json, os, sys

from lmms_humansense.dataset.anywhere import install
from lmms_humansense.tasks.humansense import data
from tests.helpers import hub

install()

found = {}
for revision in json.loads(sys.argv[1]):
    os.environ.pop("HUMANSENSE_REVISION", None)
    if revision:
        os.environ["HUMANSENSE_REVISION"] = revision
    try:
        docs = data.load("AR", data.release_root(hub.REPOSITORY), complete=False)
        path = data.local_media(docs[0])
        found[revision] = {"docs": len(docs), "path": str(path), "clip": path.read_bytes().decode()}
    except Exception as error:
        found[revision] = {"error": type(error).__name__, "message": str(error)}
print(json.dumps(found))
"""


def probe(home: Path, endpoint: str, *revisions: str, **settings: str) -> dict[str, Any]:
    """For each revision ("" for none): what a fresh process gets of the task AR from the Hub at `endpoint`."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, json.dumps(revisions)],
        env=hub.client_environment(home, endpoint, **settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class FromHub:
    """What processes got from a stand-in for the Hub, and what they requested."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        revisions = {name: folder / name.replace("/", "_") for name in ("main", "v2", "next/2")}
        for name, path in revisions.items():
            clip = {"action/clip.mp4": f"the clip of {name}".encode()}
            releases.write(path, "repository", Content(vqa=[item()], videos=clip if name != "main" else clip | large()))
        self.archive_size = (revisions["main"] / "bench_data/videos.zip").stat().st_size
        with hub.serving(hub.dataset(revisions)) as server:
            self.first = probe(self.home, server.url, "")[""]
            self.sent_first = server.sent(f"{hub.commit('main')}/bench_data/videos.zip")
            self.second = probe(self.home, server.url, "", "v2", "next/2", "nosuch")
            self.sent_second = server.sent(f"{hub.commit('main')}/bench_data/videos.zip") - self.sent_first
            self.offline = probe(self.home, server.url, "", HF_HUB_OFFLINE="1")[""]
            self.paths = server.paths()
        self.never_fetched = probe(folder / "another home", server.url, "", HF_HUB_OFFLINE="1")[""]


def large() -> dict[str, bytes]:
    """32 MiB of other clips."""
    return {f"filling/{number}.mp4": random.Random(number).randbytes(1 << 20) for number in range(32)}


@pytest.fixture(scope="module")
def from_hub(tmp_path_factory: pytest.TempPathFactory) -> FromHub:
    return FromHub(tmp_path_factory.mktemp("hub"))


def test_without_any_setting_a_clip_comes_from_the_hub(from_hub: FromHub) -> None:
    assert from_hub.first == {"docs": 1, "path": from_hub.first.get("path"), "clip": "the clip of main"}
    assert Path(from_hub.first["path"]).is_relative_to(from_hub.home / "humansense")


def test_a_clip_from_the_hub_costs_far_less_than_its_archive(from_hub: FromHub) -> None:
    assert 0 < from_hub.sent_first < from_hub.archive_size / 4


def test_a_second_run_transfers_no_more_than_the_list_of_the_archive(from_hub: FromHub) -> None:
    assert from_hub.second[""] == from_hub.first
    assert from_hub.sent_second < 10_000


def test_the_training_data_on_the_hub_are_never_asked_for(from_hub: FromHub) -> None:
    assert any("bench_data/videos.zip" in path for path in from_hub.paths)
    assert not any("train_data" in path for path in from_hub.paths)


@pytest.mark.parametrize("revision", ["v2", "next/2"])
def test_the_revision_is_passed_on_to_the_hub(revision: str, from_hub: FromHub) -> None:
    assert from_hub.second[revision].get("clip") == f"the clip of {revision}", from_hub.second[revision]


def test_a_revision_that_does_not_exist_is_named(from_hub: FromHub) -> None:
    assert from_hub.second["nosuch"]["error"] == "DataError"
    assert "nosuch" in from_hub.second["nosuch"]["message"]


@pytest.mark.slow
def test_a_hub_that_cannot_be_reached_is_an_error_of_the_data(tmp_path: Path) -> None:
    found = probe(tmp_path, "http://127.0.0.1:9", "")[""]  # its client tries for 23 s
    assert found["error"] == "DataError", found
    assert hub.REPOSITORY in found["message"]
    assert "If there is no network here, run `lmms-humansense prepare`" in found["message"]


def test_what_was_never_fetched_is_refused_offline_with_what_to_do(from_hub: FromHub) -> None:
    assert from_hub.never_fetched["error"] == "DataError", from_hub.never_fetched
    message = from_hub.never_fetched["message"]
    assert hub.REPOSITORY in message
    assert "HF_HUB_OFFLINE is set: run `lmms-humansense prepare` once where there is a network" in message


def test_offline_a_fetched_clip_is_used(from_hub: FromHub) -> None:
    assert from_hub.offline == from_hub.first


@given(st.text(alphabet="ab/\\.: \0~é\u0301", max_size=12))
def test_tasks_and_storage_split_names_alike(name: str) -> None:
    """Neither may import the other, so both define these functions."""
    assert lookup.parts(name) == archive.parts(name)
    assert lookup.leads_out(name) == archive.leads_out(name)
