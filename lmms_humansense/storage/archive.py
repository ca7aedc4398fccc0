"""What a zip archive holds, and which of its members are refused: what is hostile, or lies. Standard library only.

Media hardly compress, so limits on what an archive may become can be far from what an honest one needs.
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
"""Bytes that a name and an extra field can have each."""

_BOMB_RATIO, _BOMB_SIZE = 200, 16 << 20
"""A member of more bytes than this that was packed better than this is no recording; deflate reaches 1,032."""

_TOTAL_RATIO, _TOTAL_SPARE = 20, 1 << 30
"""All members together may have this many times the archive's bytes, and so many more."""


@dataclass(frozen=True)
class ArchiveMember:
    """One file in an archive: `packed` bytes that become `size` bytes.

    `start` is where its local header begins and `end` no more than where the next thing does, both in bytes from the
    start of the archive.
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
    """The members of an archive by name, and for each that is refused the reason."""

    members: dict[str, ArchiveMember]
    refused: dict[str, str]


def read_contents(file: IO[bytes], size: int, where: str) -> ArchiveContents:
    """What the archive in `file` of `size` bytes holds; `where` is its name for messages.

    Raises StorageError when it is not a whole zip file, or its members would fill any disk.
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
            f"{where} has {size:,} bytes and would become {total:,}: that is no archive of media; download it again."
        )
    members = _members(infos, directory)
    refused = {info.filename: reason for info in infos if (reason := _refusal(info))}
    refused |= _namesakes(infos) | _overlaps(members, directory)
    return ArchiveContents({member.name: member for member in members if member.name not in refused}, refused)


def parts(path: str) -> list[str]:
    """The folders and the name of a path in one form, however it is written.

    Archives made on other systems may decompose accented letters or use backslashes.
    """
    return unicodedata.normalize("NFC", path).replace("\\", "/").strip("/").split("/")


def leads_out(name: str) -> bool:
    """Whether a file of this name could come to lie outside the folder that is meant for it."""
    pieces = parts(name)
    absolute = name.startswith(("/", "\\")) or ":" in pieces[0]
    return absolute or "\0" in name or not {"", ".", ".."}.isdisjoint(pieces)


def data_offset(header: bytes, member: ArchiveMember) -> int:
    """Where a member's bytes begin, counted from `header`, the first bytes of its local header.

    Raises StorageError when it is no header, or one that says otherwise than the archive's list.
    """
    if len(header) < _HEADER or header[:4] != b"PK\3\4":
        raise StorageError("there is no file where the archive's list says so; download the archive again")
    flags, name_length, extra_length = (int.from_bytes(header[at : at + 2], "little") for at in (6, 26, 28))
    name = header[_HEADER : _HEADER + name_length]
    written = name.decode("utf-8" if flags & 0x800 else "cp437", errors="replace")
    if len(name) == name_length and parts(written) != parts(member.name):
        raise StorageError(f"it is called {written!r} where it lies, which the archive's list does not say")
    if flags & 1:
        raise StorageError("it is encrypted")
    return _HEADER + name_length + extra_length


def _members(infos: Iterable[zipfile.ZipInfo], directory: int) -> list[ArchiveMember]:
    """The members in the order in which they lie in the archive."""
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
        return f"it says that its {info.compress_size:,} stored bytes are {info.file_size:,}."
    if info.file_size > max(_BOMB_SIZE, _BOMB_RATIO * info.compress_size):
        return f"its {info.compress_size:,} bytes would become {info.file_size:,}, which no recording does."
    return ""


def _namesakes(infos: Iterable[zipfile.ZipInfo]) -> dict[str, str]:
    names = [info.filename for info in infos]
    spelt = Counter(map(_spelling, names))
    exact = Counter(names)
    return {
        name: "the name is there more than once." if exact[name] > 1 else "another differs from it in case only."
        for name in names
        if spelt[_spelling(name)] > 1
    }


def _spelling(name: str) -> str:
    """What is equal for names that some file system does not tell apart."""
    return "/".join(parts(name)).casefold()


def _overlaps(members: list[ArchiveMember], directory: int) -> dict[str, str]:
    return dict(_overlapping(members, directory))


def _overlapping(members: list[ArchiveMember], directory: int) -> Iterator[tuple[str, str]]:
    furthest, name = 0, ""
    for member in members:
        end = member.start + _HEADER + member.packed
        if member.start < furthest:
            yield from ((each, "it shares bytes with another member.") for each in (name, member.name))
        if end > directory:
            yield member.name, "it says that it goes on behind the end of the archive."
        if end > furthest:
            furthest, name = end, member.name
