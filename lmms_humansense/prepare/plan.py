"""Plans which files to prepare, and where they go."""

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import resources
from pathlib import Path

from ..dataset.anywhere import as_data_errors
from ..dataset.release import Release, open_media_store, open_release
from ..models.media.stand_in import MOST_BYTES, read_stand_in
from ..storage import cache, prepared
from ..storage.prepared import LIST, PreparedList
from ..storage.stores import MediaStore
from ..storage.transfer import FileContent
from ..tasks.humansense import data
from ..tasks.humansense.annotations import FILES, MEDIA, DataError, key_of
from ..tasks.humansense.folders import read_small
from ..tasks.humansense.lookup import parts
from ..tasks.humansense.taxonomy import BY_CODE, Task, TaxonomyError
from ..tasks.humansense.variants import tasks_of
from .links import refuse_links_out


@dataclass(frozen=True)
class PlannedFile:
    """One media file to prepare.

    Attributes:
        media: Its media folder in the release, "videos" or "audios".
        store: The store that it comes from.
        name: Its name in the store.
        target: The local file to make.
    """

    media: str
    store: MediaStore
    name: str
    target: Path

    @property
    def content(self) -> FileContent:
        """Where its bytes come from.

        Raises:
            StorageError: The file is refused, or its size is unknown.
        """
        return self.store.content(self.name)


@dataclass(frozen=True)
class Plan:
    """What to prepare, and where.

    Attributes:
        release: The release that the files come from.
        questions: The number of questions that need the files.
        files: The media files.
        to: The folder for the release's layout, with the annotations and a list; None to prepare the cache.
        listed: The list of the folder `to`; None for the cache.
    """

    release: Release
    questions: int
    files: list[PlannedFile]
    to: Path | None = None
    listed: PreparedList | None = None

    @property
    def folder(self) -> Path:
        """The folder that everything goes into."""
        return self.to or cache.cache_folder()

    @property
    def stores(self) -> dict[str, MediaStore]:
        """The stores that the files come from, by media folder."""
        return {file.media: file.store for file in self.files}

    def shown(self, file: PlannedFile) -> str:
        """The name of a file for messages: its path in the folder `to`, or its name in the store."""
        return str(file.target.relative_to(self.to)) if self.to else file.name


@as_data_errors()
def plan(names: str = "humansense", limit: int | None = None, to: Path | None = None) -> Plan:
    """Plan what to fetch for some tasks.

    Args:
        names: Tasks and groups, separated by commas.
        limit: Only the first questions of each task; None for all.
        to: The folder to prepare; None to prepare the cache.

    Returns:
        The plan. With `to`, its list also covers the files of the release that are not planned.

    Raises:
        DataError: A name is no task or group, the release cannot be read, or `to` was prepared from other content,
            or links lead out of the release.
    """
    planned = planned_in_place(source_of(to), names, limit)
    if to is None:
        return planned
    refuse_links_out(planned.release, ((file.store, file.name) for file in planned.files))
    unpacked = {media: unpacked_names(store.names, media) for media, store in planned.stores.items()}
    media_files = {
        media: {unpacked[media][name]: store.known(name) for name in store.names}
        for media, store in planned.stores.items()
    }
    release = planned.release
    digests = {FILES[key]: sha256(release.annotations(key)).hexdigest() for key in release.annotation_keys}
    made = {(file.media, unpacked[file.media][file.name]) for file in planned.files}
    listed = joined(PreparedList(release.address, release.origin, digests, media_files), to, made)
    targets = [replace(file, target=to / file.media / unpacked[file.media][file.name]) for file in planned.files]
    return replace(planned, files=targets, to=to, listed=listed)


@as_data_errors()
def plan_check(names: str = "humansense", limit: int | None = None, to: Path | None = None) -> Plan:
    """Plan what to check for some tasks. A prepared folder is checked against its own list, without a network.

    Args:
        names: Tasks and groups, separated by commas.
        limit: Only the first questions of each task; None for all.
        to: The prepared folder to check; None to check the cache.

    Returns:
        The plan, whose targets may be missing or damaged.

    Raises:
        DataError: A name is no task or group, the release cannot be read, or `to` has no list.
    """
    if to is not None and not (to / LIST).is_file():
        raise DataError(f"{to} has no {LIST}: it was not prepared by this command and cannot be checked.")
    planned = planned_in_place(source_of(None) if to is None else str(to), names, limit)
    return replace(planned, to=to, listed=None if to is None else planned.release.prepared_list)


