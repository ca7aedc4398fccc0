"""The output and the exit status of `lmms-humansense check-media`."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..results.text import for_spreadsheet
from .check import FileCheck, MediaChecker, Outcome, media_below

_COLOURS: dict[Outcome, str] = {"equal": "green", "read": "green", "differs": "yellow", "refused": "red"}


def check_media(folder: Path, out: Path | None, timeout: float) -> int:
    """Check all clips and sounds of a folder, and print the outcome of each.

    Args:
        folder: The folder.
        out: Where to write the outcomes as a CSV file; None writes none.
        timeout: The most seconds that one program may take for one file.

    Returns:
        The exit status: 0, or 1 if a file is refused or there is nothing to check.
    """
    console = Console(highlight=False, soft_wrap=True)
    if not folder.is_dir():
        console.print(f"{folder} is not a folder.", style="red", markup=False)
        return 1
    names, others = media_below(folder)
    if not names:
        console.print(f"{folder} holds no clips or sounds.", style="red", markup=False)
        return 1
    try:
        if out is not None:  # before the files are checked, which may take hours
            _write(out, [])
    except OSError as error:
        console.print(f"--out: {out} cannot be written ({error.strerror}).", style="red", markup=False)
        return 1
    checker = MediaChecker(timeout)
    console.print(_introduction(names, others, checker.programs), markup=False)
    checks = []
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        for each in progress.track(checker.check(folder, names), total=len(names)):
            checks.append(each)
            console.print(f"{each.outcome:8}", style=_COLOURS[each.outcome], end="")
            text = "\n         ".join([each.name, *each.notes])
            # A name need not be text in UTF-8.
            console.print(text.encode(errors="backslashreplace").decode(), markup=False)
    if out is not None:
        _write(out, checks)
    counts = Counter(each.outcome for each in checks)
    console.print(", ".join(f"{counts[outcome]:,} {outcome}" for outcome in _COLOURS if counts[outcome]) + ".")
    return 1 if counts["refused"] else 0


def _introduction(names: Sequence[str], others: Sequence[str], programs: Sequence[str]) -> str:
    compared = f"compared with {' and '.join(programs)}" if programs else "not compared (no decord, no ffmpeg program)"
    ignored = f"; {len(others):,} other files are ignored" if others else ""
    return f"{len(names):,} clips and sounds, {compared}{ignored}."


def _write(out: Path, checks: Sequence[FileCheck]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:  # names as they are
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(FileCheck))
        for each in sorted(checks, key=lambda check: check.name):
            *values, notes = astuple(each)
            cells = ["" if value is None else value for value in values] + ["; ".join(notes)]
            # A name may come from somebody else's data.
            writer.writerow([for_spreadsheet(cell) if isinstance(cell, str) else cell for cell in cells])
