"""The command `lmms-humansense prepare`: its messages and its exit status."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger
from rich.console import Console
from rich.filesize import decimal

from ..dataset.anywhere import install
from ..plugin.names import SAMPLE
from ..tasks.humansense.annotations import DataError
from .plan import Plan, plan, plan_check
from .progress import ProgressDisplay
from .work import PrepareResult, carry_out, check

if TYPE_CHECKING:
    from .decoded import DecodingResult

_MOST_NAMED = 20

_EMBEDDED = (
    f"{SAMPLE} is embedded in this package: its questions and clips are there, and nothing is fetched or decoded "
    "beforehand for it."
)


def prepare(
    tasks: str,
    limit: int | None,
    to: Path | None,
    *,
    workers: int,
    keep_archives: bool,
    check_only: bool,
    as_json: bool,
) -> int:
    """Prepare or check the data, and report the outcome on stderr.

    Args:
        tasks: Tasks and groups, separated by commas.
        limit: Only the first questions of each task; None for all.
        to: The folder to prepare or check; None for the cache.
        workers: The number of files at a time.
        keep_archives: Whether to keep the downloaded archives in `to`.
        check_only: Check the files instead of preparing them.
        as_json: Also print the outcome on stdout, as JSON.

    Returns:
        The exit status: 0 if everything is complete, 1 if not, 130 after Ctrl+C.
    """
    started = time.monotonic()

    def work(console: Console) -> int:
        asked = _without_sample(tasks, console, as_json)
        if asked is None:
            return 0
        if keep_archives and to is None:
            raise DataError("--keep-archives needs --to, the folder for the archives.")
        planned = (plan_check if check_only else plan)(asked, limit, to and to.absolute())
        with ProgressDisplay("Checking" if check_only else "Preparing", console) as progress:
            if check_only:
                outcome = check(planned, progress, workers)
            else:
                outcome = carry_out(planned, progress, workers, keep_archives)
        if as_json:
            print(json.dumps(_as_json(planned, outcome), ensure_ascii=False, indent=1))
        console.print("\n".join(_sentences(planned, outcome, time.monotonic() - started, check_only)), markup=False)
        return 0 if outcome.is_good else 1

    return _status(work, "The fetched bytes are kept", as_json)


def prepare_decoded(
    tasks: str,
    limit: int | None,
    to: Path | None,
    model_args: str,
    *,
    workers: int,
    check_only: bool,
    as_json: bool,
) -> int:
    """Decode clips beforehand, or check what was decoded, and report the outcome on stderr.

    Args:
        tasks: Tasks and groups, separated by commas.
        limit: Only the first questions of each task; None for all.
        to: The folder to prepare or check; None for the cache.
        model_args: The arguments that the model will have: how clips are shown depends on them.
        workers: The number of files to fetch at a time.
        check_only: Check the decoded clips instead of decoding them.
        as_json: Also print the outcome on stdout, as JSON.

    Returns:
        The exit status: 0 if everything is decoded and whole, 1 if not, 130 after Ctrl+C.
    """
    from . import decoded  # imports torch, which fetching does not need
    from .showing import showing

    started = time.monotonic()

    def work(console: Console) -> int:
        asked = _without_sample(tasks, console, as_json)
        if asked is None:
            return 0
        target, shown = to and to.absolute(), showing(model_args)
        if check_only:
            planned, outcome = decoded.check_all(asked, limit, target, shown)
        else:
            with ProgressDisplay("Fetching", console) as progress:
                planned, outcome = decoded.decode_all(asked, limit, target, shown, progress, workers)
        folder = decoded.store_folder(target)
        if as_json:
            print(json.dumps(_decoded_as_json(planned, outcome, folder), ensure_ascii=False, indent=1))
        lines = _decoded_sentences(planned, outcome, folder, time.monotonic() - started)
        if check_only and not outcome.is_good:
            lines.append("The same command without --check decodes what is missing.")
        elif outcome.is_good:
            data = "" if target is None else f"HUMANSENSE_DATA={target} "
            lines.append(f"To use it: export {data}HUMANSENSE_MEDIA_CACHE={folder}")
        console.print("\n".join(lines), markup=False)
        return 0 if outcome.is_good else 1

    return _status(work, "What was decoded is kept", as_json)


def _status(work: Callable[[Console], int], kept: str, as_json: bool) -> int:
    """The exit status of some work. What stops it is said on stderr, and on stdout if JSON is wanted there."""
    logger.remove()
    logger.add(lambda line: print(line, end="", file=sys.stderr), level="WARNING", format="{message}")
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    install()
    try:
        return work(console)
    except DataError as error:
        if as_json:
            print(json.dumps({"ok": False, "error": str(error)}, ensure_ascii=False))
        console.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print(f"Interrupted. {kept}; the same command continues from there.")
        return 130


def _decoded_as_json(planned: Plan, outcome: "DecodingResult", folder: Path) -> dict[str, Any]:
    return {
        "ok": outcome.is_good,
        **planned.release.origin,
        "folder": str(folder),
        "questions": planned.questions,
        "files": len(planned.files),
        "present": outcome.present,
        "made": outcome.made,
        "bytes": outcome.size,
        "hours": round(outcome.seconds / 3600, 3),
        "missing": outcome.missing,
        "damaged": outcome.damaged,
    }


def _decoded_sentences(planned: Plan, outcome: "DecodingResult", folder: Path, seconds: float) -> list[str]:
    per_thousand = decimal(round(outcome.size / max(1, outcome.present + outcome.made) * 1000))
    counts = f"{outcome.present:,} were there, {outcome.made:,} were decoded, {len(outcome.missing):,} are missing"
    return [
        f"{planned.questions:,} questions need {len(planned.files):,} clips and sounds: {counts}, "
        f"{len(outcome.damaged):,} are damaged ({seconds:.0f} s).",
        f"{folder} holds {decimal(outcome.size)} for {outcome.seconds / 3600:.2f} hours of them, {per_thousand} for "
        "1,000.",
        *_named("missing", outcome.missing),
        *_named("damaged", outcome.damaged),
    ]


def _named(what: str, names: list[str]) -> list[str]:
    """A line for each of the first names, and one that says how many more there are."""
    more = [f"{what}: and {len(names) - _MOST_NAMED:,} more"] if len(names) > _MOST_NAMED else []
    return [*(f"{what}: {name}" for name in names[:_MOST_NAMED]), *more]


def _without_sample(tasks: str, console: Console, as_json: bool) -> str | None:
    """The names without those of the embedded sample, of which it is said that nothing has to be prepared.

    Returns:
        The names, separated by commas; None if nothing else was named.
    """
    names = tasks.split(",")
    others = [name for name in names if not f"{name.strip()}_".startswith(f"{SAMPLE}_")]
    if len(others) < len(names):
        console.print(_EMBEDDED)
    if others:
        return ",".join(others)
    if as_json:
        print(json.dumps({"ok": True, "questions": 0, "files": 0}))
    return None


def _as_json(planned: Plan, outcome: PrepareResult) -> dict[str, Any]:
    return {
        "ok": outcome.is_good,
        **planned.release.origin,
        "folder": str(planned.folder),
        "questions": planned.questions,
        "files": len(planned.files),
        "bytes": sum(file.content.size for file in planned.files),
        "present": outcome.present,
        "made": outcome.made,
        "fetched_bytes": outcome.fetched,
        "missing": outcome.missing,
        "damaged": outcome.damaged,
    }


def _sentences(planned: Plan, outcome: PrepareResult, seconds: float, check_only: bool) -> list[str]:
    origin = planned.release.origin
    commit = f" at commit {origin['commit']}" if "commit" in origin else ""
    size = decimal(sum(file.content.size for file in planned.files))
    counted = f"{len(outcome.missing):,} are missing, {len(outcome.damaged):,} are damaged"
    if check_only:
        lines = [
            f"Read {len(planned.files):,} files ({size}), which {planned.questions:,} questions of {origin['source']}"
            f"{commit} need, in {_place(planned)}: {outcome.present:,} are whole, {counted} ({seconds:.0f} s)."
        ]
    else:
        lines = [_made(planned, outcome, commit, size, counted, seconds)]
    for what, names in (("missing", outcome.missing), ("damaged", outcome.damaged)):
        lines += _named(what, names)
    if check_only and not outcome.is_good:
        lines.append("The same command without --check fetches missing files and replaces damaged ones.")
    elif not check_only and outcome.is_good:
        lines.append(_use_of(planned))
    return lines


def _made(planned: Plan, outcome: PrepareResult, commit: str, size: str, counted: str, seconds: float) -> str:
    return (
        f"{planned.questions:,} questions of {planned.release.origin['source']}{commit} need {len(planned.files):,} "
        f"files, {size}: {outcome.present:,} were present, {outcome.made:,} were made "
        f"({decimal(outcome.fetched)} fetched), {counted} ({seconds:.0f} s)."
    )


def _place(planned: Plan) -> Path:
    """The folder that the files are in: that of a release on this machine whose media are unpacked, or `folder`."""
    root = Path(planned.release.root)
    in_place = planned.to is None and all(file.target.is_relative_to(root) for file in planned.files)
    return root if in_place else planned.folder


def _use_of(planned: Plan) -> str:
    """How a run finds the prepared files."""
    if planned.to is not None:
        return f"To use it: export HUMANSENSE_DATA={planned.to}"
    if _place(planned) != planned.folder:
        return f"Runs use the files in place, in {planned.release.root}."
    found = f"The files are in {planned.folder}, where runs with the same HF_HOME find them."
    if planned.release.is_on_hub or planned.release.is_local:
        return found
    source = planned.release.origin["source"]
    return f"{found} Runs still read the questions from {source}; with --to, they read only the prepared folder."
