"""The cache on disk: fetched media, the lists of remote archives, and locks.

It lies beside the Hub's own cache, so that HF_HOME moves both.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import huggingface_hub.constants
from filelock import Timeout
from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

from .archive import ArchiveContents, ArchiveMember, leads_out, parts
from .errors import StorageError

_LOCKS = 256
"""The number of lock files. Each cached file uses one of them, and a dozen files fetched at once rarely share one.
One lock per file would double the number of files, and lock files are not safe to remove."""


def cache_folder() -> Path:
    """The folder of this cache, `humansense` in HF_HOME."""
    return Path(huggingface_hub.constants.HF_HOME) / "humansense"


def media_path(identity: str, name: str) -> Path:
    """Where a media file is cached.

    Args:
        identity: The name of the content of its store, for example of an archive.
        name: The name of the file in the store.

    Returns:
        The path in the cache, whether or not the file exists.

    Raises:
        StorageError: The name leads out of its folder.
    """
    if leads_out(name):
        raise StorageError(f"The media file name {name!r} leads out of its folder; it is refused.")
    return cache_folder().joinpath("media", identity, *parts(name))


def lock_of(path: Path) -> Path:
    """The lock file for `path`; other paths may share it."""
    return cache_folder() / "locks" / f"{int(_digest(str(path)), 16) % _LOCKS:03d}.lock"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock for `path`, so that only one thread of all processes is in such a block."""
    lock = lock_of(path)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        yield


@contextmanager
def locked_by_command(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a command, so that only one process is in such a block.

    Args:
        path: The lock file itself.
        waiting: Called once, without arguments, if another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(WeakFileLock(path, timeout=0.1))
        except Timeout:
            waiting()
            stack.enter_context(WeakFileLock(path))
        yield


@dataclasses.dataclass(frozen=True)
class KeptArchive:
    """What is known of an archive without reading it again.

    Attributes:
        identity: A name for its content.
        size: Its size in bytes.
        contents: Its members.
    """

    identity: str
    size: int
    contents: ArchiveContents


def contents_path(key: str) -> Path:
    """The file in the cache for the list of the archive `key`: its address, plus its identity if it can change."""
    return cache_folder() / "archives" / f"{_digest(key)}.json"


def kept_archive(key: str) -> KeptArchive | None:
    """Read what is cached about the archive `key`; None if there is no entry, or one of another version."""
    try:
        kept = json.loads(contents_path(key).read_bytes())
        members = [ArchiveMember(*fields) for fields in kept["members"]]
        contents = ArchiveContents({member.name: member for member in members}, dict(kept["refused"]))
        return KeptArchive(kept["identity"], kept["size"], contents)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_archive(key: str, archive: KeptArchive) -> None:
    """Cache what is known of an archive.

    Args:
        key: The same key as for `contents_path`.
        archive: What to cache.
    """
    content = {
        "archive": key,
        "identity": archive.identity,
        "size": archive.size,
        "members": [dataclasses.astuple(member) for member in archive.contents.members.values()],
        "refused": archive.contents.refused,
    }
    write_atomically(contents_path(key), json.dumps(content, ensure_ascii=False).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file, completely or not at all, and its parent folders.

    Args:
        path: The file to write; an existing one is replaced.
        content: All of its bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid4().hex}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
