"""Decodes the clips of a release beforehand: into a store in the cache, or into a folder that needs no videos."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue

import joblib
from rich.filesize import decimal

from ..dataset.anywhere import as_data_errors
from ..models.inputs.conversation import Conversation, Turn, media_of, read_messages
from ..models.inputs.policy import Policy
from ..models.local.families import family_of
from ..models.local.loading import read_config
from ..models.local.settings import read_local_settings
from ..models.media.digests import FileDigests, digests_folder
from ..models.media.stand_in import StandIn, read_stand_in
from ..models.runtime.arguments import read_model_args, read_settings
from ..models.runtime.request import EncodingResult
from ..models.runtime.settings import RunSettings
from ..models.runtime.worker_pool import Worker, WorkerPool
from ..storage import cache
from ..storage.prepared import LIST, Files, PreparedList
from ..tasks.humansense import utils, variants
from ..tasks.humansense.annotations import FILES, DataError
from .decoder import ClipDecoder, Decoded
from .links import refuse_links_out
from .plan import Plan, joined, planned_in_place, source_of, unpacked_names
from .progress import ProgressDisplay
from .work import SPARE, FilesOutcome, carry_out, with_checksums

FOLDER = "decoded"
"""The store's folder, in the folder of `--to` or in the cache."""

_FACTOR = 28
"""`frame_factor` of Qwen2.5-Omni, for which clips are decoded if no checkpoint is named."""

_TRIED = 8
"""Files that are decoded first, spread over all of them, to say how large the store will be."""

_SENSES = {"wrapper": "humansense_omni"}
"""The task argument of lmms-eval that asks for the messages of this package's models."""

_TIMEOUT = RunSettings().media_timeout


@dataclass(frozen=True)
class Showing:
    """How clips are shown.

    Attributes:
        policy: What overrides the messages of the tasks.
        factor: Height and width of frames are multiples of it, in pixels.
    """

    policy: Policy
    factor: int


@dataclass
class DecodingResult(FilesOutcome):
    """The outcome of decoding, or of checking. Of files that are `present`, all entries were there.

    Names are `missing` only if the store was checked; `damaged` has a sentence for each file that cannot be decoded, or
    whose entry is damaged.

    Attributes:
        size: Bytes of the entries of all files.
        seconds: How long all clips and sounds last.
    """

    size: int = 0
    seconds: float = 0.0

    def add(self, name: str, result: EncodingResult) -> None:
        """Add the outcome for one file.

        Args:
            name: Its name.
            result: What a `ClipDecoder` returned for it.
        """
        if isinstance(result.encoded, Decoded):
            self.made += result.encoded.written > 0
            self.present += not result.encoded.written
            self.size += result.encoded.size
            self.seconds += result.encoded.seconds
        elif result.reason.startswith("MissingEntryError"):
            self.missing.append(name)
        else:
            self.damaged.append(f"{name}: {result.reason}")


def showing(model_args: str) -> Showing:
    """How a run with these `--model_args` shows clips.

    Args:
        model_args: The arguments of `humansense_omni`. Without `pretrained`, only those that decide what is shown.

    Returns:
        The policy, and the multiple of which frames are.

    Raises:
        DataError: They cannot be used.
    """
    try:
        given = read_model_args(model_args)
        pretrained, factor = given.get("pretrained"), _FACTOR
        if pretrained is not None:
            factor = family_of(str(read_config(str(pretrained))["model_type"])).frame_factor
        if given.pop("engine", "local") == "vllm":  # whose other arguments have no effect on what is shown
            given = {one.name: given[one.name] for one in fields(RunSettings) if one.name in given}
        elif pretrained is not None:
            return Showing(read_local_settings(given), factor)
        return Showing(read_settings(RunSettings, given, {}, "prepare --model-args"), factor)
    except ValueError as error:
        raise DataError(f"--model-args: {error}") from error


