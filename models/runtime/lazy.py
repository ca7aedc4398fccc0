"""A sequence whose items come one after the other. Standard library only."""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar, overload

Item = TypeVar("Item")


class LazySequence(Sequence[Item], Generic[Item]):
    """A sequence of known length whose items are made when they are first asked for, in order, and then kept.

    lmms-eval iterates over the responses of a model to store each as soon as it comes, and takes the first of them by
    its index.

    Args:
        length: How many items there are.
        items: Makes them. It is run to its end when the last item is taken by its index, or after it was iterated over.
    """

    def __init__(self, length: int, items: Iterator[Item]) -> None:
        self._length = length
        self._items = items
        self._made: list[Item] = []

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        places = range(self._length)[index]
        last = places if isinstance(places, int) else max(places, default=-1)
        self._make(last + 1)
        if last + 1 == self._length:
            self._end()
        return self._made[places] if isinstance(places, int) else [self._made[place] for place in places]

    def __iter__(self) -> Iterator[Item]:
        for place in range(self._length):
            self._make(place + 1)
            yield self._made[place]
        self._end()

    def _make(self, count: int) -> None:
        """Make items until there are this many."""
        while len(self._made) < count:
            self._made.append(next(self._items))

    def _end(self) -> None:
        """Run the iterator to its end, so that what it does after the last item is done."""
        for _ in self._items:
            raise AssertionError(f"there are more than {self._length} items")
