"""Where a release lies, and how one of its files becomes a local file.

A root is a folder or any fsspec URL that holds the two annotation files and the media, unpacked (`videos/`, `audios/`)
or packed (`videos.zip`, `audios.zip`). From an archive only the members that are asked for are taken, by range
requests where it is remote.
"""

import os
import shutil
import threading
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote
from uuid import uuid4

import fsspec
import huggingface_hub
import huggingface_hub.constants
from fsspec.implementations.local import LocalFileSystem

from .annotations import FILES, DataError

FOLDER = "bench_data"
"""The folder of the dataset repository that holds the benchmark; the training data beside it is never read."""

MEDIA = {"VQA": "videos", "AQA": "audios"}
"""The media folder (or archive) that belongs to each annotation file."""


class MediaStore(Protocol):
    """Media files by name: paths relative to the store, with `/`."""

    where: str

    @property
    def names(self) -> list[str]:
        """The names of all files in the store."""

    def find_local(self, name: str) -> Path | None:
        """The local file with the content of `name`, or None if it has not been fetched yet."""

    def fetch(self, name: str) -> Path:
        """The local file with the content of `name`, taken out or downloaded now if need be."""


class Release:
    """One copy of the release.

    `root` is a folder or an fsspec URL. Raises DataError when there are no annotation files, or it can not be read.
    """

    def __init__(self, root: str) -> None:
        with _naming(root):
            self.fs, path = fsspec.core.url_to_fs(root)
            # The repository itself holds the release in a folder beside the training data; both forms are accepted.
            bases = [path.rstrip("/"), f"{path.rstrip('/')}/{FOLDER}"]
            found = [base for base in bases if any(_exists(self.fs, f"{base}/{name}") for name in FILES.values())]
        if not found:
            raise DataError(
                f"There is no {' or '.join(FILES.values())} in {root}; "
                "set HUMANSENSE_DATA to the folder or URL that holds them."
            )
        self.root = found[0]

    def annotations(self, key: str) -> bytes:
        """The bytes of the annotation file `key` ("VQA" or "AQA"). Raises DataError when it is not there."""
        path = f"{self.root}/{FILES[key]}"
        with _naming(path):
            if not _exists(self.fs, path):
                raise DataError(f"{path} is missing; the questions about {MEDIA[key]} are in it.")
            if isinstance(self.fs, huggingface_hub.HfFileSystem):
                return Path(_download_from_hub(self.fs, path)).read_bytes()
            content: bytes = self.fs.cat_file(path)
            return content

    def media(self, key: str) -> MediaStore:
        """The media of the annotation file `key`; unpacked files win. Raises DataError if there are none."""
        folder, archive = f"{self.root}/{MEDIA[key]}", f"{self.root}/{MEDIA[key]}.zip"
        with _naming(self.root):
            if self.fs.isdir(folder) and self.fs.ls(folder):
                return _Folder(self.fs, folder)
            if _exists(self.fs, archive):
                return _Archive(self.fs, archive)
        raise DataError(
            f"There is neither {MEDIA[key]}/ nor {MEDIA[key]}.zip in {self.root}; "
            f"the questions of {FILES[key]} need it."
        )


class MediaIndex:
    """The files of a store, found by the paths that the annotations give them."""

    def __init__(self, store: MediaStore) -> None:
        self.store = store
        self._by_basename: dict[str, list[str]] = {}
        for name in store.names:
            self._by_basename.setdefault(_parts(name)[-1], []).append(name)

    def find(self, path: str) -> str:
        """The name of the file that an annotated path means: the one with the longest common suffix.

        How archive members are named is not documented, so leading folders may differ.
        Raises DataError when no file fits, or several fit equally well.
        """
        candidates = self._by_basename.get(_parts(path)[-1], [])
        fits = {name: _fit(path, name) for name in candidates}
        best = [name for name in candidates if fits[name] == max(fits.values())]
        if not best:
            raise DataError(f"{path} is not in {self.store.where}")
        if len(best) > 1:
            raise DataError(f"{path} could be any of {', '.join(sorted(best))} in {self.store.where}")
        return best[0]


@lru_cache(maxsize=8)
def open_release(root: str) -> Release:
    """The release at `root`, opened once per process."""
    return Release(root)


@lru_cache(maxsize=16)
def open_media(root: str, key: str) -> MediaIndex:
    """The media index of one annotation file of the release at `root`, read once per process."""
    return MediaIndex(open_release(root).media(key))


def cache_folder() -> Path:
    """Where fetched media are kept: beside the Hub's own cache, so that HF_HOME moves both."""
    return Path(huggingface_hub.constants.HF_HOME) / "humansense"


