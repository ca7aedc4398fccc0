"""Checkpoints and engines. An engine takes minutes to start, so all tests of a module share one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Read when vLLM is imported and when its processes start: a small cache, and no core of its own.
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

FAMILIES = ("qwen2_5_omni", "qwen3_omni_moe", "qwen2_audio")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.vllm)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns the tiny checkpoint of a family."""
    from tests.helpers.wide_models import write_wide_model

    folder, made = tmp_path_factory.mktemp("checkpoints"), dict[str, Path]()

    def checkpoint(family: str) -> Path:
        if family not in made:
            made[family] = write_wide_model(folder / family, family)
        return made[family]

    return checkpoint


@pytest.fixture(scope="module")
def start(checkpoint: Callable[[str], Path]) -> Iterator[Callable[..., Any]]:
    """Starts an engine; the one before is ended, unless it is the same."""
    from lmms_humansense.models.vllm.engine import VllmEngine, plan
    from lmms_humansense.models.vllm.settings import read_vllm_settings

    running: list[tuple[Any, VllmEngine]] = []

    def start(family: str, **arguments: Any) -> VllmEngine:
        described = family, sorted(arguments.items())
        if not running or running[0][0] != described:
            if running:
                running.pop()[1].close()
            settings = read_vllm_settings(
                {"pretrained": str(checkpoint(family)), "max_num_seqs": 16, "media_workers": 0, **arguments}
            )
            running.append((described, VllmEngine(settings, plan(settings))))
        return running[0][1]

    yield start
    if running:
        running.pop()[1].close()
