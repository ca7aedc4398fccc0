"""The docs of a task, and the local media file of a doc.

Where the data are: the environment variable HUMANSENSE_DATA (a folder, or whatever else the source in use can read),
else the dataset repository on the Hub at the revision HUMANSENSE_REVISION ("main" if unset).
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

_MOST_NAMED = 5


class LocatedDoc(Doc):
    """A doc with where its media file lies: the release's root and the name of the file in its store."""

    root: str
    file: str


def release_root(repository: str) -> str:
    """The root of the release to use; `repository` is the dataset repository that publishes it.

    Raises DataError when it cannot be had.
    """
    root = root_of_user()
    if root:
        return root
    revision = os.environ.get("HUMANSENSE_REVISION", "").strip() or "main"
    return source.current().default_root(repository, revision)


def root_of_user() -> str:
    """The root in HUMANSENSE_DATA, or ""."""
    return os.path.expanduser(os.environ.get("HUMANSENSE_DATA", "").strip())


def load(code: str, root: str, complete: bool = True) -> list[LocatedDoc]:
    """The docs of the task `code` ("AR") from the release at `root`, in the order of the annotation file.

    `complete` says that the whole release is expected there: then counts that differ from the paper's are warned of.
    Raises DataError, with a message for the user, when the annotations or the media do not fit together.
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

    Raises DataError when it cannot be had.
    """
    return _files(doc).fetch(doc["file"]).absolute()


def local_media_if_fetched(doc: LocatedDoc) -> Path | None:
    """The local media file of a doc if it is already there."""
    return _files(doc).find_local(doc["file"])


def origin(root: str) -> dict[str, Any]:
    """Where docs with this `root` come from.

    Its `source` (a folder, an address or a repository), the `commit` if it was on the Hub, and the SHA-256 of the
    `annotations` that this process has read, by file.
    """
    return {**source.current().origin(root), "annotations": dict(sorted(_digests.get(root, {}).items()))}


_digests: dict[str, dict[str, str]] = {}
"""By the address of a release, the SHA-256 of each annotation file that was read."""


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
        types = ", ".join(f"{name} = {code}" for name, code in resolution.codes.items() if resolution.how[name] == how)
        # A type that had to be guessed is worth a warning, which lmms-eval shows at every verbosity.
        level = "INFO" if how in ("name", "override") else "WARNING"
        logger.log(level, "{}: task types decided by {}: {}.", file, how, types)
    for name, count in resolution.skipped.items():
        logger.warning("{}: {} of task_type {} left out, as in the release.", file, _questions(count), name)
    for warning in read["warnings"] if complete else ():
        logger.warning("{}", warning)


def _located(current: Source, docs: Iterable[Doc], root: str, key: str) -> list[LocatedDoc]:
    _, index = _media(current, root, key)
    located: list[LocatedDoc] = []
    problems = []
    for doc in docs:
        try:
            located.append({**doc, "root": root, "file": index.find(doc["media"])})
        except DataError as error:
            problems.append(f"item {doc['id'].partition('-')[2]}: {error}")
    if problems:
        more = f"; and {len(problems) - _MOST_NAMED} more" if len(problems) > _MOST_NAMED else ""
        raise DataError(
            f"{annotations.FILES[key]}: the media of {_questions(len(problems))} (field video_path) cannot be told: "
            f"{'; '.join(problems[:_MOST_NAMED])}{more}. Put the files there or mend the paths."
        )
    return located


def _questions(count: int) -> str:
    return f"{count} question{'' if count == 1 else 's'}"
