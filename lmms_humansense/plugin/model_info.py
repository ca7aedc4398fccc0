"""lmms-eval's results are extended by what a model says of itself, and by where this package's docs come from."""

import functools
import importlib
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

from . import failed_requests
from .names import TASK_PREFIX


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
    def evaluate_with_info(lm: Any, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        complete = False
        try:
            results: dict[str, Any] | None = evaluate(lm, *args, **kwargs)
            complete = True
        finally:
            failed_requests.note(lm, complete)
        if results is not None and hasattr(lm, "get_model_info"):
            info = lm.get_model_info()
            versions = {"lmms-humansense": version("lmms-humansense"), **info.get("versions", {})}
            results["model_info"] = {**info, "versions": versions}
        if results is not None:
            results.update(_data_info(args[0] if args else kwargs["task_dict"]))
        return results

    evaluate_with_info.keeps_model_info = True  # type: ignore[attr-defined]
    evaluator.evaluate = evaluate_with_info


def _data_info(task_dict: Mapping[Any, Any]) -> dict[str, Any]:
    """Under `humansense_data`, where the docs of this package's tasks come from; nothing where there are none."""
    roots = dict.fromkeys(_roots(task_dict))
    if not roots:
        return {}
    from ..tasks.humansense import data

    return {"humansense_data": [data.origin(root) for root in roots]}


def _roots(task_dict: Mapping[Any, Any]) -> Iterator[str]:
    """The roots that the docs of our tasks name; groups hold tasks, and others may have tasks of such a name."""
    for name, task in task_dict.items():
        if isinstance(task, Mapping):
            yield from _roots(task)
        elif str(name).startswith(TASK_PREFIX) and "root" in task.eval_docs.column_names:
            yield task.eval_docs[0]["root"]
