"""What this package changes in lmms-eval's evaluation: three functions of lmms-eval are wrapped.

- `evaluate` adds what the model says about itself, and where the docs come from, to the results, and says how many
  responses of other models are missing or empty. It tells the tasks which model is asked, and gives this package's
  models `--system_instruction`, which lmms-eval itself puts into a text that no chat model reads.
- `simple_evaluate` tries the output folder first, writes the failed requests beside the results, reports how the run
  ended (see `run_events`), and ends the program if it ended in an error: lmms-eval would end with status 0.
- `ResponseCache.create` gives this package's models a response cache of their own, and others one that keeps no
  failures.
"""

import contextlib
import functools
import json
import pkgutil
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import checks, flags, run_events
from .names import TASK_PREFIX, is_ours, name_of
from .unanswered import sentences, unanswered

MARK = "wrapped_by_humansense"
"""The attribute of a function of lmms-eval that this package has wrapped."""


@dataclass
class _Course:
    """What happened so far in a run of a model or task of this package.

    Attributes:
        failures: The failed requests of our models, once they are known.
        is_asking: Whether model and tasks were loaded.
    """

    failures: list[Any] = field(default_factory=list)
    is_asking: bool = False


_course: ContextVar[_Course | None] = ContextVar("_course", default=None)
"""The current run; None if it has neither a model nor a task of this package."""


def wrap_once(owner: str, name: str, wrapper: Callable[..., Any]) -> None:
    """Wrap a function or class method of lmms-eval, unless it is wrapped already.

    Args:
        owner: Its module, such as "lmms_eval.evaluator", or its class, such as "lmms_eval.tasks:TaskManager".
        name: Its name there.
        wrapper: The function to call instead. Its first argument is the original function; the arguments of the call
            follow (for a class method, the class is the first of them).

    Raises:
        ImportError: This release of lmms-eval has no such module.
        AttributeError: This release of lmms-eval has no such class or function.
    """
    holder = pkgutil.resolve_name(owner)
    original = getattr(holder, name)
    if hasattr(original, MARK):
        return
    place = _decorated(original)
    function = place.cell_contents if place else getattr(original, "__func__", original)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return wrapper(function, *args, **kwargs)

    setattr(wrapped, MARK, True)
    if place:
        place.cell_contents = wrapped
        setattr(original, MARK, True)
    else:
        setattr(holder, name, wrapped if function is original else classmethod(wrapped))


def _decorated(function: Any) -> Any:
    """The place where a function with a decorator keeps the function that it decorates; None if it has none.

    What is put there is called also by those who imported the function before it was wrapped.
    """
    inner = getattr(function, "__wrapped__", None)
    cells = getattr(function, "__closure__", None) or ()
    return next((cell for cell in cells if inner is not None and cell.cell_contents is inner), None)


