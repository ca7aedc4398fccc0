"""Refuses to copy what links bring in from outside a release: it may be a private file of the user."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from ..dataset.release import Release
from ..storage.stores import MediaStore
from ..tasks.humansense.annotations import FILES, MEDIA, DataError
from ..tasks.humansense.wording import listed

_BLOB = re.compile(r"[\\/](?:datasets|models|spaces)--[^\\/]+[\\/]blobs[\\/][0-9a-f]{40,64}$")
"""Where the Hub's cache keeps the files that the links in its snapshots, and in folders of older clients, lead to.

Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache; a name is a SHA-1 or a SHA-256.
"""

_MOST_NAMED = 3


def refuse_links_out(release: Release, media: Iterable[tuple[MediaStore, str]]) -> None:
    """Refuse a local release of which files to copy really lie outside its folder.

    Args:
        release: The release to copy from. The annotation files are copied too.
        media: The media files to copy, each with its store.

    Raises:
        DataError: Links lead to files that lie neither in the folder nor in a cache of the Hub. The media folders and
            archives may be links themselves: they often lie on another disk.
    """
    if not release.is_local:
        return
    named = LocalFileSystem._strip_protocol(release.address)
    media_folders = (f"{release.root}/{folder}" for folder in MEDIA.values())
    inside = {os.path.realpath(folder) for folder in (named, release.root, *media_folders)}
    out = [path for path in _read(release, media) if not _is_inside(os.path.realpath(path), inside)]
    if out:
        links = listed([f"{path} leads to {os.path.realpath(path)}" for path in out], _MOST_NAMED)
        raise DataError(
            f"Links in {release.root} lead outside it, and what they lead to is not copied ({links}): "
            "if these are the right files, copy them into the folder."
        )


def _read(release: Release, media: Iterable[tuple[MediaStore, str]]) -> Iterator[str]:
    """The paths of all files that are read, each once."""
    yield from (f"{release.root}/{FILES[key]}" for key in release.annotation_keys)
    yield from dict.fromkeys(str(store.place(name)) for store, name in media if store.archive is None)


def _is_inside(path: str, folders: Iterable[str]) -> bool:
    return _BLOB.search(path) is not None or any(Path(path).is_relative_to(folder) for folder in folders)
