"""The docs of a task and the local file of a doc, from a release in any layout, with both sources."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from loguru import logger

from lmms_humansense.tasks.humansense import data
from lmms_humansense.tasks.humansense.annotations import DataError, Doc
from lmms_humansense.tasks.humansense.taxonomy import TASKS
from tests.helpers import hub, releases
from tests.helpers.releases import Content, item

pytestmark = pytest.mark.usefixtures("either_source")


@pytest.fixture(autouse=True)
def _own_cache_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.refuse_other_addresses(monkeypatch)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """The log, as "LEVEL message"."""
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(line.rstrip("\n")), level=0, format="{level} {message}")
    yield lines
    logger.remove(sink)


def written(folder: Path, *items: dict[str, Any], videos: tuple[str, ...] = ("action/clip.mp4",)) -> str:
    """The root of an unpacked release with these video questions."""
    return releases.write(folder, "unpacked", Content(vqa=list(items), videos=dict.fromkeys(videos, b"clip")))


# Where the data are.


@pytest.mark.parametrize("root", ["/data/release", "relative/release", "memory://release", "s3://bucket/release"])
def test_a_set_place_wins_and_is_taken_as_it_stands(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_REVISION", "v1.0")
    monkeypatch.setenv("HUMANSENSE_DATA", f" {root} ")
    assert data.release_root("owner/name") == root


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HUMANSENSE_DATA", "~/release")
    written(tmp_path / "release", item())
    assert data.release_root("owner/name") == str(tmp_path / "release")
    assert len(data.load("AR", data.release_root("owner/name"))) == 1


# The docs of a task.


@pytest.mark.parametrize("layout", releases.LAYOUTS)
def test_a_task_is_loaded_from_every_layout(layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = releases.small()
    monkeypatch.setenv("HUMANSENSE_DATA", releases.write(tmp_path / "release", layout, content))
    root = data.release_root("owner/name")
    docs = data.load("AR", root, complete=False)
    assert [(doc["id"], doc["gold"]) for doc in docs] == [("VQA-0", "B"), ("VQA-2", "C")]
    clips = [data.local_media(doc).read_bytes() for doc in docs]
    assert clips == [content.videos["action/one.mp4"], content.videos["action/two.mp4"]]
    (call,) = data.load("FR2", root, complete=False)
    assert data.local_media(call).read_bytes() == content.audios["calls/call.wav"]
    (meeting,) = data.load("TR", root, complete=False)
    assert meeting["transcript"] == "Hello."


def test_a_doc_is_flat_and_says_where_its_file_lies(tmp_path: Path) -> None:
    root = written(tmp_path, item(answer=4, question_pattern=releases.COUNT, fps="30"), item(fps=29.97))
    docs = data.load("AR", root, complete=False)
    for doc in docs:
        assert set(doc) == {*Doc.__annotations__, "root", "file"}
        assert (doc["root"], doc["file"]) == (root, "action/clip.mp4")
    types = [{name: type(value) for name, value in doc.items()} for doc in docs]
    assert types[0] == types[1]
    assert set(types[0].values()) == {str, int, float, list, type(None)}


def test_questions_may_share_one_clip(tmp_path: Path) -> None:
    root = written(tmp_path, item(), item(question="And then", answer="C"), item(task_type="Gesture_Recognition"))
    docs = [*data.load("AR", root, complete=False), *data.load("GR", root, complete=False)]
    assert len(docs) == 3
    assert len({data.local_media(doc) for doc in docs}) == 1


def test_a_local_file_has_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "release", item())
    monkeypatch.chdir(tmp_path)
    (doc,) = data.load("AR", "./release/", complete=False)
    path = data.local_media(doc)
    monkeypatch.chdir("/")
    assert path.is_absolute()
    assert path.read_bytes() == b"clip"


def test_a_packed_file_is_there_once_it_was_fetched(tmp_path: Path) -> None:
    (doc, other) = data.load("AR", releases.write(tmp_path, "packed", releases.small()), complete=False)
    assert data.local_media_if_fetched(doc) is None
    path = data.local_media(doc)
    assert data.local_media_if_fetched(doc) == path
    assert data.local_media_if_fetched(other) is None


def test_training_data_are_not_read(tmp_path: Path) -> None:
    root = releases.write(tmp_path, "repository", releases.small())
    for path in (tmp_path / "train_data").iterdir():
        path.write_bytes(b"neither JSON nor a zip file")
    docs = data.load("AR", root, complete=False)
    assert [data.local_media(doc).read_bytes()[:14] for doc in docs] == [b"the first clip", b"the second cli"]


def test_a_task_without_questions_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        data.load("GR", written(tmp_path, item()), complete=False)
    assert "HumanSense_VQA.json" in str(error.value)
    assert "GR (Gesture Recognition)" in str(error.value)


def test_task_types_that_cannot_be_determined_are_an_error_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = written(tmp_path, item(task_type="Zither_Playing"))
    with pytest.raises(DataError, match='HUMANSENSE_TASK_TYPES="Zither_Playing=CODE"'):
        data.load("AR", root)
    monkeypatch.setenv("HUMANSENSE_TASK_TYPES", "Zither_Playing=AR")
    assert len(data.load("AR", root)) == 1


@pytest.mark.parametrize("setting", ["Zither_Playing", "Zither_Playing=XY", "=AR,Other"])
def test_a_bad_setting_for_task_types_is_an_error_of_the_data(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUMANSENSE_TASK_TYPES", setting)
    with pytest.raises(DataError, match="HUMANSENSE_TASK_TYPES has the entry"):
        data.load("AR", written(tmp_path, item()))


# The log.


def test_counts_that_differ_from_the_papers_are_logged_if_the_whole_release_is_expected(
    tmp_path: Path, logged: list[str]
) -> None:
    data.load("AR", written(tmp_path, item(), item()))
    (warning,) = [line for line in logged if line.startswith("WARNING")]
    start = "WARNING HumanSense_VQA.json: tasks have other numbers of questions than in the paper (in brackets): "
    assert warning.startswith(f"{start}AR 2 (300), ")
    assert warning.count("(") == 1 + sum(not task.is_audio for task in TASKS)


def test_counts_of_a_part_of_the_release_are_not_logged(tmp_path: Path, logged: list[str]) -> None:
    data.load("AR", written(tmp_path, item(), item()), complete=False)
    assert [line for line in logged if line.startswith("WARNING")] == []


def test_the_papers_counts_give_no_warning(tmp_path: Path, logged: list[str]) -> None:
    video_tasks = [task for task in TASKS if not task.is_audio]
    items = [item(task_type=task.aliases[0]) for task in video_tasks for _ in range(task.count)]
    root = written(tmp_path, *items)
    assert sum(len(data.load(task.code, root)) for task in video_tasks) == 3882 - 300 - 291
    assert [line for line in logged if line.startswith("WARNING")] == []


def test_left_out_questions_are_counted_in_one_line(tmp_path: Path, logged: list[str]) -> None:
    abnormal = item("data/videos/nowhere.mp4", task_type="Abnormal_Recognition")
    root = written(tmp_path, item(), abnormal, abnormal, item())
    assert [doc["id"] for doc in data.load("AR", root, complete=False)] == ["VQA-0", "VQA-3"]
    lines = [line for line in logged if "Abnormal_Recognition" in line]
    assert len(lines) == 1
    assert "HumanSense_VQA.json: 2 questions of task_type Abnormal_Recognition left out" in lines[0]


def test_how_a_task_type_was_read_is_logged_and_a_guess_is_a_warning(tmp_path: Path, logged: list[str]) -> None:
    data.load("AR", written(tmp_path, item(), item(task_type="Hand_Gesture")), complete=False)
    assert "INFO HumanSense_VQA.json: task types decided by name: Action_Recognition = AR." in logged
    assert "WARNING HumanSense_VQA.json: task types decided by keyword: Hand_Gesture = GR." in logged


def test_a_file_is_read_and_logged_once(tmp_path: Path, logged: list[str]) -> None:
    root = written(tmp_path, item(), item(task_type="Gesture_Recognition"))
    data.load("AR", root)
    before = len(logged)
    data.load("GR", root)
    assert len(logged) == before


# Missing media.


def test_missing_media_are_reported_in_one_message_with_at_most_five_paths(tmp_path: Path) -> None:
    paths = [f"data/videos/lost/{number}.mp4" for number in range(7)]
    root = written(tmp_path, item(), *map(item, paths), item())
    with pytest.raises(DataError) as error:
        data.load("AR", root, complete=False)
    message = str(error.value)
    assert message.startswith("HumanSense_VQA.json: the media of 7 questions")
    assert str(tmp_path / "videos") in message
    for number, path in enumerate(paths):
        assert (f"item {number + 1}: {path}" in message) == (number < 5)
    assert "and 2 more" in message
    assert "\n" not in message


def test_five_missing_media_are_all_named_and_no_more_are_promised(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        data.load("AR", written(tmp_path, *[item(f"lost/{number}.mp4") for number in range(5)]), complete=False)
    assert "item 4: lost/4.mp4" in str(error.value)
    assert "more" not in str(error.value)


def test_ambiguous_media_are_reported_with_all_candidates(tmp_path: Path) -> None:
    root = written(tmp_path, item("data/clip.mp4"), videos=("one/clip.mp4", "two/clip.mp4"))
    with pytest.raises(DataError, match=r"item 0: data/clip\.mp4 could be any of one/clip\.mp4, two/clip\.mp4"):
        data.load("AR", root, complete=False)


def test_missing_media_of_another_task_do_not_matter(tmp_path: Path) -> None:
    root = written(tmp_path, item(), item("lost.mp4", task_type="Gesture_Recognition"))
    assert len(data.load("AR", root, complete=False)) == 1


# Folders that a stranger made.


def test_a_vast_number_of_warnings_is_cut_and_counted(tmp_path: Path, logged: list[str]) -> None:
    data.load("AR", written(tmp_path, *(item(answer="Z") for _ in range(500))))
    warnings = [line for line in logged if line.startswith("WARNING")]
    assert len(warnings) == 51
    all_of_them = 1 + 500
    assert warnings[-1] == f"WARNING HumanSense_VQA.json: {all_of_them - 50} more warnings."


def test_missing_media_of_vast_names_are_reported_in_a_short_message(tmp_path: Path) -> None:
    root = written(tmp_path, *(item(f"{'a' * 250}/" * 16 + f"{number}.mp4") for number in range(7)))
    with pytest.raises(DataError, match="the media of 7 questions") as error:
        data.load("AR", root, complete=False)
    assert len(str(error.value)) < 2500


def hostile(path: Path, kind: str) -> None:
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "circle":
        path.symlink_to(path.name)
    else:
        with path.open("wb") as file:
            file.truncate(3 << 30)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("pipe", "is no regular file"),
        ("device", "is no regular file"),
        ("folder", "is no regular file"),
        ("large", "has 3,221,225,472 bytes, more than 256,000,000"),
    ],
)
def test_an_annotation_file_that_is_none_is_refused_by_name_and_never_read(
    kind: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = written(tmp_path, item())
    hostile(tmp_path / "HumanSense_VQA.json", kind)
    monkeypatch.setattr(Path, "read_bytes", None)
    with pytest.raises(DataError, match=rf"{tmp_path}/HumanSense_VQA\.json {reason}"):
        data.load("AR", root, complete=False)


def test_an_annotation_file_that_leads_to_itself_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = releases.write(tmp_path, "unpacked", releases.small())
    hostile(tmp_path / "HumanSense_VQA.json", "circle")
    monkeypatch.setattr("time.sleep", None)  # it does not pass, so it is not tried again
    with pytest.raises(DataError, match=r"Too many levels of symbolic links.*HumanSense_VQA\.json"):
        data.load("AR", root, complete=False)


def test_an_archive_that_is_a_pipe_is_refused_by_name(tmp_path: Path) -> None:
    root = releases.write(tmp_path, "packed", releases.small())
    hostile(tmp_path / "videos.zip", "pipe")
    with pytest.raises(DataError, match=r"videos\.zip is no(t a complete zip| regular) file"):
        data.load("AR", root, complete=False)


def test_links_in_a_circle_change_nothing(tmp_path: Path) -> None:
    root = written(tmp_path, item())
    for name in ("x", "y", "action/z"):
        (tmp_path / "videos" / name).symlink_to(tmp_path / "videos")
    (doc,) = data.load("AR", root, complete=False)
    assert data.local_media(doc) == tmp_path / "videos/action/clip.mp4"


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_clip_that_is_no_file_is_refused_with_its_question(kind: str, tmp_path: Path) -> None:
    root = written(tmp_path, item())
    hostile(tmp_path / "videos/action/clip.mp4", kind)
    with pytest.raises(DataError, match=r"item 0: 'action/clip\.mp4' in .* is refused: it is no regular file\. Add"):
        data.load("AR", root, complete=False)


@pytest.mark.parametrize("target", ["clip.mp4", "not fetched yet"])
def test_a_link_that_leads_nowhere_fails_only_its_own_question(target: str, tmp_path: Path) -> None:
    root = written(tmp_path, item(), item("data/videos/action/two.mp4"), videos=("action/clip.mp4", "action/two.mp4"))
    (tmp_path / "videos/action/clip.mp4").unlink()
    (tmp_path / "videos/action/clip.mp4").symlink_to(target)
    first, second = data.load("AR", root, complete=False)
    assert data.local_media(second).read_bytes() == b"clip"
    assert data.local_media_if_fetched(first) is None
    with pytest.raises(DataError, match=r"action/clip\.mp4 is not in "):
        data.local_media(first)


@pytest.mark.parametrize("layout", ["unpacked", "packed"])
@pytest.mark.parametrize("below", ["", "bench_data"])
def test_a_snapshot_of_links_as_in_the_hubs_cache_is_read(layout: str, below: str, tmp_path: Path) -> None:
    root = releases.write_snapshot(tmp_path, layout, releases.small())
    docs = data.load("AR", str(root / below), complete=False)
    assert [data.local_media(doc).read_bytes() for doc in docs] == [
        releases.small().videos[name] for name in ("action/one.mp4", "action/two.mp4")
    ]


def test_a_release_may_be_a_link_and_consist_of_links(tmp_path: Path) -> None:
    releases.write(tmp_path / "real", "unpacked", releases.small())
    (tmp_path / "release").mkdir()
    for path in (tmp_path / "real").iterdir():
        (tmp_path / "release" / path.name).symlink_to(path)
    (tmp_path / "link").symlink_to("release")
    docs = data.load("AR", str(tmp_path / "link"), complete=False)
    assert data.local_media(docs[0]).read_bytes() == releases.small().videos["action/one.mp4"]
