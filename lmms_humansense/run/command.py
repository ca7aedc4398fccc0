"""`lmms-humansense run`: run lmms-eval in a process that is watched, and end with an exit status that can be relied on.

0: results for every requested task were written, and no more requests failed than is allowed (for models that are not
this package's, also: or have an empty response). 2: the arguments or the data cannot be used as they are. 3: the run is
incomplete, and the same command resumes it.
"""

import contextlib
import functools
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from ..models.runtime.failure_limit import allowed, read_limit
from ..models.runtime.signals import EXIT_INCOMPLETE as INCOMPLETE
from ..models.runtime.worker_process import end_with
from ..plugin import run_events
from ..plugin.names import is_ours
from ..plugin.run_events import RunEvents
from ..plugin.unanswered import sentences, unanswered
from . import dry_run
from .arguments import ArgumentsError, as_file, only_informs, read, with_defaults, with_file
from .arguments import own as own_arguments
from .first_checks import check
from .page import Output, Page, counted, replace_unknown
from .scores import is_humansense, of_other_tasks

COMPLETE, BAD_ARGUMENTS = 0, 2

INTERRUPTIONS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
"""The signals that interrupt a run, as its user knows them."""

_SHOWN = 12
"""How many of the last lines of lmms-eval's messages are shown after an end that they may explain."""

_LAST_OUTPUT = 5.0
"""Seconds that are waited for the last output of a process that has ended."""


def run(arguments: Sequence[str]) -> int:
    """Run lmms-eval with the arguments, say how it ended, and return the exit status."""
    typed = arguments
    first = os.environ.get("RANK", "0") == "0"
    try:
        with contextlib.nullcontext() if first else _silent():
            whole = with_file(arguments)
            expanded, own = own_arguments(whole)
            if only_informs(expanded):
                return _inform(expanded, first)
            check(expanded, loads=not own.dry_run)
            if own.dry_run:
                dry_run.show(read(expanded), own)
                return COMPLETE
    except ArgumentsError as error:
        return _refused(str(error), first or os.environ.get("LOCAL_RANK") == "0")
    harness = with_defaults(expanded)
    try:
        with events_file() as file:
            try:
                output = _output(harness)
            except OSError as error:
                place = read(harness)["output_path"]
                return _refused(f"--output_path {place} cannot be written ({error.strerror or error}); name another.")
            ended = run_shown([sys.executable, "-m", "lmms_eval", *harness], file, output, first)
            events = run_events.read(file)
            status, sentence = judge(ended, events, first)
    except ArgumentsError as error:
        return _refused(str(error))
    if status == COMPLETE and first:
        _conclude(events, whole)
        status, sentence = judge_failures(events, own.max_failures)
    _say_the_end(status, sentence, typed, events, output, first)
    return status


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Print nothing: the first process of the run says it."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _inform(arguments: Sequence[str], first: bool) -> int:
    """Let lmms-eval print its help or a list, and return the exit status."""
    # `-h` alone would print its subcommands.
    given = ["eval", "--help"] if {"-h", "--help"} & set(arguments) else arguments
    to = None if first else subprocess.DEVNULL
    printed = subprocess.call([sys.executable, "-m", "lmms_eval", *given], stdout=to, stderr=to)
    return COMPLETE if printed == 0 else BAD_ARGUMENTS


def _output(arguments: Sequence[str]) -> Output | None:
    """Where the messages of lmms-eval go; None if the user wants to see them.

    Args:
        arguments: The arguments for lmms-eval.

    Raises:
        OSError: They cannot be written.
    """
    given = read(arguments)
    if given["verbosity"] is not None or given["config"] is not None:
        return None
    rank = f"_rank{os.environ['RANK']}" if "RANK" in os.environ else ""
    name = f"{time.strftime('%Y%m%d_%H%M%S')}_{os.getpid()}{rank}.log"
    return Output(Path(given["output_path"]) / "logs" / name)


