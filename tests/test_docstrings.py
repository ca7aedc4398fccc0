"""Docstrings of public functions have the sections that a caller needs; ruff checks their form."""

import ast
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
    if "See `" in docstring.partition("\n")[0] or "typer." in ast.unparse(given):
        return []  # an override that means what its base means, or the help text of a command
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs) if one.arg not in ("self", "cls")]
    decorators = " ".join(ast.unparse(one) for one in function.decorator_list)
    returns = "None" if function.returns is None else ast.unparse(function.returns)
    needed = {
        # A sentence that names every argument is enough.
        "Args:": len(names) > 1 and not all(f"`{name}`" in docstring for name in names),
        "aises": any(isinstance(node, ast.Raise) and node.exc is not None for node in own_nodes(function)),
    }
    needed["Returns:"] = "Args:" in docstring and returns != "None" and "contextmanager" not in decorators
    docstring = docstring.replace("Yields:", "Returns:")
    return [section for section, is_needed in needed.items() if is_needed and section not in docstring]


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Everything in the body of a function but what stands in functions within it."""
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            left += ast.iter_child_nodes(node)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_say_what_they_take_return_and_raise(path: Path) -> None:
    functions = public_functions(ast.parse(path.read_text(encoding="utf-8")).body)
    lacking = {one.name: sections for one in functions if (sections := missing_sections(one))}
    assert lacking == {}
