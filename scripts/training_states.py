"""The files by which a training continues: each names the training that made it, so that no other one continues it."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray

VERSION = 1  # raise it if scenes, inputs or stages change so that the same seed gives other weights
VOICES = "voices.npz"  # the bank of voices, among the states


class OtherTrainingError(Exception):
    """A file is not of this training; the message says of which one it is, and what to do."""


@dataclass(frozen=True)
class Training:
    """What a state depends on.

    Attributes:
        seed: Chooses weights, scenes, voices and orders.
        size: Steps, as a multiple of the usual number.
        version: Of scenes, inputs and stages.
    """

    seed: int
    size: float
    version: int = VERSION

    def stored(self) -> str:
        """The training, as its files name it."""
        return json.dumps(asdict(self))


def save_state(state: dict[str, Any], training: Training, file: Path) -> None:
    """Write the state of a stage, so that at every moment there is a whole one."""
    with _replaced(file) as scratch:
        torch.save({**state, "training": training.stored()}, scratch)


def save_voices(said: list[NDArray[np.float16]], training: Training, file: Path) -> None:
    """Write what voices said, one after the other, so that there is a whole file or none."""
    with _replaced(file) as scratch:
        sizes = [part.size for part in said]
        np.savez(scratch, sizes=sizes, samples=np.concatenate(said), training=training.stored())


@contextmanager
def _replaced(file: Path) -> Iterator[IO[bytes]]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as scratch:
        yield scratch
    Path(scratch.name).replace(file)


def refuse_others(folder: Path, training: Training) -> None:
    """Stop before a training continues another one.

    Raises:
        OtherTrainingError: A state or the voices in the folder are of another training.
    """
    for file in sorted([*folder.glob("*.pt"), *folder.glob(VOICES)]):
        made_by = _made_by(file)
        if made_by != training.stored():
            raise OtherTrainingError(
                f"{file} is of {made_by or 'a training without a version'}, and this training is {training.stored()}: "
                f"name another folder, or remove the .pt files and {VOICES} there."
            )


def _made_by(file: Path) -> str:
    """The training that made a file; empty if the file does not say."""
    if file.name == VOICES:
        with np.load(file) as stored:
            return str(stored["training"]) if "training" in stored else ""
    return str(torch.load(file).get("training", ""))
