"""Lets the programs that tests start find a model that is not this package's (`wrapper/stand_in_wrapper.py`)."""

import json
import os
from pathlib import Path

from .commands import QUICKLY

_FOLDER = Path(__file__).with_name("wrapper")


def path_with_stand_in(folder: Path) -> str:
    """The PYTHONPATH of a program whose lmms-eval has the model `stand_in`.

    Args:
        folder: A folder for the files by which Python finds entry points.
    """
    about = folder / "stand_in_wrapper-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stand-in-wrapper\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[lmms_eval.models]\nstand_in = stand_in_wrapper:register\n")
    return os.pathsep.join([QUICKLY, str(_FOLDER), str(folder)])


def responses(folder: Path, given: list[str] | str) -> str:
    """Write the file of responses that the model `stand_in` gives. Returns the value of `--model_args`."""
    file = folder / "responses.json"
    file.write_text(json.dumps(given))
    return f"responses={file}"
