"""Values of unknown size in messages: shortened, so that a message stays readable. Standard library only."""

import reprlib
from collections.abc import Sequence
from typing import Any

_LONGEST = 200
"""The most characters of one text in a message."""

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _LONGEST
_REPR.maxlist = _REPR.maxdict = 6
_REPR.maxlevel = 3


def shown(value: Any) -> str:
    """The `repr` of a value from a file, shortened. It takes no longer for a million elements than for a few."""
    return _REPR.repr(value)


def brief(text: str) -> str:
    """A text from a file as it stands, but with its middle left out if it is long."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}...{text[-_LONGEST // 2 :]}"


def listed(names: Sequence[str], most: int, separator: str = ", ") -> str:
    """The first texts of a list as they stand, and how many there are more.

    Args:
        names: The texts.
        most: How many of them to give.
        separator: What stands between them.

    Returns:
        All texts, or the first `most` and the number of the others.
    """
    more = f"{separator}and {len(names) - most:,} more" if len(names) > most else ""
    return separator.join(names[:most]) + more
