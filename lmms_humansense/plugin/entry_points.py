"""The entry points of this package: through them lmms-eval finds its models and tasks.

lmms-eval has an entry point for models: it calls `register` while `lmms_eval.models` is imported, which every way of
starting lmms-eval does before it looks up tasks. An lmms-eval that also has an entry point for tasks calls `tasks` when
it looks them up. For an lmms-eval without one, `register` wraps the search for tasks.

Of several tasks of one name, this package's wins over lmms-eval's own, and one of `--include_path` wins over both. This
package's models win over lmms-eval's own too. So a newer package can be installed beside an older HumanSense that is
built into lmms-eval, and all tasks and models of a run are of one version.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .evaluation import CHANGES, wrap_once
from .forwarding import forward_warnings
from .names import MODELS

if TYPE_CHECKING:
    from lmms_eval.models.registry_v2 import ModelManifest

logger = logging.getLogger(__name__)

Tasks = dict[str, dict[str, Any]]
"""What lmms-eval's search finds, by the name of the task or group."""


def task_folder() -> Path:
    """The folder that holds the task YAML files."""
    return Path(str(files("lmms_humansense.tasks"))).resolve()


def register() -> "list[ModelManifest]":
    """Make lmms-eval find the tasks, and return the manifests of the models.

    Returns:
        A manifest for each model. Never raises: if the installation of this package is broken, it logs one warning and
        returns no model, and the tasks and models of others still work.
    """
    try:
        from lmms_eval.models.registry_v2 import ModelManifest

        if not _asks_for_tasks():
            wrap_once("lmms_eval.tasks:TaskManager", "initialize_tasks", _initialize_tasks)
        _list_models()
        return [ModelManifest(model_id=name, chat_class_path=path) for name, path in MODELS.items()]
    except Exception as error:
        logger.warning("lmms-humansense is installed but cannot be used, its tasks and models are missing: %s", error)
        return []


def tasks() -> Path:
    """The folder that holds the task YAML files, for an lmms-eval that asks for it when it looks up tasks."""
    _adapt_runs()
    return task_folder()


def _list_models() -> None:
    """Add the models to the table that `lmms-eval models` prints, which is not the registry."""
    from lmms_eval import models  # while it is imported: the table is there, and the registry has been made of it

    table = getattr(models, "AVAILABLE_CHAT_TEMPLATE_MODELS", None)
    if isinstance(table, dict):
        table.update(MODELS)


def _asks_for_tasks() -> bool:
    """Whether this lmms-eval has entry points for tasks, and so calls `tasks` by itself."""
    try:
        from lmms_eval.tasks import plugins
    except ImportError:
        return False
    return getattr(plugins, "ENTRY_POINT_GROUP", None) == "lmms_eval.tasks"


def _initialize_tasks(
    search: Callable[..., Tasks],
    manager: Any,
    include_path: str | list[str] | None = None,
    include_defaults: bool = True,
) -> Tasks:
    """Search for tasks as lmms-eval does, and in our folder as well."""
    _adapt_runs()
    found = search(manager, include_path=include_path, include_defaults=include_defaults)
    if not include_defaults:
        return found
    ours = _our_tasks(manager)
    included = search(manager, include_path=include_path, include_defaults=False) if include_path else {}
    return {**found, **ours, **{name: task for name, task in included.items() if name in ours}}


def _adapt_runs() -> None:
    forward_warnings()
    for change in CHANGES:
        _adapt(*change)
    _install_source()


def _adapt(purpose: str, owner: str, name: str, wrapper: Callable[..., Any]) -> None:
    """Change one function of lmms-eval, or warn that this release of it cannot be changed."""
    try:
        wrap_once(owner, name, wrapper)
    except Exception as error:
        logger.warning("lmms-humansense cannot %s with this lmms-eval: %r", purpose, error)


def _install_source() -> None:
    """Let the tasks get their files from anywhere, or warn that they can only use their own simple ways."""
    try:
        from ..dataset.anywhere import install

        install()
    except Exception as error:
        logger.warning(
            "lmms-humansense reads its data from a local folder or a snapshot of the Hub only, because its other "
            "sources cannot be used: %r", error,
        )  # fmt: skip


def _our_tasks(manager: Any) -> Tasks:
    try:
        with _templates_read_once():
            return dict(manager._get_task_and_group(str(task_folder())))
    except Exception as error:
        logger.warning("the tasks of lmms-humansense cannot be read and are left out: %s", error)
        return {}


@contextlib.contextmanager
def _templates_read_once() -> Iterator[None]:
    """Within the block, lmms-eval reads each YAML file once, instead of once for each task that includes it.

    Reading takes a fifth of the time this way, at every start of lmms-eval.
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