class _Folder:
    """Unpacked media. Local ones are used where they lie, remote ones are downloaded one by one."""

    def __init__(self, fs: fsspec.AbstractFileSystem, base: str) -> None:
        self.fs, self.where = fs, base

    @property
    def names(self) -> list[str]:
        return list(self._paths)

    @cached_property
    def _paths(self) -> dict[str, str]:
        """Where the file of each name is."""
        with _naming(self.where):
            if isinstance(self.fs, LocalFileSystem):
                return {str(path.relative_to(self.where)): str(path) for path in _walk(self.where)}
            paths = {path[len(self.where) + 1 :]: path for path in self.fs.find(self.where)}
        # Web servers list their files by address.
        return {unquote(name): path for name, path in paths.items()} if self.where.startswith("http") else paths

    def find_local(self, name: str) -> Path | None:
        path = self._local(name)
        return path if path.exists() else None

    def fetch(self, name: str) -> Path:
        path = self._local(name)
        if not path.exists():
            with _naming(self._paths[name]):
                _write_atomically(path, lambda file: self.fs.get_file(self._paths[name], file))
        return path

    def _local(self, name: str) -> Path:
        if isinstance(self.fs, LocalFileSystem):
            return Path(self._paths[name])
        with _naming(self._paths[name]):
            return _cached_path(_identity(self.fs, self._paths[name]), name)


class _Archive:
    """Media in a zip file, local or remote. Members are taken out into the cache, one by one."""

    def __init__(self, fs: fsspec.AbstractFileSystem, path: str) -> None:
        self.fs, self.where = fs, path
        self._identity = _identity(fs, path)
        self._lock = threading.Lock()

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.fs.open(self.where, "rb", block_size=_BLOCK))
        except zipfile.BadZipFile as error:
            raise DataError(f"{self.where} is not a complete zip file ({error}); download it again.") from error

    @cached_property
    def names(self) -> list[str]:
        with _naming(self.where):
            return [info.filename for info in self._zip.infolist() if not info.is_dir()]

    def find_local(self, name: str) -> Path | None:
        path = _cached_path(self._identity, name)
        return path if path.exists() else None

    def fetch(self, name: str) -> Path:
        path = _cached_path(self._identity, name)
        if not path.exists():
            with _naming(f"{name} in {self.where}"):
                _write_atomically(path, lambda file: self._extract(name, file))
        return path

    def _extract(self, name: str, target: Path) -> None:
        # One reader at a time: the members share the archive's file object. Reading to the end checks the CRC.
        with self._lock, self._zip.open(name) as member, target.open("wb") as file:
            shutil.copyfileobj(member, file, 1 << 20)


_BLOCK = 1 << 18
"""Bytes that are read ahead in a remote archive: few requests for a long clip, little wasted on a short one."""


@contextmanager
def _naming(what: str) -> Iterator[None]:
    """Turn whatever goes wrong in the block into a DataError that names `what` was read."""
    try:
        yield
    except DataError:
        raise
    # File systems, networks and codecs each have exceptions of their own; none of them names the file.
    except Exception as error:
        raise DataError(f"{what} cannot be read ({type(error).__name__}: {error}).") from error


def _exists(fs: fsspec.AbstractFileSystem, path: str) -> bool:
    # fsspec's own `exists` takes every error, a lost network too, for a missing file.
    try:
        fs.info(path)
    except FileNotFoundError:
        return False
    return True


def _walk(folder: str) -> Iterator[Path]:
    """All files below a folder, also through links to folders."""
    for place, _, files in os.walk(folder, followlinks=True):
        yield from (Path(place, file) for file in files)


def _parts(path: str) -> list[str]:
    # Archives made on other systems may decompose accented letters or use backslashes.
    return unicodedata.normalize("NFC", path).replace("\\", "/").strip("/").split("/")


def _fit(path: str, name: str) -> tuple[int, bool]:
    """How well a file's name fits an annotated path: the parts they share at the end, and whether that is all of it."""
    ours, theirs = _parts(path), _parts(name)
    shared = 0
    while shared < min(len(ours), len(theirs)) and ours[-1 - shared] == theirs[-1 - shared]:
        shared += 1
    return shared, shared == len(theirs)


def _identity(fs: fsspec.AbstractFileSystem, path: str) -> str:
    """A name for the content at `path` that changes when it is replaced."""
    info: dict[str, Any] = fs.info(path)
    marks = (str(info.get(key)) for key in ("size", "mtime", "ETag", "etag", "LastModified", "blob_id"))
    return sha256("\n".join([path, *marks]).encode()).hexdigest()[:16]


def _cached_path(identity: str, name: str) -> Path:
    """Where the file `name` of the store `identity` is kept. Raises DataError for a name that leads elsewhere."""
    parts = _parts(name)
    if name.startswith(("/", "\\")) or ":" in parts[0] or "\0" in name or not {"", ".", ".."}.isdisjoint(parts):
        raise DataError(f"The media file name {name!r} leads out of its folder; it is refused.")
    return cache_folder().joinpath("media", identity, *parts)


def _write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Make `path` by calling `write` with the name of a file beside it, which is then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid4().hex}.part")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _download_from_hub(fs: huggingface_hub.HfFileSystem, path: str) -> str:
    """The Hub's own cached copy of a small file."""
    place: Any = fs.resolve_path(path)
    return huggingface_hub.hf_hub_download(
        place.repo_id, place.path_in_repo, repo_type=place.repo_type, revision=place.revision, endpoint=fs.endpoint
    )
