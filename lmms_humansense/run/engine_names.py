"""The arguments of the engine of the installed vLLM, read from its source text: importing it takes many seconds."""

import ast
import contextlib
import importlib.util
from pathlib import Path


def engine_arguments() -> frozenset[str] | None:
    """The names of the arguments of vLLM's engine.

    Returns:
        The fields of the class `EngineArgs` in vLLM's `engine/arg_utils.py`; None if they are not found there, or if
        the class inherits others.
    """
    found = importlib.util.find_spec("vllm")
    if found is None or not found.submodule_search_locations:
        return None
    file = Path(found.submodule_search_locations[0], "engine", "arg_utils.py")
    with contextlib.suppress(OSError, SyntaxError, ValueError):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name == "EngineArgs" and not node.bases:
                fields = (line.target for line in node.body if isinstance(line, ast.AnnAssign))
                return frozenset(target.id for target in fields if isinstance(target, ast.Name))
    return None
