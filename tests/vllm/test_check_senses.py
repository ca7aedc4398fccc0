"""`lmms-humansense check-senses` with engine=vllm."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lmms_humansense.cli import app


def checked(pretrained: Path, **more: str) -> tuple[int, str]:
    given = {"pretrained": str(pretrained), "engine": "vllm", "media_workers": "0", "max_num_seqs": "2", **more}
    model_args = ",".join(f"{name}={value}" for name, value in given.items())
    done = CliRunner().invoke(app, ["check-senses", "--model", "humansense_omni", "--model_args", model_args])
    return done.exit_code, done.output


def test_what_a_model_of_vllm_sees_and_hears(checkpoint: Callable[[str], Path]) -> None:
    status, said = checked(checkpoint("qwen2_5_omni"))
    assert status == 0
    assert "pictures: arrive\nsounds: arrive\n" in said


@pytest.mark.parametrize(
    ("weights", "more", "sentence"),
    [
        (b"cut off", {}, "vLLM cannot run pretrained="),
        (None, {"revision": "main"}, "engine=vllm does not take revision"),
    ],
    ids=["weights", "argument"],
)
def test_what_vllm_cannot_run_ends_with_status_2_and_a_sentence(
    checkpoint: Callable[[str], Path], tmp_path: Path, weights: bytes | None, more: dict[str, str], sentence: str
) -> None:
    broken = Path(shutil.copytree(checkpoint("qwen2_5_omni"), tmp_path / "checkpoint"))
    if weights:
        (broken / "model.safetensors").write_bytes(weights)
    status, said = checked(broken, **more)
    assert status == 2
    assert sentence in said
    assert "Traceback" not in said
