"""What is checked before the first question, so that a run that cannot work is refused at once and with its cause."""

import difflib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .names import MODELS, SAMPLE, TASK_PREFIX

if TYPE_CHECKING:
    from ..tasks.humansense.taxonomy import Task
    from ..tasks.humansense.variants import Variant
    from ..tasks.humansense.wrappers import Wrapper


def refuse_unknown_model(model: Any) -> None:
    """End the program if lmms-eval has no model of this name, with the most similar names.

    Args:
        model: The model of an evaluation: a name, or an object.

    Raises:
        SystemExit: It is not known.
    """
    if not isinstance(model, str):
        return
    from lmms_eval import models

    try:
        known = {*MODELS, *models.MODEL_REGISTRY_V2.list_model_names()}
        models.MODEL_REGISTRY_V2.get_manifest(model)
    except ValueError:
        similar = difflib.get_close_matches(model, known) or list(MODELS)
        raise SystemExit(
            f"HumanSense: --model {model} is not known; did you mean {' or '.join(similar)}? "
            "`lmms-eval models` lists all."
        ) from None
    except AttributeError:  # a release of lmms-eval with another registry names the model itself
        return


def refuse_unfit_wrapper(model: Any, force_simple: bool, tasks: Iterable[str]) -> None:
    """End the program if a task of ours cannot be asked through the model's wrapper, before the model is loaded.

    Args:
        model: The model of an evaluation: a name, or an object, of which the tasks' hooks judge.
        force_simple: `--force_simple`.
        tasks: The names of the tasks and groups.

    Raises:
        SystemExit: A task cannot be asked. The message says what to run instead.
    """
    ours = [found for name in tasks for found in _tasks_of(name)]
    if not isinstance(model, str) or not ours:
        return
    from lmms_eval import models

    from ..tasks.humansense import wrappers

    try:
        form = models.MODEL_REGISTRY_V2.resolve(model, force_simple=force_simple).model_type
    except AttributeError:  # a release of lmms-eval with another registry: the tasks' hooks judge
        return
    try:
        for group, variant, task in ours:
            wrappers.plan(model, form, task, variant, group)
    except wrappers.Unfit as error:
        raise SystemExit(f"HumanSense: {error}") from None
    _say_what_is_not_known(model, wrappers.wrapper(model, form))


def _say_what_is_not_known(model: str, found: "Wrapper") -> None:
    from loguru import logger

    if not found.known:
        senses = "to hear, as you say" if os.environ.get("HUMANSENSE_HEARS", "").strip() == "1" else "not to hear"
        logger.warning("HumanSense was not tried with --model {}: it is taken to see and {}.", model, senses)
    elif not found.tried:
        logger.warning(
            "HumanSense was not run with --model {}: what it is given follows from reading lmms-eval's code.", model
        )


def _tasks_of(name: str) -> list[tuple[str, "Variant", "Task"]]:
    """The tasks of a name in lmms-eval, each with its group without the variant, and its variant; none if not ours."""
    from ..tasks.humansense import variants
    from ..tasks.humansense.taxonomy import TaxonomyError

    group = SAMPLE if f"{name}_".startswith(f"{SAMPLE}_") else TASK_PREFIX
    rest = name.removeprefix(group).lstrip("_")
    try:
        tasks = variants.tasks_of(f"{TASK_PREFIX}_{rest}") if name.startswith(group) else ()
    except TaxonomyError:  # another package's
        return []
    return [(group, variants.split(rest)[0], task) for task in tasks]


def refuse_unwritable(argument: str, folder: str | Path | None) -> None:
    """End the program if the folder that an argument names cannot be written.

    Args:
        argument: The argument of lmms-eval.
        folder: Its value; None if it is not given.

    Raises:
        SystemExit: It cannot be written.
    """
    reason = why_unwritable(Path(folder)) if folder else None
    if reason is not None:
        raise SystemExit(f"HumanSense: {argument} {folder} cannot be written ({reason}); name another folder.")


