"""`lmms-humansense check-senses` with local models and with servers that are not what they should be."""

import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from lmms_humansense.cli import app
from lmms_humansense.models.local.families.base import Family
from tests.helpers.chat_server import ChatServer, answer


def checked(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["check-senses", *arguments])
    return done.exit_code, done.output


def test_a_local_model_sees_and_hears(tiny_model: Path) -> None:
    arguments = f"pretrained={tiny_model},device=cpu,media_workers=0"
    status, said = checked("--model", "humansense_omni", "--model_args", arguments)
    assert status == 0
    assert "pictures: arrive\nsounds: arrive\n" in said


def test_a_local_model_on_which_sound_has_no_effect_is_deaf(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Family._batch

    def without_sound(self: Family, prompts: object) -> dict[str, torch.Tensor]:
        made = batch(self, prompts)  # type: ignore[arg-type]
        return {name: value * 0 if name == "input_features" else value for name, value in made.items()}

    monkeypatch.setattr(Family, "_batch", without_sound)
    arguments = f"pretrained={tiny_model},device=cpu,media_workers=0"
    status, said = checked("--model", "humansense_omni", "--model_args", arguments)
    assert status == 2
    assert "pictures: arrive\nsounds: have no effect\n" in said


def test_a_checkpoint_that_cannot_be_loaded_ends_with_status_2_and_a_sentence(tiny_model: Path, tmp_path: Path) -> None:
    checkpoint = Path(shutil.copytree(tiny_model, tmp_path / "checkpoint"))
    (checkpoint / "model.safetensors").write_bytes(b"cut off")
    arguments = f"pretrained={checkpoint},device=cpu,media_workers=0"
    status, said = checked("--model", "humansense_omni", "--model_args", arguments)
    assert status == 2
    assert said.splitlines()[0].startswith(f"pretrained={checkpoint} cannot be loaded: SafetensorError")
    assert "Traceback" not in said


def test_a_server_of_which_nothing_is_known_is_no_error() -> None:
    with ChatServer(lambda number, _: answer("B")) as server:
        status, said = checked("--model_args", f"base_url={server.url},model=m,media=frames,media_workers=0")
        assert len(server.requests) == 6
    assert status == 0
    assert "pictures: not known\nsounds: not known\nThe server reports no prompt tokens" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("model=m,media=frames", "humansense_server needs base_url="),
        ("base_url=http://127.0.0.1:9/v1,model=m,media=frames", "cannot be reached"),
    ],
)
def test_wrong_arguments_end_with_status_2_and_a_sentence(arguments: str, sentence: str) -> None:
    status, said = checked("--model_args", arguments)
    assert status == 2
    assert sentence in said
