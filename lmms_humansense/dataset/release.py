"""Opens a release: finds its annotation files and media, in any layout.

A root is a folder or any fsspec URL that holds the two annotation files and the media, unpacked (`videos/`, `audios/`)
or packed (`videos.zip`, `audios.zip`). From an archive only the requested members are read, by range requests if it is
remote.
"""

import os
from collections.abc import Callable
from functools import cached_property, lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import fsspec
import huggingface_hub
from fsspec.implementations.local import LocalFileSystem
from huggingface_hub.errors import LocalEntryNotFoundError

from ..storage import hub, prepared
from ..storage.errors import StorageError, naming, without_credentials
from ..storage.remote import retrying, status_of
from ..storage.stores import ListedFile, MediaStore, open_archive, open_folder
from ..tasks.humansense.annotations import FILES, FOLDER, MEDIA, DataError
from ..tasks.humansense.folders import read_small, refuse_large
from .anywhere import as_data_errors

T = TypeVar("T")


class Release:
    """One copy of the release.

    Attributes:
        fs: The file system that it is in.
        root: Its folder in this file system.
        address: What `open_release` takes to open it again; on the Hub, this includes the commit.

    The argument `place` is its folder on the Hub at a commit; None for all other releases.
    """

    def __init__(
        self, fs: fsspec.AbstractFileSystem, root: str, address: str, place: hub.HubFolder | None = None
    ) -> None:
        self.fs, self.root, self.address, self._place = fs, root, address, place

    @property
    def is_local(self) -> bool:
        """Whether it is in a folder on this machine."""
        return isinstance(self.fs, LocalFileSystem)

    @property
    def is_on_hub(self) -> bool:
        """Whether it is in a dataset repository on the Hub."""
        return self._place is not None

    @cached_property
    @as_data_errors()
    def prepared_list(self) -> prepared.PreparedList | None:
        """The list of a prepared folder; None if this is no prepared folder.

        Raises:
            DataError: The list cannot be read.
        """
        if self._place is not None:
            return None
        path = f"{self.root}/{prepared.LIST}"
        with naming(path):
            if self.is_local:
                content = _passing(lambda: read_small(Path(path))) if os.path.exists(path) else None
            else:
                content = self._if_there(lambda: self.fs.cat_file(path))
        return None if content is None else prepared.read(content, without_credentials(self.address))

    @property
    def origin(self) -> dict[str, Any]:
        """Where it comes from, for results: its `source` and, if it comes from the Hub, its `commit`."""
        if self.prepared_list is not None:
            return self.prepared_list.origin
        if self._place is None:
            return {"source": self.root if self.is_local else without_credentials(self.address)}
        return {"source": f"hf://datasets/{self._place.repository}", "commit": self._place.revision}

    @property
    @as_data_errors()
    def annotation_keys(self) -> list[str]:
        """The keys of the annotation files that it has: "VQA", "AQA"."""
        return [key for key in FILES if self._find_annotations(key) is not None]

    @as_data_errors()
    def annotations(self, key: str) -> bytes:
        """Read the annotation file `key`, "VQA" or "AQA".

        Raises:
            DataError: The file is missing, cannot be read, is no regular file, or is too large to be one of questions.
        """
        content = self._find_annotations(key)
        if content is None:
            path = without_credentials(f"{self.address}/{FILES[key]}")
            raise DataError(f"{path} is missing; it holds the questions about {MEDIA[key]}.")
        return content

    def _find_annotations(self, key: str) -> bytes | None:
        if self._place is not None:
            file = hub.small_file(self._place, FILES[key])
            return None if file is None else read_small(file)
        path = f"{self.root}/{FILES[key]}"
        with naming(path):
            info = _info(self.fs, path)
            if info is None:
                return None
            if self.is_local:
                return _passing(lambda: read_small(Path(path)))
            _passing(lambda: refuse_large(without_credentials(path), info.get("size") or 0))
            return retrying(lambda: self.fs.cat_file(path))

    @as_data_errors()
    def media(self, key: str) -> MediaStore:
        """Open the media of the annotation file `key`, "VQA" or "AQA". Unpacked files take precedence over an archive.

        Returns:
            A store, whose methods raise StorageError, not DataError.

        Raises:
            DataError: There are no media, or they cannot be read.
        """
        folder, archive = f"{self.root}/{MEDIA[key]}", f"{self.root}/{MEDIA[key]}.zip"
        if self.prepared_list is not None and MEDIA[key] in self.prepared_list.media:
            return self._unpacked(folder, self.prepared_list.media[MEDIA[key]])
        with naming(archive):
            # A commit on the Hub never changes: try its archive first, which needs no request if its list is cached.
            if self._place is None and self._has_files(folder):
                return self._unpacked(folder)
            try:
                return open_archive(self.fs, archive, unchanging=self._place is not None)
            except FileNotFoundError:
                if self._place is not None and self._has_files(folder):
                    return self._unpacked(folder)
        raise DataError(
            f"There is neither {MEDIA[key]}/ nor {MEDIA[key]}.zip in {without_credentials(self.address)}; "
            f"the questions in {FILES[key]} need one of them."
        )

    def _has_files(self, folder: str) -> bool:
        """Whether there is a folder that may be listed and is not empty."""
        return bool(self._if_there(lambda: self.fs.isdir(folder) and self.fs.ls(folder)))

    def _if_there(self, read: Callable[[], T]) -> T | None:
        """What `read` returns; None if the file or folder is missing."""
        try:
            return retrying(read)
        except FileNotFoundError:
            return None
        except Exception as error:
            # Buckets and servers that may not be listed answer "forbidden" for a missing file.
            is_forbidden = isinstance(error, PermissionError) or status_of(error) == HTTPStatus.FORBIDDEN
            if self.is_local or not is_forbidden:
                raise
            return None

    def _unpacked(self, folder: str, files: prepared.Files | None = None) -> MediaStore:
        listed = {name: ListedFile(f"{folder}/{name}", *known) for name, known in files.items()} if files else None
        return open_folder(self.fs, folder, listed)


