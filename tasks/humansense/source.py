"""Where questions and media are read from, and the one place in which a richer source is put. Standard library only.

By itself the benchmark reads plain folders, and a snapshot of the dataset repository (`local_source`). A package that
can read from more places hands its own source to `use`; everything here then reads through that.
"""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from .local_source import LocalSource


class MediaFiles(Protocol):
    """The media that belong to one annotation file, by the names that their store gives them."""

    @property
    def where(self) -> str:
        """What messages call the place in which they lie."""

    @property
    def names(self) -> Sequence[str]:
        """The names of all files that may be used."""

    @property
    def refused(self) -> Mapping[str, str]:
        """The names of files that must not be used, each with the reason."""

    def fetch(self, name: str) -> Path:
        """The local file with this content, had now if it is not here yet. Raises DataError."""

    def find_local(self, name: str) -> Path | None:
        """The local file with this content, or None if it has not been fetched yet. Raises DataError."""


class Source(Hashable, Protocol):
    """Reads releases of the benchmark. A `root` names one: by a folder, or by whatever else a source can read.

    `key` is that of an annotation file ("VQA" or "AQA", see `annotations.FILES`). All methods may raise
    annotations.DataError, with a message for the user.
    """

    def default_root(self, repository: str, revision: str) -> str:
        """The root to read where the user names none: that of the dataset repository at a revision."""

    def address(self, root: str) -> str:
        """The root that docs carry, which means the same data later: with the commit where there is one."""

    def shown(self, root: str) -> str:
        """What messages call it: the root without passwords."""

    def origin(self, root: str) -> dict[str, Any]:
        """Where its data come from, for results: their `source`, and the `commit` where there is one."""

    def annotations(self, root: str, key: str) -> bytes:
        """The content of an annotation file."""

    def media(self, root: str, key: str) -> MediaFiles:
        """The media that belong to an annotation file."""


_current: Source = LocalSource()


def current() -> Source:
    """The source that questions and media are read from."""
    return _current


def use(source: Source) -> Source:
    """Read questions and media from this source from now on, in this process; returns the one that was used before."""
    global _current
    before, _current = _current, source
    return before
