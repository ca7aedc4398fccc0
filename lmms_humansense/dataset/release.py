"""Where a release lies, and what it holds.

A root is a folder or any fsspec URL that holds the two annotation files and the media, unpacked (`videos/`, `audios/`)
or packed (`videos.zip`, `audios.zip`). From an archive only the members that are asked for are taken, by range
requests where it is remote.
"""

from functools import cached_property, lru_cache
from http import HTTPStatus
from typing import Any

import fsspec
import huggingface_hub
from fsspec.implementations.local import LocalFileSystem
from huggingface_hub.errors import LocalEntryNotFoundError

from ..storage import hub, prepared
from ..storage.errors import StorageError, naming, without_credentials
from ..storage.remote import retrying, status_of
from ..storage.stores import ListedFile, MediaStore, open_archive, open_folder
from ..tasks.humansense.annotations import FILES, FOLDER, MEDIA, DataError
from .anywhere import as_data_errors


class Release:
    """One copy of the release, at `root` of a file system.

    `address` is what `open_release` takes for it, with the commit if it is `place` in a repository on the Hub.
    """

    def __init__(
        self, fs: fsspec.AbstractFileSystem, root: str, address: str, place: hub.HubFolder | None = None
    ) -> None:
        self.fs, self.root, self.address, self._place = fs, root, address, place

    @property
    def is_local(self) -> bool:
        """Whether it lies in a folder."""
        return isinstance(self.fs, LocalFileSystem)

    @property
    def is_on_hub(self) -> bool:
        """Whether it is at a commit of a repository on the Hub."""
        return self._place is not None

    @cached_property
    @as_data_errors()
    def prepared_list(self) -> prepared.PreparedList | None:
        """The list of a folder that was prepared."""
        path = f"{self.root}/{prepared.LIST}"
        with naming(path):
            if self._place is not None or not self._has(path):
                return None
            content: bytes = retrying(lambda: self.fs.cat_file(path))
        return prepared.read(content, without_credentials(self.address))

    @property
    def origin(self) -> dict[str, Any]:
        """Where it comes from, for results: `source`, and for what comes from the Hub its `commit`."""
        if self.prepared_list is not None:
            return self.prepared_list.origin
        if self._place is None:
            return {"source": self.root if self.is_local else without_credentials(self.address)}
        return {"source": f"hf://datasets/{self._place.repository}", "commit": self._place.revision}

    @property
    @as_data_errors()
    def annotation_keys(self) -> list[str]:
        """Which of the annotation files it has: "VQA", "AQA"."""
        return [key for key in FILES if self._find_annotations(key) is not None]

    @as_data_errors()
    def annotations(self, key: str) -> bytes:
        """The bytes of the annotation file `key` ("VQA" or "AQA"). Raises DataError when it is not there."""
        content = self._find_annotations(key)
        if content is None:
            path = without_credentials(f"{self.address}/{FILES[key]}")
            raise DataError(f"{path} is missing; the questions about {MEDIA[key]} are in it.")
        return content

    def _find_annotations(self, key: str) -> bytes | None:
        if self._place is not None:
            file = hub.small_file(self._place, FILES[key])
            return None if file is None else file.read_bytes()
        path = f"{self.root}/{FILES[key]}"
        with naming(path):
            if not _exists(self.fs, path):
                return None
            content: bytes = retrying(lambda: self.fs.cat_file(path))
            return content

    @as_data_errors()
    def media(self, key: str) -> MediaStore:
        """The media of the annotation file `key`; unpacked files win. Raises DataError if there are none.

        What the store itself raises later is StorageError.
        """
        folder, archive = f"{self.root}/{MEDIA[key]}", f"{self.root}/{MEDIA[key]}.zip"
        if self.prepared_list is not None and MEDIA[key] in self.prepared_list.media:
            return self._unpacked(folder, self.prepared_list.media[MEDIA[key]])
        with naming(archive):
            # At a commit of the Hub nothing changes: what is known of its archive need not be asked again.
            if self._place is None and self._has_files(folder):
                return self._unpacked(folder)
            if self._place is not None or _exists(self.fs, archive):
                try:
                    return open_archive(self.fs, archive, unchanging=self._place is not None)
                except FileNotFoundError:
                    if self._has_files(folder):
                        return self._unpacked(folder)
        raise DataError(
            f"There is neither {MEDIA[key]}/ nor {MEDIA[key]}.zip in {without_credentials(self.address)}; "
            f"the questions of {FILES[key]} need it."
        )

    def _has(self, path: str) -> bool:
        """Whether there is a file that may be read."""
        try:
            return _exists(self.fs, path)
        except Exception as error:
            if self.is_local or not _may_be_missing(error):
                raise
            return False

    def _has_files(self, folder: str) -> bool:
        """Whether there is a folder that may be listed and is not empty."""
        try:
            return bool(retrying(lambda: self.fs.isdir(folder) and self.fs.ls(folder)))
        except Exception as error:
            if self.is_local or not _may_be_missing(error):
                raise
            return False

    def _unpacked(self, folder: str, files: prepared.Files | None = None) -> MediaStore:
        listed = {name: ListedFile(f"{folder}/{name}", *known) for name, known in files.items()} if files else None
        return open_folder(self.fs, folder, listed)


