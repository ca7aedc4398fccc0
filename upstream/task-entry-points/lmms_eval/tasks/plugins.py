"""Task folders of other packages: the entry points `lmms_eval.tasks`, and the packages that LMMS_EVAL_PLUGINS names."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from loguru import logger as eval_logger

ENTRY_POINT_GROUP = "lmms_eval.tasks"


def plugin_task_folders() -> list[str]:
    """The task folders of plugins, each once, in the order in which they are searched.

    An entry point may name a module or package (its folder is used), a path, several of these, or a callable that
    returns such. If a plugin cannot be used, a warning is logged and only its own tasks are left out.
    """
    sources: list[tuple[str, Callable[[], object]]] = [
        (f"LMMS_EVAL_PLUGINS={package}", _tasks_of(package)) for package in _named_packages()
    ]
    sources += [
        (f"entry point {entry.name} = {entry.value}", entry.load)
        for entry in sorted(entry_points(group=ENTRY_POINT_GROUP))
    ]
    folders: dict[str, None] = {}
    for source, load in sources:
        try:
            folders.update(dict.fromkeys(_folders(load())))
        except Exception as error:
            eval_logger.warning(f"The tasks of a plugin are left out ({source}): {type(error).__name__}: {error}")
    return list(folders)


def _named_packages() -> list[str]:
    named = os.environ.get("LMMS_EVAL_PLUGINS", "").split(",")
    return [package.strip() for package in named if package.strip()]


def _tasks_of(package: str) -> Callable[[], object]:
    """Finds the folder of `<package>.tasks` without importing it; there is none if the package has only models."""

    def folders() -> list[str]:
        found = importlib.util.find_spec(f"{package}.tasks")
        return list(found.submodule_search_locations or []) if found else []

    return folders


def _folders(payload: object) -> Iterator[str]:
    if callable(payload):
        payload = payload()
    if isinstance(payload, ModuleType):
        payload = _folders_of_module(payload)
    if isinstance(payload, (str, os.PathLike)):
        folder = Path(payload)
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is not a folder")
        yield str(folder.resolve())
    elif isinstance(payload, Iterable):
        for each in payload:
            yield from _folders(each)
    else:
        raise TypeError(
            f"a module, a path, several of these or a callable that returns them is wanted, not {type(payload).__name__}"
        )


def _folders_of_module(module: ModuleType) -> list[str]:
    if hasattr(module, "__path__"):
        return list(module.__path__)
    if module.__file__ is None:
        raise TypeError(f"the module {module.__name__} has no folder")
    return [str(Path(module.__file__).parent)]
