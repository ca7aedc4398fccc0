"""`lmms-humansense run`: lmms-eval in a process that is watched, and an exit status that can be relied on.

0: results for every task that was asked for were written, and no more requests failed than is allowed. 2: the arguments
or the data can not be used as they are. 3: the run is incomplete, and the same command takes it up again.
"""

import contextlib
import ctypes
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import events

COMPLETE, BAD_ARGUMENTS, INCOMPLETE = 0, 2, 3

_OUTPUT = "humansense_results"
_LINUX_SET_DEATH_SIGNAL = 1
"""`PR_SET_PDEATHSIG` of prctl(2)."""


def with_defaults(arguments: Sequence[str]) -> list[str]:
    """The arguments for lmms-eval with what a run needs that can be taken up again, where they do not name it.

    Results go into the folder humansense_results, with every response, and answers are kept in its folder `cache`.
    """
    if _value(arguments, "--config") is not None:  # it may say all of this
        return list(arguments)
    output = _value(arguments, "--output_path")
    added = [] if output is not None else ["--output_path", _OUTPUT]
    if _value(arguments, "--use_cache") is None:
        added += ["--use_cache", str(Path(output or _OUTPUT) / "cache")]
    if "--log_samples" not in arguments:
        added.append("--log_samples")
    return [*arguments, *added]


def run(arguments: Sequence[str]) -> int:
    """Run lmms-eval with the arguments, say how it ended, and return the exit status."""
    given = with_defaults(arguments)
    with tempfile.TemporaryDirectory(prefix="lmms-humansense-") as folder:
        file = Path(folder) / "events.jsonl"
        file.touch()
        ended = _run_watched([sys.executable, "-m", "lmms_eval", *given], file)
        status, sentence = judge(ended, events.read(file), first=os.environ.get("RANK", "0") == "0")
    if sentence:
        print(f"\nlmms-humansense run: {sentence}", file=sys.stderr)
    if status == INCOMPLETE:
        print(f"To go on where it stopped:\n    {resume_command(arguments)}", file=sys.stderr)
    return status


def judge(ended: int, told: events.Told, first: bool = True) -> tuple[int, str]:
    """The exit status of a run, and a sentence where it is not 0.

    `ended` is the status of lmms-eval's process (negative: the signal that ended it), `first` whether this is the
    process among those of the run that writes results.
    """
    if told.refused is not None:
        return BAD_ARGUMENTS, told.refused.removeprefix("HumanSense: ")
    if ended < 0:
        return INCOMPLETE, f"lmms-eval was ended by signal {-ended} ({signal.strsignal(-ended)})."
    if not told.begun:
        return BAD_ARGUMENTS, "lmms-eval did not begin to evaluate; its messages above say why."
    if told.broken is not None:
        return INCOMPLETE, f"lmms-eval ended in an error: {told.broken}"
    if len(told.ended) < told.begun:
        return INCOMPLETE, f"lmms-eval ended with status {ended} before all answers were there."
    missing = [trouble for tasks, results in told.ended if (trouble := _missing(tasks, results))] if first else []
    return (INCOMPLETE, " ".join(missing)) if missing else (COMPLETE, "")


def resume_command(arguments: Sequence[str]) -> str:
    """The command that takes the run up again, as typed in a shell."""
    launched = "  # with the launcher that this run was started with" if "WORLD_SIZE" in os.environ else ""
    return shlex.join(["lmms-humansense", "run", *arguments]) + launched


def _value(arguments: Sequence[str], name: str) -> str | None:
    """The value of an option of lmms-eval's command line, which may be cut short or joined by an equals sign."""
    for place, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option == name:
            return value if equals else next(iter(arguments[place + 1 :]), "")
    return None


def _missing(tasks: Sequence[str], results: str | None) -> str | None:
    """What is missing of the results of an evaluation, as a sentence; None where nothing is."""
    if results is None:
        return "No results were written, as there was no --output_path."
    try:
        scores: dict[str, Any] = json.loads(Path(results).read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError) as error:
        return f"The results in {results} were not written, or not completely ({type(error).__name__})."
    absent = [task for task in tasks if task not in scores]
    return f"There are no results for {', '.join(absent)} in {results}." if absent else None


def _run_watched(command: Sequence[str], file: Path) -> int:
    """The exit status of the command, to which SIGTERM is passed on, and which ends if this process is killed."""
    environment = {**os.environ, events.FILE: str(file)}
    with _signals_passed_on() as children:
        process = subprocess.Popen(command, env=environment, preexec_fn=_end_with_parent)
        children.append(process)
        return process.wait()


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_LINUX_SET_DEATH_SIGNAL, signal.SIGTERM)


@contextlib.contextmanager
def _signals_passed_on() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Within it, SIGTERM is for the processes of the list; Ctrl-C reaches them by itself."""
    children: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: Any) -> None:
        for child in children:
            child.send_signal(number)

    before = signal.signal(signal.SIGTERM, pass_on), signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield children
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
