"""The release's result files: an annotation file in which `questions[<model>]` holds the response of a model.

Source: the release's evaluation code (arXiv 2508.10576), which writes them as `HumanSense_VQA_<model>….json`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..tasks.humansense import annotations
from ..tasks.humansense.annotations import FILES, Annotations
from ..tasks.humansense.json_text import loads
from ..tasks.humansense.variants import Variant
from ..tasks.humansense.wording import brief, listed, shown

OWN_FIELDS = frozenset(
    "question task_type question_pattern answer options full_frame_number fps asr_en time_stamp".split()
)
"""The fields of `questions` that are not responses."""

_MOST_NAMED = 10
"""How many models are named in a message."""


class ReleaseError(ValueError):
    """A result file of the release cannot be read or written; the message says why and what to do."""


@dataclass(frozen=True)
class ReleaseFile:
    """A result file.

    Attributes:
        path: Where it is.
        key: The kind of questions: "VQA" or "AQA".
        items: Its items, unchanged.
        annotations: The docs that these items are.
        sha256: The SHA-256 of the file, as a hexadecimal string.
    """

    path: Path
    key: str
    items: Sequence[Mapping[str, Any]]
    annotations: Annotations
    sha256: str

    @property
    def models(self) -> list[str]:
        """The fields of `questions` that may be responses: those with text that are not fields of the annotations."""
        found: dict[str, bool] = {}
        for item in self.items:
            for name, value in item["questions"].items():
                if name not in OWN_FIELDS:
                    found[name] = found.get(name, True) and (value is None or isinstance(value, str))
        return [name for name, is_text in found.items() if is_text]

    def model(self, name: str | None) -> str:
        """Choose the model whose responses are used.

        Args:
            name: The field with its responses. If None, it is the only such field, or of several the one that stands
                between underscores in the name of the file.

        Returns:
            The name of the field.

        Raises:
            ReleaseError: There is no such field, or there are several and the name of the file names none of them.
        """
        if name is not None:
            if any(name in item["questions"] for item in self.items) and name not in OWN_FIELDS:
                return name
            known = listed(list(map(brief, self.models)), _MOST_NAMED) or "no model"
            raise ReleaseError(f"{self.path} has no responses of {name}; it has those of {known} (--model).")
        if len(self.models) == 1:
            return self.models[0]
        if not self.models:
            raise ReleaseError(f"{self.path} has no responses: no item has a text under the name of a model.")
        stem = f"{self.path.stem}_"
        named = [name for name in self.models if f"_{name}_" in stem]
        if len(named) == 1:
            return named[0]
        known = listed(list(map(brief, self.models)), _MOST_NAMED, "|")
        raise ReleaseError(f"{self.path} has responses of several models; choose one: --model {known}")

    def responses(self, model: str) -> dict[str, str]:
        """Read the responses of a model.

        Args:
            model: The field of `questions` with its responses.

        Returns:
            The responses by the id of their doc. A null gives "".

        Raises:
            ReleaseError: A response is not a text.
        """
        found = {}
        for place, item in enumerate(self.items):
            if model not in item["questions"]:
                continue
            response = item["questions"][model]
            if response is not None and not isinstance(response, str):
                raise ReleaseError(
                    f"{self.path}, item {place}: the response of {model} is not a text: {shown(response)}."
                )
            found[f"{self.key}-{place}"] = response or ""
        return found


def read(path: Path, overrides: Mapping[str, str]) -> ReleaseFile:
    """Read a result file.

    Args:
        path: The file. Its name says which kind of questions it has.
        overrides: The codes of tasks by task_type, as in HUMANSENSE_TASK_TYPES.

    Returns:
        The file and its docs.

    Raises:
        ReleaseError: The file cannot be read, is not valid JSON, or has a name that does not say its kind.
        DataError: An item is not valid.
        TaxonomyError: A task_type is unknown.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReleaseError(f"{path} cannot be read ({error.strerror}).") from error
    try:
        items, is_changed = loads(content, "replace")
    except ValueError as error:
        raise ReleaseError(f"{path} is not valid JSON ({error}): it was not written to its end.") from error
    key = _key(path)
    docs = annotations.read_items(items, key, str(path), overrides, is_changed)
    return ReleaseFile(path, key, items, docs, sha256(content).hexdigest())


def _key(path: Path) -> str:
    named = [key for key in FILES if key in path.name.upper()]
    if len(named) == 1:
        return named[0]
    raise ReleaseError(
        f"The name of {path} does not say whether it has video or audio questions; give it a name with "
        f"{' or '.join(FILES)}, as the release does."
    )


def name(key: str, model: str, variant: Variant, with_sound: bool) -> str:
    """The name of a result file, as the release forms it.

    Args:
        key: The kind of questions: "VQA" or "AQA".
        model: The name of the model.
        variant: The variant of the tasks. The release has no names for some; they are formed in the same way.
        with_sound: Whether the sound of videos was used.

    Returns:
        The name, such as "HumanSense_VQA_<model>_audio.json".
    """
    parts = {
        "_audio": variant.shown == "all" and with_sound,
        f"_{variant.style}": variant.style != "plain",
        "_asr": variant.transcript,
        "_guided": variant.guide,
        "_blind": variant.shown == "none",
    }
    suffix = "".join(part for part, is_so in parts.items() if is_so)
    return f"{Path(FILES[key]).stem}_{model}{suffix}.json"


def suffixes(path: Path) -> set[str]:
    """The parts of a result file's name that describe its setting: "audio", "think", "asr"."""
    found = re.search(r"((?:_(?:audio|think|asr))+)$", path.stem)
    return set(found[1].strip("_").split("_")) if found else set()
