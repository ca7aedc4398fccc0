"""A store of decoded clips: frames as a model's reader gives them, and waveforms, so that no file is decoded twice.

An entry is a Parquet file (see `entries`), compressed by zstd: one row for each frame (its bytes, in the order C, H, W,
as differences; see `entries.differences`), or one for each sample of a sound. Its name is a digest of the content of
the file, of what is shown of it, and of everything else that decides how it is decoded, so an entry never gets stale.
Any number of processes may use a folder, also a read-only one.
"""

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import torch

from .digests import FileDigests, SeenFile, digests_folder, is_unchanged
from .entries import (
    ENDING,
    OF,
    DamagedEntryError,
    Facts,
    UnreadableEntryError,
    differences,
    read_entry,
    sum_up,
    write_entry,
)
from .environment import decoders
from .publishing import published, sweep_once
from .trimming import trim
from .types import SAMPLE_RATE, FrameRule, Frames, Waveform

logger = logging.getLogger(__name__)

_CHECKED_EVERY = 1 / 256
"""The share of the bound that one process writes before it looks how large the folder is. Looking takes long on network
folders, and up to 16 processes together do not write more than the room that was made."""

_FORM_OF_FRAMES = {
    "order": "rows: frames; bytes of a row: colours (red, green, blue), lines, columns",
    "encoding": "red and blue less green, then each line less the line above it; all modulo 256",
}
"""The facts that say how to read frames without this code."""

_FORM_OF_SOUNDS = {"order": "samples", "encoding": "full scale at -1 and 1", "rate": SAMPLE_RATE, "channels": 1}

_Made = TypeVar("_Made")


@dataclass(frozen=True)
class StoredFrames:
    """The frames of a clip, and `Clip.sound_seconds`."""

    frames: Frames
    sound_seconds: float | None


class MissingEntryError(Exception):
    """There is no entry. The message names the file and the folder."""


class UnwritableStoreError(Exception):
    """No entry can be written. The message begins a sentence and names the folder."""


class NotKeptError(Exception):
    """An entry was not written, for a reason that concerns its file only. The message is a sentence about the file."""