@lru_cache(maxsize=8)
@as_data_errors()
def open_release(root: str) -> Release:
    """Open the release at a root, once per process.

    Args:
        root: A folder or an fsspec URL. The annotation files are in it, or in its folder `bench_data`.

    Returns:
        The release. A revision on the Hub is resolved to its current commit.

    Raises:
        DataError: There are no annotation files, or the root cannot be read.
    """
    place = hub.parse(root)
    if place is not None:
        return _open_on_hub(place, root)
    with naming(root):
        fs, path = fsspec.core.url_to_fs(root)
        # The dataset repository holds the release in a folder beside the training data; accept both roots.
        for base in (path.rstrip("/"), f"{path.rstrip('/')}/{FOLDER}"):
            if any(_exists(fs, f"{base}/{name}") for name in FILES.values()):
                return Release(fs, base, root)
    raise _no_annotations(root)


@lru_cache(maxsize=16)
def open_media_store(root: str, key: str) -> MediaStore:
    """Open the media of one annotation file, once per process.

    Args:
        root: The release, as for `open_release`.
        key: The annotation file, "VQA" or "AQA".

    Returns:
        A store, whose methods raise StorageError.

    Raises:
        DataError: There is no release or there are no media, or they cannot be read.
    """
    return open_release(root).media(key)


def _open_on_hub(place: hub.HubFolder, root: str) -> Release:
    trouble: StorageError | None = None
    for base in (place, place.within(FOLDER)):
        for name in FILES.values():
            try:
                file = hub.small_file(base, name, cached_only=trouble is not None)
            except StorageError as error:
                # Without a network it is unknown whether the repository has this file; the cache may have another one.
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
    return _info(fs, path) is not None


def _info(fs: fsspec.AbstractFileSystem, path: str) -> dict[str, Any] | None:
    """What a file system says about a file; None if it is missing."""
    # fsspec's own `exists` takes every error for a missing file, even a lost network.
    try:
        found: dict[str, Any] = retrying(lambda: fs.info(path))
    except FileNotFoundError:
        return None
    return found


def _passing(read: Callable[[], T]) -> T:
    """Turn a DataError, which names its file already, into a StorageError, which `naming` passes on unchanged."""
    try:
        return read()
    except DataError as error:
        raise StorageError(str(error)) from error
