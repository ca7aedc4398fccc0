"""Shared fixtures: tiny checkpoints, and one task manager, because finding the tasks of lmms-eval takes seconds."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Its own limits are a fifth of a second for an example and some for drawing it, which a busy machine exceeds.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Read when the libraries are imported: no test may look for a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# What tests remember and keep goes into a folder of their own.
_HOME = tempfile.TemporaryDirectory(prefix="humansense-tests-")
os.environ["HF_HOME"] = _HOME.name


@pytest.fixture(autouse=True)
def _no_user_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATA", "REVISION", "TASK_TYPES", "HEARS", "SEES", "MEDIA_CACHE"):
        monkeypatch.delenv(f"HUMANSENSE_{name}", raising=False)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from lmms_humansense.demo.tiny_model import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("checkpoint") / "tiny")


@pytest.fixture(scope="session")
def tiny_qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import transformers
    from packaging.version import Version

    from lmms_humansense.demo.tiny_model import write_tiny_model

    if Version(transformers.__version__) < Version("5.10.4"):
        pytest.skip(f"Qwen3-Omni needs transformers 5.10.4 or later; this is {transformers.__version__}")
    return write_tiny_model(tmp_path_factory.mktemp("checkpoint") / "qwen3", family="qwen3_omni_moe")


@pytest.fixture(scope="session")
def tiny_qwen2_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from lmms_humansense.demo.tiny_model import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("checkpoint") / "qwen2-audio", family="qwen2_audio")


@pytest.fixture(scope="session")
def task_manager() -> Any:
    import lmms_eval.models  # noqa: F401  # loads the entry points, as every way of starting lmms-eval does
    from lmms_eval.tasks import TaskManager

    return TaskManager("ERROR", model_name="dummy")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that cannot be written, not even by root."""
    folder = tmp_path / "read only"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        folder.chmod(0o500)
        yield folder
        return
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=100k", "none", folder], check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
