"""The lookup of the file that an annotated path means."""

import unicodedata
from typing import Any

import pytest

from lmms_humansense.tasks.humansense import lookup
from lmms_humansense.tasks.humansense.annotations import DataError
from lmms_humansense.tasks.humansense.lookup import MediaIndex, parts


def index(*names: str, **refused: str) -> MediaIndex:
    return MediaIndex(names, refused, "the store")


@pytest.mark.parametrize(
    ("path", "names", "found"),
    [
        pytest.param("a/b.mp4", ["a/b.mp4", "c/b.mp4"], "a/b.mp4", id="the same path"),
        pytest.param("data/videos/a/b.mp4", ["a/b.mp4", "c/b.mp4"], "a/b.mp4", id="a shorter name"),
        pytest.param("a/b.mp4", ["x/y/a/b.mp4", "x/y/c/b.mp4"], "x/y/a/b.mp4", id="a longer name"),
        pytest.param("data/videos/a/b.mp4", ["bench/videos/a/b.mp4"], "bench/videos/a/b.mp4", id="another top folder"),
        pytest.param("data/videos/a/b.mp4", ["b.mp4"], "b.mp4", id="only the base name"),
        pytest.param("data/videos/a/b.mp4", ["x/a/b.mp4", "videos/a/b.mp4", "b.mp4"], "videos/a/b.mp4", id="longest"),
        pytest.param("data/videos/a/b.mp4", ["videos/c/b.mp4", "a/b.mp4"], "a/b.mp4", id="suffix, not prefix"),
        pytest.param("./data/videos/a/b.mp4", ["videos/a/b.mp4"], "videos/a/b.mp4", id="a leading dot"),
        pytest.param("/data/videos/a/b.mp4", ["videos/a/b.mp4"], "videos/a/b.mp4", id="a leading slash"),
        pytest.param(r"data\videos\a\b.mp4", ["videos/a/b.mp4"], "videos/a/b.mp4", id="backslashes in the path"),
        pytest.param("data/videos/a/b.mp4", [r"videos\a\b.mp4"], r"videos\a\b.mp4", id="backslashes in the name"),
        pytest.param("videos/a/b.mp4", ["videos/a/b.mp4", "__MACOSX/videos/a/._b.mp4"], "videos/a/b.mp4", id="macOS"),
        pytest.param("videos/a b (1)#%20?.mp4", ["a b (1)#%20?.mp4"], "a b (1)#%20?.mp4", id="special characters"),
    ],
)
def test_a_path_means_the_file_with_the_longest_common_suffix(path: str, names: list[str], found: str) -> None:
    assert index(*names).find(path) == found


def test_composed_and_decomposed_letters_are_the_same() -> None:
    composed, decomposed = (unicodedata.normalize("NFC", "й/é.mp4"), unicodedata.normalize("NFD", "й/é.mp4"))
    assert composed != decomposed
    assert index(decomposed, "other.mp4").find(f"data/{composed}") == decomposed
    assert index(composed, "other.mp4").find(f"data/{decomposed}") == composed


def test_files_that_fit_equally_well_are_all_named() -> None:
    with pytest.raises(DataError) as error:
        index("one/clip.mp4", "two/clip.mp4", "other.mp4").find("data/videos/clip.mp4")
    assert str(error.value) == "data/videos/clip.mp4 could be any of one/clip.mp4, two/clip.mp4 in the store"


def test_a_name_that_is_wholly_the_end_of_the_path_beats_a_deeper_one() -> None:
    assert index("a/clip.mp4", "other/a/clip.mp4").find("data/videos/a/clip.mp4") == "a/clip.mp4"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("data/videos/a/c.mp4", id="another name"),
        pytest.param("data/videos/a/B.mp4", id="another case"),
        pytest.param("data/videos/a/b.mov", id="another ending"),
        pytest.param("data/videos/a", id="a folder"),
        pytest.param("data/videos/a/", id="a folder with a slash"),
    ],
)
def test_a_path_that_is_no_file_is_refused_by_name(path: str) -> None:
    with pytest.raises(DataError) as error:
        index("videos/a/b.mp4").find(path)
    assert str(error.value) == f"{path} is not in the store"


def test_a_file_that_is_refused_is_named_with_the_reason() -> None:
    with pytest.raises(DataError, match=r"'twice' in the store is refused: there are two\."):
        index("other", twice="there are two.").find("data/videos/twice")


def test_a_refused_file_can_make_a_path_ambiguous() -> None:
    refused = {"b/clip.mp4": "it is a link."}
    with pytest.raises(DataError, match=r"could be any of a/clip\.mp4, b/clip\.mp4"):
        MediaIndex(["a/clip.mp4"], refused, "the store").find("data/videos/clip.mp4")


class CountingTable(dict[str, list[str]]):
    """A table that counts its lookups."""

    looks = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.looks += 1
        return super().get(key, default)


def test_looking_up_takes_no_more_steps_among_many_files_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    split: list[str] = []

    def counted(path: str) -> list[str]:
        split.append(path)
        return parts(path)

    monkeypatch.setattr(lookup, "parts", counted)
    names = [f"videos/{number:05d}/clip.mp4" for number in range(5000)]
    many = MediaIndex(names, {}, "the store")
    assert split == names
    many._by_ending = table = CountingTable(many._by_ending)
    asked = [f"data/{name}" for name in names]
    assert [many.find(path) for path in asked] == names
    assert split == names + asked  # the one path, and none of the files that have its last name
    assert table.looks == 2 * len(names)  # with its first folder, and without