def _evaluate(evaluate: Callable[..., Any], lm: Any, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
    """Add to the results what the model says about itself, and where the docs of this package's tasks come from.

    The first stands under `model_info`, the second under `humansense_data`, and what a user should know about the
    scores under `humansense_notes`. lmms-eval intends to call a model's `get_model_info`, but does not do so yet.
    """
    tasks = args[0] if args else kwargs["task_dict"]
    has_ours = is_ours(lm) or next(checks.our_leaves(tasks), None) is not None
    is_python = _course.get() is None and has_ours
    with _errors_for_python() if is_python else contextlib.nullcontext():
        _check(lm, tasks, kwargs)
        results = _asked(evaluate, lm, *args, **kwargs)
    if results is None:
        return None
    if hasattr(lm, "get_model_info"):
        info = lm.get_model_info()
        versions = {"lmms-humansense": version("lmms-humansense"), **info.get("versions", {})}
        results["model_info"] = {**info, "versions": versions}
    if not is_ours(lm):
        _say_what_is_unanswered(results)
    roots = dict.fromkeys(_roots(tasks))
    if roots:
        from ..tasks.humansense import data

        results["humansense_data"] = [data.origin(root) for root in roots]
        _say(results, tasks)
    return results


def _check(lm: Any, tasks: Mapping[Any, Any], arguments: Mapping[str, Any]) -> None:
    """Refuse what cannot be asked, and tell tasks and model what they have to know of each other."""
    limit, offset = arguments.get("limit"), arguments.get("offset") or 0
    checks.refuse_tasks_named_twice(tasks)
    checks.refuse_no_questions(tasks, limit, offset)
    checks.refuse_media_out_of_reach(tasks, limit, offset)
    checks.refuse_unfit_wrapper(lm, False, [name for name, _ in checks.leaves(tasks)])
    _tell_tasks(tasks, name_of(lm))
    if hasattr(lm, "use_system_instruction"):
        lm.use_system_instruction(arguments.get("system_instruction"))


def _asked(evaluate: Callable[..., Any], lm: Any, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
    """Let lmms-eval ask and score, and note the failed requests however it ends."""
    _begin_to_ask()
    reporter = run_events.ProgressReporter()
    if run_events.is_watched() and is_ours(lm):
        lm.on_progress = reporter
    complete = False
    try:
        results: dict[str, Any] | None = evaluate(lm, *args, **kwargs)
        complete = True
    finally:
        reporter.flush()
        _note_failures(lm, complete)
    return results


def _tell_tasks(task_dict: Mapping[Any, Any], model: str) -> None:
    """Tell our tasks which model is asked: what they hand over depends on it.

    lmms-eval looks the name up in the task manager, which may have been made for another model, or for none.
    """
    for _, task in checks.our_leaves(task_dict):
        if "wrapper" in (getattr(task, "lmms_eval_specific_kwargs", None) or {}):
            task.lmms_eval_specific_kwargs = {"wrapper": model}


def _say(results: dict[str, Any], tasks: Mapping[Any, Any]) -> None:
    """Put what a user should know about the scores into the results, and into the log."""
    from loguru import logger

    from .notes import notes

    found = notes(results, tasks)
    results["humansense_notes"] = found
    for note in found:
        logger.warning("HumanSense: {}", note)


def _begin_to_ask() -> None:
    run_events.asking()
    course = _course.get()
    if course is not None:
        course.is_asking = True


def _say_what_is_unanswered(results: Mapping[str, Any]) -> None:
    from loguru import logger

    for sentence in sentences(unanswered(results)):
        logger.bind(said_at_end=True).error("{}", sentence)


def _roots(task_dict: Mapping[Any, Any]) -> Iterator[str]:
    """The roots that the docs of our tasks name, also of tasks in groups.

    A task with our prefix and without a column `root` belongs to another package.
    """
    for _, task in checks.our_leaves(task_dict):
        if "root" in task.eval_docs.column_names:
            yield task.eval_docs[0]["root"]


def _note_failures(lm: Any, complete: bool) -> None:
    """Note the failed requests of our models.

    In a complete run the first process gathers those of all processes. In an incomplete run each process notes its own,
    because gathering would wait for processes that perhaps never get this far.
    """
    course = _course.get()
    if course is None or not is_ours(lm):
        return
    gathered = [lm.failures]
    if complete and lm.world_size > 1:
        from torch import distributed

        gathered = [None] * lm.world_size
        distributed.all_gather_object(gathered, lm.failures)
    if not complete or lm.rank == 0:
        failed = [failure for failures in gathered for failure in failures]
        course.failures += sorted(failed, key=lambda failure: (failure.task, failure.doc_id))


def _create_cache(create: Callable[..., Any], cls: Any, cache_root: str, *, model: Any = "", **options: Any) -> Any:
    """Create this package's response cache for its models, and for other models one that keeps no failures."""
    if is_ours(model):
        from ..models.caching.response_cache import AnswerCache

        if cls is not AnswerCache:  # `AnswerCache.create` calls this function again
            return AnswerCache.create(cache_root, model=model, **options)
    elif _course.get() is not None:
        from .wrapper_cache import WrapperCache

        cls = WrapperCache
    return create(cls, cache_root, model=model, **options)


def _simple_evaluate(simple_evaluate: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run an evaluation, and report how it ended.

    If its model or a task is of this package, check its output folder, write its failures, and, if lmms-eval was
    started as a program, end this with a status that says so if the evaluation ends in an error.

    The folder is checked at the start, so that a run does not fail after hours of work.
    """
    tasks = kwargs.get("tasks") or []
    tracker = kwargs.get("evaluation_tracker")
    writes = tracker is not None and tracker.output_path
    output = _Output(tracker, str(kwargs.get("datetime_str") or "")) if writes else None
    named = [task for task in tasks if isinstance(task, str)]
    from_python = kwargs.get("cli_args") is None
    course = _Course() if is_ours(kwargs.get("model")) or any(map(_is_our_task, tasks)) else None
    with (
        _errors_for_python() if from_python else _ended_by_errors(course),
        run_events.reported(named, lambda: output.file("results.json") if output else None),
    ):
        if course is None:
            return simple_evaluate(*args, **kwargs)
        checks.refuse_unknown_model(kwargs.get("model"))
        checks.refuse_unfit_wrapper(kwargs.get("model"), bool(kwargs.get("force_simple")), named)
        checks.refuse_cached_requests(
            kwargs.get("model"), bool(kwargs.get("force_simple")), bool(kwargs.get("cache_requests"))
        )
        checks.refuse_bad_generation(kwargs.get("model"), kwargs.get("gen_kwargs"))
        checks.use_writable_datasets_cache()
        checks.refuse_unwritable("--output_path", tracker.output_path if tracker is not None else None)
        checks.refuse_unwritable("--use_cache", kwargs.get("use_cache"))
        flags.warn(kwargs)
        with _followed(course, output):
            return simple_evaluate(*args, **kwargs)


def _is_our_task(task: Any) -> bool:
    return str(task).startswith(TASK_PREFIX)


@contextlib.contextmanager
def _ended_by_errors(course: _Course | None) -> Iterator[None]:
    """End the program if the block raises an error: with status 3 if questions were asked before it, else with 1.

    Args:
        course: The run. With None, which is for tasks and models of others, errors stay what they are.
    """
    try:
        yield
    except Exception as error:
        if course is None:
            raise
        traceback.print_exc()
        reason = run_events.reason_of(error)
        if not course.is_asking:
            raise SystemExit(f"HumanSense: lmms-eval could not load the model or the tasks: {reason}") from error
        from loguru import logger

        from ..models.runtime.signals import RunStopped

        logger.bind(said_at_end=True).error(
            "HumanSense: the run ended in an error, and there are no results: {}", reason
        )
        raise RunStopped(f"lmms-eval ended in an error: {reason}") from error


@contextlib.contextmanager
def _errors_for_python() -> Iterator[None]:
    """Turn what ends a program with a sentence into a `ValueError`, for a caller who is no command line.

    lmms-eval's command line swallows ordinary errors and ends with status 0, so bad arguments and data end the program
    there. A signal ends it everywhere.
    """
    try:
        yield
    except SystemExit as ending:
        if not isinstance(ending.code, str):
            raise
        raise ValueError(ending.code) from ending


class _Output:
    """Where lmms-eval writes the files of one run: in a folder named after the model, with the date in their names."""

    def __init__(self, tracker: Any, date: str) -> None:
        self._tracker = tracker
        self._date = date.replace(":", "-")

    def file(self, ending: str) -> Path:
        """The file of this run with this ending. Call it after the run has begun: only then the model is known."""
        name = self._tracker.general_config_tracker.model_name_sanitized or ""
        return Path(self._tracker.output_path) / name / f"{self._date}_{ending}"


@contextlib.contextmanager
def _followed(course: _Course, output: _Output | None) -> Iterator[None]:
    """Make this the current run within the block, and write its failures beside the results, however the block ends."""
    token = _course.set(course)
    try:
        yield
    finally:
        _course.reset(token)
        if course.failures and output is not None:
            _write_failures(output.file("failures.jsonl"), course.failures)


def _write_failures(path: Path, failures: Sequence[Any]) -> None:
    from loguru import logger

    lines = "".join(json.dumps(failure.to_dict(), ensure_ascii=False) + "\n" for failure in failures)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(lines)
        logger.info("The failed requests are listed in {}", path)
    except OSError as error:
        logger.error("The failed requests cannot be written to {}: {}", path, error)


CHANGES: tuple[tuple[str, str, str, Callable[..., Any]], ...] = (
    ("add what a model says about itself to the results", "lmms_eval.evaluator", "evaluate", _evaluate),
    ("keep answers", "lmms_eval.caching.response_cache:ResponseCache", "create", _create_cache),
    ("watch runs", "lmms_eval.evaluator", "simple_evaluate", _simple_evaluate),
)
"""Each change: what it lets this package do, and the arguments of `wrap_once`."""