class ClipStore:
    """Decoded clips and sounds in a folder.

    Args:
        folder: The folder. It is made when the first entry is written.
        most_bytes: Bytes of all entries, about. The least recently used are removed first. None means no limit.
        checking: Whether to change nothing, and to raise errors for missing and damaged entries.
        must_write: Whether to raise UnwritableStoreError or NotKeptError if an entry is not written.

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

    def content(self, path: str) -> SeenFile | None:
        """What a file holds now; None if it cannot be read. What is decoded after this call may be kept as its own."""
        try:
            return self._digests.content(path)
        except OSError:  # decoding says what is wrong with the file
            if self._must_write:
                raise
            return None

    def frames(
        self, clip: SeenFile, rule: FrameRule, factor: int, start: float | None, end: float | None
    ) -> StoredFrames | None:
        """Read the frames of a clip, shown as `video.read_clip` would show them; None if they are not here."""
        return self._read(clip, _frames_key(rule, factor, start, end), _frames_of)

    def keep_frames(
        self,
        clip: SeenFile,
        rule: FrameRule,
        factor: int,
        start: float | None,
        end: float | None,
        decoded: StoredFrames,
    ) -> None:
        """Write the frames of a clip, unless its file has changed meanwhile.

        Args:
            clip: What its file held before it was decoded.
            rule: As for `video.read_clip`.
            factor: As for `video.read_clip`.
            start: As for `video.read_clip`.
            end: As for `video.read_clip`.
            decoded: What was decoded.
        """
        self._write(clip, _frames_key(rule, factor, start, end), partial(_entry_of_frames, decoded))

    def sound(
        self, file: SeenFile, start: float | None = None, end: float | None = None, begin: float | None = None
    ) -> tuple[Waveform, float | None] | None:
        """Read a sound, as `audio.read_waveform` would with these arguments, and what `keep_sound` got beside it.

        Returns:
            The sound and its stated seconds; None if it is not here.
        """
        return self._read(file, _sound_key(start, end, begin), _sound_of)

    def keep_sound(
        self,
        file: SeenFile,
        sound: Waveform,
        seconds: float | None,
        start: float | None = None,
        end: float | None = None,
        begin: float | None = None,
    ) -> None:
        """Write a sound, unless its file has changed meanwhile.

        Args:
            file: What its file held before it was decoded.
            sound: What `audio.read_waveform` returned.
            seconds: The stated seconds of the whole sound of the file; None if it states none.
            start: As for `audio.read_waveform`.
            end: As for `audio.read_waveform`.
            begin: As for `audio.read_waveform`.
        """
        self._write(file, _sound_key(start, end, begin), partial(_entry_of_sound, sound, seconds))

    def _place(self, file: SeenFile, shown: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
        """The entry of a file, and what it is of."""
        what = {
            "sha256": file.sha256,
            "ending": os.path.splitext(file.path)[1].lower(),  # decoders use it
            **shown,
            "decoders": decoders(),
        }
        key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        return self.folder / key[:2] / f"{key[2:40]}{ENDING}", what

    def _read(
        self, file: SeenFile, shown: Mapping[str, Any], make: Callable[[Facts, torch.Tensor], _Made]
    ) -> _Made | None:
        place, what = self._place(file, shown)
        try:
            found, size = read_entry(place, what, make)
        except FileNotFoundError:
            if self._checking:
                raise MissingEntryError(f"{file.path} has no entry in {self.folder}") from None
            return None
        except (DamagedEntryError, UnreadableEntryError) as error:
            if self._checking:
                raise
            # It stays until `keep_frames` or `keep_sound` replace it, so that nothing is lost if that is not possible.
            logger.warning("%s: %s, and is decoded anew.", file.path, error)
            return None
        self.bytes_used += size
        if not self._checking:
            with contextlib.suppress(OSError):
                os.utime(place)  # when it was last used
        return found

    def _write(
        self, file: SeenFile, shown: Mapping[str, Any], make: Callable[[], tuple[pa.Table, dict[str, Any]]]
    ) -> None:
        if not self._writable:
            return
        if not is_unchanged(file):
            self._not_kept(f"{file.path} changed while it was decoded, so what was decoded is not kept.")
            return
        place, what = self._place(file, shown)
        try:
            sweep_once(self.folder)
            with published(place) as entry:
                table, facts = make()
                write_entry(entry, table, {**facts, OF: what})
                size = entry.stat().st_size
        except OSError as error:
            if self._must_write:
                raise UnwritableStoreError(f"{self.folder} cannot be written ({error})") from error
            self._writable = False  # of this process, so that this is said once
            logger.warning("Decoded clips are not kept in %s from here on (%s).", self.folder, error)
            return
        except (MemoryError, pa.ArrowException) as error:  # of this entry; the next one may be smaller
            self._not_kept(f"What was decoded of {file.path} is not kept ({error}).")
            return
        self.bytes_used += size
        self.written += 1
        self._count(size)

    def _not_kept(self, why: str) -> None:
        if self._must_write:
            raise NotKeptError(why)
        logger.warning("%s", why)

    def _count(self, size: int) -> None:
        """Count bytes that were written, and look from time to time how large the folder is."""
        if self._most_bytes is None:
            return
        before, self._unchecked = self._unchecked, (self._unchecked or 0) + size
        if before is None or self._unchecked > self._most_bytes * _CHECKED_EVERY:
            self._unchecked = 0
            self._trim(self._most_bytes)

    def _trim(self, most_bytes: int) -> None:
        try:
            left = trim(self.folder, most_bytes)
        except OSError as error:
            logger.warning("%s cannot be kept below %d bytes (%s).", self.folder, most_bytes, error)
            return
        if left > most_bytes:
            logger.warning(
                "%s holds %d bytes, more than the %d of media_cache_gb: some entries cannot be removed by this user.",
                self.folder, left, most_bytes,
            )  # fmt: skip


def _entry_of_frames(decoded: StoredFrames) -> tuple[pa.Table, dict[str, Any]]:
    frames = decoded.frames
    pixels = differences(frames.pixels.numpy())
    rows = pa.array([frame.tobytes() for frame in pixels], pa.binary())
    facts = {one.name: getattr(frames, one.name) for one in fields(frames) if one.name != "pixels"}
    facts |= {"shape": list(pixels.shape), "sound_seconds": decoded.sound_seconds, **_FORM_OF_FRAMES}
    return pa.table({"pixels": rows}), facts


def _frames_of(facts: Facts, numbers: torch.Tensor) -> StoredFrames:
    pixels = numbers.reshape(facts["shape"])
    sum_up(pixels.numpy())
    told = {one.name: facts[one.name] for one in fields(Frames) if one.name != "pixels"}
    told |= {"indices": tuple(told["indices"]), "remarks": tuple(told["remarks"])}
    return StoredFrames(Frames(pixels=pixels, **told), facts["sound_seconds"])


def _entry_of_sound(sound: Waveform, seconds: float | None) -> tuple[pa.Table, dict[str, Any]]:
    return pa.table({"samples": np.ascontiguousarray(sound.samples)}), {"seconds": seconds, **_FORM_OF_SOUNDS}


def _sound_of(facts: Facts, numbers: torch.Tensor) -> tuple[Waveform, float | None]:
    return Waveform(numbers.numpy()), facts["seconds"]


def _frames_key(rule: FrameRule, factor: int, start: float | None, end: float | None) -> dict[str, Any]:
    return {"frames": asdict(rule), "factor": factor, "start": start, "end": end}


def _sound_key(start: float | None, end: float | None, begin: float | None) -> dict[str, Any]:
    return {"sound": [start, end, begin]}
