"""The names of arguments and variables of vLLM's engine are those that vLLM itself has."""

import os
from dataclasses import fields


def test_the_arguments_of_the_installed_engine_are_known() -> None:
    from vllm.engine.arg_utils import EngineArgs

    from lmms_humansense.run.engine_names import engine_arguments

    assert engine_arguments() == frozenset(one.name for one in fields(EngineArgs))


def test_the_variables_that_are_set_for_the_engine_are_known() -> None:
    import torch
    from vllm import envs

    from lmms_humansense.models.vllm.engine import _environment
    from lmms_humansense.models.vllm.settings import VllmSettings

    before = dict(os.environ)
    with _environment(VllmSettings("model"), torch.device("cpu")):
        changed = {name for name, value in os.environ.items() if before.get(name) != value}
        assert envs.VLLM_WORKER_MULTIPROC_METHOD == "spawn"
    ours = {name for name in changed if name.startswith("VLLM_")}
    assert ours
    assert ours <= envs.environment_variables.keys()
