"""Reads the list of a zip archive and refuses hostile or inconsistent members. Standard library only.

Media hardly compress, so the limits on unpacked sizes leave ample room for every honest archive.
"""

import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from .errors import StorageError

_HEADER = 30
"""Bytes of a local header without its name and extra field (APPNOTE.TXT of PKWARE, 4.3.7)."""

_LONGEST = 0xFFFF
"""The most bytes that a name or an extra field can have."""

_BOMB_RATIO, _BOMB_SIZE = 200, 16 << 20
"""A member that is larger than this and compressed by more than this ratio is no recording; deflate reaches 1,032."""

_TOTAL_RATIO, _TOTAL_SPARE = 20, 1 << 30
"""All members together may unpack to this many times the size of the archive, plus this many bytes."""


@dataclass(frozen=True)
class ArchiveMember:
    """One file in an archive.

    Attributes:
        name: Its name as the archive's list gives it.
        size: Bytes after unpacking.
        crc: CRC-32 of the unpacked content.
        method: The compression method, one of zipfile's constants such as ZIP_STORED.
        packed: Bytes in the archive, without the header.
        start: Offset of its local header from the start of the archive, in bytes.
        end: An upper limit for the offset at which its packed bytes end: the next member or the central directory
            begins no earlier.
    """

    name: str
    size: int
    crc: int
    method: int
    packed: int
    start: int
    end: int


@dataclass(frozen=True)
class ArchiveContents:
    """What an archive holds.

    Attributes:
        members: The members that may be used, by name.
        refused: The reason for each refused member, by name.
    """

    members: dict[str, ArchiveMember]
    refused: dict[str, str]


def read_contents(file: IO[bytes], size: int, where: str) -> ArchiveContents:
    """Read the list of an archive.

    Args:
        file: The archive, opened for reading; it must support seeking.
        size: The size of the archive in bytes.
        where: The name of the archive in messages.

    Returns:
        The members that may be used, and the refused ones with the reason for each.

    Raises:
        StorageError: The file is not a complete zip file, or its members would unpack to far more than media can.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            directory = archive.start_dir
    except zipfile.BadZipFile as error:
        raise StorageError(f"{where} is not a complete zip file ({error}); download it again.") from error
    total = sum(info.file_size for info in infos)
    if total > _TOTAL_RATIO * size + _TOTAL_SPARE:
        raise StorageError(
            f"{where} has {size:,} bytes but would unpack to {total:,}, too many for media; download it again."
        )
    members = _members(infos, directory)
    refused = {info.filename: reason for info in infos if (reason := _refusal(info))}
    refused |= _namesakes(infos) | dict(_overlaps(members, directory))
    return ArchiveContents({member.name: member for member in members if member.name not in refused}, refused)


def parts(path: str) -> list[str]:
    """Split a path into its folders and file name, in one normal form.

    Archives made on other systems may decompose accented letters or use backslashes.
    """
    return unicodedata.normalize("NFC", path).replace("\\", "/").strip("/").split("/")


def leads_out(name: str) -> bool:
    """Whether a file with this name could be written outside its intended folder."""
    pieces = parts(name)
    absolute = name.startswith(("/", "\\")) or ":" in pieces[0]
    return absolute or "\0" in name or not {"", ".", ".."}.isdisjoint(pieces)


def data_offset(header: bytes, member: ArchiveMember) -> int:
    """Find where the packed bytes of a member begin.

    Args:
        header: The first bytes of the archive from the member's local header on; 30 bytes are enough, and with more
            the name is checked too.
        member: The member as the archive's list describes it.

    Returns:
        The offset of the packed bytes from the start of `header`.

    Raises:
        StorageError: There is no local header, it has another name than the archive's list, or the member is encrypted.
    """
    if len(header) < _HEADER or header[:4] != b"PK\3\4":
        raise StorageError("there is no file at the offset that the archive's list gives; download the archive again")
    flags, name_length, extra_length = (int.from_bytes(header[at : at + 2], "little") for at in (6, 26, 28))
    name = header[_HEADER : _HEADER + name_length]
    written = name.decode("utf-8" if flags & 0x800 else "cp437", errors="replace")
    if len(name) == name_length and parts(written) != parts(member.name):
        raise StorageError(f"its local header has the name {written!r}, which differs from the archive's list")
    if flags & 1:
        raise StorageError("it is encrypted")
    return _HEADER + name_length + extra_length


def _members(infos: Iterable[zipfile.ZipInfo], directory: int) -> list[ArchiveMember]:
    """All members, ordered by their place in the archive."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    starts = [info.header_offset for info in ordered[1:]] + [directory]
    return [
        ArchiveMember(
            info.filename, info.file_size, info.CRC, info.compress_type, info.compress_size, info.header_offset,
            min(following, info.header_offset + _HEADER + 2 * _LONGEST + info.compress_size),
        )
        for info, following in zip(ordered, starts, strict=True)
    ]  # fmt: skip


def _refusal(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if leads_out(info.filename):
        return "its name leads out of its folder."
    if kind not in (0, stat.S_IFREG):
        return "it is a link." if kind == stat.S_IFLNK else "it is no regular file."
    if info.flag_bits & 0x1:
        return "it is encrypted."
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        return f"the archive's list gives its {info.compress_size:,} stored bytes the size {info.file_size:,}."
    if info.file_size > max(_BOMB_SIZE, _BOMB_RATIO * info.compress_size):
        return f"its {info.compress_size:,} bytes would unpack to {info.file_size:,}, too many for a recording."
    return ""


def _namesakes(infos: Iterable[zipfile.ZipInfo]) -> dict[str, str]:
    names = [info.filename for info in infos]
    spelt = Counter(map(_spelling, names))
    exact = Counter(names)
    return {
        name: "its name occurs more than once." if exact[name] > 1 else "another name differs from it in case only."
        for name in names
        if spelt[_spelling(name)] > 1
    }


def _spelling(name: str) -> str:
    """The same string for all names that some file system treats as one."""
    return "/".join(parts(name)).casefold()


def _overlaps(members: list[ArchiveMember], directory: int) -> Iterator[tuple[str, str]]:
    furthest, name = 0, ""
    for member in members:
        end = member.start + _HEADER + member.packed
        if member.start < furthest:
            yield from ((each, "it shares bytes with another member.") for each in (name, member.name))
        if end > directory:
            yield member.name, "it would extend past the end of the archive."
        if end > furthest:
            furthest, name = end, member.name
