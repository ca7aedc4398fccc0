"""Docstrings of public functions have the sections that a caller needs; ruff checks their form."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FOLDERS = ("models", "tasks", "lmms_humansense", "upstream/exporter")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if not any(parent.is_symlink() for parent in path.parents)]


def public_functions(body: list[ast.stmt]) -> Iterator[Function]:
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        elif isinstance(node, Function) and not node.name.startswith("_"):
            yield node


def missing_sections(function: Function) -> list[str]:
    """The sections that a public function needs and its docstring lacks."""
    docstring = ast.get_docstring(function) or ""
    given = function.args
    if re.search(r"(?:See|as) `", docstring.partition("\n")[0]) or "typer." in ast.unparse(given):
        return []  # an override that means what its base means, or the help text of a command
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs) if one.arg not in ("self", "cls")]
    decorators = " ".join(ast.unparse(one) for one in function.decorator_list)
    returns = "None" if function.returns is None else ast.unparse(function.returns)
    # A sentence that names every argument, or what is raised, is enough.
    lacking = {
        "Args": len(names) > 1 and "Args:" not in docstring and not all(f"`{name}`" in docstring for name in names),
        "Returns": "Args:" in docstring and returns != "None" and "contextmanager" not in decorators
        and not re.search("Returns:|Yields:", docstring),
        "Raises": any(isinstance(node, ast.Raise) and node.exc for node in own_nodes(function))
        and not re.search("[Rr]aises", docstring),
    }  # fmt: skip
    return [section for section, is_lacking in lacking.items() if is_lacking]


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Everything in the body of a function but functions within it, and what it catches itself."""
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop()
        yield node
        if isinstance(node, ast.Try) and node.handlers:
            left += [*node.handlers, *node.orelse, *node.finalbody]
        elif not isinstance(node, Function | ast.Lambda):
            left += ast.iter_child_nodes(node)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_say_what_they_take_return_and_raise(path: Path) -> None:
    functions = public_functions(ast.parse(path.read_text(encoding="utf-8")).body)
    lacking = {one.name: sections for one in functions if (sections := missing_sections(one))}
    assert lacking == {}
