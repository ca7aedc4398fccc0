"""What there is to prepare, and where it comes to lie."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from ..dataset.anywhere import as_data_errors
from ..dataset.release import Release, open_media_store, open_release
from ..storage import cache, prepared
from ..storage.prepared import LIST, PreparedList
from ..storage.stores import MediaStore
from ..storage.transfer import FileContent
from ..tasks.humansense import data
from ..tasks.humansense.annotations import FILES, MEDIA, DataError, key_of
from ..tasks.humansense.lookup import parts
from ..tasks.humansense.taxonomy import BY_CODE, Task, TaxonomyError
from ..tasks.humansense.variants import tasks_of


@dataclass(frozen=True)
class PlannedFile:
    """One media file to prepare: what `name` in the store holds becomes `target`. `media` is its folder, "videos"."""

    media: str
    store: MediaStore
    name: str
    target: Path

    @property
    def content(self) -> FileContent:
        """What it is made of. Raises DataError when that must not be used."""
        return self.store.content(self.name)


@dataclass(frozen=True)
class Plan:
    """What is to be prepared for so many `questions` of a release.

    In a folder of its own, `to`, it comes with the annotations and a list; where `to` is None it comes into the cache.
    """

    release: Release
    questions: int
    files: list[PlannedFile]
    to: Path | None = None
    listed: PreparedList | None = None

    @property
    def folder(self) -> Path:
        """The folder that all of it comes into."""
        return self.to or cache.cache_folder()

    def shown(self, file: PlannedFile) -> str:
        """The name of a file for people: below the folder where there is one, else that in the release."""
        return str(file.target.relative_to(self.to)) if self.to else file.name


@as_data_errors()
def plan(names: str = "humansense", limit: int | None = None, to: Path | None = None) -> Plan:
    """Plan what the first `limit` questions (all, if None) need of each of the tasks in `names`, which has commas.

    Raises DataError for names that are none, and for a release that cannot be used.
    """
    wanted = _wanted(_source(to), names, limit)
    if to is None:
        return wanted.plan(lambda media, store, name: store.place(name))
    unpacked = {media: unpacked_names(store.names, media) for media, store in wanted.stores.items()}
    files = {
        media: {unpacked[media][name]: (store.known_size(name), store.known_crc(name)) for name in store.names}
        for media, store in wanted.stores.items()
    }
    release = wanted.release
    digests = {FILES[key]: sha256(release.annotations(key)).hexdigest() for key in release.annotation_keys}
    listed = _joined(PreparedList(release.address, release.origin, digests, files), to)
    return wanted.plan(lambda media, store, name: to / media / unpacked[media][name], to, listed)


@as_data_errors()
def plan_check(names: str = "humansense", limit: int | None = None, to: Path | None = None) -> Plan:
    """The same, of what is there already: a folder is looked at as its own list says, and nobody else is asked."""
    if to is not None and not (to / LIST).is_file():
        raise DataError(f"{to} has no {LIST}: it was not prepared by this command, so nobody knows what is right.")
    wanted = _wanted(_source(None) if to is None else str(to), names, limit)
    return wanted.plan(lambda media, store, name: store.place(name), to, wanted.release.prepared_list)


@dataclass(frozen=True)
class _Wanted:
    """The names of the files that questions need, by media folder ("videos"), and the stores that have them."""

    release: Release
    questions: int
    stores: dict[str, MediaStore]
    names: dict[str, list[str]]

    def plan(
        self,
        target: Callable[[str, MediaStore, str], Path],
        to: Path | None = None,
        listed: PreparedList | None = None,
    ) -> Plan:
        """The plan in which each file comes to lie at `target(media, store, name)`."""
        files = [
            PlannedFile(media, store, name, target(media, store, name))
            for media, store in self.stores.items()
            for name in self.names[media]
        ]
        return Plan(self.release, self.questions, files, to, listed)


def _wanted(root: str, names: str, limit: int | None) -> _Wanted:
    release = open_release(root)
    docs = [doc for task in _tasks(names) for doc in data.load(task.code, root)[:limit]]
    wanted: dict[str, dict[str, None]] = {}
    for doc in docs:
        wanted.setdefault(key_of(BY_CODE[doc["code"]]), {})[doc["file"]] = None
    stores = {MEDIA[key]: open_media_store(release.address, key) for key in wanted}
    return _Wanted(release, len(docs), stores, {MEDIA[key]: list(found) for key, found in wanted.items()})


def unpacked_names(names: Iterable[str], folder: str) -> Mapping[str, str]:
    """What files of a store are called below `folder` in the release's own layout: without the folders above it.

    Where that would give two files one name, all keep theirs.
    """
    shortened = {name: _below(folder, name) for name in names}
    if len(set(shortened.values())) == len(shortened):
        return shortened
    return {name: "/".join(parts(name)) for name in names}


def _below(folder: str, name: str) -> str:
    pieces = parts(name)
    start = pieces.index(folder) + 1 if folder in pieces[:-1] else 0
    return "/".join(pieces[start:])


def _source(to: Path | None) -> str:
    """The root of the release to prepare from.

    A folder that was begun is gone on with from the commit that it was begun with, unless the user names another.
    """
    (source,) = json.loads(files("lmms_humansense.tasks.humansense").joinpath("source.json").read_text())
    root = data.release_root(source["repository"])
    if to is None:
        return root
    is_itself = os.path.isdir(root) and to.is_dir() and os.path.samefile(root, to)
    chosen = os.environ.get("HUMANSENSE_DATA", "").strip() or os.environ.get("HUMANSENSE_REVISION", "").strip()
    if (to / LIST).is_file() and (is_itself or not chosen):
        return prepared.read((to / LIST).read_bytes(), str(to)).address
    if is_itself:
        raise DataError(f"HUMANSENSE_DATA is {to}, the folder to prepare: unset it, or name where the data come from.")
    return root


def _tasks(names: str) -> Sequence[Task]:
    try:
        return list(dict.fromkeys(task for name in names.split(",") for task in tasks_of(name)))
    except TaxonomyError as error:
        raise DataError(f"--tasks: {error}") from error


def _joined(new: PreparedList, to: Path) -> PreparedList:
    """The list of what a folder is to hold, with what its list has of other parts of the same release."""
    if not (to / LIST).is_file():
        return new
    old = prepared.read((to / LIST).read_bytes(), str(to))
    if old.annotations != new.annotations or any(
        _differ(old.media[folder], new.media[folder]) for folder in old.media if folder in new.media
    ):
        raise DataError(
            f"{to} was prepared from {_named(old)}, whose files are not those of {_named(new)}: choose another folder."
        )
    media = {
        folder: {**new.media.get(folder, {}), **{n: k for n, k in old.media.get(folder, {}).items() if None not in k}}
        for folder in {**old.media, **new.media}
    }
    return replace(new, media=media)


def _differ(old: prepared.Files, new: prepared.Files) -> bool:
    return old.keys() != new.keys() or any(
        None not in (mine, theirs) and mine != theirs
        for name in old
        for mine, theirs in zip(old[name], new[name], strict=True)
    )


def _named(listed: PreparedList) -> str:
    return " at commit ".join(map(str, (listed.origin[key] for key in ("source", "commit") if key in listed.origin)))
