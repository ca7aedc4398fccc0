"""Write the tables of arguments and options in docs/ from the code, between the marks that stand there.

    python scripts/argument_tables.py            # --check: change nothing; status 1 if a page is not up to date

The arguments of models come from the settings in `models/`: names, types and defaults of their fields, and what the
docstrings say under `Attributes`. The options of commands come from `lmms_humansense/cli.py`.
"""

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotated_types import Ge, Gt
from pydantic.fields import FieldInfo

from lmms_humansense.cli import app
from lmms_humansense.models.endpoint.settings import EndpointSettings
from lmms_humansense.models.local.settings import CheckpointSettings, LocalSettings
from lmms_humansense.models.runtime.settings import RunSettings
from lmms_humansense.models.vllm.settings import VllmSettings

ROOT = Path(__file__).resolve().parent.parent
HEAD = ("| argument | what it is | values | default |", "|---|---|---|---|")
PAGES = {
    "engine": "vllm.md",
    "media": "serving.md#what-servers-accept",
    "media_cache": "media.md#decoded-once-media_cache",
    "senses": "serving.md#deaf-and-blind-servers",
    "time_axis": "local.md#time-axis",
    "video_reader": "media.md#which-frames-video_reader",
    "vllm_mends": "vllm.md#vllms-faults",
}
"""Pages that say more about an argument."""

NO_VALUE = "–"


def main(check: bool = False) -> None:
    """Write the tables, or only say which pages are not up to date."""
    stale = [page for page in tables() if (text := page.read_text(encoding="utf-8")) != updated(page, text)]
    for page in stale:
        if not check:
            page.write_text(updated(page, page.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"{page.relative_to(ROOT)}: {'not up to date' if check else 'written'}")
    raise typer.Exit(int(check and bool(stale)))


def tables() -> Mapping[Path, Mapping[str, Callable[[], list[str]]]]:
    """The pages that have tables; for each, the lines of a table by its name in the mark."""
    docs = ROOT / "docs"
    return {
        docs / "local.md": {"humansense_omni": lambda: arguments(LocalSettings, CheckpointSettings)},
        docs / "vllm.md": {"engine=vllm": lambda: arguments(VllmSettings, shared="local.md")},
        docs / "serving.md": {"humansense_server": lambda: arguments(EndpointSettings, shared="local.md")},
        docs / "commands.md": {"commands": commands},
    }


def updated(page: Path, text: str) -> str:
    """Replace the tables of a page.

    Args:
        page: The page, one of `tables`.
        text: What stands there.

    Returns:
        The page with the tables as they should be.

    Raises:
        ValueError: The page lacks a mark.
    """
    for name, lines in tables()[page].items():
        start, end = f"<!-- arguments: {name} (scripts/argument_tables.py) -->\n", "<!-- end -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{page} has no lines {start.strip()!r} and {end!r} behind it.")
        table = "\n".join(lines()).replace(f" [More]({page.name})", "").replace(f"]({page.name}#", "](#")
        text = f"{before}{start}{table}\n{end}{after}"
    return text


def arguments(kind: type[RunSettings], *more: type[RunSettings], shared: str = "") -> list[str]:
    """The table of a model's arguments: required ones first, those that all models have last.

    Args:
        kind: The class of the settings.
        more: Bases of it whose arguments the table shows as well.
        shared: The page that has the arguments that all models have; with it, they are only named, in the last row.

    Returns:
        The lines.
    """
    meant, types = meanings(kind), get_type_hints(kind, include_extras=True)
    common = {one.name for one in fields(RunSettings)}
    classes = (kind, *more)
    special = {name for one in classes for name in vars(one)["__annotations__"]} - common
    own = [one for one in fields(kind) if one.name in special]
    shown = sorted(own, key=lambda one: _is_optional(one)) + ([] if shared else list(_common_fields()))
    rows = [row(one.name, meant[one.name], types[one.name], _default(one)) for one in shown]
    if issubclass(kind, CheckpointSettings):
        rows.insert(0 if shared else 1, row("engine", _engine(), Literal["local", "vllm"], "`local`"))
    if shared:
        names = ", ".join(f"`{one.name}`" for one in _common_fields())
        rows.append(f"| {names} | as for `humansense_omni` ([{shared}]({shared})) | | |")
    return [*HEAD, *rows]