@as_data_errors()
def decode_all(
    names: str, limit: int | None, to: Path | None, shown: Showing, progress: ProgressDisplay, workers: int
) -> tuple[Plan, DecodingResult]:
    """Fetch what is missing, and decode the clips of some tasks that are not in the store yet, with all cores.

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
        DataError: A name is no task or group, the release cannot be read, the disk is too small, or `to` was prepared
            from other content.
    """
    planned = planned_in_place(source_of(to), names, limit)
    folder = store_folder(to)
    listed = None if to is None else _list_of(planned, to)
    if to is not None:
        refuse_links_out(planned.release, ((file.store, file.name) for file in planned.files))
    carry_out(planned, progress, workers)
    jobs = _jobs(planned, names, limit, shown.policy)
    folder.mkdir(parents=True, exist_ok=True)
    outcome = DecodingResult()
    lock = (to or cache.cache_folder()) / ".decode.lock"
    with cache.locked_by_command(lock, lambda: progress.say(f"Another process is filling {folder}; waiting for it.")):
        if to is not None and listed is not None:
            _write_list(planned, to, listed)
        with _decoding(folder, shown.factor, checking=False) as decode:
            tried = list(jobs)[:: max(1, len(jobs) // _TRIED)]
            for name, result in decode({name: jobs[name] for name in tried}):
                outcome.add(name, result)
            expected = round(outcome.size / max(1, len(tried)) * len(jobs))
            _announce(folder, expected, outcome, len(jobs), progress)
            progress.expect(len(jobs), max(1, expected))
            for name, result in decode({name: job for name, job in jobs.items() if name not in tried}):
                before = outcome.size
                outcome.add(name, result)
                progress.advance(outcome.size - before)
                progress.file_done()
        if to is not None and listed is not None:
            _finish(planned, to, listed, {sentence.partition(": ")[0] for sentence in outcome.damaged})
    return planned, outcome


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
    absent = [file.name for file in planned.files if not file.target.is_file()]
    outcome.missing += absent
    jobs = _jobs(planned, names, limit, shown.policy, without=frozenset(absent))
    with _decoding(store_folder(to), shown.factor, checking=True) as decode:
        for name, result in decode(jobs):
            outcome.add(name, result)
    return planned, outcome


def store_folder(to: Path | None) -> Path:
    """The folder of the store for a folder of `--to`, or in the cache."""
    return (to or cache.cache_folder()) / FOLDER


def _jobs(
    planned: Plan, names: str, limit: int | None, policy: Policy, without: frozenset[str] = frozenset()
) -> dict[str, list[Conversation]]:
    """What is shown of each file, by its name. Files of both media folders have names of their own."""
    jobs: dict[str, dict[Conversation, None]] = {}
    for name in names.split(","):
        variant, _ = variants.split(name.strip().lower().removeprefix("humansense").lstrip("_"))
        for task in variants.tasks_of(name):
            docs = utils.docs(f"{variant.name}_{task.code}".lstrip("_"), planned.release.address)
            for doc in docs.select(range(min(limit or len(docs), len(docs)))):
                if doc["file"] in without:
                    continue
                messages = utils.doc_to_messages(doc, _SENSES)
                media = [part for turn in read_messages(messages, policy) for part in media_of((turn,))]
                if media:
                    jobs.setdefault(doc["file"], {})[(Turn("user", tuple(media)),)] = None
    return {name: list(shown) for name, shown in jobs.items()}


@contextmanager
def _decoding(folder: Path, factor: int, checking: bool) -> Iterator["_Decode"]:
    """Start a process for each core. The block gets a function that decodes files with all of them."""
    count = max(1, joblib.cpu_count())
    pool = WorkerPool(partial(ClipDecoder, folder, factor, checking), count, _TIMEOUT)
    try:
        yield _Decode(pool)
    finally:
        pool.close()


class _Decode:
    """Decodes files with the processes of a pool."""

    def __init__(self, pool: WorkerPool) -> None:
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for _ in range(pool.count):
            self._idle.put(pool.worker())
        self._count = pool.count

    def __call__(self, jobs: Mapping[str, Sequence[Conversation]]) -> Iterator[tuple[str, EncodingResult]]:
        """Yield the names of files, each with its outcome, in the order in which they are done."""
        with ThreadPoolExecutor(self._count) as threads:
            futures = {threads.submit(self._one, job): name for name, job in jobs.items()}
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _one(self, job: Sequence[Conversation]) -> EncodingResult:
        worker = self._idle.get()
        try:
            results = worker.encode(job)
        finally:
            self._idle.put(worker)
        return next((result for result in results if result.reason), results[0])


def _announce(folder: Path, expected: int, tried: DecodingResult, files: int, progress: ProgressDisplay) -> None:
    """Say how large the store will be. Raises DataError if that does not fit on the disk."""
    free = shutil.disk_usage(folder).free
    there = sum(place.stat().st_size for place in folder.glob("??/*") if place.is_file())
    progress.say(f"{files:,} clips and sounds take about {decimal(expected)} in {folder}; {decimal(free)} are free.")
    if expected - there + SPARE > free:
        raise DataError(
            f"{folder} has {decimal(free)} free, but the decoded clips need about {decimal(expected - there)} more and "
            f"{decimal(SPARE)} must remain free: free space, choose another folder with --to, or name fewer tasks."
        )


def _list_of(planned: Plan, to: Path) -> PreparedList:
    """The list of a folder whose clips are replaced by small files, of which neither size nor checksum is known yet."""
    release = planned.release
    digests = {FILES[key]: sha256(release.annotations(key)).hexdigest() for key in release.annotation_keys}
    media: dict[str, Files] = {
        folder: dict.fromkeys(unpacked_names(store.names, folder).values(), (None, None))
        for folder, store in planned.stores.items()
    }
    return joined(PreparedList(release.address, release.origin, digests, media), to)


def _write_list(planned: Plan, to: Path, listed: PreparedList) -> None:
    for key in planned.release.annotation_keys:
        cache.write_atomically(to / FILES[key], planned.release.annotations(key))
    cache.write_atomically(to / LIST, listed.to_json())


def _finish(planned: Plan, to: Path, listed: PreparedList, damaged: set[str]) -> None:
    """Put small files in the places of the clips that were decoded, and list them. Clips that are there stay."""
    digests = FileDigests(digests_folder())
    unpacked = {media: unpacked_names(store.names, media) for media, store in planned.stores.items()}
    targets = []
    for file in planned.files:
        target = to / file.media / unpacked[file.media][file.name]
        if file.name not in damaged:
            targets.append(replace(file, target=target))
            if not target.exists() or read_stand_in(target) is not None:
                said = StandIn(digests.digest(str(file.target)), os.path.getsize(file.target))
                cache.write_atomically(target, said.to_bytes())
    whole = with_checksums(replace(planned, files=targets, to=to), listed)
    cache.write_atomically(to / LIST, whole.to_json())
