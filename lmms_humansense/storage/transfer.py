"""Making a local file out of bytes that lie elsewhere: whole and checked, or not at all, and never fetched twice."""

import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from .archive import ArchiveMember, data_offset
from .errors import StorageError
from .remote import CHUNK, RangedFile

_HEADER_GUESS = 512
"""Bytes in which a local header with its name nearly always ends."""


ProgressCallback = Callable[[int], None]
"""Is called with the bytes that have been added, or have gone again, if negative."""


@dataclass(frozen=True)
class FileContent:
    """What a file is made of: a whole file somewhere, or a member of an archive there.

    `size` and `crc` are those of the file to be made; `crc` is None where nobody knows it.
    """

    file: RangedFile
    size: int
    crc: int | None = None
    member: ArchiveMember | None = None

    @property
    def packed(self) -> int:
        """How many bytes have to be fetched for it."""
        return self.size if self.member is None else self.member.packed

    @property
    def is_compressed(self) -> bool:
        """Whether the bytes that are fetched are not yet those of the file."""
        return self.member is not None and self.member.method != zipfile.ZIP_STORED

    def bytes_from(self, place: int) -> Iterator[bytes]:
        """The fetched bytes from `place` on, in pieces."""
        start, pieces = (0, []) if self.member is None else self._begin(self.member, place)
        for piece in pieces:
            place += len(piece)
            yield piece
        while place < self.packed:
            end = min(self.packed, place + CHUNK)
            yield self.file.read(start + place, start + end)
            place = end

    def _begin(self, member: ArchiveMember, place: int) -> tuple[int, list[bytes]]:
        """Where the member's bytes start in the archive, and the first of them, if `place` is there.

        Its local header, whose length nobody knows before, comes in one request with its first bytes.
        """
        first = self.file.read(member.start, min(member.end, member.start + (_HEADER_GUESS if place else CHUNK)))
        offset = data_offset(first, member)
        piece = b"" if place else first[offset : offset + member.packed]
        return member.start + offset, [piece] if piece else []


def no_progress(count: int) -> None:
    """A progress callback that does nothing."""


def make(target: Path, content: FileContent, progress: ProgressCallback = no_progress) -> None:
    """Make the file `target` of what `content` says; what an attempt that was cut short has fetched is used.

    Raises StorageError when what comes is damaged. Whoever calls sees to it that no one else makes the same file.
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
        # A machine that went down may have left a hole in the part. What has just come is damaged where it lies.
        if not resumed:
            raise
        make(target, content, progress)


def part_of(target: Path, content: FileContent) -> Path:
    """Where the bytes of a file are gathered; its name says for which content, so that no two are mixed."""
    name = f"{target.name} {content.size} {content.packed} {content.crc}"
    return target.with_name(f".{sha256(name.encode()).hexdigest()[:24]}.part")


def bytes_there(target: Path, content: FileContent) -> int:
    """How many of the bytes to fetch an earlier attempt left."""
    try:
        there = part_of(target, content).stat().st_size
    except FileNotFoundError:
        return 0
    return there if there <= content.packed else 0


def forget_attempts(target: Path, content: FileContent) -> None:
    """Remove what an attempt that was killed when the target was there already may have left beside it."""
    part = part_of(target, content)
    part.unlink(missing_ok=True)
    _unpacked(part).unlink(missing_ok=True)


def has_size(path: Path, content: FileContent) -> bool:
    """Whether the file is there and has the right size."""
    try:
        return path.stat().st_size == content.size
    except FileNotFoundError:
        return False


def is_whole(path: Path, content: FileContent) -> bool:
    """Whether the file is there and its size and checksum are right, as far as the latter is known."""
    return has_size(path, content) and (content.crc is None or checksum(path) == content.crc)


def checksum(path: Path) -> int:
    """The CRC-32 of a file, as zip archives have it."""
    value = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            value = zlib.crc32(piece, value)
    return value


def _fetch(part: Path, content: FileContent, progress: ProgressCallback) -> None:
    """Fetch what is missing of the part."""
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
    """Turn the part into the target, if it is right."""
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
        raise StorageError("nobody knows whether its parts belong together")
    if content.crc is not None and checksum(part) != content.crc:
        raise StorageError("its checksum is wrong")
    part.replace(target)


def _unpacked(part: Path) -> Path:
    return part.with_suffix(".unpacked")


def _unpack(part: Path, member: ArchiveMember, target: Path) -> None:
    """Unpack a part. Never more comes out than the archive's list says; if more was packed, the checksum is wrong."""
    info = zipfile.ZipInfo(member.name)
    info.compress_type, info.compress_size = member.method, member.packed
    info.file_size, info.CRC = member.size, member.crc
    try:
        with part.open("rb") as raw, zipfile.ZipExtFile(raw, "r", info) as packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
    # Each decompressor has exceptions of its own.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the content
            raise
        raise StorageError(f"it is damaged ({error})") from error
    if target.stat().st_size != member.size:
        raise StorageError(
            f"it has {target.stat().st_size:,} bytes, not the {member.size:,} that the archive's list says"
        )
