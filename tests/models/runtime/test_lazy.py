"""Sequences whose items come one after the other."""

from collections.abc import Iterator

import pytest

from lmms_humansense.models.runtime.lazy import LazySequence


class Squares:
    """Makes squares, and notes what it has done."""

    def __init__(self, count: int) -> None:
        self.done: list[str] = []
        self.sequence = LazySequence(count, self._items(count))

    def _items(self, count: int) -> Iterator[int]:
        try:
            for number in range(count):
                self.done.append(str(number))
                yield number * number
        finally:
            self.done.append("end")


def test_nothing_is_made_before_it_is_asked_for() -> None:
    squares = Squares(3)
    assert len(squares.sequence) == 3
    assert squares.done == []


def test_items_are_made_one_by_one_and_the_end_is_reached() -> None:
    squares = Squares(3)
    items = iter(squares.sequence)
    assert (next(items), squares.done) == (0, ["0"])
    assert list(items) == [1, 4]
    assert squares.done == ["0", "1", "2", "end"]


def test_an_item_by_its_index_is_made_with_those_before_it_and_once() -> None:
    squares = Squares(3)
    assert (squares.sequence[1], squares.done) == (1, ["0", "1"])
    assert (squares.sequence[0], squares.sequence[-1]) == (0, 4)
    assert squares.done == ["0", "1", "2", "end"]
    assert list(squares.sequence) == list(squares.sequence) == squares.sequence[:] == [0, 1, 4]


def test_slices_make_what_they_hold() -> None:
    squares = Squares(4)
    assert (squares.sequence[:2], squares.done) == ([0, 1], ["0", "1"])
    assert (squares.sequence[-2:0:-1], squares.done) == ([4, 1], ["0", "1", "2"])
    assert (squares.sequence[4:], squares.done) == ([], ["0", "1", "2"])


def test_no_item_is_beyond_the_end() -> None:
    squares = Squares(2)
    with pytest.raises(IndexError):
        squares.sequence[2]
    assert squares.done == []


def test_an_empty_sequence_reaches_its_end() -> None:
    squares = Squares(0)
    assert list(squares.sequence) == []
    assert squares.done == ["end"]
