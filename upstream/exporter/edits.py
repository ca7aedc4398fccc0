"""Edits of single files. Each makes a new text of a file's text, and does not change a text that has the edit already.

An edit finds its place by the syntax, so that neither lmms-eval's formatter nor the code around it matter. If it
replaces more than a line, it compares a digest: code that has changed since is refused, and never overwritten unseen.
"""

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from .errors import missing

Found = TypeVar("Found")


@dataclass(frozen=True)
class Edit:
    """An edit of the file at `path` in a checkout. `make` returns the new text, or raises UpstreamError."""

    path: str
    make: Callable[[str], str]


def table_entry(path: str, table: str, key: str, value: str) -> Edit:
    """Adds a string under a string key at the end of a dict of the module.

    Args:
        path: A Python file of lmms-eval.
        table: The name of the dict.
        key: The new key.
        value: The new value.

    Returns:
        The edit, which refuses a dict that has another value under the key.
    """

    def make(text: str) -> str:
        found = next((node for node in ast.parse(text).body if _names(node) == [table]), None)
        entries = found.value if isinstance(found, ast.Assign | ast.AnnAssign) else None
        if not isinstance(entries, ast.Dict) or not entries.values:
            raise missing(path, f"no table {table} with entries")
        known = {_text(name): _text(entry) for name, entry in zip(entries.keys, entries.values, strict=True)}
        if known.get(key, value) != value:
            raise missing(path, f"another {key} in {table}")
        if key in known:
            return text
        return _inserted(text, entries.values[-1].end_lineno or 0, f'    "{key}": "{value}",')

    return Edit(path, make)


def imported(path: str, line: str) -> Edit:
    """Adds an import of lmms_eval where isort puts it: after those that sort before it.

    Args:
        path: A Python file of lmms-eval.
        line: The import statement.

    Returns:
        The edit.
    """

    def make(text: str) -> str:
        (wanted,) = ast.parse(line).body
        own = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom) and _is_own(node.module)]
        if any(ast.dump(node) == ast.dump(wanted) for node in own):
            return text
        assert isinstance(wanted, ast.ImportFrom)
        before = [node for node in own if str(node.module) < str(wanted.module)]
        if not before:
            raise missing(path, "no import of lmms_eval after which another could stand")
        return _inserted(text, before[-1].end_lineno or 0, line)

    return Edit(path, make)


def function_body(path: str, name: str, body: str, known: frozenset[str]) -> Edit:
    """Replaces the body of a function or method after its docstring.

    Args:
        path: A Python file of lmms-eval.
        name: The name of the function, which must be unique in the file.
        body: The new statements, without indentation.
        known: Digests of the bodies that may be replaced.

    Returns:
        The edit.
    """

    def make(text: str) -> str:
        found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef) and node.name == name]
        function = _only(found, path, f"function {name}")
        old = function.body[1:] if ast.get_docstring(function) is not None else function.body
        if digest(old) == digest(ast.parse(body).body):
            return text
        if digest(old) not in known:
            raise missing(path, f"an unknown version of {name}")
        indent = " " * old[0].col_offset
        new = "".join(f"{indent}{line}".rstrip() + "\n" for line in body.strip("\n").splitlines())
        return _replaced(text, old[0].lineno, old[-1].end_lineno or 0, new)

    return Edit(path, make)


def statement_left_out(path: str, holding: str, known: frozenset[str]) -> Edit:
    """Removes an `if` statement, and the imports that only it used.

    Args:
        path: A Python file of lmms-eval.
        holding: A text in the condition of the statement.
        known: Digests of the statements that may be removed.

    Returns:
        The edit.
    """

    def make(text: str) -> str:
        found = [
            node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.If) and holding in ast.unparse(node.test)
        ]
        if not found:
            return text
        if len(found) > 1 or digest([found[0]]) not in known:
            raise missing(path, f"an unknown use of {holding}")
        start, end = found[0].lineno, found[0].end_lineno or 0
        following = text.splitlines()[end : end + 1]
        left = _replaced(text, start, end + (following == [""]), "")
        return _without_unused(left, {node.id for node in ast.walk(found[0]) if isinstance(node, ast.Name)})

    return Edit(path, make)


def call(path: str, first: str, new: str, known: frozenset[str]) -> Edit:
    """Replaces a call.

    Args:
        path: A Python file of lmms-eval.
        first: The first argument of the call, a text.
        new: The new call.
        known: The keywords that the old call must have.

    Returns:
        The edit.
    """

    def make(text: str) -> str:
        found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and _first(node) == first]
        old, wanted = _only(found, path, f"call with {first!r}"), ast.parse(new, mode="eval").body
        if ast.dump(old) == ast.dump(wanted):
            return text
        if {keyword.arg for keyword in old.keywords} != known:
            raise missing(path, f"an unknown call with {first!r}")
        indent = " " * old.col_offset
        lines = new.strip("\n").splitlines()
        return _replaced(text, old.lineno, old.end_lineno or 0, "".join(f"{indent}{line}\n" for line in lines))

    return Edit(path, make)


def text(path: str, old: str, new: str) -> Edit:
    """Replaces a text.

    Args:
        path: A file of lmms-eval.
        old: A text that the file has once.
        new: The new text.

    Returns:
        The edit.
    """

    def make(content: str) -> str:
        if content.count(old) != 1:
            raise missing(path, f"not exactly one {old!r}")
        return content.replace(old, new)

    return _addition(path, new, make)


