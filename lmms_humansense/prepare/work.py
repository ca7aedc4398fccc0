"""Doing what was planned: in parallel, taken up again where it was ended, and refused where it cannot fit."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Protocol

from fsspec.implementations.local import LocalFileSystem
from rich.filesize import decimal

from ..dataset.anywhere import as_data_errors
from ..storage import cache, transfer
from ..storage.errors import DamagedContent, naming
from ..storage.prepared import LIST, PreparedList
from ..storage.remote import RangedFile
from ..storage.stores import open_archive
from ..storage.transfer import FileContent, ProgressCallback
from ..tasks.humansense.annotations import FILES, DataError
from .plan import Plan, PlannedFile

WORKERS = 8

_SPARE = 64 << 20
"""Bytes that a disk should have left."""

_JOB_BYTES, _JOB_FILES = 32 << 20, 64
"""What one thread does at a time."""


class Progress(Protocol):
    """Shows how the work goes on."""

    def expect(self, files: int, count: int) -> None:
        """There will be so many files, of so many bytes altogether."""

    def advance(self, count: int) -> None:
        """There are so many bytes more; fewer, if negative."""

    def file_done(self) -> None:
        """There is one more file."""

    def say(self, sentence: str) -> None:
        """Something that the user should know."""


@dataclass
class PrepareResult:
    """How many files there were and how many were made, the bytes fetched, and the names of those that are not right.

    `missing` and `damaged` hold one sentence or name each.
    """

    present: int = 0
    made: int = 0
    fetched: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether everything is there and whole."""
        return not self.missing and not self.damaged

    def add(self, other: "PrepareResult") -> None:
        """Count in what became of other files."""
        self.present += other.present
        self.made += other.made
        self.fetched += other.fetched
        self.missing += other.missing
        self.damaged += other.damaged


class _Ended(Exception):
    """The work of another thread has failed."""


@as_data_errors()
def carry_out(plan: Plan, progress: Progress, workers: int = WORKERS, keep_archives: bool = False) -> PrepareResult:
    """Make what is planned and not there; with `keep_archives` out of archives that are then kept in its folder.

    Files whose content is damaged where it comes from are in the outcome. Raises DataError when the disk is too small,
    or something cannot be read or written.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    lock = plan.to / ".prepare.lock" if plan.to else plan.folder / "locks" / "prepare.lock"
    with cache.locked_by_command(
        lock, lambda: progress.say(f"Another process prepares {plan.folder}; waiting for it.")
    ):
        refuse_small_disk(plan, workers, keep_archives)
        if plan.listed is not None:
            _write_questions(plan, plan.listed)
        archives = archives_of(plan) if keep_archives else {}
        progress.expect(len(plan.files), _packed(plan) + sum(content.size for content in archives.values()))
        _keep_archives(archives, progress)
        outcome = _make_all(_from(archives, plan), progress, workers)
        if plan.listed is not None:
            _write_list(plan, _with_checksums(plan, plan.listed))
        return outcome


def archives_of(plan: Plan) -> dict[Path, FileContent]:
    """The remote archives that files come from, by where they are kept in the plan's folder."""
    stores = {file.media: file.store for file in plan.files}
    return {
        plan.folder / f"{media}.zip": FileContent(store.archive, store.archive.size)
        for media, store in stores.items()
        if store.archive is not None and not store.is_local
    }


def refuse_small_disk(plan: Plan, workers: int, keep_archives: bool) -> None:
    """Raise DataError when what is missing does not fit, saying what it takes."""
    contents = {file.target: file.content for file in plan.files}
    unpacked = sorted((content.packed for content in contents.values() if content.is_compressed), reverse=True)
    media = _missing_bytes(contents) + sum(unpacked[:workers])
    both = media + _missing_bytes(archives_of(plan))
    needed, free = (both if keep_archives else media), shutil.disk_usage(plan.folder).free
    if needed + _SPARE <= free:
        return
    other = f"{decimal(media)} without --keep-archives" if keep_archives else f"{decimal(both)} with --keep-archives"
    raise DataError(
        f"{plan.folder} has {decimal(free)} free, and what is missing takes {decimal(needed)} ({other}), with "
        f"{decimal(_SPARE)} to spare: free space, choose another folder with --to, or prepare fewer tasks with --tasks."
    )


def _missing_bytes(contents: Mapping[Path, FileContent]) -> int:
    return sum(
        content.size - transfer.bytes_there(target, content)
        for target, content in contents.items()
        if not transfer.has_size(target, content)
    )


def _packed(plan: Plan) -> int:
    return sum(file.content.packed for file in plan.files)


def _write_questions(plan: Plan, listed: PreparedList) -> None:
    for key in plan.release.annotation_keys:
        cache.write_atomically(plan.folder / FILES[key], plan.release.annotations(key))
    _write_list(plan, listed)


def _write_list(plan: Plan, listed: PreparedList) -> None:
    cache.write_atomically(plan.folder / LIST, listed.to_json())


def _keep_archives(archives: Mapping[Path, FileContent], progress: Progress) -> None:
    for target, content in archives.items():
        with naming(str(target)):
            if transfer.has_size(target, content):
                progress.advance(content.size)
            else:
                transfer.make(target, content, progress.advance)