def _engine() -> str:
    """What the model says about the one argument that is no setting, because it decides which settings there are."""
    source = (ROOT / "models" / "omni.py").read_text(encoding="utf-8")  # to import it would import torch
    (model,) = (one for one in ast.parse(source).body if isinstance(one, ast.ClassDef))
    (said,) = re.findall(r"(?m)^    engine: (.*)$", ast.get_docstring(model) or "")
    return str(said)


def _common_fields() -> Iterable[Field[Any]]:
    """The settings that every model has; those of media last."""
    return sorted(fields(RunSettings), key=lambda one: one.name not in vars(RunSettings)["__annotations__"])


def meanings(kind: type) -> dict[str, str]:
    """What the docstrings of a class and of its bases say about their attributes, by name."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        _, _, section = (inspect.getdoc(one) or "" if one.__doc__ else "").partition("Attributes:\n")
        for match in re.finditer(r"(?m)^    (\w+): (.*(?:\n     .*)*)", section):
            found[match[1]] = " ".join(match[2].split())
    return found


def row(name: str, meaning: str, kind: Any, default: Any) -> str:
    """The row of an argument."""
    shown = "any of vLLM's" if name == "engine_args" else f"`{name}`"
    meaning = re.sub(r'"([\w-]+)"', r"`\1`", meaning)
    if name in PAGES:
        meaning = f"{meaning} [More]({PAGES[name]})"
    return f"| {shown} | {meaning} | {values(kind)} | {default} |"


def values(kind: Any) -> str:
    """The values of a type, in words."""
    if get_origin(kind) in (Union, UnionType):
        kinds = [one for one in get_args(kind) if one is not NoneType]
        return "number" if kinds == [int, float] else values(kinds[0])
    if get_origin(kind) is Annotated:
        return f"{values(get_args(kind)[0])}{_bounds(get_args(kind)[1:])}"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(kind))
    if get_origin(kind) is list:
        return f"{values(get_args(kind)[0])}, one or more"
    return {int: "whole number", float: "number", str: "text", Path: "path", bool: ""}.get(kind, "")


def _bounds(metadata: Iterable[Any]) -> str:
    """What is said about the smallest value."""
    flat = [part for one in metadata for part in (one.metadata if isinstance(one, FieldInfo) else [one])]
    for one in flat:
        if isinstance(one, Gt):
            return f" above {one.gt}"
        if isinstance(one, Ge):
            return f", {one.ge} or more"
    return ""


def _is_optional(one: Field[Any]) -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


def _default(one: Field[Any]) -> str:
    if not _is_optional(one):
        return "(required)"
    return NO_VALUE if one.default in (None, MISSING) else _shown(one.default)


def _shown(value: Any) -> str:
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def commands() -> list[str]:
    """A section for each command: what it does, its options, and an example."""
    group: Any = typer.main.get_command(app)
    lines: list[str] = []
    for (name, command), registered in zip(group.commands.items(), app.registered_commands, strict=True):
        assert registered.callback is not None
        types = get_type_hints(registered.callback)
        lines += ["", f"## {name}", "", *_marked(inspect.cleandoc(command.help)).splitlines()]
        rows = [option(one, types[one.name]) for one in command.params if one.name != "help"]
        if rows:
            lines += ["", "| option | what it is | values | default |", "|---|---|---|---|", *rows]
        examples = [one.partition(": ")[2] for one in (command.epilog or "").splitlines() if one]
        lines += ["", "```bash", *examples, "```"]
    return [*lines, ""]


def option(one: Any, kind: Any) -> str:
    """The row of an option or argument of a command, as typer has it."""
    is_argument = not one.opts[0].startswith("-")
    name = one.name.upper() if is_argument else one.opts[-1]
    has_default = one.default not in (None, "") and one.default is not False
    default = _shown(one.default) if has_default else "(required)" if one.required else NO_VALUE
    shown = f"`{one.metavar}`" if one.metavar else values(kind)
    return f"| `{name}` | {_marked(one.help)} | {shown} | {default} |"


def _marked(text: str) -> str:
    """A help text, with what Markdown would take for HTML, and options, as code."""
    return re.sub(r"(?<![\w`-])(--[\w-]*\w|\S*<\w+>[\w.…]*)", r"`\1`", text)


if __name__ == "__main__":
    main.__doc__ = __doc__
    typer.run(main)
