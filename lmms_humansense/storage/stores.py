"""Stores of media: the files of a folder or the members of an archive, each of which can become a local file."""

import errno
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import fsspec
from fsspec.implementations.local import LocalFileSystem

from . import cache, transfer
from .archive import ArchiveMember, leads_out, read_contents
from .errors import DATA_SETTING, PREPARE_COMMAND, DamagedContent, StorageError, naming, without_credentials
from .folders import files_below, size_of
from .remote import RangedFile, identity, retrying
from .transfer import FileContent, ProgressCallback, no_progress


class MediaStore(ABC):
    """Media files by name. A name is a path relative to the store, with `/`.

    Attributes:
        where: The path or address of the folder or archive.
        is_local: Whether the folder or archive is on this machine.
        refused: The reason for each file that must not be used, by name.
        archive: The archive that holds the files; None for a folder.
    """

    refused: Mapping[str, str] = MappingProxyType({})
    archive: RangedFile | None = None

    def __init__(self, fs: fsspec.AbstractFileSystem, where: str) -> None:
        self.where, self.is_local = where, isinstance(fs, LocalFileSystem)

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """The names of all files in the store that may be used."""

    @abstractmethod
    def content(self, name: str) -> FileContent:
        """Where the bytes of a file come from.

        Raises:
            StorageError: The file is refused, or its size is unknown.
        """

    @abstractmethod
    def place(self, name: str) -> Path:
        """The path of the local file, whether or not it has been fetched yet.

        Raises:
            StorageError: The file is refused.
        """

    @abstractmethod
    def _entry(self, name: str) -> "ListedFile | ArchiveMember":
        """What the list of the store says about a file. Raises StorageError if the file is refused."""

    def known(self, name: str) -> tuple[int | None, int | None]:
        """What is known about a file without reading it or asking a server.

        Returns:
            Its size in bytes and its CRC-32, each None if unknown.

        Raises:
            StorageError: The file is refused.
        """
        entry = self._entry(name)
        return entry.size, entry.crc

    def _refuse_hostile(self, name: str) -> None:
        if name in self.refused:
            raise StorageError(f"{name!r} in {self.where} is refused: {self.refused[name]}")

    def find_local(self, name: str) -> Path | None:
        """The local file, or None if it has not been fetched yet or has the wrong size.

        Raises:
            StorageError: The file is refused.
        """
        path, (size, _) = self.place(name), self.known(name)
        there = size_of(path)
        return path if there is not None and size in (None, there) else None

    def fetch(self, name: str) -> Path:
        """The local file, which is downloaded or taken out of its archive now if necessary.

        Raises:
            DamagedContent: The content is not what it should be.
            StorageError: The file is refused, or cannot be read or written.
        """
        path = self.place(name)
        if self.find_local(name) is None:
            with cache.locked(path):
                if self.find_local(name) is None:
                    self.make(name, path)
        return path

    def make(self, name: str, target: Path, progress: ProgressCallback = no_progress) -> None:
        """Write a file of the store to a local path. The caller ensures that only one thread does so at a time.

        Args:
            name: The file in the store.
            target: The local file to write.
            progress: Called with the number of bytes for each piece that is fetched.

        Raises:
            DamagedContent: The content is not what it should be.
            StorageError: The file is refused, or cannot be read or written.
        """
        what = f"{name} in {without_credentials(self.where)}"
        with naming(what):
            content = self.content(name)
            try:
                transfer.make(target, content, progress)
            except StorageError as error:
                raise DamagedContent(f"{what} cannot be used: {error}.") from error
            except OSError as error:
                if error.errno in _DISK:
                    raise StorageError(f"{target} cannot be written ({error.strerror}).") from error
                raise


