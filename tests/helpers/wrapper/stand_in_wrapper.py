"""A model that is not this package's, as lmms-eval's own wrappers are: it gives the responses that a file lists.

The programs that tests start find it by the folder of this module in PYTHONPATH (`tests/helpers/wrappers.py`).
"""

import json
from pathlib import Path
from typing import Any

from lmms_eval.api.instance import Instance
from lmms_eval.api.model import lmms
from lmms_eval.models.registry_v2 import ModelManifest


def register() -> list[ModelManifest]:
    """lmms-eval's entry point for models."""
    return [ModelManifest(model_id="stand_in", simple_class_path="stand_in_wrapper.StandIn")]


class StandIn(lmms):
    """Gives the responses of a JSON file, in turns, and counts its requests in a file beside it.

    Args:
        responses: The file: a list of texts, or a text with which the model raises an error when it is asked.
    """

    is_simple = True

    def __init__(self, responses: str, **others: Any) -> None:
        super().__init__()
        self._file = Path(responses)
        self._responses = json.loads(self._file.read_text())

    def generate_until(self, requests: list[Instance]) -> list[str]:
        self._file.with_suffix(".asked").write_text(str(len(requests)))
        if isinstance(self._responses, str):
            raise RuntimeError(self._responses)
        return [self._responses[number % len(self._responses)] for number in range(len(requests))]

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        raise NotImplementedError

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        raise NotImplementedError
