"""Decodes the clips of a release beforehand: into a store in the cache, or into a folder that needs no videos."""

import os
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.filesize import decimal

from ..dataset.anywhere import as_data_errors
from ..dataset.found import STORE
from ..models.inputs.conversation import AudioPart, Conversation, Turn, media_of, read_messages
from ..models.inputs.policy import Policy
from ..storage import cache
from ..storage.prepared import LIST
from ..tasks.humansense import utils, variants
from ..tasks.humansense.annotations import DataError
from .links import refuse_links_out
from .plan import Plan, PlannedFile, planned_in_place, source_of
from .pool import Decode, FileOutcome, decoding
from .progress import ProgressDisplay
from .showing import Showing
from .stand_ins import list_of, write_list, write_stand_ins, writing
from .work import SPARE, FilesOutcome, carry_out, missing_bytes

_TRIED = 8
"""Files that are fetched and decoded first, spread over all of them, to say how large the store will be."""

_SENSES = {"wrapper": "humansense_omni"}
"""The task argument of lmms-eval that asks for the messages of this package's models."""

_Jobs = dict[str, list[Conversation]]
"""What is shown of each file, by its name. Files of both media folders have names of their own."""


@dataclass
class DecodingResult(FilesOutcome):
    """The outcome of decoding, or of checking. Of files that are `present`, all entries were there.

    Names are `missing` only if the store was checked; `damaged` has a sentence for each file that cannot be decoded in
    all ways in which it is asked for, or whose entry is damaged.

    Attributes:
        size: Bytes of the entries of all files.
        seconds: How long all clips and sounds last.
        unusable: The names of files of which nothing can be shown.
    """

    size: int = 0
    seconds: float = 0.0
    unusable: set[str] = field(default_factory=set)

    def add(self, name: str, outcome: FileOutcome) -> None:
        """Add the outcome for one file.

        Args:
            name: Its name.
            outcome: What came of it.
        """
        self.made += outcome.written > 0
        self.present += outcome.is_there
        self.size += outcome.size
        self.seconds += outcome.seconds
        if outcome.is_missing:
            self.missing.append(name)
        if outcome.reasons:
            self.damaged.append(f"{name}: {'; '.join(outcome.reasons)}")
        if not outcome.is_decoded:
            self.unusable.add(name)


@as_data_errors()
def decode_all(
    names: str, limit: int | None, to: Path | None, shown: Showing, progress: ProgressDisplay, workers: int
) -> tuple[Plan, DecodingResult]:
    """Fetch what is missing, and decode the clips of some tasks that are not in the store yet, with all cores.

    A few files come first, because they show how large the store will be.

    Args:
        names: Tasks and groups, separated by commas.
        limit: Only the first questions of each task; None for all.
        to: The folder for the store and all else that a run needs; None for the cache.
        shown: How the clips are shown.
        progress: Where to show the progress.
        workers: The number of files to fetch at a time.

    Returns:
        The plan and the outcome.

    Raises:
        DataError: A name is no task or group, the release cannot be read, the disk is too small or cannot be written,
            or `to` was prepared from other content.
    """
    planned = planned_in_place(source_of(to), names, limit)
    folder = store_folder(to)
    listed = None if to is None else list_of(planned, to)
    if to is not None:
        refuse_links_out(planned.release, ((file.store, file.name) for file in planned.files))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = (to or cache.cache_folder()) / ".decode.lock"
    with cache.locked_by_command(lock, lambda: progress.say(f"Another process is filling {folder}; waiting for it.")):
        if to is not None and listed is not None:
            write_list(planned, to, listed)
        with decoding(folder, shown.factor, shown.timeout) as decode:
            work = _Work(_Asked(planned, names, limit, shown.policy), decode, progress, workers)
            work.run(folder)
        if to is not None and listed is not None:
            write_stand_ins(planned, to, listed, work.outcome.unusable, work.unclear)
    return planned, work.outcome


@as_data_errors()
def check_all(names: str, limit: int | None, to: Path | None, shown: Showing) -> tuple[Plan, DecodingResult]:
    """Read all entries that a run of some tasks needs, and change nothing.

    Args:
        names: Tasks and groups, separated by commas.
        limit: Only the first questions of each task; None for all.
        to: The prepared folder; None for the cache.
        shown: How the clips are shown.

    Returns:
        The plan and the outcome.

    Raises:
        DataError: A name is no task or group, or `to` has no list.
    """
    if to is not None and not (to / LIST).is_file():
        raise DataError(f"{to} has no {LIST}: it was not prepared by this command and cannot be checked.")
    planned = planned_in_place(source_of(None) if to is None else str(to), names, limit)
    outcome = DecodingResult()
    absent = {file.name for file in planned.files if not file.target.is_file()}
    outcome.missing += sorted(absent)
    jobs = _Asked(planned, names, limit, shown.policy).jobs({file.name for file in planned.files} - absent)
    with decoding(store_folder(to), shown.factor, shown.timeout, checking=True) as decode:
        for name, found in decode(jobs):
            outcome.add(name, found)
    return planned, outcome


