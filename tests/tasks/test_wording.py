"""Values of unknown size are shortened in messages, and real ones are not."""

from typing import Any

import pytest

from lmms_humansense.tasks.humansense.wording import brief, listed, shown


@pytest.mark.parametrize("value", ["a text", 5, 2.5, None, True, ["A", "B"], {"A": 1}, "ü" * 190], ids=repr)
def test_what_is_short_is_shown_whole(value: Any) -> None:
    assert shown(value) == repr(value)


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, ["A. one"] * 10**6, dict.fromkeys(range(10**5)), [["x" * 10**5] * 9] * 9, 10**4000],
    ids=["text", "list", "object", "nested", "number"],
)
def test_what_is_long_is_shortened(value: Any) -> None:
    assert "..." in shown(value)
    assert len(shown(value)) < 8000


def test_arrays_in_arrays_are_shown_some_levels_deep() -> None:
    nested: list[Any] = []
    for _ in range(10_000):
        nested = [nested]
    assert shown(nested) == "[[[[...]]]]"


def test_texts_keep_their_beginning_and_end() -> None:
    assert brief("a" * 200) == "a" * 200
    assert brief("a" * 10**6 + "b" * 100) == "a" * 100 + "..." + "b" * 100


def test_lists_of_names_end_with_the_number_of_the_others() -> None:
    assert listed(["a", "b"], 2) == "a, b"
    assert listed([str(number) for number in range(1500)], 2, "; ") == "0; 1; and 1,498 more"
