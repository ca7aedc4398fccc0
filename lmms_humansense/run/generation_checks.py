"""What is checked of `--gen_kwargs` before lmms-eval is started."""

import difflib

from ..models.inputs.generation import KNOWN, check_arguments
from ..models.runtime.arguments import value_of
from .arguments import plain_pairs
from .generation_names import generation_arguments


def check_generation(text: str) -> None:
    """Refuse arguments of generation that a model of this package cannot use.

    Args:
        text: The value of `--gen_kwargs`.

    Raises:
        ValueError: One has no value, has a value that it does not take, or is not known. What has quotes or brackets
            is checked once lmms-eval has read it.
    """
    given = {name: value_of(value) for name, value in plain_pairs("--gen_kwargs", text)}
    known = generation_arguments()
    unknown = [] if known is None else sorted(given.keys() - known)
    if unknown:
        raise ValueError(f"--gen_kwargs: there is no argument {unknown[0]!r}{_meant(unknown[0], known or KNOWN)}.")
    try:
        check_arguments(given)
    except ValueError as error:
        raise ValueError(f"--gen_kwargs: {error}") from None


def _meant(name: str, known: frozenset[str]) -> str:
    close = difflib.get_close_matches(name, sorted(KNOWN), 1) or difflib.get_close_matches(name, sorted(known), 1)
    return f"; did you mean {close[0]}?" if close else f"; those with an effect are {', '.join(sorted(KNOWN))}"
