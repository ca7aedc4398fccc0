"""The source text of installed packages, which is read where importing them would take many seconds."""

import ast
import contextlib
import importlib.util
from pathlib import Path


def source_of(package: str, file: str) -> str:
    """The source text of a module of an installed package, which is not imported.

    Args:
        package: The package.
        file: The path of the module in it.

    Returns:
        The text; "" if there is no such file.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):
        found = importlib.util.find_spec(package)
        if found is not None and found.submodule_search_locations:
            return Path(found.submodule_search_locations[0], file).read_text(encoding="utf-8")
    return ""


def fields_in(source: str, name: str, inherits: bool) -> frozenset[str] | None:
    """The annotated fields of a class.

    Args:
        source: The source text of its module.
        name: The name of the class.
        inherits: Whether the class may have bases, whose fields are not read.

    Returns:
        The names of the fields; None if there is no such class.
    """
    with contextlib.suppress(SyntaxError, ValueError):
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef) and node.name == name and (inherits or not node.bases):
                fields = (line.target for line in node.body if isinstance(line, ast.AnnAssign))
                return frozenset(target.id for target in fields if isinstance(target, ast.Name))
    return None
