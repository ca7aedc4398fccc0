"""What lmms-eval is changed in, where it has no place for what this package does.

Every change is made once, when a run begins, and concerns this package's models and tasks only.
"""

import contextlib
import functools
import importlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import events

MODELS = {
    "humansense_omni": "lmms_humansense.models.omni.HumanSenseOmni",
    "humansense_server": "lmms_humansense.models.server.HumanSenseServer",
}
"""Names for `--model` and the classes behind them."""

TASK_PREFIX = "humansense"
"""What the names of this package's tasks begin with."""

_failures: ContextVar[list[Any] | None] = ContextVar("_failures", default=None)
"""The failed requests of the run under way."""


def is_ours(model: Any) -> bool:
    """Whether a model, or the name of one, is this package's."""
    if isinstance(model, str):
        return model in MODELS
    return f"{type(model).__module__}.{type(model).__qualname__}" in MODELS.values()


def keep_model_info() -> None:
    """Wrap lmms-eval's evaluation, so that its results hold what a model tells of itself under `model_info`.

    Where this package's docs come from stands under `humansense_data`, whatever the model.

    lmms-eval means to ask models for `get_model_info`, but does not do so yet. Its evaluator can only be wrapped once
    it is imported, which it is before any task manager is needed for a run.
    """
    evaluator: Any = importlib.import_module("lmms_eval.evaluator")
    evaluate = evaluator.evaluate
    if getattr(evaluate, "keeps_model_info", False):
        return

    @functools.wraps(evaluate)
    def evaluate_and_tell(lm: Any, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        complete = False
        try:
            results: dict[str, Any] | None = evaluate(lm, *args, **kwargs)
            complete = True
        finally:
            _note_failures(lm, complete)
        if results is not None and hasattr(lm, "get_model_info"):
            info = lm.get_model_info()
            versions = {"lmms-humansense": version("lmms-humansense"), **info.get("versions", {})}
            results["model_info"] = {**info, "versions": versions}
        if results is not None:
            results.update(_data_info(args[0] if args else kwargs["task_dict"]))
        return results

    evaluate_and_tell.keeps_model_info = True  # type: ignore[attr-defined]
    evaluator.evaluate = evaluate_and_tell


def _data_info(task_dict: Mapping[Any, Any]) -> dict[str, Any]:
    """Under `humansense_data`, where the docs of this package's tasks come from; nothing where there are none."""
    roots = dict.fromkeys(_roots(task_dict))
    if not roots:
        return {}
    from .tasks.humansense import data

    return {"humansense_data": [data.origin(root) for root in roots]}


def _roots(task_dict: Mapping[Any, Any]) -> Iterator[str]:
    """The roots that the docs of our tasks name; groups hold tasks, and others may have tasks of such a name."""
    for name, task in task_dict.items():
        if isinstance(task, Mapping):
            yield from _roots(task)
        elif str(name).startswith(TASK_PREFIX) and "root" in task.eval_docs.column_names:
            yield task.eval_docs[0]["root"]


def _note_failures(lm: Any, complete: bool) -> None:
    """Have the failures of all processes in the first one, where their run is complete; each its own, where not."""
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


def keep_answers() -> None:
    """Wrap the making of lmms-eval's response cache, so that this package's models get one that fits them."""
    cache: Any = importlib.import_module("lmms_eval.caching.response_cache").ResponseCache
    create = cache.create
    if getattr(create, "keeps_answers", False):
        return

    def create_for_model(cls: Any, /, cache_root: str, *, model: Any = "", **options: Any) -> Any:
        if cls is cache and is_ours(model):
            from .models.response_cache import KeptAnswers

            return KeptAnswers.create(cache_root, model=model, **options)
        return create.__func__(cls, cache_root, model=model, **options)

    create_for_model.keeps_answers = True  # type: ignore[attr-defined]
    cache.create = classmethod(create_for_model)


def watch_runs() -> None:
    """Wrap lmms-eval's runs.

    The folder for results is tried before hours of work rather than after them; requests that failed are written beside
    the results; and what became of the run is told to the process that watches it (see `events`), as lmms-eval ends
    with status 0 in any case.
    """
    evaluator: Any = importlib.import_module("lmms_eval.evaluator")
    simple_evaluate = evaluator.simple_evaluate
    if getattr(simple_evaluate, "is_watched", False):
        return

    @functools.wraps(simple_evaluate)
    def evaluate_watched(*args: Any, **kwargs: Any) -> Any:
        tasks = kwargs.get("tasks") or []
        place = _Place.of(kwargs.get("evaluation_tracker"), str(kwargs.get("datetime_str") or ""))
        with events.told([task for task in tasks if isinstance(task, str)], lambda: place.results if place else None):
            if not is_ours(kwargs.get("model")) and not any(str(task).startswith(TASK_PREFIX) for task in tasks):
                return simple_evaluate(*args, **kwargs)
            if place is not None:
                place.refuse_unwritable()
            with _failures_written(place):
                return simple_evaluate(*args, **kwargs)

    evaluate_watched.is_watched = True  # type: ignore[attr-defined]
    evaluator.simple_evaluate = evaluate_watched


class _Place:
    """Where lmms-eval writes what belongs to one run: files of one date in a folder named after the model."""

    def __init__(self, tracker: Any, date: str) -> None:
        self._tracker = tracker
        self._date = date.replace(":", "-")

    @classmethod
    def of(cls, tracker: Any, date: str) -> "_Place | None":
        """The place of a run; None where nothing is to be written."""
        return cls(tracker, date) if tracker is not None and tracker.output_path else None

    @property
    def results(self) -> Path:
        return self._file("results.json")

    @property
    def failures(self) -> Path:
        return self._file("failures.jsonl")

    def refuse_unwritable(self) -> None:
        """End the program where the folder can not be written."""
        folder = Path(self._tracker.output_path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"\0" * 4096)
        except OSError as error:
            reason = error.strerror or str(error)
            raise SystemExit(
                f"HumanSense: --output_path {folder} cannot be written ({reason}); name another folder."
            ) from error

    def _file(self, ending: str) -> Path:
        # The tracker knows the model's name from when the run has begun.
        name = self._tracker.general_config_tracker.model_name_sanitized or ""
        return Path(self._tracker.output_path) / name / f"{self._date}_{ending}"


@contextlib.contextmanager
def _failures_written(place: _Place | None) -> Iterator[None]:
    """Write what fails within the block beside the results, however the block ends."""
    noted: list[Any] = []
    token = _failures.set(noted)
    try:
        yield
    finally:
        _failures.reset(token)
        if place is not None and noted:
            _write(place.failures, noted)


def _write(path: Path, failures: Sequence[Any]) -> None:
    from loguru import logger

    lines = "".join(json.dumps(failure.to_dict(), ensure_ascii=False) + "\n" for failure in failures)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(lines)
        logger.info("The failed requests are listed in {}", path)
    except OSError as error:
        logger.error("The failed requests can not be written to {}: {}", path, error)
