"""What vLLM calls in each of its processes, because this package has an entry point in `vllm.general_plugins`."""

import os

from ..runtime.worker_process import end_with
from . import mends

OWNER = "LMMS_HUMANSENSE_VLLM_OWNER"
"""The environment variable with the process ID of the program that starts an engine."""


def load() -> None:
    """Prepare a process of an engine that this package starts. In other programs, this does nothing.

    vLLM's processes would stay, and keep the memory of the GPU, if the program that started them is killed. So each of
    them ends with its parent (on Linux).
    """
    if os.environ.get(OWNER) not in (None, str(os.getpid())):
        end_with(os.getppid())
    mends.apply()
