"""`lmms-humansense run`: lmms-eval in a process that is watched, and an exit status that can be relied on.

0: results for every task that was asked for were written, and no more requests failed than is allowed. 2: the arguments
or the data cannot be used as they are. 3: the run is incomplete, and the same command takes it up again.
"""

import contextlib
import functools
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..models.runtime.signals import EXIT_INCOMPLETE as INCOMPLETE
from ..models.runtime.worker_process import end_with
from ..plugin import run_events
from ..plugin.names import TASK_PREFIX
from ..plugin.run_events import RunEvents

COMPLETE, BAD_ARGUMENTS = 0, 2

_OUTPUT = "humansense_results"
_SHORTEST = len("--ou")
"""What can be left of an option that is cut short: less would also be another option of lmms-eval."""


def with_defaults(arguments: Sequence[str]) -> list[str]:
    """The arguments for lmms-eval, after what a run needs that can be taken up again and that they may leave out.

    Results go into the folder humansense_results, with every response, and answers are kept in its folder `cache`. As
    these options stand first, lmms-eval heeds those of the arguments that say otherwise, however they are spelt.
    """
    if _value(arguments, "--config") is not None:  # it may say all of this
        return list(arguments)
    output = _value(arguments, "--output_path") or _OUTPUT
    return ["--output_path", output, "--use_cache", str(Path(output) / "cache"), "--log_samples", *arguments]


def run(arguments: Sequence[str]) -> int:
    """Run lmms-eval with the arguments, say how it ended, and return the exit status."""
    given = with_defaults(arguments)
    first = os.environ.get("RANK", "0") == "0"
    with tempfile.TemporaryDirectory(prefix="lmms-humansense-") as folder:
        file = Path(folder) / "events.jsonl"
        file.touch()
        ended = _run_watched([sys.executable, "-m", "lmms_eval", *given], file)
        events = run_events.read(file)
        status, sentence = judge(ended, events, first)
    if sentence:
        print(f"\nlmms-humansense run: {sentence}", file=sys.stderr)
    if status == INCOMPLETE and first:
        print(f"To go on where it stopped:\n    {resume_command(arguments)}", file=sys.stderr)
    if status == COMPLETE and first:
        _conclude([Path(results) for tasks, results in events.ended if results is not None and _has_ours(tasks)])
    return status


def _has_ours(tasks: Sequence[str]) -> bool:
    return any(task.startswith(TASK_PREFIX) for task in tasks)


def _conclude(results: Sequence[Path]) -> None:
    """Show and report what a complete run came to."""
    from rich.console import Console

    from ..report.command import conclude

    if results:
        conclude(results, Console(highlight=False, soft_wrap=True))


def judge(ended: int, events: RunEvents, first: bool = True) -> tuple[int, str]:
    """The exit status of a run, and a sentence where it is not 0.

    `ended` is the status of lmms-eval's process (negative: the signal that ended it), `first` whether this is the
    process among those of the run that writes results.
    """
    if events.refused is not None:
        return BAD_ARGUMENTS, events.refused.removeprefix("HumanSense: ")
    if ended < 0:
        return INCOMPLETE, f"lmms-eval was ended by signal {-ended} ({signal.strsignal(-ended)})."
    if not events.begun:
        return BAD_ARGUMENTS, "lmms-eval did not begin to evaluate; its messages above say why."
    if events.stopped is not None:
        return INCOMPLETE, events.stopped
    if events.broken is not None:
        return INCOMPLETE, f"lmms-eval ended in an error: {events.broken}"
    if len(events.ended) < events.begun:
        return INCOMPLETE, f"lmms-eval ended with status {ended} before all answers were there."
    missing = [trouble for tasks, results in events.ended if (trouble := _missing(tasks, results))] if first else []
    return (INCOMPLETE, " ".join(missing)) if missing else (COMPLETE, "")


def resume_command(arguments: Sequence[str]) -> str:
    """The command that takes the run up again, as typed in a shell."""
    launched = "  # with the launcher that this run was started with" if "WORLD_SIZE" in os.environ else ""
    return shlex.join(["lmms-humansense", "run", *arguments]) + launched


def _value(arguments: Sequence[str], name: str) -> str | None:
    """The value of an option of lmms-eval's command line, which may be cut short, or joined to it by an equals sign."""
    found = None
    for place, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if len(option) >= _SHORTEST and name.startswith(option):
            found = value if equals else next(iter(arguments[place + 1 :]), "")
    return found


def _missing(tasks: Sequence[str], results: str | None) -> str | None:
    """What is missing of the results of an evaluation, as a sentence; None where nothing is."""
    if results is None:
        return "No results were written, as there was no --output_path."
    try:
        written: dict[str, Any] = json.loads(Path(results).read_text(encoding="utf-8"))
        absent = [task for task in tasks if task not in written["results"]]
        cut_off = _cut_off(Path(results), written)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"The results in {results} were not written, or not completely ({type(error).__name__})."
    if absent:
        return f"There are no results for {', '.join(absent)} in {results}."
    return f"The samples of {', '.join(cut_off)} beside {results} are not complete." if cut_off else None


def _cut_off(results: Path, written: Mapping[str, Any]) -> list[str]:
    """The tasks of which not all samples were written, if they were to be: lmms-eval goes on when a disk is full."""
    asked = written.get("config", {}).get("resolved_cli_args", {})
    if not asked.get("log_samples"):
        return []
    cut_off = []
    for task, numbers in written.get("n-samples", {}).items():
        file = results.with_name(f"{results.name.removesuffix('results.json')}samples_{task}.jsonl")
        expected = 1 if asked.get("offset") else int(numbers["effective"])
        if not file.exists() or file.read_bytes().count(b"\n") < expected:
            cut_off.append(task)
    return cut_off


def _run_watched(command: Sequence[str], file: Path) -> int:
    """The exit status of the command, to which SIGTERM is passed on, and which ends if this process is killed."""
    environment = {**os.environ, run_events.FILE: str(file)}
    with _signals_passed_on() as pass_on_to:
        ending = functools.partial(end_with, os.getpid(), signal.SIGTERM) if sys.platform == "linux" else None
        process = subprocess.Popen(command, env=environment, preexec_fn=ending)
        pass_on_to(process)
        return process.wait()


@contextlib.contextmanager
def _signals_passed_on() -> Iterator[Callable[["subprocess.Popen[bytes]"], None]]:
    """Within it, SIGTERM is for the process that is given to what this yields; Ctrl-C reaches that one by itself."""
    children: list[subprocess.Popen[bytes]] = []
    arrived: list[int] = []

    def pass_on(number: int, frame: Any) -> None:
        arrived.append(number)
        for child in children:
            child.send_signal(number)

    def pass_on_to(child: "subprocess.Popen[bytes]") -> None:
        children.append(child)
        if arrived:  # while it was being started
            child.send_signal(arrived[-1])

    # A handler that does nothing: the child would inherit that a signal is ignored.
    before = signal.signal(signal.SIGTERM, pass_on), signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield pass_on_to
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