def _from(archives: Mapping[Path, FileContent], plan: Plan) -> list[PlannedFile]:
    """The files of the plan, taken out of archives that are here by now."""
    kept = {target.stem: open_archive(LocalFileSystem(), str(target), unchanging=False) for target in archives}
    for media, store in kept.items():
        original = next(file.store for file in plan.files if file.media == media)
        if [(name, store.known_crc(name)) for name in store.names] != [
            (name, original.known_crc(name)) for name in original.names
        ]:
            raise DataError(f"{store.where} is another archive than {original.where}: delete it.")
    return [replace(file, store=kept.get(file.media, file.store)) for file in plan.files]


def _make_all(files: Sequence[PlannedFile], progress: Progress, workers: int) -> PrepareResult:
    outcome, ended = PrepareResult(), threading.Event()

    def advance(count: int) -> None:
        if ended.is_set():
            raise _Ended
        progress.advance(count)

    with ThreadPoolExecutor(_threads(files, workers)) as pool:
        futures = [pool.submit(_do, job, advance, progress.file_done) for job in _jobs(files)]
        try:
            for future in as_completed(futures):
                outcome.add(future.result())
        finally:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
    return outcome


def _threads(files: Sequence[PlannedFile], workers: int) -> int:
    # Many wait for a network well; on a disk of this machine more than there are cores only get in each other's way.
    if all(file.store.is_local for file in files):
        return min(workers, os.cpu_count() or 1)
    return workers


def _jobs(files: Sequence[PlannedFile]) -> Iterator[list[PlannedFile]]:
    """The files in portions, each for one thread and one lock: not too large to share, nor too small to be worth it."""
    for _, group in groupby(sorted(files, key=_by_lock), key=_by_lock):
        job: list[PlannedFile] = []
        size = 0
        for file in group:
            job.append(file)
            size += file.content.packed
            if size > _JOB_BYTES or len(job) == _JOB_FILES:
                yield job
                job, size = [], 0
        if job:
            yield job


def _by_lock(file: PlannedFile) -> Path:
    return cache.lock_of(file.target)


def _do(job: Sequence[PlannedFile], advance: ProgressCallback, file_done: Callable[[], None]) -> PrepareResult:
    outcome = PrepareResult()
    with cache.locked(job[0].target):
        for file in job:
            try:
                fetched = _make(file, advance)
            except DamagedContent as error:
                outcome.damaged.append(str(error))
            else:
                outcome.add(PrepareResult(present=1) if fetched is None else PrepareResult(made=1, fetched=fetched))
            file_done()
    return outcome


def _make(file: PlannedFile, advance: ProgressCallback) -> int | None:
    """Make a file, and return how many bytes were fetched for it; None if it was there."""
    content = file.content
    if transfer.is_whole(file.target, content):
        if content.is_compressed:
            transfer.forget_attempts(file.target, content)
        advance(content.packed)
        return None
    there = transfer.bytes_there(file.target, content)
    if there == 0 and _copied(file, content, advance):
        return 0
    file.store.make(file.name, file.target, advance)
    return content.packed - there


def _copied(file: PlannedFile, content: FileContent, advance: ProgressCallback) -> bool:
    """Make the file of one that was fetched before, if there is one and it is whole."""
    kept = file.store.find_local(file.name)
    if kept is None or kept == file.target or not transfer.is_whole(kept, content):
        return False
    transfer.make(
        file.target,
        FileContent(RangedFile(LocalFileSystem(), str(kept), content.size), content.size, content.crc),
        advance,
    )
    advance(content.packed - content.size)
    return True


def _with_checksums(plan: Plan, listed: PreparedList) -> PreparedList:
    """The list with the checksums that the release itself does not tell."""
    media = {folder: dict(files) for folder, files in listed.media.items()}
    for file in plan.files:
        name = file.target.relative_to(plan.folder / file.media).as_posix()
        if None in media[file.media][name] and file.target.exists():
            media[file.media][name] = file.target.stat().st_size, transfer.checksum(file.target)
    return replace(listed, media=media)


@as_data_errors()
def check(plan: Plan, progress: Progress, workers: int = WORKERS) -> PrepareResult:
    """Read all that is planned, and tell what is missing and what is damaged."""
    outcome = PrepareResult()
    for name, digest in (plan.listed.annotations if plan.listed else {}).items():
        path = plan.folder / name
        if not path.exists():
            outcome.missing.append(name)
        elif sha256(path.read_bytes()).hexdigest() != digest:
            outcome.damaged.append(name)
    progress.expect(len(plan.files), sum(file.content.size for file in plan.files))
    with ThreadPoolExecutor(workers) as pool:
        for file, state in zip(plan.files, pool.map(_state, plan.files), strict=True):
            progress.advance(file.content.size)
            progress.file_done()
            if state == "present":
                outcome.present += 1
            else:
                getattr(outcome, state).append(plan.shown(file))
    return outcome


def _state(file: PlannedFile) -> str:
    if not file.target.exists():
        return "missing"
    return "present" if transfer.is_whole(file.target, file.content) else "damaged"
