"""The command `lmms-humansense demo`: asks a tiny model that has learned, with everything, without sound, and blind."""

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from ..report.command import write_report
from ..report.media import Media
from ..report.table import Cell, Row, Table, table
from ..report.terminal import SHOWN, show
from ..results.reading import load_runs
from ..run.arguments import ArgumentsError
from ..run.command import INTERRUPTIONS, events_file, run_shown
from ..run.page import Output

HERE = Path(__file__).resolve().parent
CHECKPOINT = HERE / "tiny_omni"
"""The tiny model. Its README.md says what it was trained on."""
WORLD = HERE / "world"
"""Questions about drawn clips and spoken recordings in the form of the release, which the model was not trained on."""
GROUPS = ("humansense", "humansense_silent", "humansense_blind")
BY_EAR, HEARD = "by ear", ("TR", "FR1", "RR1", "RR2", "ES")
"""A column of the demo's table, and the video tasks that it averages: in this world, their answers are only heard."""


class DemoError(RuntimeError):
    """The demo got no results; the message says where it stopped.

    Attributes:
        status: The exit status: 1, 2 for a folder that cannot be used, or 3 if the demo was interrupted.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def run_demo(output: Path) -> None:
    """Ask the tiny model, and print its scores with everything, without sound and blind, beside those by chance.

    Args:
        output: The folder for the results.

    Raises:
        DemoError: A folder cannot be written, the demo was interrupted, lmms-eval wrote no results, or some requests
            failed.
    """
    console = Console(highlight=False, soft_wrap=True)
    command = command_of(output)
    console.print(f"A tiny Qwen2.5-Omni that has learned a small world: {CHECKPOINT / 'README.md'}", markup=False)
    shown = f"HUMANSENSE_DATA={shlex.quote(str(WORLD))} {shlex.join(command)}"
    console.print(f"It is asked through lmms-eval:\n    {shown}\n", markup=False)
    started = time.time()
    # lmms-eval ends with status 0 in any case, so only the results file shows whether it worked.
    messages = _ask(command, output)
    results = _newest_results(output, started, messages)
    _refuse_failures(results, messages)
    console.print()
    _conclude(results, console)
    console.print(f"Results:          {results}", markup=False)
    console.print(f"Every response:   {results.parent}/*_samples_*.jsonl", markup=False)
    console.print(
        f"{BY_EAR}: the mean of {', '.join(HEARD[:-1])} and {HEARD[-1]}, whose answers are only heard in these clips. "
        "With everything, the model answers; without sound, it guesses there; blind, it guesses everywhere. It knows "
        "nothing but its small world, so these scores say nothing about the benchmark."
    )


def command_of(output: Path, groups: Sequence[str] = GROUPS, model: Path = CHECKPOINT) -> list[str]:
    """The command that asks a model.

    Args:
        output: The folder for the results.
        groups: The groups of tasks to ask.
        model: The folder of the checkpoint.

    Returns:
        The program and its arguments.
    """
    return [
        *(sys.executable, "-m", "lmms_eval"),
        *("--model", "humansense_omni", "--model_args", f"pretrained={model}"),
        *("--tasks", ",".join(groups), "--batch_size", "1"),
        *("--log_samples", "--output_path", str(output)),
    ]


def _ask(command: Sequence[str], output: Path) -> Path:
    """Run lmms-eval, show how far it is, and return the file with its messages."""
    messages = output / "logs" / f"{time.strftime('%Y%m%d_%H%M%S')}_{os.getpid()}.log"
    try:
        taken = Output(messages)
    except OSError as error:
        raise DemoError(f"{output} cannot be written ({error.strerror or error}); name another folder.", 2) from None
    variables = {"TOKENIZERS_PARALLELISM": "false", "HUMANSENSE_DATA": str(WORLD)}
    try:
        with events_file() as events:
            # Warnings would say of each task that its questions are fewer than the paper's.
            ended = run_shown(command, events, taken, variables=variables, warns=False)
    except ArgumentsError as error:
        raise DemoError(str(error), 2) from None
    if -ended in INTERRUPTIONS:
        name = INTERRUPTIONS[signal.Signals(-ended)]
        raise DemoError(f"The demo was interrupted ({name}). It keeps no answers: the same command begins anew.", 3)
    return messages


def _newest_results(output: Path, since: float, messages: Path) -> Path:
    # Some file systems store times in whole seconds.
    found = [path for path in output.glob("**/*_results.json") if path.stat().st_mtime >= since - 2]
    if not found:
        raise DemoError(f"lmms-eval wrote no results to {output}; its messages in {messages} say why.")
    return max(found, key=lambda path: path.stat().st_mtime)


def _refuse_failures(results: Path, messages: Path) -> None:
    scores: dict[str, Any] = json.loads(results.read_text())["results"]
    for group in GROUPS:
        share = scores[group]["failed,none"]
        if share > 0:
            raise DemoError(f"{share:.0%} of the requests of {group} failed; see {messages} and {results}.")


def _conclude(results: Path, console: Console) -> None:
    """Print the levels of the runs beside chance, and write their report."""
    runs, problems = load_runs([results], console)
    show([with_mean(table(runs, "acc", "none"))], runs, console, (*SHOWN, BY_EAR))
    page = write_report(runs, results.parent / "report", "none", Media("link"), problems)
    console.print(f"Report:           {page}", markup=False)


def with_mean(scores: Table, name: str = BY_EAR, codes: Sequence[str] = HEARD) -> Table:
    """Add a column with the mean of some tasks to a table.

    Args:
        scores: The table.
        name: The column.
        codes: The tasks. A row without a score of each of them gets none in this column.

    Returns:
        A table with the same rows, in which the means are.
    """
    return replace(scores, rows=[_row_with_mean(row, name, codes) for row in scores.rows])


def _row_with_mean(row: Row, name: str, codes: Sequence[str]) -> Row:
    cells = [row.cells[code] for code in codes if code in row.cells]
    if len(cells) < len(codes):
        return row
    marks = tuple(dict.fromkeys(mark for cell in cells for mark in cell.marks))
    mean = Cell(sum(cell.score for cell in cells) / len(cells), marks=marks)
    return replace(row, cells={**row.cells, name: mean})
