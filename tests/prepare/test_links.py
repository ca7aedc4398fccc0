"""Preparing a folder copies what the release holds, and nothing that links bring in from elsewhere."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub.constants
import pytest
from rich.console import Console

from lmms_humansense.prepare.plan import plan, plan_check
from lmms_humansense.prepare.progress import ProgressDisplay
from lmms_humansense.prepare.work import carry_out, check
from lmms_humansense.tasks.humansense.annotations import DataError
from tests.helpers import hub, releases

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")

SECRET = b"[]  a private file"


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An unpacked release, which HUMANSENSE_DATA names."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))
    releases.write(tmp_path / "release", "unpacked", releases.small())
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path / "release"))
    return tmp_path / "release"


def prepared(to: Path, names: str = "AR,TR,FR2") -> dict[str, bytes]:
    """What a folder holds of the media after it was prepared."""
    with ProgressDisplay("", Console(quiet=True)) as progress:
        carry_out(plan(names, to=to), progress)
    return {
        path.relative_to(to / "videos").as_posix(): path.read_bytes()
        for path in sorted((to / "videos").rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def moved_out(path: Path) -> Path:
    """Move a file or folder out of the release, and leave a link to it."""
    elsewhere = path.parents[len(path.parts) - 1 - path.parts.index("release")] / "elsewhere" / path.name
    elsewhere.parent.mkdir(exist_ok=True)
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)
    return elsewhere


@pytest.mark.parametrize(
    "linked", ["videos/action/one.mp4", "videos/action", "HumanSense_VQA.json", "HumanSense_AQA.json"]
)
def test_what_links_bring_in_is_named_and_not_copied(linked: str, release: Path, tmp_path: Path) -> None:
    elsewhere = moved_out(release / linked)
    with pytest.raises(DataError) as error:
        prepared(tmp_path / "prepared", "AR")
    assert f"Links in {release} lead outside it" in str(error.value)
    assert f"{release / linked}" in str(error.value)
    assert f"leads to {elsewhere}" in str(error.value)
    assert str(error.value).endswith("if these are the right files, copy them into the folder.")
    assert not (tmp_path / "prepared").exists()


def test_media_folders_may_be_on_another_disk(release: Path, tmp_path: Path) -> None:
    moved_out(release / "videos")
    assert prepared(tmp_path / "prepared") == releases.small().videos


def test_an_archive_may_be_on_another_disk(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    releases.write(tmp_path / "packed/release", "packed", releases.small())
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path / "packed/release"))
    moved_out(tmp_path / "packed/release/videos.zip")
    assert prepared(tmp_path / "prepared") == releases.small().videos


def test_many_links_are_counted_and_three_are_named(release: Path, tmp_path: Path) -> None:
    names = ["HumanSense_VQA.json", "HumanSense_AQA.json", "videos/action", "videos/talk"]
    for name in names:
        moved_out(release / name)
    with pytest.raises(DataError) as error:
        prepared(tmp_path / "prepared")
    assert str(error.value).count(" leads to ") == 3
    assert re.search(r"and \d more\)", str(error.value))


def test_links_inside_the_release_are_copied_as_files(release: Path, tmp_path: Path) -> None:
    clip = release / "videos/action/one.mp4"
    clip.replace(release / "first")
    clip.symlink_to("../../first")
    shutil.move(release / "videos/talk", release / "talk")
    (release / "videos/talk").symlink_to(release / "talk")
    assert prepared(tmp_path / "prepared") == releases.small().videos


def test_the_release_itself_may_be_a_link(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(release)
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path / "link"))
    assert prepared(tmp_path / "prepared") == releases.small().videos


@pytest.mark.parametrize("layout", ["unpacked", "packed"])
@pytest.mark.parametrize("below", ["", "bench_data"])
def test_a_snapshot_in_the_hubs_cache_is_copied(
    layout: str, below: str, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = releases.write_snapshot(tmp_path / "cache", layout, releases.small())
    monkeypatch.setenv("HUMANSENSE_DATA", str(root / below))
    assert prepared(tmp_path / "prepared") == releases.small().videos


def test_a_folder_of_links_to_the_hubs_blobs_is_copied(release: Path, tmp_path: Path) -> None:
    """As older clients of the Hub fill a `local_dir`."""
    root = releases.write_snapshot(tmp_path / "cache", "unpacked", releases.small())
    (release / "videos/action/one.mp4").unlink()
    (release / "videos/action/one.mp4").symlink_to((root / "bench_data/videos/action/one.mp4").resolve())
    assert prepared(tmp_path / "prepared") == releases.small().videos


def test_files_linked_from_beside_the_release_are_inside_a_repository_that_holds_both(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git-annex keeps large files."""
    repository = tmp_path / "repository"
    releases.write(repository / "bench_data", "unpacked", releases.small())
    objects, clip = repository / ".git/annex/objects", repository / "bench_data/videos/action/one.mp4"
    objects.mkdir(parents=True)
    clip.replace(objects / "one")
    clip.symlink_to(os.path.relpath(objects / "one", clip.parent))
    monkeypatch.setenv("HUMANSENSE_DATA", str(repository))
    assert prepared(tmp_path / "prepared") == releases.small().videos