def leaves(task_dict: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """The names and the tasks of an evaluation, also of those in groups."""
    for name, task in task_dict.items():
        if isinstance(task, Mapping):
            yield from leaves(task)
        else:
            yield str(name), task


def refuse_no_questions(task_dict: Mapping[Any, Any], limit: float | None, offset: int) -> None:
    """End the program if a task of ours is left without a question.

    Args:
        task_dict: The tasks of an evaluation, as lmms-eval gives them.
        limit: `--limit`.
        offset: `--offset`.

    Raises:
        SystemExit: A task has none.
    """
    for name, task in leaves(task_dict):
        if not name.startswith(TASK_PREFIX) or not hasattr(task, "eval_docs"):
            continue
        there = len(task.eval_docs)
        if limit == 0 or offset >= there:
            given = "--limit 0" if limit == 0 else f"--offset {offset}"
            raise SystemExit(
                f"HumanSense: {given} leaves no question of {name}, which has {there:,}; leave it out or change it."
            )


def refuse_media_out_of_reach(task_dict: Mapping[Any, Any], limit: float | None, offset: int) -> None:
    """End the program if clips must be stored first, and the folder for them cannot be written.

    Args:
        task_dict: The tasks of an evaluation, as lmms-eval gives them.
        limit: `--limit`.
        offset: `--offset`.

    Raises:
        SystemExit: A clip is out of reach.
    """
    from huggingface_hub import constants

    folder = Path(constants.HF_HOME).absolute() / "humansense"
    reason = why_unwritable(existing(folder))
    if reason is None:
        return
    absent = [doc["file"] for doc in _asked(task_dict, limit, offset) if not _is_fetched(doc)]
    if absent:
        raise SystemExit(
            f"HumanSense: {absent[0]} (and {len(absent) - 1:,} more) would have to be stored in {folder}, which cannot "
            f"be written ({reason}): run `lmms-humansense prepare` with the same settings where it can be, or set "
            "HF_HOME to another folder."
        )


def _asked(task_dict: Mapping[Any, Any], limit: float | None, offset: int) -> Iterator[Any]:
    """The docs of our tasks that are asked, and that have media to show."""
    from ..tasks.humansense import variants

    for name, task in leaves(task_dict):
        if name.startswith(TASK_PREFIX) and {"root", "file", "variant"} <= set(task.eval_docs.column_names):
            end = None if limit is None or limit < 1 else offset + int(limit)
            asked = islice(task.eval_docs, offset, end)
            yield from (doc for doc in asked if variants.BY_NAME[doc["variant"]].shown != "none")


def _is_fetched(doc: Any) -> bool:
    from ..tasks.humansense import data
    from ..tasks.humansense.annotations import DataError

    try:
        return data.local_media_if_fetched(doc) is not None
    except DataError:  # the sample fails by its own reason
        return True


def why_unwritable(folder: Path) -> str | None:
    """Why no file can be made in a folder, which is made if it does not exist; None if one can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
    except OSError as error:
        return error.strerror or str(error)
    return None


def existing(folder: Path) -> Path:
    """Find `folder`, or the nearest place above it that exists.

    Returns:
        A path that exists.
    """
    return next(place for place in (folder, *folder.parents) if place.exists())


@cache  # once for each process
def use_writable_datasets_cache() -> None:
    """Move the cache of `datasets` into a temporary folder, if it cannot be written.

    lmms-eval writes a line for each task there, also if all data are prepared.
    """
    import datasets.config
    from loguru import logger

    place = Path(os.path.expanduser(datasets.config.HF_DATASETS_CACHE)).absolute()
    reason = why_unwritable(existing(place))
    if reason is None or os.environ.get("LMMS_EVAL_DATASETS_CACHE"):
        return
    _kept.append(tempfile.TemporaryDirectory(prefix="lmms-humansense-", ignore_cleanup_errors=True))
    os.environ["HF_DATASETS_CACHE"] = _kept[-1].name
    datasets.config.HF_DATASETS_CACHE = Path(_kept[-1].name)
    logger.warning("{} cannot be written ({}); this run uses a temporary folder instead.", place, reason)


_kept: list[tempfile.TemporaryDirectory[str]] = []
"""Folders that are removed when the process ends."""
