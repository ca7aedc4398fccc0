"""The docs of a task, and the local media file of a doc.

The environment variable HUMANSENSE_DATA says where the data are: a folder, or another root that the current source can
read. Without it, they are in the dataset repository on the Hub at the revision HUMANSENSE_REVISION ("main" if unset).
"""

import os
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from loguru import logger

from . import annotations, source
from .annotations import DataError, Doc
from .lookup import MediaIndex
from .source import MediaFiles, Source
from .taxonomy import BY_CODE, TaxonomyError, parse_overrides
from .wording import brief, listed

_MOST_NAMED = 5

_MOST_LOGGED = 50
"""The most task types, and the most warnings, that are logged of one annotation file."""


class LocatedDoc(Doc):
    """A doc with the place of its media file: the release's root and the name of the file in its store."""

    root: str
    file: str


def release_root(repository: str) -> str:
    """The root of the release to use.

    Args:
        repository: The dataset repository on the Hub that is used without HUMANSENSE_DATA.

    Returns:
        The root that the user has set, or that of the repository, which some sources download now.

    Raises:
        DataError: The repository cannot be read.
    """
    root = root_of_user()
    if root:
        return root
    revision = os.environ.get("HUMANSENSE_REVISION", "").strip() or "main"
    return source.current().default_root(repository, revision)


def root_of_user() -> str:
    """The root in HUMANSENSE_DATA, or "" if it is not set."""
    return os.path.expanduser(os.environ.get("HUMANSENSE_DATA", "").strip())


def load(code: str, root: str, complete: bool = True) -> list[LocatedDoc]:
    """Load the docs of a task from a release.

    Args:
        code: The task's code ("AR").
        root: The root of the release, as the current source reads it.
        complete: Whether the whole release is expected there; then counts that differ from the paper's are logged.

    Returns:
        The docs in the order of the annotation file, each with the place of its media file.

    Raises:
        DataError: The annotations are wrong, have no question of the task, or do not fit the media.
    """
    current, key = source.current(), annotations.key_of(BY_CODE[code])
    try:
        read = _read(current, root, key, os.environ.get("HUMANSENSE_TASK_TYPES", ""), complete)
    except TaxonomyError as error:
        raise DataError(str(error)) from error
    docs = [doc for doc in read["docs"] if doc["code"] == code]
    if not docs:
        where = current.shown(root)
        raise DataError(f"{annotations.FILES[key]} in {where} has no question of {code} ({BY_CODE[code].name}).")
    return _located(current, docs, current.address(root), key)


def local_media(doc: LocatedDoc) -> Path:
    """The local media file of a doc, fetched now if it is remote or packed.

    Raises:
        DataError: The file is missing, is refused, or cannot be fetched.
    """
    return _files(doc).fetch(doc["file"]).absolute()


def local_media_if_fetched(doc: LocatedDoc) -> Path | None:
    """The local media file of a doc, or None if it has not been fetched yet."""
    return _files(doc).find_local(doc["file"])


def origin(root: str) -> dict[str, Any]:
    """Where docs with this `root` come from.

    Args:
        root: The `root` of a doc.

    Returns:
        The `source` (a folder, an address or a repository), the `commit` if it is on the Hub, and by file the SHA-256
        of the `annotations` that this process has read.
    """
    return {**source.current().origin(root), "annotations": dict(sorted(_digests.get(root, {}).items()))}


_digests: dict[str, dict[str, str]] = {}
"""The SHA-256 of each annotation file that was read, by the address of its release."""


def _files(doc: LocatedDoc) -> MediaFiles:
    return _media(source.current(), doc["root"], annotations.key_of(BY_CODE[doc["code"]]))[0]


@lru_cache(maxsize=16)
def _media(current: Source, root: str, key: str) -> tuple[MediaFiles, MediaIndex]:
    """The media of an annotation file, and their index; listed once per process."""
    files = current.media(root, key)
    return files, MediaIndex(files.names, files.refused, files.where)


@lru_cache(maxsize=8)
def _read(current: Source, root: str, key: str, overrides: str, complete: bool) -> annotations.Annotations:
    content = current.annotations(root, key)
    read = annotations.read(content, key, parse_overrides(overrides))
    _digests.setdefault(current.address(root), {})[annotations.FILES[key]] = sha256(content).hexdigest()
    _log(read, annotations.FILES[key], complete)
    return read


def _log(read: annotations.Annotations, file: str, complete: bool) -> None:
    resolution = read["resolution"]
    for how in dict.fromkeys(resolution.how.values()):
        names = [f"{brief(name)} = {code}" for name, code in resolution.codes.items() if resolution.how[name] == how]
        types = listed(names, _MOST_LOGGED)
        # A guessed type is worth a warning, which lmms-eval shows at every verbosity.
        level = "INFO" if how in ("name", "override") else "WARNING"
        logger.log(level, "{}: task types decided by {}: {}.", file, how, types)
    for name, count in resolution.skipped.items():
        logger.warning("{}: {} of task_type {} left out, as in the release.", file, _questions(count), brief(name))
    warnings = read["warnings"] if complete else []
    for warning in warnings[:_MOST_LOGGED]:
        logger.warning("{}", warning)
    if len(warnings) > _MOST_LOGGED:
        logger.warning("{}: {:,} more warnings.", file, len(warnings) - _MOST_LOGGED)


def _located(current: Source, docs: Iterable[Doc], root: str, key: str) -> list[LocatedDoc]:
    _, index = _media(current, root, key)
    located: list[LocatedDoc] = []
    problems = []
    for doc in docs:
        try:
            located.append({**doc, "root": root, "file": index.find(doc["media"])})
        except DataError as error:
            problems.append(f"item {doc['id'].partition('-')[2]}: {str(error).rstrip('.')}")
    if problems:
        raise DataError(
            f"{annotations.FILES[key]}: the media of {_questions(len(problems))} (field video_path) cannot be found: "
            f"{listed(problems, _MOST_NAMED, '; ')}. Add the files or correct the paths."
        )
    return located


def _questions(count: int) -> str:
    return f"{count} question{'' if count == 1 else 's'}"
