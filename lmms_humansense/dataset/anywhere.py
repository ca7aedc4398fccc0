"""A source for the tasks that reads releases from folders, archives, addresses and the Hub.

`install` puts it into the tasks. The modules that it needs are imported when data are first read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..storage.errors import DamagedContent, StorageError, without_credentials
from ..tasks.humansense import source
from ..tasks.humansense.annotations import FOLDER, DataError
from ..tasks.humansense.local_source import digest_of_code

if TYPE_CHECKING:
    from ..storage.stores import MediaStore
    from .release import Release


class Damaged(DataError):
    """The content is not what it should be, and fetching it again does not help."""


@contextmanager
def as_data_errors() -> Iterator[None]:
    """Turn a StorageError into a DataError with the same message; usable around a block and as a decorator.

    Raises:
        Damaged: The block raised DamagedContent.
        DataError: The block raised another StorageError.
    """
    try:
        yield
    except DamagedContent as error:
        raise Damaged(str(error)) from error
    except StorageError as error:
        raise DataError(str(error)) from error


class AnywhereSource:
    """Reads releases from folders and fsspec URLs, packed or unpacked; from a remote one it fetches single files.

    In all methods, `root` is a folder or an fsspec URL (see `release`), and `key` is "VQA" or "AQA".
    """

    def default_root(self, repository: str, revision: str) -> str:
        """The address of the benchmark's folder on the Hub, without any request.

        Args:
            repository: The dataset repository, "owner/name".
            revision: A branch, tag or commit.

        Returns:
            An `hf://` URL.
        """
        from ..storage.hub import HubFolder

        return str(HubFolder(repository, revision, FOLDER))

    def address(self, root: str) -> str:
        """The root; on the Hub, with the revision resolved to its current commit.

        Raises:
            DataError: There is no release at the root, or it cannot be read.
        """
        return _opened(root).address

    def shown(self, root: str) -> str:
        """The root for messages, without credentials."""
        return without_credentials(root)

    def origin(self, root: str) -> dict[str, Any]:
        """Where the release comes from: its `source` and, on the Hub, its `commit`.

        Raises:
            DataError: There is no release at the root, or it cannot be read.
        """
        return _opened(root).origin

    def annotations(self, root: str, key: str) -> bytes:
        """Read an annotation file.

        Args:
            root: The release.
            key: The annotation file.

        Returns:
            The content of the file, which is JSON.

        Raises:
            DataError: The file is missing or cannot be read.
        """
        return _opened(root).annotations(key)

    def media(self, root: str, key: str) -> "StoredMedia":
        """Open the media of an annotation file.

        Args:
            root: The release.
            key: The annotation file.

        Returns:
            The media, opened once per process.

        Raises:
            DataError: There are no media, or they cannot be read.
        """
        from .release import open_media_store

        return StoredMedia(open_media_store(root, key))

    def waveform(self, path: Path) -> Any:
        """Decode the sound of a file as this package's models hear it.

        Args:
            path: A media file.

        Returns:
            Samples of shape (samples,), float32, mono, 16 kHz.

        Raises:
            DataError: The file has no sound, or its sound cannot be decoded.
        """
        from ..models.media.audio import read_waveform
        from ..models.media.errors import MediaError

        try:
            return read_waveform(path).samples
        except MediaError as error:
            raise DataError(str(error)) from error

    def reader(self) -> str:
        """A digest of the code of `waveform`."""
        from ..models import media

        return digest_of_code(Path(str(media.__file__)).parent.glob("*.py"))


class StoredMedia:
    """The media in a store, for the tasks. Errors of the store become errors of the data.

    Attributes:
        where: The folder or archive, without credentials.
        names: The names of all files that may be used.
        refused: The reason for each file that must not be used, by name.
    """

    def __init__(self, store: "MediaStore") -> None:
        self._store = store
        self.where, self.names, self.refused = without_credentials(store.where), store.names, store.refused

    def fetch(self, name: str) -> Path:
        """The local file, which is downloaded or taken out of its archive now if necessary.

        Raises:
            Damaged: The content is not what it should be.
            DataError: The file is refused, or cannot be read or written.
        """
        with as_data_errors():
            return self._store.fetch(name)

    def find_local(self, name: str) -> Path | None:
        """The local file, or None if it has not been fetched yet.

        Raises:
            DataError: The file is refused.
        """
        with as_data_errors():
            return self._store.find_local(name)


_SOURCE = AnywhereSource()


def install() -> None:
    """Let the tasks of this process read through this source; further calls change nothing."""
    source.use(_SOURCE)


def _opened(root: str) -> "Release":
    from .release import open_release

    return open_release(root)
