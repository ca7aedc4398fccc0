"""Makes a local file from bytes in another place.

The bytes are gathered in a part file beside the target. A later attempt continues it, so that no byte is fetched twice.
Once complete, the part is unpacked and checked, then renamed to the target: the target is complete or does not exist.
"""

import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from .archive import ArchiveMember, data_offset
from .errors import StorageError
from .folders import size_of
from .remote import CHUNK, RangedFile

_HEADER_GUESS = 512
"""Bytes that nearly every local header fits into, with its name."""

ProgressCallback = Callable[[int], None]
"""Is called with the number of bytes that were added; with a negative number if bytes were discarded."""


@dataclass(frozen=True)
class FileContent:
    """Where the content of a file comes from: another file as a whole, or a member of an archive.

    Attributes:
        file: The other file, or the archive.
        size: The size of the file to make, in bytes.
        crc: The CRC-32 of the file to make; None if unknown.
        member: The member of the archive; None if `file` is used as a whole.
    """

    file: RangedFile
    size: int
    crc: int | None = None
    member: ArchiveMember | None = None

    @property
    def packed(self) -> int:
        """The number of bytes to fetch."""
        return self.size if self.member is None else self.member.packed

    @property
    def is_compressed(self) -> bool:
        """Whether the fetched bytes must be unpacked."""
        return self.member is not None and self.member.method != zipfile.ZIP_STORED

    def bytes_from(self, place: int) -> Iterator[bytes]:
        """Fetch the bytes in pieces.

        Args:
            place: How many bytes to skip at the start, because an earlier attempt fetched them.

        Yields:
            The following bytes, as they are in the file or archive: those of a compressed member are still packed.

        Raises:
            StorageError: The local header of the member is missing or contradicts the archive's list.
        """
        start, first = (0, b"") if self.member is None else self._begin(self.member, place)
        if first:
            place += len(first)
            yield first
        while place < self.packed:
            end = min(self.packed, place + CHUNK)
            yield self.file.read(start + place, start + end)
            place = end

    def _begin(self, member: ArchiveMember, place: int) -> tuple[int, bytes]:
        """Find the offset of the member's bytes in the archive; also return the first piece of them if `place` is 0.

        The length of the local header is not known in advance, so one request reads it together with the first bytes.
        """
        first = self.file.read(member.start, min(member.end, member.start + (_HEADER_GUESS if place else CHUNK)))
        offset = data_offset(first, member)
        return member.start + offset, b"" if place else first[offset : offset + member.packed]


def no_progress(count: int) -> None:
    """A progress callback that does nothing."""


def make(target: Path, content: FileContent, progress: ProgressCallback = no_progress) -> None:
    """Make a local file, and continue an earlier attempt that was interrupted.

    The caller must ensure that only one thread of all processes makes this file at a time.

    Args:
        target: The file to make; an existing one is replaced.
        content: Where its content comes from.
        progress: First called with the number of bytes that an earlier attempt left, then with the size of each
            fetched piece. The sum of all calls is `content.packed` when this returns.

    Raises:
        StorageError: The content is damaged, or was replaced while it was being read. The part file is removed.
        Exception: Reading or writing failed. The part file remains, and the next attempt continues it.
    """
    part = part_of(target, content)
    target.parent.mkdir(parents=True, exist_ok=True)
    resumed = part.exists()
    try:
        _fetch(part, content, progress)
        _finish(part, target, content)
    except StorageError as error:
        progress(-part.stat().st_size)
        part.unlink()
        if content.file.was_replaced():
            raise StorageError("it was replaced while it was being read; run again") from error
        # After a crash of the machine, an old part may have a hole: start again. If the part is new, the source is
        # damaged.
        if not resumed:
            raise
        make(target, content, progress)


def part_of(target: Path, content: FileContent) -> Path:
    """The part file, in which the bytes for a file are gathered.

    Args:
        target: The file to make.
        content: Its content, which the name of the part depends on: bytes of different contents are never mixed.

    Returns:
        A path in the folder of the target.
    """
    name = f"{target.name} {content.size} {content.packed} {content.crc}"
    return target.with_name(f".{sha256(name.encode()).hexdigest()[:24]}.part")


def bytes_there(target: Path, content: FileContent) -> int:
    """Count the bytes that an earlier attempt has fetched.

    Args:
        target: The file to make.
        content: Its content.

    Returns:
        The size of the part file in bytes; 0 if there is none, or if it is too long to be continued.
    """
    try:
        there = part_of(target, content).stat().st_size
    except FileNotFoundError:
        return 0
    return there if there <= content.packed else 0


def forget_attempts(target: Path, content: FileContent) -> None:
    """Remove the leftovers of an attempt that was killed after it had made the target.

    Args:
        target: The file, which is complete.
        content: Its content.
    """
    part = part_of(target, content)
    part.unlink(missing_ok=True)
    _unpacked(part).unlink(missing_ok=True)


def has_size(path: Path, content: FileContent) -> bool:
    """Whether the file at `path` exists, is a regular one, and has the size of `content`."""
    return size_of(path) == content.size


def is_whole(path: Path, content: FileContent) -> bool:
    """Whether the file at `path` exists with the size of `content` and, if that is known, its checksum."""
    return has_size(path, content) and (content.crc is None or checksum(path) == content.crc)


def checksum(path: Path) -> int:
    """The CRC-32 of a file, as in zip archives."""
    value = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            value = zlib.crc32(piece, value)
    return value


def _fetch(part: Path, content: FileContent, progress: ProgressCallback) -> None:
    """Append the missing bytes to the part file."""
    with part.open("ab") as file:
        there = file.tell()
        if there > content.packed:
            file.truncate(there := 0)
        progress(there)
        for piece in content.bytes_from(there) if there < content.packed else ():
            file.write(piece)
            file.flush()
            progress(len(piece))


def _finish(part: Path, target: Path, content: FileContent) -> None:
    """Unpack and check the part file, and rename it to the target."""
    if content.member is not None and content.is_compressed:
        unpacked = _unpacked(part)
        try:
            _unpack(part, content.member, unpacked)
            unpacked.replace(target)
        finally:
            unpacked.unlink(missing_ok=True)
        part.unlink()
        return
    if content.crc is None and content.file.was_replaced():
        raise StorageError("its bytes may come from two versions of the file")
    if content.crc is not None and checksum(part) != content.crc:
        raise StorageError("its checksum is wrong")
    part.replace(target)


def _unpacked(part: Path) -> Path:
    return part.with_suffix(".unpacked")


def _unpack(part: Path, member: ArchiveMember, target: Path) -> None:
    """Unpack a part file, up to the size in the archive's list. A longer member then fails the check of its CRC."""
    info = zipfile.ZipInfo(member.name)
    info.compress_type, info.compress_size = member.method, member.packed
    info.file_size, info.CRC = member.size, member.crc
    try:
        with part.open("rb") as raw, zipfile.ZipExtFile(raw, "r", info) as packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
    # Each decompressor has its own exceptions.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the content
            raise
        raise StorageError(f"it is damaged ({error})") from error
    if target.stat().st_size != member.size:
        raise StorageError(
            f"it has {target.stat().st_size:,} bytes, not the {member.size:,} that the archive's list gives"
        )