def store_folder(to: Path | None) -> Path:
    """The folder of the store for a folder of `--to`, or in the cache."""
    return (to or cache.cache_folder()) / STORE


@dataclass(frozen=True)
class _Asked:
    """The questions of some tasks, and how their media are shown."""

    planned: Plan
    names: str
    limit: int | None
    policy: Policy

    def jobs(self, files: Collection[str]) -> _Jobs:
        """What is shown of some files, which are on this machine."""
        jobs: dict[str, dict[Conversation, None]] = {}
        for name in self.names.split(","):
            variant, _ = variants.split(name.strip().lower().removeprefix("humansense").lstrip("_"))
            for task in variants.tasks_of(name):
                docs = utils.docs(f"{variant.name}_{task.code}".lstrip("_"), self.planned.release.address)
                for doc in docs.select(range(min(self.limit or len(docs), len(docs)))):
                    if doc["file"] not in files:
                        continue
                    messages = utils.doc_to_messages(doc, _SENSES)
                    media = [part for turn in read_messages(messages, self.policy) for part in media_of((turn,))]
                    if media:
                        jobs.setdefault(doc["file"], {})[(Turn("user", tuple(media)),)] = None
        return {name: list(shown) for name, shown in jobs.items()}


class _Work:
    """Fetches and decodes files, and counts what came of them.

    Attributes:
        outcome: What came of all files.
        unclear: The names of files whose names do not show whether they have pictures.
    """

    def __init__(self, asked: _Asked, decode: Decode, progress: ProgressDisplay, workers: int) -> None:
        self._asked, self._decode, self._progress, self._workers = asked, decode, progress, workers
        self._places = {file.name: file.target for file in asked.planned.files}
        self.outcome = DecodingResult()
        self.unclear: set[str] = set()

    def run(self, folder: Path) -> None:
        """Do all of it.

        Args:
            folder: The folder of the store.
        """
        files = self._asked.planned.files
        first = files[:: max(1, len(files) // _TRIED)]
        rest = [file for file in files if file not in first]
        tried = self._fetched(first)
        for name, found in self._decode(tried):
            self.outcome.add(name, found)
        self._announce(folder, len(files), rest)
        jobs = self._fetched(rest) if rest else {}
        self._progress.expect(len(tried) + len(jobs), self._size([*tried, *jobs]), "Decoding")
        for name in tried:
            self._count(name, is_new=False)
        for name, found in self._decode(jobs):
            self.outcome.add(name, found)
            self._count(name, is_new=not found.is_there)

    def _fetched(self, files: Sequence[PlannedFile]) -> _Jobs:
        """Fetch files, and return what is shown of those that are whole."""
        fetched = carry_out(replace(self._asked.planned, files=list(files)), self._progress, self._workers)
        self.outcome.damaged += fetched.damaged
        self.outcome.unusable |= fetched.unusable
        jobs = self._asked.jobs({file.name for file in files} - fetched.unusable)
        self.unclear |= {name for name, shown in jobs.items() if any(map(_is_unclear, shown))}
        return jobs

    def _announce(self, folder: Path, files: int, rest: Sequence[PlannedFile]) -> None:
        """Say how large the store will be. Raises DataError if what is still to be written does not fit on the disk."""
        tried = self.outcome.made + self.outcome.present
        if tried == 0:
            return
        each = self.outcome.size / tried
        # As many of the others as of these are taken to be there already. Entries of other ways to show them are not.
        decoded = round(each * len(rest) * self.outcome.made / tried)
        fetched = missing_bytes({file.target: file.content for file in rest})
        free = shutil.disk_usage(folder).free
        still = f" {decimal(fetched)} are still to be fetched into {cache.cache_folder()}." if fetched else ""
        is_shared = fetched > 0 and os.stat(folder).st_dev == os.stat(cache.cache_folder()).st_dev
        self._progress.say(
            f"{files:,} clips and sounds take about {decimal(round(each * files))} in {folder}; {decimal(decoded)} "
            f"are still to be written, and {decimal(free)} are free.{still}"
        )
        needed = decoded + (fetched if is_shared else 0)
        if needed > 0 and needed + SPARE > free:
            beside = f" and {decimal(fetched)} of clips on the same disk" if is_shared else ""
            raise DataError(
                f"{folder} has {decimal(free)} free, but about {decimal(decoded)} of decoded clips{beside} are still "
                f"to be written, and {decimal(SPARE)} must remain free: free space, choose another folder with --to, "
                "or name fewer tasks."
            )

    def _count(self, name: str, is_new: bool) -> None:
        self._progress.advance(self._size([name]), is_new)
        self._progress.file_done()

    def _size(self, names: Collection[str]) -> int:
        """Bytes of files, which say best how long decoding takes."""
        return sum(os.path.getsize(self._places[name]) for name in names)


def _is_unclear(conversation: Conversation) -> bool:
    return any(isinstance(part, AudioPart) and part.clip is not None for part in media_of(conversation))