def planned_in_place(root: str, names: str, limit: int | None) -> Plan:
    """Plan to leave each file where its store keeps it: in the cache, or in its local folder.

    Args:
        root: The root of the release.
        names: Tasks and groups, separated by commas.
        limit: Only the first questions of each task; None for all.

    Returns:
        The plan.
    """
    release = open_release(root)
    docs = [doc for task in _tasks(names) for doc in data.load(task.code, root)[:limit]]
    wanted: dict[str, dict[str, None]] = {}
    for doc in docs:
        wanted.setdefault(key_of(BY_CODE[doc["code"]]), {})[doc["file"]] = None
    files: list[PlannedFile] = []
    for key, found in wanted.items():
        store = open_media_store(release.address, key)
        files += [PlannedFile(MEDIA[key], store, name, store.place(name)) for name in found]
    return Plan(release, len(docs), files)


def unpacked_names(names: Iterable[str], folder: str) -> Mapping[str, str]:
    """Name the files of a store as in the release's own layout: without `folder` and the folders above it.

    Args:
        names: The names of all files in the store.
        folder: The media folder, "videos" or "audios".

    Returns:
        The new name of each file. If two files would get the same name, all files keep their folders.
    """
    shortened = {name: _below(folder, name) for name in names}
    if len(set(shortened.values())) == len(shortened):
        return shortened
    return {name: "/".join(parts(name)) for name in names}


def _below(folder: str, name: str) -> str:
    pieces = parts(name)
    start = pieces.index(folder) + 1 if folder in pieces[:-1] else 0
    return "/".join(pieces[start:])


def source_of(to: Path | None) -> str:
    """The root of the release to prepare from.

    A folder that already has a list is continued from the same commit, unless the user chooses another source.

    Args:
        to: The folder to prepare; None for the cache.

    Returns:
        The root.

    Raises:
        DataError: The folder is itself what HUMANSENSE_DATA names.
    """
    (source,) = json.loads(resources.files("lmms_humansense.tasks.humansense").joinpath("source.json").read_text())
    root = data.release_root(source["repository"])
    if to is None:
        return root
    is_itself = os.path.isdir(root) and to.is_dir() and os.path.samefile(root, to)
    chosen = os.environ.get("HUMANSENSE_DATA", "").strip() or os.environ.get("HUMANSENSE_REVISION", "").strip()
    if (to / LIST).is_file() and (is_itself or not chosen):
        return prepared.read(read_small(to / LIST), str(to)).address
    if is_itself:
        raise DataError(f"HUMANSENSE_DATA is {to}, the folder to prepare: unset it, or set it to the data's source.")
    return root


def _tasks(names: str) -> Sequence[Task]:
    try:
        return list(dict.fromkeys(task for name in names.split(",") for task in tasks_of(name)))
    except TaxonomyError as error:
        raise DataError(f"--tasks: {error}") from error


def joined(new: PreparedList, to: Path, made: Collection[tuple[str, str]] = ()) -> PreparedList:
    """Merge the new list of a folder with its present list, which may cover other parts of the same release.

    Args:
        new: The new list.
        to: The folder.
        made: Media folder and name of each file that is to be there, also if a small file stands for it now.

    Returns:
        Both in one.

    Raises:
        DataError: The folder was prepared from other content.
    """
    if not (to / LIST).is_file():
        return new
    old = prepared.read(read_small(to / LIST), str(to))
    real = {
        folder: {name: _UNKNOWN if _stands_for(to / folder / name, known) else known for name, known in files.items()}
        for folder, files in old.media.items()
    }
    if old.annotations != new.annotations or any(
        _differ(real[folder], new.media[folder]) for folder in real if folder in new.media
    ):
        raise DataError(
            f"{to} was prepared from {_named(old)}, whose files differ from {_named(new)}: choose another folder."
        )
    media = {folder: dict(files) for folder, files in {**old.media, **new.media}.items()}
    for folder, files in old.media.items():
        for name, known in files.items():
            kept = real[folder][name] if (folder, name) in made else known
            if None not in kept:
                media[folder][name] = kept
    return replace(new, media=media)


_UNKNOWN = (None, None)


def _stands_for(path: Path, known: tuple[int | None, int | None]) -> bool:
    """Whether a file in a prepared folder is a small one that stands for a decoded clip."""
    size, _ = known
    try:
        return size is not None and size <= MOST_BYTES and read_stand_in(path) is not None
    except OSError:  # it is missing
        return False


def _differ(old: prepared.Files, new: prepared.Files) -> bool:
    return old.keys() != new.keys() or any(
        None not in (mine, theirs) and mine != theirs
        for name in old
        for mine, theirs in zip(old[name], new[name], strict=True)
    )


def _named(listed: PreparedList) -> str:
    return " at commit ".join(map(str, (listed.origin[key] for key in ("source", "commit") if key in listed.origin)))
