"""A folder with small files in the places of its clips, which a store holds in their decoded form."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from ..models.media.digests import FileDigests, digests_folder
from ..models.media.stand_in import StandIn, read_stand_in
from ..models.media.video import has_pictures
from ..storage import cache
from ..storage.prepared import LIST, Files, PreparedList
from ..tasks.humansense.annotations import FILES, DataError
from .plan import Plan, PlannedFile, joined, unpacked_names
from .work import with_checksums


def list_of(planned: Plan, to: Path) -> PreparedList:
    """The list of such a folder, before size and checksum of the small files are known.

    Args:
        planned: The files, where they come from.
        to: The folder.

    Returns:
        The list, joined with the one that is there.

    Raises:
        DataError: The folder was prepared from other content.
    """
    release = planned.release
    digests = {FILES[key]: sha256(release.annotations(key)).hexdigest() for key in release.annotation_keys}
    media: dict[str, Files] = {
        folder: dict.fromkeys(unpacked_names(store.names, folder).values(), (None, None))
        for folder, store in planned.stores.items()
    }
    return joined(PreparedList(release.address, release.origin, digests, media), to)


def write_list(planned: Plan, to: Path, listed: PreparedList) -> None:
    """Write the annotation files and the list of a folder.

    Args:
        planned: The files, where they come from.
        to: The folder.
        listed: Its list.

    Raises:
        DataError: The folder cannot be written.
    """
    with writing(to):
        for key in planned.release.annotation_keys:
            cache.write_atomically(to / FILES[key], planned.release.annotations(key))
        cache.write_atomically(to / LIST, listed.to_json())


def write_stand_ins(
    planned: Plan, to: Path, listed: PreparedList, without: Collection[str], unclear: Collection[str]
) -> None:
    """Put small files in the places of clips, and list them. Clips that are there stay.

    Args:
        planned: The files, where they come from.
        to: The folder.
        listed: Its list.
        without: The names of files that get none, because nothing of them was decoded.
        unclear: The names of files whose names do not show whether they have pictures.

    Raises:
        DataError: The folder cannot be written.
    """
    digests = FileDigests(digests_folder())
    unpacked = {media: unpacked_names(store.names, media) for media, store in planned.stores.items()}
    targets, media = [], {folder: dict(files) for folder, files in listed.media.items()}
    for file in planned.files:
        if file.name in without:
            continue
        name = unpacked[file.media][file.name]
        target = to / file.media / name
        targets.append(replace(file, target=target))
        if not target.exists() or read_stand_in(target) is not None:
            said = _said(file, digests, file.name in unclear)
            media[file.media][name] = None, None
            with writing(to):
                cache.write_atomically(target, said.to_bytes())
    whole = with_checksums(replace(planned, files=targets, to=to), replace(listed, media=media))
    with writing(to):
        cache.write_atomically(to / LIST, whole.to_json())


def _said(file: PlannedFile, digests: FileDigests, is_unclear: bool) -> StandIn:
    """What the small file for a file says, which may be such a file itself."""
    said = read_stand_in(file.target)
    if said is not None:
        return said
    pictures = has_pictures(file.target) if is_unclear else None
    return StandIn(digests.digest(str(file.target)), os.path.getsize(file.target), pictures)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Name the folder that the block writes to if this fails.

    Raises:
        DataError: The block raised OSError.
    """
    try:
        yield
    except OSError as error:
        reason = f"{folder} cannot be written ({error.strerror or error})"
        raise DataError(f"{reason}: free space, or choose another folder with --to.") from error
