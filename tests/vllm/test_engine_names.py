"""The names of the arguments of vLLM's engine are read from its files as vLLM itself has them."""

from dataclasses import fields


def test_the_arguments_of_the_installed_engine_are_known() -> None:
    from vllm.engine.arg_utils import EngineArgs

    from lmms_humansense.run.engine_names import engine_arguments

    assert engine_arguments() == frozenset(one.name for one in fields(EngineArgs))
