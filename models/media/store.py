"""A store of decoded clips: frames as a model's reader gives them, and waveforms, so that no file is decoded twice.

An entry is a Parquet file, compressed by zstd, whose pages have checksums: one row for each frame (its bytes, in the
order C, H, W, as differences; see `differences`), or one for each sample of a sound. The facts about it stand in the
metadata of its schema, as JSON. Its name is a digest of the content of the file, of what is shown of it, and of
everything else that decides how it is decoded, so an entry never gets stale. Any number of processes may use a folder,
also a read-only one.
"""

import contextlib
import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from .digests import FileDigests, digests_folder
from .environment import decoders
from .publishing import published
from .types import FrameRule, Frames, Waveform

logger = logging.getLogger(__name__)

ENDING = ".parquet"

_FACTS, _OF = b"humansense", "of"
"""The key of an entry's facts in the metadata of its schema, and the fact that says what it is an entry of."""

_LEVEL = 1
"""zstd's level. Level 3 makes entries 2 % smaller, and takes twice the time."""

_TRIMMED_TO = 15 / 16
"""The share of the bound that is left after the least recently used entries are removed."""

_CHECKED_EVERY = 1 / 256
"""The share of the bound that one process writes before it looks how large the folder is. Looking takes long on network
folders, and up to 16 processes together do not write more than the room that was made."""

_ABANDONED = 3600.0
"""Seconds after which a half-written file is one of a process that was killed."""

_SPLIT = {"samples": "BYTE_STREAM_SPLIT"}
"""Parquet's encoding of numbers whose first bytes are alike. Sounds become a fifth smaller by it."""


@dataclass(frozen=True)
class StoredFrames:
    """The frames of a clip, and `Clip.sound_seconds`."""

    frames: Frames
    sound_seconds: float | None