def line(path: str, start: str, new: str) -> Edit:
    """Replaces a line.

    Args:
        path: A file of lmms-eval.
        start: The beginning of the old line, and of no other.
        new: The new line.

    Returns:
        The edit.
    """

    def make(content: str) -> str:
        found = [each for each in content.splitlines() if each.startswith(start)]
        return content.replace(_only(found, path, f"line that begins with {start!r}"), new)

    return Edit(path, make)


def before_line(path: str, following: str, block: str) -> Edit:
    """Adds a block of lines before a line.

    Args:
        path: A file of lmms-eval.
        following: A line that the file has once.
        block: The new lines, with line ends.

    Returns:
        The edit.
    """

    def make(content: str) -> str:
        found = [number for number, each in enumerate(content.splitlines()) if each == following]
        return _inserted(content, _only(found, path, f"line {following!r}"), block.removesuffix("\n"))

    return _addition(path, block, make)


def bullet(path: str, heading: str, new: str) -> Edit:
    """Adds an item to a sorted list, before the first item that sorts after it.

    Args:
        path: A Markdown file of lmms-eval.
        heading: The end of the heading above the list.
        new: The item, with its "- ".

    Returns:
        The edit.
    """

    def make(content: str) -> str:
        lines = content.splitlines()
        items = _below(lines, heading, "- ", path)
        after = [number for number in items if _label(lines[number]) > _label(new)]
        place = after[0] if after else _end_of(lines, items[-1])
        return _inserted(content, place, new)

    return _addition(path, new, make)


def row(path: str, heading: str, new: str) -> Edit:
    """Adds a row at the end of a table.

    Args:
        path: A Markdown file of lmms-eval.
        heading: The end of the heading above the table.
        new: The row.

    Returns:
        The edit.
    """

    def make(content: str) -> str:
        rows = _below(content.splitlines(), heading, "|", path)
        return _inserted(content, rows[-1] + 1, new)

    return _addition(path, new, make)


def changelog_item(path: str, kind: str, new: str) -> Edit:
    """Adds an item to the unreleased changes of a changelog; missing headings are added too.

    Args:
        path: The changelog of lmms-eval.
        kind: The heading of the third level above the item.
        new: The item, with its "- ".

    Returns:
        The edit.
    """
    unreleased = "## Unreleased"

    def make(content: str) -> str:
        lines = content.splitlines()
        releases = [number for number, each in enumerate(lines) if each.startswith("## ")]
        if not releases:
            raise missing(path, "no release")
        if lines[releases[0]] != unreleased:
            return _inserted(content, releases[0], f"{unreleased}\n\n### {kind}\n\n{new}\n")
        end = releases[1] if len(releases) > 1 else len(lines)
        if f"### {kind}" not in lines[:end]:
            return _inserted(content, end, f"### {kind}\n\n{new}\n")
        items = [number for number in range(lines.index(f"### {kind}") + 1, end) if lines[number].startswith("- ")]
        return _inserted(content, (items[0] if items else end), new)

    return _addition(path, new, make)


def digest(nodes: list[ast.stmt]) -> str:
    """The digest of statements, whatever their format: the first 16 characters of a SHA-256."""
    return sha256("\n".join(ast.unparse(node) for node in nodes).encode()).hexdigest()[:16]


def _only(found: Sequence[Found], path: str, what: str) -> Found:
    """The only place that was found in a file; none and several are refused."""
    if len(found) != 1:
        raise missing(path, f"not exactly one {what}")
    return found[0]


def _addition(path: str, new: str, make: Callable[[str], str]) -> Edit:
    """An edit that does not change a text that has `new` already."""
    return Edit(path, lambda content: content if new in content else make(content))


def _inserted(text: str, after: int, new: str) -> str:
    """The text with new lines after its first `after` lines."""
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:after], f"{new}\n", *lines[after:]])


def _replaced(text: str, first: int, last: int, new: str) -> str:
    """The text with `new` instead of the lines `first` to `last`, counted from 1."""
    lines = text.splitlines(keepends=True)
    return "".join([*lines[: first - 1], new, *lines[last:]])


def _without_unused(text: str, names: set[str]) -> str:
    """The text without the imports of modules of these names, if the text does not use them."""
    tree = ast.parse(text)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in reversed(tree.body):
        if isinstance(node, ast.Import) and len(node.names) == 1 and node.names[0].name in names - used:
            text = _replaced(text, node.lineno, node.end_lineno or 0, "")
    return text


def _names(node: ast.stmt) -> list[str]:
    """The names to which a statement assigns."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _is_own(module: str | None) -> bool:
    return str(module).partition(".")[0] == "lmms_eval"


def _first(node: ast.Call) -> object:
    return _text(node.args[0]) if node.args else None


def _text(node: ast.expr | None) -> object:
    """The value of a constant, else None."""
    return node.value if isinstance(node, ast.Constant) else None


def _below(lines: list[str], heading: str, mark: str, path: str) -> list[int]:
    """The numbers of the lines that begin with a mark, between the heading that ends with `heading` and the next."""
    found = [number for number, each in enumerate(lines) if each.startswith("#") and each.endswith(heading)]
    start = _only(found, path, f"heading {heading!r}") + 1
    end = next((number for number in range(start, len(lines)) if lines[number].startswith("#")), len(lines))
    marked = [number for number in range(start, end) if lines[number].startswith(mark)]
    if not marked:
        raise missing(path, f"no line with {mark!r} below {heading!r}")
    return marked


def _label(item: str) -> str:
    return re.sub(r"[^\w ]", "", item).strip().lower()


def _end_of(lines: list[str], item: int) -> int:
    """The number of the line after an item and the indented lines below it."""
    return next((n for n in range(item + 1, len(lines)) if not lines[n].startswith((" ", "\t"))), len(lines))
