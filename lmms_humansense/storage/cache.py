"""What is kept between runs: media that were fetched, and what remote archives hold.

Everything lies beside the Hub's own cache, so that HF_HOME moves both.
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
"""Files of which one stands for each kept file: so many that a dozen fetched at once rarely share one. Locks per file
would be as many files again, and not safe to remove."""


def cache_folder() -> Path:
    """Where all of it is."""
    return Path(huggingface_hub.constants.HF_HOME) / "humansense"


def media_path(identity: str, name: str) -> Path:
    """Where the file `name` of the store `identity` is kept. Raises StorageError for a name that leads elsewhere."""
    if leads_out(name):
        raise StorageError(f"The media file name {name!r} leads out of its folder; it is refused.")
    return cache_folder().joinpath("media", identity, *parts(name))


def lock_of(path: Path) -> Path:
    """The lock file that stands for `path`, and for others."""
    return cache_folder() / "locks" / f"{int(_digest(str(path)), 16) % _LOCKS:03d}.lock"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Within the block, no other thread or process is in one for the same path."""
    lock = lock_of(path)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        yield


@contextmanager
def locked_by_command(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Within the block, no other process is in one for the lock file `path`; `waiting` is called if one is."""
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
    """What is known of a remote archive: a name for its content, its bytes, and what it holds."""

    identity: str
    size: int
    contents: ArchiveContents


def contents_path(key: str) -> Path:
    """Where it is kept what the archive `key` (its address, and what changes when it is replaced) holds."""
    return cache_folder() / "archives" / f"{_digest(key)}.json"


def kept_archive(key: str) -> KeptArchive | None:
    """What is known of the archive `key`; None if that has not been kept, or not by this version."""
    try:
        kept = json.loads(contents_path(key).read_bytes())
        members = [ArchiveMember(*fields) for fields in kept["members"]]
        contents = ArchiveContents({member.name: member for member in members}, dict(kept["refused"]))
        return KeptArchive(kept["identity"], kept["size"], contents)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_archive(key: str, archive: KeptArchive) -> None:
    """Keep what is known of the archive `key`."""
    content = {
        "archive": key,
        "identity": archive.identity,
        "size": archive.size,
        "members": [dataclasses.astuple(member) for member in archive.contents.members.values()],
        "refused": archive.contents.refused,
    }
    write_atomically(contents_path(key), json.dumps(content, ensure_ascii=False).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Make the file `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid4().hex}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
