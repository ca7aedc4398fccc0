"""Changes to the text of single files: each from a text to a text, and none to one that has it already.

What is replaced is recognised by its syntax, so that neither lmms-eval's formatter nor its neighbours matter, and where
more than a line goes, by a digest: code that has changed since is refused, and never overwritten unseen.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from .errors import missing


@dataclass(frozen=True)
class Edit:
    """A change to the file at `path` in a checkout. `make` takes its text, and raises UpstreamError."""

    path: str
    make: Callable[[str], str]


def table_entry(path: str, table: str, key: str, value: str) -> Edit:
    """A string under a string key, at the end of a dict of the module."""

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
    """An import of the package's own, where isort puts it: after those that sort before it."""

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
    """Another body of a function or method, after its docstring; of digests of it that are `known` only."""

    def make(text: str) -> str:
        found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef) and node.name == name]
        if len(found) != 1:
            raise missing(path, f"no one function {name}")
        old = found[0].body[1:] if ast.get_docstring(found[0]) is not None else found[0].body
        if digest(old) == digest(ast.parse(body).body):
            return text
        if digest(old) not in known:
            raise missing(path, f"another {name} than those that were known")
        indent = " " * old[0].col_offset
        new = "".join(f"{indent}{line}".rstrip() + "\n" for line in body.strip("\n").splitlines())
        return _replaced(text, old[0].lineno, old[-1].end_lineno or 0, new)

    return Edit(path, make)


def statement_left_out(path: str, holding: str, known: frozenset[str]) -> Edit:
    """Without the `if` whose condition holds a text, if its digest is `known`, and the imports that only it used."""

    def make(text: str) -> str:
        found = [
            node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.If) and holding in ast.unparse(node.test)
        ]
        if not found:
            return text
        if len(found) > 1 or digest([found[0]]) not in known:
            raise missing(path, f"another use of {holding} than those that were known")
        start, end = found[0].lineno, found[0].end_lineno or 0
        following = text.splitlines()[end : end + 1]
        left = _replaced(text, start, end + (following == [""]), "")
        return _without_unused(left, {node.id for node in ast.walk(found[0]) if isinstance(node, ast.Name)})

    return Edit(path, make)


def call(path: str, first: str, new: str, known: frozenset[str]) -> Edit:
    """Another call in the place of the one whose first argument is the text `first`; of the keywords `known` only."""

    def make(text: str) -> str:
        found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and _first(node) == first]
        if len(found) != 1:
            raise missing(path, f"no one call with {first!r}")
        old, wanted = found[0], ast.parse(new, mode="eval").body
        if ast.dump(old) == ast.dump(wanted):
            return text
        if {keyword.arg for keyword in old.keywords} != known:
            raise missing(path, f"another call with {first!r} than those that were known")
        indent = " " * old.col_offset
        lines = new.strip("\n").splitlines()
        return _replaced(text, old.lineno, old.end_lineno or 0, "".join(f"{indent}{line}\n" for line in lines))

    return Edit(path, make)


def text(path: str, old: str, new: str) -> Edit:
    """A text in the place of one that is there once."""

    def make(content: str) -> str:
        if new in content:
            return content
        if content.count(old) != 1:
            raise missing(path, f"not exactly one {old!r}")
        return content.replace(old, new)

    return Edit(path, make)


def line(path: str, start: str, new: str) -> Edit:
    """A line in the place of the one that begins with `start`."""

    def make(content: str) -> str:
        found = [each for each in content.splitlines() if each.startswith(start)]
        if len(found) != 1:
            raise missing(path, f"no one line that begins with {start!r}")
        return content.replace(found[0], new)

    return Edit(path, make)


def before_line(path: str, following: str, block: str) -> Edit:
    """A block of lines before a line."""

    def make(content: str) -> str:
        if block in content:
            return content
        if content.splitlines().count(following) != 1:
            raise missing(path, f"no one line {following!r}")
        return re.sub(rf"^{re.escape(following)}$", lambda _: f"{block}{following}", content, flags=re.MULTILINE)

    return Edit(path, make)


def bullet(path: str, heading: str, new: str) -> Edit:
    """An item in the list below the heading that ends so, before the first that sorts after it."""

    def make(content: str) -> str:
        if new in content:
            return content
        lines = content.splitlines()
        items = _below(lines, heading, "- ", path)
        after = [number for number in items if _label(lines[number]) > _label(new)]
        place = after[0] if after else _end_of(lines, items[-1])
        return _inserted(content, place, new)

    return Edit(path, make)


def row(path: str, heading: str, new: str) -> Edit:
    """A row at the end of the table below the heading that ends so."""

    def make(content: str) -> str:
        if new in content:
            return content
        rows = _below(content.splitlines(), heading, "|", path)
        return _inserted(content, rows[-1] + 1, new)

    return Edit(path, make)


def change_told(path: str, kind: str, new: str) -> Edit:
    """An item of a changelog, of what is not released, below `### kind`; headings are added where there are none."""
    unreleased = "## Unreleased"

    def make(content: str) -> str:
        if new in content:
            return content
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

    return Edit(path, make)


def digest(nodes: list[ast.stmt]) -> str:
    """What tells code from other code, whatever its format: the first 16 characters of a SHA-256."""
    return sha256("\n".join(ast.unparse(node) for node in nodes).encode()).hexdigest()[:16]


def _inserted(text: str, after: int, new: str) -> str:
    """New lines after so many."""
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:after], f"{new}\n", *lines[after:]])


def _replaced(text: str, first: int, last: int, new: str) -> str:
    """A text in the place of the lines `first` to `last`, counted from 1."""
    lines = text.splitlines(keepends=True)
    return "".join([*lines[: first - 1], new, *lines[last:]])


def _without_unused(text: str, names: set[str]) -> str:
    """Without the imports of modules of these names that nothing uses."""
    tree = ast.parse(text)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in reversed(tree.body):
        if isinstance(node, ast.Import) and len(node.names) == 1 and node.names[0].name in names - used:
            text = _replaced(text, node.lineno, node.end_lineno or 0, "")
    return text


def _names(node: ast.stmt) -> list[str]:
    """The names that a statement assigns to."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _is_own(module: str | None) -> bool:
    return str(module).partition(".")[0] == "lmms_eval"


def _first(node: ast.Call) -> object:
    return _text(node.args[0]) if node.args else None


def _text(node: ast.expr | None) -> object:
    """The value of a constant."""
    return node.value if isinstance(node, ast.Constant) else None


def _below(lines: list[str], heading: str, mark: str, path: str) -> list[int]:
    """The lines that begin with a mark, between the heading that ends so and the next."""
    found = [number for number, each in enumerate(lines) if each.startswith("#") and each.endswith(heading)]
    if len(found) != 1:
        raise missing(path, f"no one heading {heading!r}")
    start = found[0] + 1
    end = next((number for number in range(start, len(lines)) if lines[number].startswith("#")), len(lines))
    marked = [number for number in range(start, end) if lines[number].startswith(mark)]
    if not marked:
        raise missing(path, f"no line with {mark!r} below {heading!r}")
    return marked


def _label(item: str) -> str:
    return re.sub(r"[^\w ]", "", item).strip().lower()


def _end_of(lines: list[str], item: int) -> int:
    """The line after an item and what is indented below it."""
    return next((n for n in range(item + 1, len(lines)) if not lines[n].startswith((" ", "\t"))), len(lines))
