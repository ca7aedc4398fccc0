"""Carries out a plan: fetches or checks its files in parallel.

An interrupted attempt is continued, and a plan that does not fit on the disk is refused before anything is fetched.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem
from rich.filesize import decimal

from ..dataset.anywhere import as_data_errors
from ..storage import cache, transfer
from ..storage.errors import DamagedContent, naming
from ..storage.folders import size_of
from ..storage.prepared import LIST, PreparedList
from ..storage.remote import RangedFile
from ..storage.stores import open_archive
from ..storage.transfer import FileContent, ProgressCallback
from ..tasks.humansense.annotations import FILES, DataError
from ..tasks.humansense.folders import read_small
from .plan import Plan, PlannedFile
from .progress import ProgressDisplay

WORKERS = 8

SPARE = 64 << 20
"""Bytes that must remain free on the disk."""

_JOB_BYTES, _JOB_FILES = 32 << 20, 64
"""The most bytes and files, roughly, that one thread takes at a time."""


@dataclass
class FilesOutcome:
    """What came of the files of some tasks.

    Attributes:
        present: The number of files for which nothing had to be done.
        made: The number of files for which something was done.
        missing: The names of missing files.
        damaged: The names of damaged files, or a sentence for each.
    """

    present: int = 0
    made: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether no file is missing or damaged."""
        return not self.missing and not self.damaged


@dataclass
class PrepareResult(FilesOutcome):
    """The outcome of preparing or checking: `present` are complete, `made` were made.

    After preparing, `damaged` has a sentence for each file that is damaged at its source.

    Attributes:
        fetched: The number of bytes that were fetched for the files that were made.
        unusable: The names of the files that `damaged` has sentences about, in their stores.
    """

    fetched: int = 0
    unusable: set[str] = field(default_factory=set)

    def add(self, other: "PrepareResult") -> None:
        """Add the outcome for other files to this one."""
        self.present += other.present
        self.made += other.made
        self.fetched += other.fetched
        self.missing += other.missing
        self.damaged += other.damaged
        self.unusable |= other.unusable


class _Ended(Exception):
    """Stops a thread after another one has failed."""


@as_data_errors()
def carry_out(
    plan: Plan, progress: ProgressDisplay, workers: int = WORKERS, keep_archives: bool = False
) -> PrepareResult:
    """Make the planned files that are missing or damaged.

    Args:
        plan: What to make.
        progress: Where to show the progress.
        workers: The number of files to fetch at a time.
        keep_archives: Whether to download remote archives first, keep them in the plan's folder, and unpack them there.

    Returns:
        The outcome. It includes files that are damaged at their source, which do not stop the others.

    Raises:
        DataError: The disk is too small, an archive in the folder is another one than the source's, or a file cannot
            be read or written.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    lock = plan.to / ".prepare.lock" if plan.to else plan.folder / "locks" / "prepare.lock"
    with cache.locked_by_command(
        lock, lambda: progress.say(f"Another process is preparing {plan.folder}; waiting for it.")
    ):
        _refuse_small_disk(plan, workers, keep_archives)
        if plan.listed is not None:
            for key in plan.release.annotation_keys:
                cache.write_atomically(plan.folder / FILES[key], plan.release.annotations(key))
            cache.write_atomically(plan.folder / LIST, plan.listed.to_json())
        archives = _archives_of(plan) if keep_archives else {}
        packed = sum(file.content.packed for file in plan.files)
        progress.expect(len(plan.files), packed + sum(content.size for content in archives.values()))
        _keep_archives(archives, progress)
        outcome = _make_all(_from(archives, plan), progress, workers)
        if plan.listed is not None:
            cache.write_atomically(plan.folder / LIST, with_checksums(plan, plan.listed).to_json())
        return outcome


def _archives_of(plan: Plan) -> dict[Path, FileContent]:
    """The remote archives that files come from, by the path at which the plan's folder keeps them."""
    return {
        plan.folder / f"{media}.zip": FileContent(store.archive, store.archive.size)
        for media, store in plan.stores.items()
        if store.archive is not None and not store.is_local
    }


