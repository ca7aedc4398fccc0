"""The command `lmms-humansense prepare`: what it says, and with which status it ends."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from loguru import logger
from rich.console import Console
from rich.filesize import decimal

from ..dataset.anywhere import install
from ..tasks.humansense.annotations import DataError
from .plan import Plan, plan, plan_check
from .progress import ProgressDisplay
from .work import PrepareResult, carry_out, check

_MOST_NAMED = 20


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
    """Prepare or check, say how it went on stderr (or as JSON on stdout), and return the exit status: 0 or 1."""
    logger.remove()
    logger.add(lambda line: print(line, end="", file=sys.stderr), level="WARNING", format="{message}")
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    started = time.monotonic()
    install()
    try:
        if keep_archives and to is None:
            raise DataError("--keep-archives needs --to, the folder in which they are kept.")
        planned = (plan_check if check_only else plan)(tasks, limit, to and to.absolute())
        with ProgressDisplay("Checking" if check_only else "Preparing", console) as progress:
            if check_only:
                outcome = check(planned, progress, workers)
            else:
                outcome = carry_out(planned, progress, workers, keep_archives)
    except DataError as error:
        if as_json:
            print(json.dumps({"ok": False, "error": str(error)}, ensure_ascii=False))
        console.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted. What was fetched is kept; the same command goes on from there.")
        return 130
    if as_json:
        print(json.dumps(_as_json(planned, outcome), ensure_ascii=False, indent=1))
    console.print("\n".join(_sentences(planned, outcome, time.monotonic() - started, check_only)), markup=False)
    return 0 if outcome.is_good else 1


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
    lines = [
        f"{planned.questions:,} questions of {origin['source']}{commit} need {len(planned.files):,} files, {size}: "
        f"{outcome.present:,} were there, {outcome.made:,} were made ({decimal(outcome.fetched)} fetched), "
        f"{len(outcome.missing):,} are missing, {len(outcome.damaged):,} are damaged ({seconds:.0f} s)."
    ]
    for what, names in (("missing", outcome.missing), ("damaged", outcome.damaged)):
        lines += [f"{what}: {name}" for name in names[:_MOST_NAMED]]
        lines += [f"{what}: and {len(names) - _MOST_NAMED:,} more"] if len(names) > _MOST_NAMED else []
    if check_only:
        advice = "The same command without --check fetches what is missing and replaces what is damaged."
        return lines if outcome.is_good else [*lines, advice]
    if not outcome.is_good:
        return lines
    return [*lines, _use_of(planned)]


def _use_of(planned: Plan) -> str:
    """How a run finds what was prepared."""
    if planned.to is not None:
        return f"To use it: export HUMANSENSE_DATA={planned.to}"
    if all(file.target.is_relative_to(planned.release.root) for file in planned.files):
        return f"Runs use it where it lies, in {planned.release.root}."
    found = f"It is in {planned.folder}, where runs with the same HF_HOME find it."
    if planned.release.is_on_hub or planned.release.is_local:
        return found
    source = planned.release.origin["source"]
    return f"{found} They still ask {source} for the questions; --to makes a folder that needs nobody."
