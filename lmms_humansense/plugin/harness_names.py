"""What the installed lmms-eval knows by name: tasks, models and options, read from its files without importing it.

To import lmms-eval takes many seconds, because it imports torch. The names are read from its source text instead, so
that a mistyped name is answered at once. What cannot be read this way in another release of lmms-eval is not known
(None), and then nothing is said about a name before lmms-eval itself is asked.
"""

import ast
import contextlib
import importlib.util
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

_KEY = re.compile(r"""^["']?(task|group|tag)["']?[ \t]*:[ \t]*(.*?)[ \t]*(?:[ \t]#.*)?$""", re.MULTILINE)
"""A key of a task's YAML file that gives it a name, with its value on the same line."""

_ITEM = re.compile(r"^[ \t]*-[ \t]+(.*?)[ \t]*(?:[ \t]#.*)?$")
"""A line of a list in such a file."""

_IGNORED = ("__pycache__", ".ipynb_checkpoints")
"""Folders in which lmms-eval looks for no tasks."""


@dataclass(frozen=True)
class Option:
    """An option of lmms-eval's command line.

    Attributes:
        names: How it may be written, such as ("--use_cache", "-c").
        takes_value: Whether a value follows.
        kind: What the value has to be: str, int or float.
        choices: The values that it takes; None for any.
    """

    names: tuple[str, ...]
    takes_value: bool = True
    kind: type = str
    choices: tuple[str, ...] | None = None


def folder() -> Path | None:
    """The folder of the installed lmms-eval; None if there is none."""
    with contextlib.suppress(ImportError, ValueError):
        found = importlib.util.find_spec("lmms_eval")
        if found is not None and found.submodule_search_locations:
            return Path(found.submodule_search_locations[0])
    return None


def names_in(folder: Path) -> Iterator[str]:
    """The names of the tasks, groups and tags that the YAML files of a folder define, as lmms-eval finds them.

    Args:
        folder: The folder, which is searched with the folders in it.

    Yields:
        The names, some more than once.
    """
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _IGNORED]
        for name in files:
            if name.endswith("yaml"):  # also templates, which may name the task of a file that includes them
                with contextlib.suppress(OSError):
                    yield from _names(Path(place, name).read_text(encoding="utf-8-sig", errors="replace"))


def _names(text: str) -> Iterator[str]:
    for found in _KEY.finditer(text):
        key, value = found.groups()
        if value and value[0] not in "[{":
            yield _bare(value)
        elif key != "task":  # the task of a group is a list of others' names
            items = value.strip("[]").split(",") if value else _items(text[found.end() + 1 :])
            yield from filter(None, map(_bare, items))


def _items(text: str) -> Iterator[str]:
    for line in text.splitlines():
        item = _ITEM.match(line)
        if item is None:
            return
        yield item[1]


def _bare(value: str) -> str:
    return value.strip().strip("\"'")


def known_tasks(index: Path, again: bool = False) -> frozenset[str] | None:
    """The names of lmms-eval's own tasks, groups and tags.

    They are kept in a file, because on a network's file system it takes long to read 2,000 small files.

    Args:
        index: The file that keeps them. It is written where it can be.
        again: Read the tasks' files even if the index is there.

    Returns:
        The names; None if lmms-eval is not installed or has no folder of tasks.
    """
    package = folder()
    if package is None or not (package / "tasks").is_dir():
        return None
    state = [_version(), str(package), (package / "tasks").stat().st_mtime]
    if not again:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(index.read_text(encoding="utf-8"))
            if kept["state"] == state:
                return frozenset(kept["names"])
    names = frozenset(names_in(package / "tasks"))
    with contextlib.suppress(OSError):
        index.parent.mkdir(parents=True, exist_ok=True)
        temporary = index.with_name(f"{index.name}.{os.getpid()}")
        temporary.write_text(json.dumps({"state": state, "names": sorted(names)}), encoding="utf-8")
        temporary.replace(index)
    return names


def _version() -> str:
    try:
        return metadata.version("lmms_eval")
    except metadata.PackageNotFoundError:
        return ""


def known_models() -> frozenset[str] | None:
    """The names of lmms-eval's own models, with their aliases; None if this release has them in another form."""
    tables = _literals("models/__init__.py", "AVAILABLE_SIMPLE_MODELS", "AVAILABLE_CHAT_TEMPLATE_MODELS")
    aliases = _literals("models/__init__.py", "MODEL_ALIASES").get("MODEL_ALIASES")
    if len(tables) < 2 or not isinstance(aliases, dict) or not all(isinstance(each, dict) for each in tables.values()):
        return None
    if not all(isinstance(each, list | tuple) for each in aliases.values()):
        return None
    return frozenset(
        {name for table in tables.values() for name in table} | {a for each in aliases.values() for a in each}
    )


def _literals(file: str, *names: str) -> dict[str, Any]:
    """The values of variables of a module that are literals, by name; none of a variable that gets something else."""
    found, others = {}, set()
    for node in getattr(_parsed(file), "body", []):
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name) and target.id in names and node.value is not None:
            try:
                found[target.id] = ast.literal_eval(node.value)
            except (ValueError, TypeError):
                others.add(target.id)
            if isinstance(node, ast.AugAssign):
                others.add(target.id)
    return {name: value for name, value in found.items() if name not in others}


def _parsed(file: str) -> ast.Module | None:
    package = folder()
    with contextlib.suppress(OSError, SyntaxError, ValueError):
        if package is not None:
            return ast.parse((package / file).read_text(encoding="utf-8"))
    return None


def known_options() -> tuple[Option, ...]:
    """The options of lmms-eval's command line.

    Returns:
        The options; none if this release defines them elsewhere, or one in a form that `Option` cannot describe.
    """
    tree = _parsed("__main__.py")
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)] if tree else []
    read = [_option(call) for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == _ADDS]
    options = tuple(option for option in read if option is not None)
    names = [name for option in options for name in option.names]
    return options if len(options) == len(read) and len(set(names)) == len(names) else ()


_ADDS = "add_argument"
"""The method that defines an option."""


def _option(call: ast.Call) -> Option | None:
    """The option that a call defines; None if `Option` cannot describe it."""
    names = _strings(call.args)
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    action = given.get("action", ast.Constant("store"))
    kind, choices = given.get("type"), given.get("choices")
    if not names or len(names) < len(call.args) or not all(name.startswith("-") for name in names):
        return None
    if None in given or "nargs" in given or not isinstance(action, ast.Constant):
        return None
    if action.value not in ("store", "store_true"):
        return None
    numbers = {"int": int, "float": float}
    listed = _strings(choices.elts) if isinstance(choices, ast.List | ast.Tuple) else ()
    return Option(
        names=names,
        takes_value=action.value == "store",
        kind=numbers.get(kind.id, str) if isinstance(kind, ast.Name) else str,
        choices=listed if isinstance(choices, ast.List | ast.Tuple) and len(listed) == len(choices.elts) else None,
    )


def _strings(nodes: list[ast.expr]) -> tuple[str, ...]:
    values = (node.value for node in nodes if isinstance(node, ast.Constant))
    return tuple(value for value in values if isinstance(value, str))