@lru_cache(maxsize=8)
@as_data_errors()
def open_release(root: str) -> Release:
    """The release at `root`, a folder or an fsspec URL, opened once per process.

    A revision on the Hub is read at the commit that it means now. Raises DataError when there are no annotation files,
    or it cannot be read.
    """
    place = hub.parse(root)
    if place is not None:
        return _open_on_hub(place, root)
    with naming(root):
        fs, path = fsspec.core.url_to_fs(root)
        # The repository itself holds the release in a folder beside the training data; both forms are accepted.
        for base in (path.rstrip("/"), f"{path.rstrip('/')}/{FOLDER}"):
            if any(_exists(fs, f"{base}/{name}") for name in FILES.values()):
                return Release(fs, base, root)
    raise _no_annotations(root)


@lru_cache(maxsize=16)
def open_media_store(root: str, key: str) -> MediaStore:
    """The media of one annotation file of the release at `root`, opened once per process. Raises DataError."""
    return open_release(root).media(key)


def _open_on_hub(place: hub.HubFolder, root: str) -> Release:
    trouble: StorageError | None = None
    for base in (place, place.within(FOLDER)):
        for name in FILES.values():
            try:
                file = hub.small_file(base, name, cached_only=trouble is not None)
            except StorageError as error:
                # Without a network nobody knows what the repository does not have, and the cache may have the rest.
                if not isinstance(error.__cause__, LocalEntryNotFoundError):
                    raise
                trouble = trouble or error
                continue
            if file is not None:
                found = hub.HubFolder(base.repository, hub.commit_of(file), base.folder)
                address = str(found)
                return Release(huggingface_hub.HfFileSystem(), address.removeprefix("hf://"), address, found)
    raise trouble or _no_annotations(root)


def _no_annotations(root: str) -> DataError:
    return DataError(
        f"There is no {' or '.join(FILES.values())} in {without_credentials(root)}; "
        "set HUMANSENSE_DATA to the folder or URL that holds them."
    )


def _exists(fs: fsspec.AbstractFileSystem, path: str) -> bool:
    # fsspec's own `exists` takes every error, a lost network too, for a missing file.
    try:
        retrying(lambda: fs.info(path))
    except FileNotFoundError:
        return False
    return True


def _may_be_missing(error: Exception) -> bool:
    """Whether it is forbidden, which is how buckets and servers that may not be listed answer for what is missing."""
    return isinstance(error, PermissionError) or status_of(error) == HTTPStatus.FORBIDDEN
