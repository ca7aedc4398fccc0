"""The richer source of the benchmark's data: releases in folders, archives, at addresses and on the Hub.

`install` puts it into the tasks. What it is made of is imported when data are read first.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..storage.errors import DamagedContent, StorageError, without_credentials
from ..tasks.humansense import source
from ..tasks.humansense.annotations import FOLDER, DataError

if TYPE_CHECKING:
    from ..storage.stores import MediaStore
    from .release import Release


class Damaged(DataError):
    """What came is not what it should be; to fetch it again is no use."""


@contextmanager
def as_data_errors() -> Iterator[None]:
    """Turn a StorageError in the block, or in the function that this decorates, into a DataError of the same words."""
    try:
        yield
    except DamagedContent as error:
        raise Damaged(str(error)) from error
    except StorageError as error:
        raise DataError(str(error)) from error


class AnywhereSource:
    """Reads releases from folders and fsspec URLs, packed or not, file by file where they are remote (`release`)."""

    def default_root(self, repository: str, revision: str) -> str:
        """The address of the benchmark's folder in the dataset repository; nothing is fetched."""
        from ..storage.hub import HubFolder

        return str(HubFolder(repository, revision, FOLDER))

    def address(self, root: str) -> str:
        """The root, at the commit that a revision on the Hub means now."""
        return _opened(root).address

    def shown(self, root: str) -> str:
        """The root without a name and password."""
        return without_credentials(root)

    def origin(self, root: str) -> dict[str, Any]:
        """Its `source`, and the `commit` of what comes from the Hub."""
        return _opened(root).origin

    def annotations(self, root: str, key: str) -> bytes:
        """The content of an annotation file."""
        return _opened(root).annotations(key)

    def media(self, root: str, key: str) -> "StoredMedia":
        """The media that belong to an annotation file."""
        from .release import open_media_store

        return StoredMedia(open_media_store(root, key))


class StoredMedia:
    """The media in a store, as the tasks ask for them: what goes wrong is an error of the data."""

    def __init__(self, store: "MediaStore") -> None:
        self._store = store
        self.where = without_credentials(store.where)

    @property
    def names(self) -> Sequence[str]:
        """The names of all files that may be used."""
        return self._store.names

    @property
    def refused(self) -> Mapping[str, str]:
        """The names of files that must not be used, each with the reason."""
        return self._store.refused

    def fetch(self, name: str) -> Path:
        """The local file with this content, taken out or downloaded now if need be."""
        with as_data_errors():
            return self._store.fetch(name)

    def find_local(self, name: str) -> Path | None:
        """The local file with this content, or None if it has not been fetched yet."""
        with as_data_errors():
            return self._store.find_local(name)


_SOURCE = AnywhereSource()


def install() -> None:
    """Have the tasks of this process read from anywhere; to do so again changes nothing."""
    source.use(_SOURCE)


def _opened(root: str) -> "Release":
    from .release import open_release

    return open_release(root)
