"""The entry point `lmms_eval.models`: tells lmms-eval about this package's tasks and models.

lmms-eval has an entry point for models and none for tasks. It calls `register` while `lmms_eval.models` is imported,
which happens in every way of starting it before tasks are looked up; so that is where the task folders are made known.
"""

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import harness

if TYPE_CHECKING:
    from lmms_eval.models.registry_v2 import ModelManifest

logger = logging.getLogger(__name__)


def task_folder() -> Path:
    """The folder that holds the task YAML files."""
    return Path(str(files("lmms_humansense.tasks")))


def register() -> "list[ModelManifest]":
    """Make lmms-eval find the tasks, and return the manifests of the models.

    Never raises: a broken installation of this package costs one warning and its own tasks, nobody else's.
    """
    try:
        from lmms_eval.models.registry_v2 import ModelManifest

        _search_task_folder()
        return [ModelManifest(model_id=name, chat_class_path=path) for name, path in harness.MODELS.items()]
    except Exception as error:
        logger.warning("lmms-humansense is installed but cannot be used, its tasks and models are missing: %s", error)
        return []


def _search_task_folder() -> None:
    """Wrap lmms-eval's task search once, so that it also looks into our folder, after all others."""
    from lmms_eval.tasks import TaskManager

    search = TaskManager.initialize_tasks
    if getattr(search, "finds_humansense", False):
        return

    @functools.wraps(search)
    def initialize_tasks(
        self: Any, include_path: str | list[str] | None = None, include_defaults: bool = True
    ) -> dict[str, dict[str, Any]]:
        _adapt("keep what a model tells of itself", harness.keep_model_info)
        _adapt("keep answers", harness.keep_answers)
        _adapt("watch runs", harness.watch_runs)
        found: dict[str, dict[str, Any]] = search(self, include_path=include_path, include_defaults=include_defaults)
        if not include_defaults:
            return found
        return {**_our_tasks(self), **found}

    initialize_tasks.finds_humansense = True  # type: ignore[attr-defined]
    TaskManager.initialize_tasks = initialize_tasks


def _adapt(purpose: str, wrap: Callable[[], None]) -> None:
    """Change lmms-eval's behaviour, or say that this release of it cannot be changed."""
    try:
        wrap()
    except Exception as error:
        logger.warning("lmms-humansense cannot %s with this lmms-eval: %r", purpose, error)


def _our_tasks(manager: Any) -> dict[str, dict[str, Any]]:
    try:
        with _templates_read_once():
            return dict(manager._get_task_and_group(str(task_folder())))
    except Exception as error:
        logger.warning("the tasks of lmms-humansense cannot be read and are left out: %s", error)
        return {}


@contextlib.contextmanager
def _templates_read_once() -> Iterator[None]:
    """Within it, lmms-eval reads a YAML file once, and not again for each of the many tasks that include it.

    It takes a fifth of the time, which every start of lmms-eval spends.
    """
    from lmms_eval import utils

    load: Any = utils.load_yaml_config
    known: dict[Any, dict[str, Any]] = {}

    def load_once(yaml_path: Any = None, *arguments: Any, **options: Any) -> dict[str, Any]:
        key = yaml_path, repr(arguments), repr(options)
        if yaml_path is None or key not in known:
            known[key] = load(yaml_path, *arguments, **options)
        return dict(known[key])

    utils.load_yaml_config = load_once
    try:
        yield
    finally:
        utils.load_yaml_config = load
