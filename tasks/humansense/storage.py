"""Where a release lies, and how one of its files becomes a local file.

A root is a folder or any fsspec URL that holds the two annotation files and the media, unpacked (`videos/`, `audios/`)
or packed (`videos.zip`, `audios.zip`). From an archive only the members that are asked for are taken, by range
requests where it is remote.
"""

import os
import shutil
import tempfile
import threading
import unicodedata
import zipfile
from collections.abc import Callable
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import fsspec
import huggingface_hub
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

    `root` is a folder or an fsspec URL. Raises DataError when there are no annotation files.
    """

    def __init__(self, root: str) -> None:
        self.fs, path = fsspec.core.url_to_fs(root)
        # The repository itself holds the release in a folder beside the training data; both forms are accepted.
        bases = [path.rstrip("/"), f"{path.rstrip('/')}/{FOLDER}"]
        found = [base for base in bases if any(self.fs.exists(f"{base}/{name}") for name in FILES.values())]
        if not found:
            raise DataError(
                f"There is no {' or '.join(FILES.values())} in {root}; "
                "set HUMANSENSE_DATA to the folder or URL that holds them."
            )
        self.root = found[0]

    def annotations(self, key: str) -> bytes:
        """The bytes of the annotation file `key` ("VQA" or "AQA"). Raises DataError when it is not there."""
        path = f"{self.root}/{FILES[key]}"
        if not self.fs.exists(path):
            raise DataError(f"{path} is missing; the questions about {MEDIA[key]} are in it.")
        if isinstance(self.fs, huggingface_hub.HfFileSystem):
            return Path(_download_from_hub(self.fs, path)).read_bytes()
        content: bytes = self.fs.cat_file(path)
        return content

    def media(self, key: str) -> MediaStore:
        """The media of the annotation file `key`; unpacked files win. Raises DataError if there are none."""
        folder, archive = f"{self.root}/{MEDIA[key]}", f"{self.root}/{MEDIA[key]}.zip"
        if self.fs.isdir(folder):
            return _Folder(self.fs, folder)
        if self.fs.exists(archive):
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
        lengths = {name: _common_suffix(path, name) for name in candidates}
        best = [name for name in candidates if lengths[name] == max(lengths.values())]
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

    @cached_property
    def names(self) -> list[str]:
        return [path[len(self.where) + 1 :] for path in self.fs.find(self.where)]

    def find_local(self, name: str) -> Path | None:
        path = self._path(name)
        return path if path.exists() else None

    def fetch(self, name: str) -> Path:
        path = self._path(name)
        if not path.exists():
            _write_atomically(path, lambda file: self.fs.get_file(f"{self.where}/{name}", file))
        return path

    def _path(self, name: str) -> Path:
        if isinstance(self.fs, LocalFileSystem):
            return Path(self.where) / name
        return _cached_path(_identity(self.fs, f"{self.where}/{name}"), name)


class _Archive:
    """Media in a zip file, local or remote. Members are taken out into the cache, one by one."""

    def __init__(self, fs: fsspec.AbstractFileSystem, path: str) -> None:
        self.fs, self.where = fs, path
        self._identity = _identity(fs, path)
        self._lock = threading.Lock()

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.fs.open(self.where, "rb"))
        except zipfile.BadZipFile as error:
            raise DataError(f"{self.where} is not a complete zip file ({error}); download it again.") from error

    @cached_property
    def names(self) -> list[str]:
        return [info.filename for info in self._zip.infolist() if not info.is_dir()]

    def find_local(self, name: str) -> Path | None:
        path = _cached_path(self._identity, name)
        return path if path.exists() else None

    def fetch(self, name: str) -> Path:
        path = _cached_path(self._identity, name)
        if not path.exists():
            _write_atomically(path, lambda file: self._extract(name, file))
        return path

    def _extract(self, name: str, target: str) -> None:
        # One reader at a time: the members share the archive's file object. Reading to the end checks the CRC.
        try:
            with self._lock, self._zip.open(name) as member, open(target, "wb") as file:
                shutil.copyfileobj(member, file, 1 << 20)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{name} cannot be taken out of {self.where}: {error}.") from error


def _parts(path: str) -> list[str]:
    # Archives made on other systems may decompose accented letters or use backslashes.
    return unicodedata.normalize("NFC", path).replace("\\", "/").strip("/").split("/")


def _common_suffix(path: str, name: str) -> int:
    length = 0
    for ours, theirs in zip(reversed(_parts(path)), reversed(_parts(name)), strict=False):
        if ours != theirs:
            break
        length += 1
    return length


def _identity(fs: fsspec.AbstractFileSystem, path: str) -> str:
    """A name for the content at `path` that changes when it is replaced."""
    info: dict[str, Any] = fs.info(path)
    marks = (str(info.get(key)) for key in ("size", "mtime", "ETag", "etag", "LastModified", "blob_id", "created"))
    return sha256("\n".join([path, *marks]).encode()).hexdigest()[:16]


def _cached_path(identity: str, name: str) -> Path:
    """Where the file `name` of the store `identity` is kept. Raises DataError for a name that leads elsewhere."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise DataError(f"The media file name {name!r} leads out of its folder; it is refused.")
    return cache_folder().joinpath("media", identity, *parts)


def _write_atomically(path: Path, write: Callable[[str], Any]) -> None:
    """Make `path` by calling `write` with the name of a file beside it, which is then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    os.close(handle)
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def _download_from_hub(fs: huggingface_hub.HfFileSystem, path: str) -> str:
    """The Hub's own cached copy of a small file."""
    place: Any = fs.resolve_path(path)
    return huggingface_hub.hf_hub_download(
        place.repo_id, place.path_in_repo, repo_type=place.repo_type, revision=place.revision, endpoint=fs.endpoint
    )