def _refuse_small_disk(plan: Plan, workers: int, keep_archives: bool) -> None:
    """Raise DataError if the missing files do not fit on the disk. Each worker needs room for one packed file too."""
    contents = {file.target: file.content for file in plan.files}
    unpacked = sorted((content.packed for content in contents.values() if content.is_compressed), reverse=True)
    media = missing_bytes(contents) + sum(unpacked[:workers])
    both = media + missing_bytes(_archives_of(plan))
    needed, free = (both if keep_archives else media), shutil.disk_usage(plan.folder).free
    if needed + SPARE <= free:
        return
    other = f"{decimal(media)} without --keep-archives" if keep_archives else f"{decimal(both)} with --keep-archives"
    raise DataError(
        f"{plan.folder} has {decimal(free)} free, but the missing files need {decimal(needed)} ({other}) and "
        f"{decimal(SPARE)} must remain free: free space, choose another folder with --to, or prepare fewer tasks with "
        "--tasks."
    )


def missing_bytes(contents: Mapping[Path, FileContent]) -> int:
    """Count the bytes of files that are still to be written, by their targets."""
    return sum(
        content.size - transfer.bytes_there(target, content)
        for target, content in contents.items()
        if not transfer.has_size(target, content)
    )


def _keep_archives(archives: Mapping[Path, FileContent], progress: ProgressDisplay) -> None:
    for target, content in archives.items():
        with naming(str(target)):
            if transfer.has_size(target, content):
                progress.advance(content.size)
            else:
                transfer.make(target, content, progress.advance)


def _from(archives: Mapping[Path, FileContent], plan: Plan) -> list[PlannedFile]:
    """The files of the plan, but from the downloaded archives where there are any."""
    kept = {target.stem: open_archive(LocalFileSystem(), str(target), unchanging=False) for target in archives}
    for media, store in kept.items():
        original = plan.stores[media]
        if [(name, store.known(name)) for name in store.names] != [
            (name, original.known(name)) for name in original.names
        ]:
            raise DataError(f"{store.where} is another archive than {original.where}: delete it.")
    return [replace(file, store=kept.get(file.media, file.store)) for file in plan.files]


def _make_all(files: Sequence[PlannedFile], progress: ProgressDisplay, workers: int) -> PrepareResult:
    outcome, ended = PrepareResult(), threading.Event()
    # Threads mostly wait for the network; on a local disk, more threads than cores only slow each other down.
    if all(file.store.is_local for file in files):
        workers = min(workers, os.cpu_count() or 1)

    def advance(count: int) -> None:
        if ended.is_set():
            raise _Ended
        progress.advance(count)

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(_do, job, advance, progress.file_done) for job in _jobs(files)]
        try:
            for future in as_completed(futures):
                outcome.add(future.result())
        finally:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
    return outcome


def _jobs(files: Sequence[PlannedFile]) -> Iterator[list[PlannedFile]]:
    """Split the files into portions for one thread and one lock each, neither too large to share nor too small."""
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
                outcome.unusable.add(file.name)
            else:
                outcome.add(PrepareResult(present=1) if fetched is None else PrepareResult(made=1, fetched=fetched))
            file_done()
    return outcome


def _make(file: PlannedFile, advance: ProgressCallback) -> int | None:
    """Make a file and return the number of bytes that were fetched for it; None if it was complete already."""
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
    """Copy the file from where its store keeps it, if it is there and complete; return whether it was copied."""
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


def with_checksums(plan: Plan, listed: PreparedList) -> PreparedList:
    """Complete a list with the sizes and checksums that the release itself does not give.

    Args:
        plan: The files whose targets are in the folder.
        listed: The list of the folder.

    Returns:
        The list with what is there.
    """
    media = {folder: dict(files) for folder, files in listed.media.items()}
    for file in plan.files:
        name = file.target.relative_to(plan.folder / file.media).as_posix()
        if None in media[file.media][name] and file.target.exists():
            media[file.media][name] = file.target.stat().st_size, transfer.checksum(file.target)
    return replace(listed, media=media)


@as_data_errors()
def check(plan: Plan, progress: ProgressDisplay, workers: int = WORKERS) -> PrepareResult:
    """Read all planned files, and change nothing.

    Args:
        plan: What to check.
        progress: Where to show the progress.
        workers: The number of files to read at a time.

    Returns:
        The outcome, with the names of missing and damaged files.

    Raises:
        DataError: A file cannot be read.
    """
    outcome = PrepareResult()
    for name, digest in (plan.listed.annotations if plan.listed else {}).items():
        path = plan.folder / name
        if not path.exists():
            outcome.missing.append(name)
        elif size_of(path) is None or sha256(read_small(path)).hexdigest() != digest:
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
