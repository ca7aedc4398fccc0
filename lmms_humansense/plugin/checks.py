"""What is checked before the first question, so that a run that cannot work is refused at once and with its cause."""

import difflib
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .names import MODELS, SAMPLE, TASK_PREFIX, is_ours, name_of

if TYPE_CHECKING:
    from ..tasks.humansense.taxonomy import Task
    from ..tasks.humansense.variants import Variant
    from ..tasks.humansense.wrappers import Form


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
    """End the program if a task of ours cannot be asked through the model's wrapper, before anything is asked.

    Args:
        model: The model of an evaluation: a name, or an object.
        force_simple: `--force_simple`, for a name.
        tasks: The names of the tasks and groups.

    Raises:
        SystemExit: A task cannot be asked. The message says what to run instead.
    """
    ours = [found for name in tasks for found in tasks_of(name)]
    form = _form(model, force_simple) if ours else None
    if form is None:
        return
    from ..tasks.humansense import wrappers

    name = name_of(model)
    try:
        for group, variant, task in ours:
            wrappers.plan(name, form, task, variant, group)
    except wrappers.Unfit as error:
        raise SystemExit(f"HumanSense: {error}") from None
    found = wrappers.wrapper(name, form)
    _say_what_is_not_known(name or type(model).__qualname__, found.known, found.tried)


def _form(model: Any, force_simple: bool) -> "Form | None":
    """Which of the wrappers of a name is run; None for a release of lmms-eval with another registry."""
    if not isinstance(model, str):
        return "simple" if getattr(model, "is_simple", True) else "chat"
    from lmms_eval import models

    try:
        return models.MODEL_REGISTRY_V2.resolve(model, force_simple=force_simple).model_type
    except AttributeError:
        return None


@cache  # a run checks the model twice: its name before it is loaded, and the object
def _say_what_is_not_known(model: str, known: bool, tried: bool) -> None:
    from loguru import logger

    if not known:
        senses = "to hear, as you say" if os.environ.get("HUMANSENSE_HEARS", "").strip() == "1" else "not to hear"
        logger.warning("HumanSense was not tried with --model {}: it is taken to see and {}.", model, senses)
    elif not tried:
        logger.warning(
            "HumanSense was not run with --model {}: what it is given follows from reading lmms-eval's code.", model
        )
    if model == "qwen2_5_omni" and int(version("transformers").partition(".")[0]) >= 5:
        logger.warning(
            "lmms-eval's --model qwen2_5_omni answers nothing with transformers 5 (seen with lmms-eval 0.7.3): run "
            "--model humansense_omni with the same checkpoint, or install transformers 4.57.6."
        )


def tasks_of(name: str) -> list[tuple[str, "Variant", "Task"]]:
    """Find our tasks of a name in lmms-eval.

    Args:
        name: The name of a task or group.

    Returns:
        The tasks, each with its group without the variant, and its variant; none if the name is another package's.
    """
    from ..tasks.humansense import variants
    from ..tasks.humansense.taxonomy import TaxonomyError

    group = SAMPLE if f"{name}_".startswith(f"{SAMPLE}_") else TASK_PREFIX
    rest = name.removeprefix(group).lstrip("_")
    try:
        tasks = variants.tasks_of(f"{TASK_PREFIX}_{rest}") if name.startswith(group) else ()
    except TaxonomyError:  # another package's
        return []
    return [(group, variants.split(rest)[0], task) for task in tasks]


def refuse_cached_requests(model: Any, force_simple: bool, cached: bool) -> None:
    """End the program if lmms-eval is asked to pickle the requests of a chat model, which loses their messages.

    Args:
        model: The model of an evaluation: a name, or an object.
        force_simple: `--force_simple`.
        cached: Whether `--cache_requests` is true or refresh.

    Raises:
        SystemExit: It is.
    """
    if cached and _form(model, force_simple) == "chat":
        raise SystemExit(
            "HumanSense: --cache_requests loses the messages of chat models, so every question would fail; leave it "
            "out (--use_cache keeps answers)."
        )


def refuse_bad_generation(model: Any, gen_kwargs: Any) -> None:
    """End the program if `--gen_kwargs` has a value that a model of this package cannot use, before it is loaded.

    Args:
        model: The model of an evaluation: a name, or an object.
        gen_kwargs: `--gen_kwargs`.

    Raises:
        SystemExit: A value cannot be used.
    """
    if not is_ours(model) or not isinstance(gen_kwargs, str):
        return
    from lmms_eval.utils import simple_parse_args_string

    from ..models.inputs.generation import check_arguments

    given = simple_parse_args_string(gen_kwargs)
    try:
        check_arguments(given)
    except ValueError as error:
        raise SystemExit(f"HumanSense: --gen_kwargs: {error}") from None


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


def our_leaves(task_dict: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """The names and the tasks of an evaluation whose names are like those of this package's tasks."""
    return ((name, task) for name, task in leaves(task_dict) if name.startswith(TASK_PREFIX))


def refuse_tasks_named_twice(task_dict: Mapping[Any, Any]) -> None:
    """End the program if a task of ours is there alone and in a group: lmms-eval would ask its questions twice.

    Args:
        task_dict: The tasks of an evaluation, as lmms-eval gives them.

    Raises:
        SystemExit: A task is there twice.
    """
    counts = Counter(name for name, _ in our_leaves(task_dict))
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        raise SystemExit(
            f"HumanSense: --tasks names {twice} more than once, alone and in a group (a wildcard names both), so its "
            "questions would be asked again; name the group or its tasks."
        )


def refuse_no_questions(task_dict: Mapping[Any, Any], limit: float | None, offset: int) -> None:
    """End the program if a task of ours is left without a question.

    Args:
        task_dict: The tasks of an evaluation, as lmms-eval gives them.
        limit: `--limit`.
        offset: `--offset`.

    Raises:
        SystemExit: A task has none.
    """
    for name, task in our_leaves(task_dict):
        if not hasattr(task, "eval_docs"):
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

    for _, task in our_leaves(task_dict):
        if {"root", "file", "variant"} <= set(task.eval_docs.column_names):
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
