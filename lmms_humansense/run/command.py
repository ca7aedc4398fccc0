"""`lmms-humansense run`: run lmms-eval in a process that is watched, and end with an exit status that can be relied on.

0: results for every requested task were written, and no more requests failed than is allowed (for models that are not
this package's, also: or have an empty response). 2: the arguments or the data cannot be used as they are. 3: the run is
incomplete, and the same command resumes it.
"""

import argparse
import contextlib
import functools
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..models.runtime.failure_limit import allowed, read_limit
from ..models.runtime.signals import EXIT_INCOMPLETE as INCOMPLETE
from ..models.runtime.worker_process import end_with
from ..plugin import run_events
from ..plugin.names import MODELS, TASK_PREFIX, is_ours
from ..plugin.run_events import RunEvents
from ..plugin.unanswered import sentences, unanswered

COMPLETE, BAD_ARGUMENTS = 0, 2

_OUTPUT = "humansense_results"


def with_defaults(arguments: Sequence[str]) -> list[str]:
    """The arguments for lmms-eval: the defaults that make a run resumable, followed by the arguments given.

    By default, results go into the folder humansense_results, with every response, and answers are kept in its folder
    `cache`. Because the defaults stand first, lmms-eval lets the given arguments override them, however they are spelt.
    A run with `--config` gets no defaults, because its file may set all of this.
    """
    # As lmms-eval does, argparse takes the last value of an option, and also abbreviated names.
    parser = argparse.ArgumentParser(add_help=False)
    for option in ("--config", "--output_path"):
        parser.add_argument(option, nargs="?", const="")
    given, _ = parser.parse_known_args(arguments)
    if given.config is not None:
        return list(arguments)
    output = given.output_path or _OUTPUT
    return ["--output_path", output, "--use_cache", str(Path(output) / "cache"), "--log_samples", *arguments]


