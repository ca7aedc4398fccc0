"""The entry points of this package: they tell lmms-eval about its models and tasks.

lmms-eval has an entry point for models, and calls `register` while `lmms_eval.models` is imported, which happens in
every way of starting it before tasks are looked up. An lmms-eval that has one for tasks as well calls `tasks` when it
looks them up. Others have none, so that `register` also has their search for tasks changed.

Of several tasks of one name, this package's wins over one that lmms-eval has itself, and one of `--include_path` wins
over both; so do its models over those of lmms-eval. So a newer package can be had beside an older HumanSense that is
built into lmms-eval, and the tasks and models that are asked for are of one version.
"""

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .answer_cache import keep_answers
from .model_info import keep_model_info
from .names import MODELS
from .watched_runs import watch_runs

if TYPE_CHECKING:
    from lmms_eval.models.registry_v2 import ModelManifest

logger = logging.getLogger(__name__)


def task_folder() -> Path:
    """The folder that holds the task YAML files."""
    return Path(str(files("lmms_humansense.tasks"))).resolve()


def register() -> "list[ModelManifest]":
    """Make lmms-eval find the tasks, and return the manifests of the models.

    Never raises: a broken installation of this package costs one warning and its own tasks, nobody else's.
    """
    try:
        from lmms_eval.models.registry_v2 import ModelManifest

        if not _asks_for_tasks():
            _search_task_folder()
        return [ModelManifest(model_id=name, chat_class_path=path) for name, path in MODELS.items()]
    except Exception as error:
        logger.warning("lmms-humansense is installed but cannot be used, its tasks and models are missing: %s", error)
        return []


def tasks() -> Path:
    """The folder that holds the task YAML files, for an lmms-eval that asks for it when it looks up tasks."""
    _adapt_runs()
    return task_folder()


def _asks_for_tasks() -> bool:
    """Whether this lmms-eval has entry points for tasks, and calls `tasks` by itself."""
    try:
        from lmms_eval.tasks import plugins
    except ImportError:
        return False
    return getattr(plugins, "ENTRY_POINT_GROUP", None) == "lmms_eval.tasks"


def _search_task_folder() -> None:
    """Wrap lmms-eval's task search once, so that it also looks into our folder."""
    from lmms_eval.tasks import TaskManager

    search = TaskManager.initialize_tasks
    if getattr(search, "finds_humansense", False):
        return

    @functools.wraps(search)
    def initialize_tasks(
        self: Any, include_path: str | list[str] | None = None, include_defaults: bool = True
    ) -> dict[str, dict[str, Any]]:
        _adapt_runs()
        found: dict[str, dict[str, Any]] = search(self, include_path=include_path, include_defaults=include_defaults)
        if not include_defaults:
            return found
        ours = _our_tasks(self)
        included = search(self, include_path=include_path, include_defaults=False) if include_path else {}
        return {**found, **ours, **{name: task for name, task in included.items() if name in ours}}

    initialize_tasks.finds_humansense = True  # type: ignore[attr-defined]
    TaskManager.initialize_tasks = initialize_tasks


def _adapt_runs() -> None:
    _adapt("keep what a model tells of itself", keep_model_info)
    _adapt("keep answers", keep_answers)
    _adapt("watch runs", watch_runs)
    _install_source()


def _adapt(purpose: str, wrap: Callable[[], None]) -> None:
    """Change lmms-eval's behaviour, or say that this release of it cannot be changed."""
    try:
        wrap()
    except Exception as error:
        logger.warning("lmms-humansense cannot %s with this lmms-eval: %r", purpose, error)


def _install_source() -> None:
    """Have the tasks get their files from anywhere, or say that they only have their own simple ways."""
    try:
        from ..dataset.anywhere import install

        install()
    except Exception as error:
        logger.warning(
            "lmms-humansense reads its data from a local folder or a snapshot of the Hub only, as its other sources "
            "cannot be used: %r", error,
        )  # fmt: skip


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
