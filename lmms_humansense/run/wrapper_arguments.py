"""The arguments of lmms-eval's own models, read from their source text: importing them takes many seconds."""

import ast
import contextlib
import difflib

from .arguments import plain_pairs
from .sources import source_of

_PASSED = frozenset({"batch_size", "max_batch_size", "device"})
"""The arguments that lmms-eval passes to every model."""


def check_wrapper_args(model: str, text: str) -> None:
    """Refuse arguments of a model of lmms-eval that are mistyped.

    Args:
        model: Its name.
        text: `--model_args`.

    Raises:
        ValueError: A part is not of the form name=value, or the model refuses a name that is similar to one it takes.
    """
    known = _arguments(model)
    for name, _ in plain_pairs("--model_args", text):
        close = difflib.get_close_matches(name, known, 1) if known and name not in known else []
        if close:
            raise ValueError(f"--model {model} has no argument {name!r}; did you mean {close[0]}?")


def _arguments(model: str) -> frozenset[str]:
    """The arguments that a model takes; none if this is not known, or if it also takes others."""
    found: set[str] = set()
    for kind in ("simple", "chat"):
        with contextlib.suppress(SyntaxError, ValueError):
            for making in _initialisers(ast.parse(source_of("lmms_eval", f"models/{kind}/{model}.py"))):
                if not _is_strict(making):
                    return frozenset()
                found |= {each.arg for each in (*making.args.args, *making.args.kwonlyargs)}
    return frozenset(found | _PASSED) if found else frozenset()


def _initialisers(module: ast.Module) -> list[ast.FunctionDef]:
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    functions = (each for node in classes for each in node.body if isinstance(each, ast.FunctionDef))
    return [each for each in functions if each.name == "__init__"]


def _is_strict(making: ast.FunctionDef) -> bool:
    """Whether an initialiser takes no other arguments, or asserts that there are none."""
    others = making.args.kwarg
    return others is None or any(
        isinstance(each, ast.Assert) and ast.unparse(each.test) == f"{others.arg} == {{}}" for each in making.body
    )