def without_limit(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Take the argument of this command, `--max_failures`, off those for lmms-eval.

    Returns:
        The arguments for lmms-eval, and the value of `--max_failures`; None if it is not given.

    Raises:
        ValueError: The value is not valid, or the model is this package's, which takes it in `--model_args`.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--max_failures", "--max-failures", nargs="?", const="")
    given, others = parser.parse_known_args(arguments)
    if given.max_failures is None:
        return list(arguments), None
    read_limit(given.max_failures)
    model = argparse.ArgumentParser(add_help=False)
    model.add_argument("--model", nargs="?")
    named = model.parse_known_args(others)[0].model
    if named in MODELS:
        raise ValueError(f"{named} takes the limit in its arguments: --model_args max_failures={given.max_failures}.")
    return others, given.max_failures


def run(arguments: Sequence[str]) -> int:
    """Run lmms-eval with the arguments, say how it ended, and return the exit status."""
    typed = arguments
    try:
        arguments, limit = without_limit(arguments)
    except ValueError as error:
        return _refused(str(error))
    if _only_informs(arguments):
        return COMPLETE if subprocess.call([sys.executable, "-m", "lmms_eval", *arguments]) == 0 else BAD_ARGUMENTS
    first = os.environ.get("RANK", "0") == "0"
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lmms-humansense-"))
            file = Path(folder) / "events.jsonl"
            file.touch()
        except OSError as error:
            return _refused(f"No temporary folder can be written ({error.strerror or error}): set TMPDIR to one.")
        ended = _run_watched([sys.executable, "-m", "lmms_eval", *with_defaults(arguments)], file)
        events = run_events.read(file)
        status, sentence = judge(ended, events, first)
    if status == COMPLETE and first:
        _conclude(events)
        status, sentence = judge_failures(events, limit)
    if sentence:
        print(f"\nlmms-humansense run: {sentence}", file=sys.stderr)
    if status == INCOMPLETE and first:
        print(f"To go on where it stopped:\n    {resume_command(typed)}", file=sys.stderr)
    return status


def _refused(sentence: str) -> int:
    print(f"\nlmms-humansense run: {sentence}", file=sys.stderr)
    return BAD_ARGUMENTS


_LISTS = ("list", "list_groups", "list_tags", "list_subtasks")
"""The values of `--tasks` for which lmms-eval prints a list and evaluates nothing."""


def _only_informs(arguments: Sequence[str]) -> bool:
    """Whether these arguments let lmms-eval print something and evaluate nothing."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)  # --power is another argument
    parser.add_argument("--tasks", nargs="?")
    parser.add_argument("-h", "--help", "--power_analysis", "--power-analysis", dest="informs", action="store_true")
    given, _ = parser.parse_known_args(arguments)
    return given.informs or given.tasks in _LISTS


def _conclude(events: RunEvents) -> None:
    """Print the scores of a complete run and write its report, if it evaluated our tasks."""
    from rich.console import Console

    from ..report.command import conclude

    results = [
        Path(results)
        for tasks, results in events.ended
        if results is not None and any(task.startswith(TASK_PREFIX) for task in tasks)
    ]
    if results:
        conclude(results, Console(highlight=False, soft_wrap=True))


def judge(ended: int, events: RunEvents, first: bool = True) -> tuple[int, str]:
    """Judge how a run ended.

    Args:
        ended: The exit status of lmms-eval's process; negative is the signal that ended it.
        events: What the run reported.
        first: Whether this is the first process of the run, the one that writes results.

    Returns:
        The exit status, and a sentence for the user: "" if the status is 0.
    """
    if events.refused is not None:
        return BAD_ARGUMENTS, events.refused.removeprefix("HumanSense: ")
    if ended < 0:
        return INCOMPLETE, f"lmms-eval was ended by signal {-ended} ({signal.strsignal(-ended)})."
    if not events.begun:
        return BAD_ARGUMENTS, "lmms-eval did not begin to evaluate; its messages above say why."
    if events.stopped is not None:
        return INCOMPLETE, events.stopped
    if events.broken is not None and not events.asking:
        return BAD_ARGUMENTS, f"lmms-eval could not load the model or the tasks: {events.broken}"
    if events.broken is not None:
        return INCOMPLETE, f"lmms-eval ended in an error: {events.broken}"
    if len(events.ended) < events.begun:
        return INCOMPLETE, f"lmms-eval ended with status {ended} before all answers were there."
    missing = [trouble for tasks, results in events.ended if (trouble := _missing(tasks, results))] if first else []
    return (INCOMPLETE, " ".join(missing)) if missing else (COMPLETE, "")


def judge_failures(events: RunEvents, limit: str | None) -> tuple[int, str]:
    """Judge how many requests got no answer in a run whose results are there.

    Requests of this package's models are not counted: these models stop a run by themselves.

    Args:
        events: What the run reported.
        limit: How many requests of an evaluation may fail or have an empty response, as `max_failures` of this
            package's models; None is their default.

    Returns:
        The exit status, and a sentence for the user: "" if the status is 0.
    """
    from ..models.runtime.settings import RunSettings

    given = RunSettings().max_failures if limit is None else read_limit(limit)
    said = []
    for _, place in events.ended:
        results = json.loads(Path(str(place)).read_text(encoding="utf-8"))
        tasks = [] if is_ours(results.get("config", {}).get("model")) else unanswered(results)
        count, asked = sum(each.failed + each.empty for each in tasks), sum(each.asked for each in tasks)
        if count > allowed(given, asked):
            said += [*sentences(tasks), f"max_failures={limit or given} allows {allowed(given, asked):,} of {asked:,}."]
    return (INCOMPLETE, " ".join(said)) if said else (COMPLETE, "")


def resume_command(arguments: Sequence[str]) -> str:
    """The command that resumes the run, quoted for a shell."""
    launched = "  # with the launcher that started this run" if "WORLD_SIZE" in os.environ else ""
    return shlex.join(["lmms-humansense", "run", *arguments]) + launched


def _missing(tasks: Sequence[str], results: str | None) -> str | None:
    """A sentence about what is missing in the results of an evaluation; None if they are complete."""
    if results is None:
        return "No results were written, because there was no --output_path."
    try:
        written: dict[str, Any] = json.loads(Path(results).read_text(encoding="utf-8"))
        absent = [task for task in tasks if task not in written["results"]]
        cut_off = _cut_off(Path(results), written)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"The results in {results} were not written, or not completely ({type(error).__name__})."
    if absent:
        return f"There are no results for {', '.join(absent)} in {results}."
    if (written.get("usage") or {}).get("budget_exceeded"):
        return f"The token budget (--max_tokens) was used up before all questions were asked: {results} is partial."
    return f"The samples of {', '.join(cut_off)} beside {results} are not complete." if cut_off else None


def _cut_off(results: Path, written: Mapping[str, Any]) -> list[str]:
    """The tasks whose samples are incomplete, if samples were requested: lmms-eval goes on when a disk is full."""
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
    """Run the command and return its exit status. SIGTERM is passed on to it, and it ends if this process is killed."""
    process: subprocess.Popen[bytes] | None = None
    arrived: list[int] = []

    def pass_on(number: int, frame: Any) -> None:
        arrived.append(number)
        if process is not None:
            process.send_signal(number)

    ending = functools.partial(end_with, os.getpid(), signal.SIGTERM) if sys.platform == "linux" else None
    # Ctrl-C reaches the process by itself, so its handler here does nothing. It is not SIG_IGN, because the process
    # would inherit that.
    before = signal.signal(signal.SIGTERM, pass_on), signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        process = subprocess.Popen(command, env={**os.environ, run_events.FILE: str(file)}, preexec_fn=ending)
        if arrived:  # while the process was being started
            process.send_signal(arrived[-1])
        return process.wait()
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