def test_links_are_used_in_place_without_a_folder_to_prepare(release: Path) -> None:
    moved_out(release / "videos/action/one.mp4")
    with ProgressDisplay("", Console(quiet=True)) as progress:
        assert carry_out(plan("AR"), progress).present == 2
        assert check(plan_check("AR"), progress).is_good


def test_the_command_refuses_a_private_file(release: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    (release / "videos/action/one.mp4").unlink()
    (release / "videos/action/one.mp4").symlink_to(tmp_path / "secret")
    command = [str(Path(sys.executable).with_name("lmms-humansense")), "prepare", "--json", "--tasks", "AR"]
    command += ["--to", str(tmp_path / "prepared")]
    environment = hub.client_environment(tmp_path / "home", "http://127.0.0.1:9", HUMANSENSE_DATA=str(release))
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert f"one.mp4 leads to {tmp_path / 'secret'}" in json.loads(done.stdout)["error"]
    assert not (tmp_path / "prepared").exists()


# Pipes and circles.


def test_links_in_a_circle_do_not_keep_it_from_ending(release: Path, tmp_path: Path) -> None:
    for name in ("x", "y", "action/z"):
        (release / "videos" / name).symlink_to(release / "videos")
    assert prepared(tmp_path / "prepared") == releases.small().videos


def test_a_pipe_is_not_taken_for_a_clip(release: Path, tmp_path: Path) -> None:
    (release / "videos/action/one.mp4").unlink()
    os.mkfifo(release / "videos/action/one.mp4")
    for to in (tmp_path / "prepared", None):
        with pytest.raises(DataError, match=r"'action/one\.mp4' in .* is refused: it is no regular file"):
            plan("AR", to=to)


def test_a_link_that_leads_nowhere_is_named(release: Path, tmp_path: Path) -> None:
    (release / "videos/action/one.mp4").unlink()
    (release / "videos/action/one.mp4").symlink_to("one.mp4")
    with pytest.raises(DataError, match=r"action/one\.mp4 in .* is missing or no regular file"):
        prepared(tmp_path / "prepared")


def test_pipes_in_the_prepared_folder_are_damage_and_are_replaced(release: Path, tmp_path: Path) -> None:
    to = tmp_path / "prepared"
    prepared(to)
    for name in ("videos/action/one.mp4", "HumanSense_AQA.json"):
        (to / name).unlink()
        os.mkfifo(to / name)
    with ProgressDisplay("", Console(quiet=True)) as progress:
        assert sorted(check(plan_check("AR", to=to), progress).damaged) == [
            "HumanSense_AQA.json",
            "videos/action/one.mp4",
        ]
    assert prepared(to) == releases.small().videos
    assert (to / "HumanSense_AQA.json").read_bytes() == (release / "HumanSense_AQA.json").read_bytes()
