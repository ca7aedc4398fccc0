"""A training of the tiny model continues its own states, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import train_tiny_model
import training_inputs
from training_inputs import SpeechBank
from training_states import VERSION, OtherTrainingError, Training, refuse_others, save_state, save_voices

OURS = Training(0, 1.0)
OTHERS = [
    pytest.param(Training(1, 1.0), id="seed"),
    pytest.param(Training(0, 0.5), id="size"),
    pytest.param(Training(0, 1.0, VERSION - 1), id="version"),
]
VOICE = np.ones(5, np.float16)


def test_a_training_continues_its_own_states(tmp_path: Path) -> None:
    refuse_others(tmp_path / "new", OURS)
    save_state({"step": 3}, OURS, tmp_path / "eyes.pt")
    save_voices([VOICE], OURS, tmp_path / "voices.npz")
    refuse_others(tmp_path, OURS)
    assert torch.load(tmp_path / "eyes.pt")["step"] == 3


@pytest.mark.parametrize("other", OTHERS)
def test_a_state_of_another_training_is_refused(other: Training, tmp_path: Path) -> None:
    save_state({"step": 3}, other, tmp_path / "eyes.pt")
    with pytest.raises(OtherTrainingError, match=r"eyes\.pt is of .*: name another folder"):
        refuse_others(tmp_path, OURS)


@pytest.mark.parametrize("other", OTHERS)
def test_voices_of_another_training_are_refused(other: Training, tmp_path: Path) -> None:
    save_voices([VOICE], other, tmp_path / "voices.npz")
    with pytest.raises(OtherTrainingError, match=r"voices\.npz is of .*: name another folder"):
        refuse_others(tmp_path, OURS)


def test_files_that_name_no_training_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "voices.npz", sizes=[5], samples=VOICE)
    with pytest.raises(OtherTrainingError, match=r"voices\.npz is of a training without a version"):
        refuse_others(tmp_path, OURS)
    torch.save({"step": 3}, tmp_path / "eyes.pt")
    with pytest.raises(OtherTrainingError, match=r"eyes\.pt is of a training without a version"):
        refuse_others(tmp_path, OURS)


def test_the_command_refuses_before_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_tiny_model, "check_tools", lambda: None)
    save_state({"step": 3}, OURS, tmp_path / "eyes.pt")
    with pytest.raises(SystemExit, match=r'^train_tiny_model: .*eyes\.pt is of {"seed": 0, .* {"seed": 1, .*\.$'):
        train_tiny_model.main(tmp_path, seed=1)
    assert [file.name for file in tmp_path.iterdir()] == ["eyes.pt"]


def test_the_bank_of_voices_names_its_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_inputs, "say", lambda text, voice: VOICE)
    SpeechBank(tmp_path / "voices.npz", 1, "test", OURS)
    refuse_others(tmp_path, OURS)
    with pytest.raises(OtherTrainingError):
        refuse_others(tmp_path, Training(1, 1.0))
