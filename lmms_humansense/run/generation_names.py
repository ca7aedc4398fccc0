"""The arguments of generation that there are, read from the source text of the libraries that define them."""

import ast
import contextlib
import importlib.util
import re
from pathlib import Path

from ..models.inputs.generation import KNOWN

_POPPED = re.compile(r"""kwargs\.pop\(\s*["'](\w+)["']""")
"""How transformers' `GenerationConfig` takes an argument."""


def generation_arguments() -> frozenset[str] | None:
    """The names of the arguments of generation that this package, transformers or OpenAI's API has.

    Returns:
        The names; None if those of the two libraries are not found where they are looked for.
    """
    transformers, openai = _of_transformers(), _of_openai()
    return KNOWN | transformers | openai if transformers and openai else None


def _of_transformers() -> frozenset[str]:
    return frozenset(_POPPED.findall(source_of("transformers", "generation/configuration_utils.py")))


def _of_openai() -> frozenset[str]:
    with contextlib.suppress(SyntaxError, ValueError):
        for node in ast.parse(source_of("openai", "types/chat/completion_create_params.py")).body:
            if isinstance(node, ast.ClassDef) and node.name == "CompletionCreateParamsBase":
                fields = (line.target for line in node.body if isinstance(line, ast.AnnAssign))
                return frozenset(target.id for target in fields if isinstance(target, ast.Name))
    return frozenset()


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