@contextlib.contextmanager
def events_file() -> Iterator[Path]:
    """An empty file for the events of a run, in a temporary folder that is removed after the block.

    Raises:
        ArgumentsError: No temporary folder can be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lmms-humansense-"))
            file = Path(folder) / "events.jsonl"
            file.touch()
        except OSError as error:
            reason = error.strerror or error
            raise ArgumentsError(f"No temporary folder can be written ({reason}): set TMPDIR to one.") from None
        yield file


def run_shown(
    command: Sequence[str],
    events: Path,
    output: Output | None,
    first: bool = True,
    variables: Mapping[str, str] = MappingProxyType({}),
    warns: bool = True,
) -> int:
    """Run a command, with a page about it if its messages are not shown.

    Args:
        command: The command, which runs lmms-eval.
        events: The file for its events, which exists.
        output: Where its messages go; None to show them.
        first: Whether this is the first process of the run, the one that shows the page.
        variables: Environment variables for the command, beside those of this process.
        warns: Whether the page has its warnings.

    Returns:
        The exit status; negative is the signal that ended the command, or that was passed on to it and let it end
        incomplete.
    """
    if output is None:
        return _run_watched(command, events, variables=variables)
    from rich.console import Console

    page = Page(events, Console(highlight=False, soft_wrap=True, quiet=not first), output, warns)
    return _run_watched(command, events, output.take, variables, page)


def _say_the_end(
    status: int, sentence: str, typed: Sequence[str], events: RunEvents, output: Output | None, first: bool
) -> None:
    """Say how a run ended that is not complete: why, what is kept, and how to go on."""
    if sentence:
        print(f"\nlmms-humansense run: {sentence}", file=sys.stderr)
    is_interrupted = sentence in map(_interrupted, INTERRUPTIONS)
    if output is not None and first:
        is_known = any(reason is not None for reason in (events.refused, events.stopped, events.broken))
        for line in [] if is_known or is_interrupted or not sentence else output.last_lines(_SHOWN):
            print(f"    {line}", file=sys.stderr)
        print(f"All messages of lmms-eval: {output.file}", file=sys.stderr)
    if status == INCOMPLETE and first:
        if is_interrupted or events.stopped is None:
            for line in kept(events):
                print(line, file=sys.stderr)
        print(f"To go on where it stopped:\n    {resume_command(typed)}", file=sys.stderr)


def kept(events: RunEvents) -> list[str]:
    """Say how many answers are kept of a run that is not complete.

    Args:
        events: What the run reported.

    Returns:
        A sentence; none if this is not known, as with models of lmms-eval itself.
    """
    if events.progress:
        count = events.progress.get("kept", 0) + events.progress.get("recalled", 0)
        return [f"At least {counted(count, 'answer', ' is', ' are')} kept." if count else "No answer is kept yet."]
    return [] if events.asking else ["No question was asked yet."]


def _refused(sentence: str, says: bool = True) -> int:
    if says:
        print(f"\nlmms-humansense run: {sentence}", file=sys.stderr)
    return BAD_ARGUMENTS


def _conclude(events: RunEvents, arguments: Sequence[str]) -> None:
    """Print the scores of a complete run, and write the report of the tasks of this package.

    Beside the results, a file gets the arguments, for `run --config`.

    Args:
        events: What the run reported.
        arguments: What was typed after `run`, with the arguments of a file in their place.
    """
    from rich.console import Console

    from ..report.command import conclude

    console = Console(highlight=False, soft_wrap=True)
    replace_unknown(console)
    ended = [(tasks, Path(results)) for tasks, results in events.ended if results is not None]
    for tasks, place in ended:
        file = place.with_name(f"{place.name.removesuffix('results.json')}run.yaml")
        with contextlib.suppress(OSError):  # the results are there already
            file.write_text(as_file(arguments), encoding="utf-8")
        if not all(map(is_humansense, tasks)):
            for line in (*of_other_tasks(place), f"Results: {place}"):
                console.print(line, markup=False)
    ours = [place for tasks, place in ended if any(map(is_humansense, tasks))]
    if ours:
        conclude(ours, console)


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
        if -ended in INTERRUPTIONS:
            return INCOMPLETE, _interrupted(-ended)
        return INCOMPLETE, f"lmms-eval was ended by signal {-ended} ({signal.strsignal(-ended)})."
    if not events.begun:
        return BAD_ARGUMENTS, "lmms-eval did not begin to evaluate; its last messages say why."
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


def _interrupted(number: int) -> str:
    return f"The run was interrupted ({INTERRUPTIONS[signal.Signals(number)]})."


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


def _pump(pipe: IO[bytes], take: Callable[[bytes], None]) -> None:
    while content := os.read(pipe.fileno(), 65_536):
        take(content)


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


def _run_watched(
    command: Sequence[str],
    file: Path,
    take: Callable[[bytes], None] | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
    page: contextlib.AbstractContextManager[Any] | None = None,
) -> int:
    """Run the command and return its exit status. SIGTERM is passed on to it, and it ends if this process is killed.

    Args:
        command: The command.
        file: The file for its events.
        take: Called with what it prints; None to let it print.
        variables: Environment variables for it, beside those of this process.
        page: What is shown meanwhile. It is entered once the process has been started, because Python does not allow
            `preexec_fn` beside threads.

    Returns:
        The exit status; negative is the signal that ended it, or that was passed on to it and let it end incomplete.
    """
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
        piped: dict[str, Any] = {}
        if take is not None:  # a question that it asks would not be seen
            piped = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        environment = {**os.environ, **variables, run_events.FILE: str(file)}
        process = subprocess.Popen(command, env=environment, preexec_fn=ending, **piped)
        if arrived:  # while the process was being started
            process.send_signal(arrived[-1])
        with page or contextlib.nullcontext():
            if take is None:
                return _ended(process.wait(), arrived)
            pump = threading.Thread(target=_pump, args=(process.stdout, take), daemon=True)
            pump.start()
            status = process.wait()
            pump.join(_LAST_OUTPUT)  # processes that it has started may keep the pipe open
            return _ended(status, arrived)
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def _ended(status: int, arrived: Sequence[int]) -> int:
    """The exit status of a process, or the signal for which it ended incomplete, as a negative number."""
    return -arrived[-1] if arrived and status == INCOMPLETE else status
