"""The source of questions and media, and the one place to replace it. Standard library only.

By itself the benchmark reads plain folders, and a snapshot of the dataset repository (`local_source`). A package that
can read from more places gives its own source to `use`; then all tasks read through that source.
"""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from .local_source import LocalSource


class MediaFiles(Protocol):
    """The media that belong to one annotation file, by their names in their store."""

    @property
    def where(self) -> str:
        """The store's name in messages."""

    @property
    def names(self) -> Sequence[str]:
        """The names of all files that may be used."""

    @property
    def refused(self) -> Mapping[str, str]:
        """The names of files that must not be used, each with the reason."""

    def fetch(self, name: str) -> Path:
        """The local file of this name, fetched now if it is not here yet.

        Raises:
            DataError: The file is missing, must not be used, or cannot be fetched.
        """

    def find_local(self, name: str) -> Path | None:
        """The local file of this name, or None if it has not been fetched yet.

        Raises:
            DataError: The file must not be used.
        """


class Source(Hashable, Protocol):
    """Reads releases of the benchmark. A `root` names one: a folder, or another name that the source can read.

    `key` is the key of an annotation file ("VQA" or "AQA", see `annotations.FILES`). All methods may raise
    annotations.DataError, with a message for the user.
    """

    def default_root(self, repository: str, revision: str) -> str:
        """The root to read if the user gives none.

        Args:
            repository: The dataset repository on the Hub.
            revision: A branch, tag or commit of it.

        Returns:
            A root that this source can read.
        """

    def address(self, root: str) -> str:
        """The root in the form that docs carry: it means the same data later, by the commit if there is one."""

    def shown(self, root: str) -> str:
        """The root's name in messages, without passwords."""

    def origin(self, root: str) -> dict[str, Any]:
        """Where its data come from, for results: the `source`, and the `commit` if there is one."""

    def annotations(self, root: str, key: str) -> bytes:
        """Read an annotation file.

        Args:
            root: A release.
            key: The file's key.

        Returns:
            The content of the file.
        """

    def media(self, root: str, key: str) -> MediaFiles:
        """Find the media that belong to an annotation file.

        Args:
            root: A release.
            key: The file's key.

        Returns:
            The media, whose names are known and which are not fetched yet.
        """

    def waveform(self, path: Path) -> Any:
        """Decode the sound of a fetched file for models that are not this package's, as `sound.waveform` says.

        Args:
            path: A media file.

        Returns:
            Samples of shape (samples,), float32, mono, `sound.SAMPLING_RATE` per second.
        """

    def reader(self) -> str:
        """A name for the code of `waveform`: samples of another name may differ, and are not used again."""


_current: Source = LocalSource()


def current() -> Source:
    """The source from which this process reads questions and media."""
    return _current


def use(source: Source) -> Source:
    """Use this source from now on, in this process; returns the source that was used before."""
    global _current
    before, _current = _current, source
    return before
