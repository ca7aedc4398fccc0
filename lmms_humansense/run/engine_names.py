"""The arguments of the engine of the installed vLLM, read from its source text: importing it takes many seconds."""

from .sources import fields_in, source_of


def engine_arguments() -> frozenset[str] | None:
    """The names of the arguments of vLLM's engine.

    Returns:
        The fields of the class `EngineArgs` in vLLM's `engine/arg_utils.py`; None if they are not found there, or if
        the class inherits others.
    """
    return fields_in(source_of("vllm", "engine/arg_utils.py"), "EngineArgs", inherits=False)