_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of the disk that is written to, not of the source: full, over quota, read-only."""


@dataclass(frozen=True)
class ListedFile:
    """A file in a folder.

    Attributes:
        path: The path in the file system of the folder.
        size: The size in bytes; None if unknown.
        crc: The CRC-32; None if unknown.
    """

    path: str
    size: int | None = None
    crc: int | None = None


def open_folder(fs: fsspec.AbstractFileSystem, base: str, listed: Mapping[str, ListedFile] | None = None) -> MediaStore:
    """Open a folder of unpacked media.

    Args:
        fs: The file system.
        base: The folder in it.
        listed: The files by name, from the list of a prepared folder; None to search the folder.

    Returns:
        A store. If the folder is remote, it downloads files into the cache.

    Raises:
        StorageError: The folder cannot be searched.
    """
    kind = _LocalFolder if isinstance(fs, LocalFileSystem) else _RemoteFolder
    return kind(fs, base, listed)


def open_archive(fs: fsspec.AbstractFileSystem, path: str, unchanging: bool) -> MediaStore:
    """Open a zip archive of media. The list of a remote archive is read once and cached for all processes and runs.

    Args:
        fs: The file system.
        path: The archive in it.
        unchanging: Whether the content at `path` never changes, as at a commit of the Hub. If so, a cached list is used
            without asking the server whether the archive is still the same.

    Returns:
        A store that takes members out of the archive into the cache.

    Raises:
        StorageError: The server does not report the size of the archive, or the archive is damaged.
        FileNotFoundError: There is no such archive.
    """
    known = cache.kept_archive(path) if unchanging else None
    if known is not None:
        return _Archive(RangedFile(fs, path, known.size), known)
    info: dict[str, Any] = retrying(lambda: fs.info(path))
    if info.get("size") is None:
        where = without_credentials(path)
        raise StorageError(f"{where}: the server does not report its size; download it by hand and set {DATA_SETTING}.")
    name = identity(path, info)
    file = RangedFile(fs, path, int(info["size"]), None if unchanging else name)
    if isinstance(fs, LocalFileSystem):
        return _Archive(file, _read(file, name))
    key = path if unchanging else f"{path} {name}"
    with cache.locked(cache.contents_path(key)):
        known = cache.kept_archive(key)
        if known is None:
            known = _read(file, name)
            cache.keep_archive(key, known)
    return _Archive(file, known)


class _Folder(MediaStore):
    """Unpacked media. Without a list, the folder is searched once."""

    def __init__(self, fs: fsspec.AbstractFileSystem, base: str, listed: Mapping[str, ListedFile] | None) -> None:
        super().__init__(fs, base)
        with naming(base):
            files, unusable = self._search() if listed is None else (listed, {})
        self.refused = {name: "its name leads out of its folder." for name in files if leads_out(name)} | unusable
        self._files = {name: file for name, file in files.items() if name not in self.refused}
        self._is_listed = listed is not None

    @abstractmethod
    def _search(self) -> tuple[Mapping[str, ListedFile], dict[str, str]]:
        """All files in the folder, and the reason for each name that is no file."""

    @property
    def names(self) -> list[str]:
        return list(self._files)

    def _entry(self, name: str) -> ListedFile:
        self._refuse_hostile(name)
        return self._files[name]


class _LocalFolder(_Folder):
    """Unpacked media on this machine, which are used in place."""

    def _search(self) -> tuple[Mapping[str, ListedFile], dict[str, str]]:
        names, unusable = files_below(self.where)
        return {name: ListedFile(str(Path(self.where, name))) for name in names}, unusable

    def content(self, name: str) -> FileContent:
        file = self._entry(name)
        size = self._size_there(name) if file.size is None else file.size
        return FileContent(RangedFile(LocalFileSystem(), file.path, size), size, file.crc)

    def place(self, name: str) -> Path:
        return Path(self._entry(name).path)

    def make(self, name: str, target: Path, progress: ProgressCallback = no_progress) -> None:
        self._size_there(name)  # a pipe, which the list of a prepared folder may name, must not even be opened
        super().make(name, target, progress)

    def _size_there(self, name: str) -> int:
        size = size_of(self.place(name))
        if size is None:
            raise StorageError(f"{name} in {self.where} is missing or no regular file; put the file itself there.")
        return size

    def fetch(self, name: str) -> Path:
        path = self.find_local(name)
        if path is None:
            advice = f": run `{PREPARE_COMMAND} --to {Path(self.where).parent}`" if self._is_listed else ""
            raise StorageError(f"{name} is not in {self.where}, or not complete{advice}.")
        return path


class _RemoteFolder(_Folder):
    """Unpacked media in a remote file system, which are downloaded one by one into the cache."""

    def __init__(self, fs: fsspec.AbstractFileSystem, base: str, listed: Mapping[str, ListedFile] | None) -> None:
        self._fs = fs
        self._infos: dict[str, dict[str, Any]] = {}
        super().__init__(fs, base, listed)

    def _search(self) -> tuple[Mapping[str, ListedFile], dict[str, str]]:
        paths: list[str] = retrying(lambda: self._fs.find(self.where))
        names = [path[len(self.where) + 1 :] for path in paths]
        # Web servers list their files as percent-encoded addresses.
        names = [unquote(name) for name in names] if self.where.startswith("http") else names
        return {name: ListedFile(path) for name, path in zip(names, paths, strict=True)}, {}

    def content(self, name: str) -> FileContent:
        file = self._entry(name)
        size = self._info(file.path).get("size") if file.size is None else file.size
        if size is None:
            raise StorageError(f"{file.path}: the server does not report its size; download the media by hand.")
        marks = identity(file.path, self._info(file.path)) if file.crc is None else None
        return FileContent(RangedFile(self._fs, file.path, int(size), marks), int(size), file.crc)

    def place(self, name: str) -> Path:
        file = self._entry(name)
        marks = identity(file.path, self._info(file.path)) if file.crc is None else f"{file.crc:08x}-{file.size}"
        return cache.media_path(marks, name)

    def _info(self, path: str) -> dict[str, Any]:
        """The file system's metadata of a file, requested once."""
        if path not in self._infos:
            with naming(path):
                self._infos[path] = retrying(lambda: self._fs.info(path))
        return self._infos[path]


class _Archive(MediaStore):
    """Media in a zip archive, local or remote. Members are taken out into the cache one by one."""

    def __init__(self, file: RangedFile, known: cache.KeptArchive) -> None:
        super().__init__(file.fs, file.path)
        self.archive: RangedFile = file
        self.refused = known.contents.refused
        self._identity, self._members = known.identity, known.contents.members

    @property
    def names(self) -> list[str]:
        return list(self._members)

    def content(self, name: str) -> FileContent:
        member = self._entry(name)
        return FileContent(self.archive, member.size, member.crc, member)

    def place(self, name: str) -> Path:
        self._entry(name)
        return cache.media_path(self._identity, name)

    def _entry(self, name: str) -> ArchiveMember:
        self._refuse_hostile(name)
        return self._members[name]


def _read(file: RangedFile, name: str) -> cache.KeptArchive:
    with file.opened() as opened:
        return cache.KeptArchive(name, file.size, read_contents(opened, file.size, without_credentials(file.path)))
