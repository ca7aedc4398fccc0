"""Checks files: reads each one, and compares it with what decord and the ffmpeg program read."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import joblib

from ..models.media.types import SAMPLE_RATE
from ..tasks.humansense.folders import files_below
from . import reading
from .comparing import against_decord, against_ffmpeg, sounds_apart
from .ffmpeg_program import Ffmpeg, ProgramError, find_ffmpeg
from .isolation import IsolatedError, Isolation
from .reading import FileRead, read_file, read_with_decord

_ENDINGS = frozenset(
    ".3gp .aac .ac3 .aif .aiff .amr .asf .au .avi .caf .divx .dv .f4v .flac .flv .gif .h264 .hevc .m2ts .m4a .m4v .mka "
    ".mkv .mov .mp2 .mp3 .mp4 .mpeg .mpg .mts .mxf .oga .ogg .ogv .opus .rm .rmvb .spx .ts .vob .w64 .wav .webm .wma "
    ".wmv .wv .y4m".split()
)
"""How the names of clips and sounds end."""

Outcome = Literal["equal", "differs", "refused", "read"]


@dataclass(frozen=True)
class FileCheck:
    """The outcome for one file.

    Attributes:
        name: The path below the checked folder.
        outcome: "refused": this package cannot read it. "differs": another program reads it otherwise. "equal": all
            programs that can read it agree. "read": there is no program to compare with.
        frames: Number of frames; None without pictures.
        fps: Frames per second; None without pictures.
        seconds: Duration of the sound; None without sound.
        notes: Why it is refused, how others differ, which others cannot read it, and what is shown in another way.
    """

    name: str
    outcome: Outcome
    frames: int | None = None
    fps: float | None = None
    seconds: float | None = None
    notes: tuple[str, ...] = ()


@dataclass
class _Comparison:
    differences: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    compared: bool = False

    def add(self, program: str, compare: Callable[[], str | None]) -> None:
        """Note what `compare` returns, or why the program gave nothing to compare with."""
        try:
            difference = compare()
        except (IsolatedError, ProgramError) as error:
            self.failures.append(f"{program} cannot read it: {error}")
            return
        self.compared = True
        self.differences += [difference] if difference else []


class MediaChecker:
    """Checks files, several at the same time, each in processes of its own.

    Attributes:
        programs: The names of the programs to compare with.
    """

    def __init__(self, limit: float) -> None:
        """Look for the programs to compare with. `limit` is the most seconds that one reading may take."""
        self._limit = limit
        self._isolation = Isolation(reading.__name__)
        self._has_decord = find_spec("decord") is not None
        self._ffmpeg = find_ffmpeg(limit)
        self.programs = [name for name, there in (("decord", self._has_decord), ("ffmpeg", self._ffmpeg)) if there]

    def check(self, folder: Path, names: Sequence[str]) -> Iterator[FileCheck]:
        """Check files.

        Args:
            folder: The folder.
            names: Paths below it.

        Yields:
            The outcome of each file, as soon as it is known.
        """
        with ThreadPoolExecutor(max(1, joblib.cpu_count())) as threads:
            jobs = [threads.submit(self._check, folder, name) for name in names]
            try:
                yield from (job.result() for job in as_completed(jobs))
            finally:
                threads.shutdown(cancel_futures=True)

    def _check(self, folder: Path, name: str) -> FileCheck:
        path = folder / name
        try:
            ours = self._isolation.call(read_file, path, self._limit)
        except IsolatedError as error:
            return FileCheck(name, "refused", notes=(str(error),))
        comparison = _Comparison()
        if self._has_decord and ours.pixels is not None:
            comparison.add("decord", lambda: against_decord(ours, self._decord(path)))
        if self._ffmpeg is not None:
            _compare_with(self._ffmpeg, path, ours, comparison)
        agreed: Outcome = "equal" if comparison.compared else "read"
        return FileCheck(
            name,
            "differs" if comparison.differences else agreed,
            frames=None if ours.pixels is None else ours.total_frames,
            fps=None if ours.pixels is None else ours.fps,
            seconds=None if ours.sound is None else len(ours.sound) / SAMPLE_RATE,
            notes=(*comparison.differences, *comparison.failures, *ours.remarks),
        )

    def _decord(self, path: Path) -> FileRead:
        return self._isolation.call(read_with_decord, path, self._limit)


def media_below(folder: Path) -> tuple[list[str], list[str]]:
    """Find the clips and sounds in a folder and its subfolders, by the endings of their names.

    Args:
        folder: The folder.

    Returns:
        The paths of the media below the folder, and those of the other files, both sorted.
    """
    names, _ = files_below(folder)
    media = [name for name in names if os.path.splitext(name)[1].lower() in _ENDINGS]
    return sorted(media), sorted(set(names) - set(media))


def _compare_with(ffmpeg: Ffmpeg, path: Path, ours: FileRead, comparison: _Comparison) -> None:
    pictures, sound = ours.streams
    if ours.pixels is not None and pictures is not None:
        height, width = ours.pixels.shape[1:3]
        numbers, stream = ours.numbers, pictures
        comparison.add("ffmpeg", lambda: against_ffmpeg(ours, ffmpeg.pictures(path, stream, numbers, (height, width))))
    if ours.sound is not None and sound is not None:
        samples, track = ours.sound, sound
        comparison.add("ffmpeg", lambda: sounds_apart(samples, ffmpeg.sound(path, track)))
