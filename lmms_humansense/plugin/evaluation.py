"""What this package changes in lmms-eval's evaluation: three functions of lmms-eval are wrapped.

- `evaluate` adds what the model says about itself, and where the docs come from, to the results. It gives this
  package's models `--system_instruction`, which lmms-eval itself puts into a text that no chat model reads.
- `simple_evaluate` tries the output folder first, writes the failed requests beside the results, and reports how the
  run ended (see `run_events`), because lmms-eval often ends with status 0 even if the run failed.
- `ResponseCache.create` gives this package's models a response cache of their own.
"""

import contextlib
import functools
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import checks, run_events
from .names import TASK_PREFIX, is_ours

MARK = "wrapped_by_humansense"
"""The attribute of a function of lmms-eval that this package has wrapped."""

_failures: ContextVar[list[Any] | None] = ContextVar("_failures", default=None)
"""The failed requests of the current run."""


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
    function = getattr(original, "__func__", original)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return wrapper(function, *args, **kwargs)

    setattr(wrapped, MARK, True)
    setattr(holder, name, wrapped if function is original else classmethod(wrapped))


def _evaluate(evaluate: Callable[..., Any], lm: Any, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
    """Add to the results what the model says about itself, and where the docs of this package's tasks come from.

    The first stands under `model_info`, the second under `humansense_data`, and what a user should know about the
    scores under `humansense_notes`. lmms-eval intends to call a model's `get_model_info`, but does not do so yet.
    """
    tasks, limit, offset = (args[0] if args else kwargs["task_dict"]), kwargs.get("limit"), kwargs.get("offset") or 0
    checks.refuse_no_questions(tasks, limit, offset)
    checks.refuse_media_out_of_reach(tasks, limit, offset)
    if hasattr(lm, "use_system_instruction"):
        lm.use_system_instruction(kwargs.get("system_instruction"))
    run_events.asking()
    complete = False
    try:
        results: dict[str, Any] | None = evaluate(lm, *args, **kwargs)
        complete = True
    finally:
        _note_failures(lm, complete)
    if results is None:
        return None
    if hasattr(lm, "get_model_info"):
        info = lm.get_model_info()
        versions = {"lmms-humansense": version("lmms-humansense"), **info.get("versions", {})}
        results["model_info"] = {**info, "versions": versions}
    roots = dict.fromkeys(_roots(tasks))
    if roots:
        from ..tasks.humansense import data

        results["humansense_data"] = [data.origin(root) for root in roots]
        _say(results, tasks)
    return results


def _say(results: dict[str, Any], tasks: Mapping[Any, Any]) -> None:
    """Put what a user should know about the scores into the results, and into the log."""
    from loguru import logger

    from .notes import notes

    found = notes(results, tasks)
    results["humansense_notes"] = found
    for note in found:
        logger.warning("HumanSense: {}", note)


def _roots(task_dict: Mapping[Any, Any]) -> Iterator[str]:
    """The roots that the docs of our tasks name, also of tasks in groups.

    A task with our prefix and without a column `root` belongs to another package.
    """
    for name, task in checks.leaves(task_dict):
        if name.startswith(TASK_PREFIX) and "root" in task.eval_docs.column_names:
            yield task.eval_docs[0]["root"]


def _note_failures(lm: Any, complete: bool) -> None:
    """Note the failed requests of our models.

    In a complete run the first process gathers those of all processes. In an incomplete run each process notes its own,
    because gathering would wait for processes that perhaps never get this far.
    """
    noted = _failures.get()
    if noted is None or not is_ours(lm):
        return
    gathered = [lm.failures]
    if complete and lm.world_size > 1:
        from torch import distributed

        gathered = [None] * lm.world_size
        distributed.all_gather_object(gathered, lm.failures)
    if not complete or lm.rank == 0:
        failed = [failure for failures in gathered for failure in failures]
        noted += sorted(failed, key=lambda failure: (failure.task, failure.doc_id))


def _create_cache(create: Callable[..., Any], cls: Any, cache_root: str, *, model: Any = "", **options: Any) -> Any:
    """Create this package's response cache for its models, and lmms-eval's own cache for other models."""
    if is_ours(model):
        from ..models.caching.response_cache import AnswerCache

        if cls is not AnswerCache:  # `AnswerCache.create` calls this function again
            return AnswerCache.create(cache_root, model=model, **options)
    return create(cls, cache_root, model=model, **options)


def _simple_evaluate(simple_evaluate: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run an evaluation, and report how it ended.

    If its model or a task is of this package, check its output folder and write its failures.

    The folder is checked at the start, so that a run does not fail after hours of work.
    """
    tasks = kwargs.get("tasks") or []
    tracker = kwargs.get("evaluation_tracker")
    writes = tracker is not None and tracker.output_path
    output = _Output(tracker, str(kwargs.get("datetime_str") or "")) if writes else None
    named = [task for task in tasks if isinstance(task, str)]
    with run_events.reported(named, lambda: output.file("results.json") if output else None):
        if not is_ours(kwargs.get("model")) and not any(str(task).startswith(TASK_PREFIX) for task in tasks):
            return simple_evaluate(*args, **kwargs)
        checks.refuse_unknown_model(kwargs.get("model"))
        checks.refuse_cached_requests(
            kwargs.get("model"), bool(kwargs.get("force_simple")), bool(kwargs.get("cache_requests"))
        )
        checks.refuse_bad_generation(kwargs.get("model"), kwargs.get("gen_kwargs"))
        checks.use_writable_datasets_cache()
        checks.refuse_unwritable("--output_path", tracker.output_path if tracker is not None else None)
        checks.refuse_unwritable("--use_cache", kwargs.get("use_cache"))
        with _failures_written(output):
            return simple_evaluate(*args, **kwargs)


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
def _failures_written(output: _Output | None) -> Iterator[None]:
    """Write the requests that fail within the block beside the results, however the block ends."""
    noted: list[Any] = []
    token = _failures.set(noted)
    try:
        yield
    finally:
        _failures.reset(token)
        if noted and output is not None:
            _write_failures(output.file("failures.jsonl"), noted)


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