class ClipStore:
    """Decoded clips and sounds in a folder.

    Args:
        folder: The folder. It is made when the first entry is written.
        most_bytes: Bytes of all entries, about. The least recently used are removed first. None means no limit.
        checking: Whether to change nothing, and to raise errors for missing and damaged entries.
        must_write: Whether to raise UnwritableStoreError if an entry cannot be written.

    Attributes:
        folder: See above.
        bytes_used: Bytes of all entries that were read or written.
        written: How many entries were written.
    """

    def __init__(
        self, folder: Path, most_bytes: int | None = None, checking: bool = False, must_write: bool = False
    ) -> None:
        # pyarrow imports pandas for its first array, in a second. Here it does so once, before workers are forked.
        pa.array(np.empty(0, np.float32))
        self.folder = folder
        self._most_bytes = most_bytes
        self._digests = FileDigests(digests_folder())
        self.bytes_used = self.written = 0
        self._unchecked: int | None = None
        self._checking = checking
        self._writable = not checking
        self._must_write = must_write

    def frames(
        self, path: str, rule: FrameRule, factor: int, start: float | None, end: float | None
    ) -> StoredFrames | None:
        """Read the frames of a clip, shown as `video.read_clip` would show them; None if they are not here."""
        found = self._read(path, _frames_key(rule, factor, start, end))
        if found is None:
            return None
        facts, columns = found
        pixels = columns["pixels"].reshape(facts.pop("shape"))
        sum_up(pixels.numpy())
        seconds = facts.pop("sound_seconds")
        facts |= {"indices": tuple(facts["indices"]), "remarks": tuple(facts["remarks"])}
        return StoredFrames(Frames(pixels=pixels, **facts), seconds)

    def keep_frames(
        self, path: str, rule: FrameRule, factor: int, start: float | None, end: float | None, clip: StoredFrames
    ) -> None:
        """Write the frames of a clip.

        Args:
            path: The file that they were decoded from.
            rule: As for `video.read_clip`.
            factor: As for `video.read_clip`.
            start: As for `video.read_clip`.
            end: As for `video.read_clip`.
            clip: What was decoded.
        """
        facts = {name: value for name, value in vars(clip.frames).items() if name != "pixels"}
        pixels = differences(clip.frames.pixels.numpy())
        rows = pa.array([frame.tobytes() for frame in pixels], pa.binary())
        facts |= {"shape": list(pixels.shape), "sound_seconds": clip.sound_seconds}
        self._write(path, _frames_key(rule, factor, start, end), pa.table({"pixels": rows}), facts)

    def sound(
        self, path: str, start: float | None = None, end: float | None = None, begin: float | None = None
    ) -> tuple[Waveform, float | None] | None:
        """Read a sound, as `audio.read_waveform` would with these arguments, and what `keep_sound` got beside it.

        Returns:
            The sound and its stated seconds; None if it is not here.
        """
        found = self._read(path, _sound_key(start, end, begin))
        if found is None:
            return None
        facts, columns = found
        return Waveform(columns["samples"].numpy()), facts["seconds"]

    def keep_sound(
        self,
        path: str,
        sound: Waveform,
        seconds: float | None,
        start: float | None = None,
        end: float | None = None,
        begin: float | None = None,
    ) -> None:
        """Write a sound.

        Args:
            path: The file that it was decoded from.
            sound: What `audio.read_waveform` returned.
            seconds: The stated seconds of the whole sound of the file; None if it states none.
            start: As for `audio.read_waveform`.
            end: As for `audio.read_waveform`.
            begin: As for `audio.read_waveform`.
        """
        table = pa.table({"samples": np.ascontiguousarray(sound.samples)})
        self._write(path, _sound_key(start, end, begin), table, {"seconds": seconds})

    def _place(self, path: str, shown: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
        """The entry of a file, and what it is of. Raises OSError if the file cannot be read."""
        what = {
            "sha256": self._digests.digest(path),
            "ending": os.path.splitext(path)[1].lower(),  # decoders use it
            **shown,
            "decoders": decoders(),
        }
        key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        return self.folder / key[:2] / f"{key[2:40]}{ENDING}", what

    def _read(self, path: str, shown: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        try:
            place, what = self._place(path, shown)
            if not place.exists():
                if self._checking:
                    raise MissingEntryError(f"{path} has no entry in {self.folder}")
                return None
        except OSError:  # decoding says what is wrong with the file
            return None
        try:
            found = read_entry(place, what)
        except DamagedEntryError as error:
            if self._checking:
                raise
            logger.warning("%s: %s, and is decoded anew.", path, error)
            with contextlib.suppress(OSError):
                place.unlink()
            return None
        with contextlib.suppress(OSError):
            self.bytes_used += place.stat().st_size
        if not self._checking:
            with contextlib.suppress(OSError):
                os.utime(place)  # when it was last used
        return found

    def _write(self, path: str, shown: Mapping[str, Any], table: pa.Table, facts: Mapping[str, Any]) -> None:
        if not self._writable:
            return
        try:
            place, what = self._place(path, shown)
            with published(place) as file:
                write_entry(file, table, {**facts, _OF: what})
                size = file.stat().st_size
            self.bytes_used += size
            self.written += 1
            self._count(size)
        except OSError as error:
            if self._must_write:
                raise UnwritableStoreError(f"{self.folder} cannot be written ({error})") from error
            self._writable = False  # of this process, so that this is said once
            logger.warning("Decoded clips are not kept in %s from here on (%s).", self.folder, error)

    def _count(self, size: int) -> None:
        """Count bytes that were written, and look from time to time how large the folder is."""
        if self._most_bytes is None:
            return
        before, self._unchecked = self._unchecked, (self._unchecked or 0) + size
        if before is None or self._unchecked > self._most_bytes * _CHECKED_EVERY:
            trim(self.folder, self._most_bytes)
            self._unchecked = 0


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


def trim(folder: Path, most_bytes: int) -> None:
    """Remove the least recently used entries of a folder that has become too large.

    Args:
        folder: The folder of a store.
        most_bytes: Bytes that all entries together may have.
    """
    entries = []
    for place in folder.glob("??/*"):
        with contextlib.suppress(OSError):  # another process removed it
            stat = place.stat()
            if place.suffix == ENDING:
                entries.append((stat.st_mtime_ns, stat.st_size, place))
            elif stat.st_mtime + _ABANDONED < time.time():
                place.unlink()
    size = sum(size for _, size, _ in entries)
    if size <= most_bytes:
        return
    for _, bytes_of_entry, place in sorted(entries):
        if size <= most_bytes * _TRIMMED_TO:
            return
        place.unlink(missing_ok=True)
        size -= bytes_of_entry


class MissingEntryError(Exception):
    """There is no entry. The message names the file and the folder."""


class UnwritableStoreError(Exception):
    """An entry cannot be written. The message begins a sentence and names the folder."""


class DamagedEntryError(Exception):
    """An entry cannot be read. The message begins a sentence and names the entry."""


def write_entry(place: Path, table: pa.Table, facts: Mapping[str, Any]) -> None:
    """Write an entry.

    Args:
        place: The file to write.
        table: Its columns.
        facts: What stands in the metadata of its schema. JSON can represent it.
    """
    said = table.replace_schema_metadata({_FACTS: json.dumps(facts).encode()})
    encoding = {name: kind for name, kind in _SPLIT.items() if name in table.column_names}
    pq.write_table(
        said, place, compression="zstd", compression_level=_LEVEL, use_dictionary=False, write_statistics=False,
        write_page_checksum=True, column_encoding=encoding or None, data_page_version="2.0",
    )  # fmt: skip


def read_entry(place: Path, what: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read an entry.

    Args:
        place: Its file.
        what: What it has to be an entry of.

    Returns:
        Its other facts, and for each column one tensor of all its numbers: uint8 of the bytes of "pixels", float32 of
        "samples".

    Raises:
        DamagedEntryError: It is not whole.
    """
    try:
        with pq.ParquetFile(place, page_checksum_verification=True, pre_buffer=False) as file:
            table = file.read(use_threads=False)
        facts = json.loads(table.schema.metadata[_FACTS])
        if facts.pop(_OF) != what:
            raise ValueError("it is one of something else")
        columns = {name: _tensor(table[name]) for name in table.column_names}
        if columns.keys() == {"pixels"} and columns["pixels"].numel() != math.prod(facts["shape"]):
            raise ValueError("it has another size than it says")
        return facts, columns
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DamagedEntryError(f"its entry {place} in the store of decoded clips is damaged ({reason})") from error


def _tensor(column: Any) -> torch.Tensor:
    """All numbers of a column, in memory of their own."""
    if pa.types.is_binary(column.type):
        parts = [np.frombuffer(row.as_buffer(), np.uint8) for row in column]
    else:
        parts = [chunk.to_numpy(zero_copy_only=False) for chunk in column.chunks]
    made = np.empty(sum(map(len, parts)), parts[0].dtype if parts else np.float32)
    np.concatenate(parts, out=made)
    return torch.from_numpy(made)


def _frames_key(rule: FrameRule, factor: int, start: float | None, end: float | None) -> dict[str, Any]:
    return {"frames": asdict(rule), "factor": factor, "start": start, "end": end}


def _sound_key(start: float | None, end: float | None, begin: float | None) -> dict[str, Any]:
    return {"sound": [start, end, begin]}
