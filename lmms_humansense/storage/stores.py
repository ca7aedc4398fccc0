"""Stores of media: files in a folder or members of an archive, each of which becomes a local file."""

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
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
from .remote import RangedFile, identity, retrying
from .transfer import FileContent, ProgressCallback, no_progress


class MediaStore(ABC):
    """Media files by name: paths relative to the store, with `/`.

    `where` is its own name, `is_local` says whether it is on this machine, `refused` has the names of files that
    must not be used, each with the reason, and `archive` is the archive that holds them all, if one does.
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
        """What the file `name` is made of. Raises StorageError for one that is refused."""

    @abstractmethod
    def place(self, name: str) -> Path:
        """Where the local file with the content of `name` is, or will be once it is fetched."""

    @abstractmethod
    def _entry(self, name: str) -> "ListedFile | ArchiveMember":
        """What is known of a file without asking anybody. Raises StorageError for one that is refused."""

    def known_size(self, name: str) -> int | None:
        """The bytes of a file, if that is known without asking anybody."""
        return self._entry(name).size

    def known_crc(self, name: str) -> int | None:
        """The CRC-32 of a file, if that is known."""
        return self._entry(name).crc

    def _refuse_hostile(self, name: str) -> None:
        if name in self.refused:
            raise StorageError(f"{name!r} in {self.where} is refused: {self.refused[name]}")

    def find_local(self, name: str) -> Path | None:
        """The local file with the content of `name`, or None if it has not been fetched yet."""
        path, size = self.place(name), self.known_size(name)
        try:
            there = path.stat().st_size
        except FileNotFoundError:
            return None
        return path if size in (None, there) else None

    def fetch(self, name: str) -> Path:
        """The local file with the content of `name`, taken out or downloaded now if need be."""
        path = self.place(name)
        if self.find_local(name) is None:
            with cache.locked(path):
                if self.find_local(name) is None:
                    self.make(name, path)
        return path

    def make(self, name: str, target: Path, progress: ProgressCallback = no_progress) -> None:
        """Make the file `target` of what `name` holds.

        Raises DamagedContent when that is not what it should be, StorageError when it cannot be read or written; both
        name it.
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
"""What is wrong with where a file is to be, not with where it comes from."""


@dataclass(frozen=True)
class ListedFile:
    """What is known of a file in a folder before it is read: its size in bytes and its CRC-32, or None."""

    path: str
    size: int | None = None
    crc: int | None = None


def open_folder(fs: fsspec.AbstractFileSystem, base: str, listed: Mapping[str, ListedFile] | None = None) -> MediaStore:
    """The unpacked media below `base`; `listed` is what a list says of them, so that nobody has to look."""
    kind = _LocalFolder if isinstance(fs, LocalFileSystem) else _RemoteFolder
    return kind(fs, base, listed)


def open_archive(fs: fsspec.AbstractFileSystem, path: str, unchanging: bool) -> MediaStore:
    """The media in the zip archive at `path`.

    What a remote one holds is read once and kept, for all processes and runs. `unchanging` says that the content at
    `path` is always the same: then not even the server is asked whether it is still the one that was read.
    """
    known = cache.kept_archive(path) if unchanging else None
    if known is not None:
        return _Archive(RangedFile(fs, path, known.size), known)
    info: dict[str, Any] = retrying(lambda: fs.info(path))
    if info.get("size") is None:
        where = without_credentials(path)
        raise StorageError(f"{where}: the server does not say how large it is; download it and set {DATA_SETTING}.")
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
    """Unpacked media; without a list of them, the folder is searched once."""

    def __init__(self, fs: fsspec.AbstractFileSystem, base: str, listed: Mapping[str, ListedFile] | None) -> None:
        super().__init__(fs, base)
        with naming(base):
            files = self._search() if listed is None else listed
        self.refused = {name: "its name leads out of its folder." for name in files if leads_out(name)}
        self._files = {name: file for name, file in files.items() if name not in self.refused}
        self._is_listed = listed is not None

    @abstractmethod
    def _search(self) -> Mapping[str, ListedFile]:
        """All files in the folder."""

    @property
    def names(self) -> list[str]:
        return list(self._files)

    def _entry(self, name: str) -> ListedFile:
        self._refuse_hostile(name)
        return self._files[name]


class _LocalFolder(_Folder):
    """Unpacked media on this machine, which are used where they lie."""

    def _search(self) -> Mapping[str, ListedFile]:
        return {str(path.relative_to(self.where)): ListedFile(str(path)) for path in _walk(self.where)}

    def content(self, name: str) -> FileContent:
        file = self._entry(name)
        size = os.path.getsize(file.path) if file.size is None else file.size
        return FileContent(RangedFile(LocalFileSystem(), file.path, size), size, file.crc)

    def place(self, name: str) -> Path:
        return Path(self._entry(name).path)

    def fetch(self, name: str) -> Path:
        path = self.find_local(name)
        if path is None:
            advice = f": run `{PREPARE_COMMAND} --to {Path(self.where).parent}`" if self._is_listed else ""
            raise StorageError(f"{name} is not in {self.where}, or not whole{advice}.")
        return path


class _RemoteFolder(_Folder):
    """Unpacked media elsewhere, which are downloaded one by one into the cache."""

    def __init__(self, fs: fsspec.AbstractFileSystem, base: str, listed: Mapping[str, ListedFile] | None) -> None:
        self._fs = fs
        self._infos: dict[str, dict[str, Any]] = {}
        super().__init__(fs, base, listed)

    def _search(self) -> Mapping[str, ListedFile]:
        paths: list[str] = retrying(lambda: self._fs.find(self.where))
        names = [path[len(self.where) + 1 :] for path in paths]
        # Web servers list their files by address.
        names = [unquote(name) for name in names] if self.where.startswith("http") else names
        return {name: ListedFile(path) for name, path in zip(names, paths, strict=True)}

    def content(self, name: str) -> FileContent:
        file = self._entry(name)
        size = self._info(file.path).get("size") if file.size is None else file.size
        if size is None:
            raise StorageError(f"{file.path}: the server does not say how large it is; download the media by hand.")
        marks = identity(file.path, self._info(file.path)) if file.crc is None else None
        return FileContent(RangedFile(self._fs, file.path, int(size), marks), int(size), file.crc)

    def place(self, name: str) -> Path:
        file = self._entry(name)
        marks = identity(file.path, self._info(file.path)) if file.crc is None else f"{file.crc:08x}-{file.size}"
        return cache.media_path(marks, name)

    def _info(self, path: str) -> dict[str, Any]:
        """What the file system says of a file; asked for once."""
        if path not in self._infos:
            with naming(path):
                self._infos[path] = retrying(lambda: self._fs.info(path))
        return self._infos[path]


class _Archive(MediaStore):
    """Media in a zip file, local or remote. Members are taken out into the cache, one by one."""

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


def _walk(folder: str) -> Iterator[Path]:
    """All files below a folder, also through links to folders."""
    for place, _, files in os.walk(folder, followlinks=True):
        yield from (Path(place, file) for file in files)
