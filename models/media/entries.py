"""The form of a store's entries: Parquet files whose content has a checksum.

An entry has one column. Its facts stand in the metadata of its schema, as JSON, and beside them a checksum of the facts
and of the numbers in the column. Pages have checksums of their own, which other libraries know; these do not cover the
heads of pages and the end of the file.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import xxhash
from numpy.typing import NDArray

ENDING = ".parquet"

_FACTS, _CHECKSUM = b"humansense", b"humansense.xxh3_128"
"""The keys of an entry's facts, and of the checksum, in the metadata of its schema."""

OF = "of"
"""The fact that says what it is an entry of."""

_LEVEL = 1
"""zstd's level. Level 3 makes entries 2 % smaller, and takes twice the time."""

_SPLIT = {"samples": "BYTE_STREAM_SPLIT"}
"""Parquet's encoding of numbers whose first bytes are alike. Sounds become a fifth smaller by it."""

Facts = dict[str, Any]
_Made = TypeVar("_Made")


class DamagedEntryError(Exception):
    """The content of an entry is not what was written. The message begins a sentence and names the entry."""


class UnreadableEntryError(Exception):
    """An entry cannot be read now, and may be whole. The message begins a sentence and names the entry."""


def write_entry(place: Path, table: pa.Table, facts: Mapping[str, Any]) -> None:
    """Write an entry.

    Args:
        place: The file to write.
        table: Its column, of bytes or of numbers.
        facts: What stands in the metadata of its schema. JSON can represent it.

    Raises:
        OSError: The file cannot be written.
        pa.ArrowException: There is not enough memory.
    """
    (name,) = table.column_names
    said = json.dumps(facts).encode()
    checksum = _checksum(said, name, _parts(table[name]))
    encoding = {name: _SPLIT[name]} if name in _SPLIT else None
    pq.write_table(
        table.replace_schema_metadata({_FACTS: said, _CHECKSUM: checksum}), place,
        compression="zstd", compression_level=_LEVEL, use_dictionary=False, write_statistics=False,
        write_page_checksum=True, column_encoding=encoding, data_page_version="2.0",
    )  # fmt: skip


def read_entry(place: Path, what: Mapping[str, Any], make: Callable[[Facts, torch.Tensor], _Made]) -> tuple[_Made, int]:
    """Read an entry.

    Args:
        place: Its file.
        what: What it has to be an entry of.
        make: Makes something of its other facts, and of one tensor of all its numbers: uint8 of bytes, else float32.

    Returns:
        What `make` made, and the bytes of the file.

    Raises:
        FileNotFoundError: There is none.
        DamagedEntryError: It is not what was written.
        UnreadableEntryError: Its file cannot be read, or there is not enough memory.
    """
    try:
        content = place.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"{place} does not exist") from error
    except (OSError, MemoryError) as error:
        raise UnreadableEntryError(_sentence(place, "cannot be read", error)) from error
    try:
        return make(*_read(content, what)), len(content)
    except MemoryError as error:
        raise UnreadableEntryError(_sentence(place, "cannot be read", error)) from error
    except Exception as error:  # only the content can be wrong: all of it is in memory
        raise DamagedEntryError(_sentence(place, "is damaged", error)) from error


def _sentence(place: Path, what: str, error: Exception) -> str:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return f"its entry {place} in the store of decoded clips {what} ({reason})"


def _read(content: bytes, what: Mapping[str, Any]) -> tuple[Facts, torch.Tensor]:
    with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True, pre_buffer=False) as file:
        table = file.read(use_threads=False)
    (name,) = table.column_names
    said = table.schema.metadata[_FACTS]
    numbers = _numbers(table[name])
    if _checksum(said, name, [numbers]) != table.schema.metadata[_CHECKSUM]:
        raise ValueError("its checksum is another one")
    facts: Facts = json.loads(said)
    if facts.pop(OF) != what:
        raise ValueError("it is one of something else")
    return facts, torch.from_numpy(numbers)


def _checksum(facts: bytes, name: str, parts: Iterable[NDArray[Any]]) -> bytes:
    """The checksum of an entry: XXH3 with 128 bits, 40 times as fast as SHA-256, as hexadecimal digits.

    Args:
        facts: The facts, as they are written.
        name: The name of the column.
        parts: All its numbers, in any number of arrays of one type.
    """
    found = xxhash.xxh3_128(len(facts).to_bytes(8, "little") + facts)
    count, kinds = 0, set()
    for part in parts:
        found.update(part.data)
        count += len(part)
        kinds.add(part.dtype.str)
    found.update(json.dumps([name, count, sorted(kinds)]).encode())
    return found.hexdigest().encode()


def _parts(column: pa.ChunkedArray) -> Iterator[NDArray[Any]]:
    """The numbers of a column, in their own memory."""
    for chunk in column.chunks:
        if pa.types.is_binary(chunk.type):
            yield from (np.frombuffer(row.as_buffer(), np.uint8) for row in chunk)
        else:
            yield chunk.to_numpy(zero_copy_only=False)


def _numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """All numbers of a column, in memory that can be changed."""
    parts = list(_parts(column))
    made = np.empty(sum(map(len, parts)), parts[0].dtype if parts else np.float32)
    np.concatenate(parts, out=made)
    return made


def differences(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Replace pixels by what is new in them: red and blue less green, then each line less the line above it.

    zstd makes less than half of that what it makes of the pixels, and summing up takes 2 ms for 10 MB.

    Args:
        pixels: uint8 of shape (T, 3, H, W), RGB.

    Returns:
        uint8 of the same shape, modulo 256.
    """
    colours = pixels.copy()
    colours[:, 0] -= pixels[:, 1]
    colours[:, 2] -= pixels[:, 1]
    made = colours.copy()
    made[:, :, 1:] -= colours[:, :, :-1]
    return made


def sum_up(made: NDArray[np.uint8]) -> None:
    """Turn differences back into the pixels, in place."""
    for line in range(1, made.shape[2]):  # numpy's own running sum takes four times as long
        made[:, :, line] += made[:, :, line - 1]
    made[:, 0] += made[:, 1]
    made[:, 2] += made[:, 1]
