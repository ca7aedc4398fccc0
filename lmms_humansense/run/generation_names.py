"""The arguments of generation that there are, read from the source text of the libraries that define them."""

import re

from ..models.inputs.generation import KNOWN
from .sources import fields_in, source_of

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
    source = source_of("openai", "types/chat/completion_create_params.py")
    return fields_in(source, "CompletionCreateParamsBase", inherits=True) or frozenset()
