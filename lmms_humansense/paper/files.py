"""The release's result files: an annotation file in which `questions[<model>]` holds what a model answered.

Source: the release's evaluation code (arXiv 2508.10576), which writes them as `HumanSense_VQA_<model>….json`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..tasks.humansense import annotations
from ..tasks.humansense.annotations import FILES, Annotations
from ..tasks.humansense.variants import Variant

OWN_FIELDS = frozenset(
    "question task_type question_pattern answer options full_frame_number fps asr_en time_stamp".split()
)
"""What `questions` holds besides responses."""


class ReleaseError(ValueError):
    """A file cannot be used as, or made into, a result file of the release; the message says why and what to do."""


@dataclass(frozen=True)
class ReleaseFile:
    """A result file: its `items` as they stand in it, the docs that they are, and which annotation file it extends."""

    path: Path
    key: str
    items: Sequence[Mapping[str, Any]]
    annotations: Annotations
    sha256: str

    @property
    def models(self) -> list[str]:
        """The fields of `questions` that may be a model's responses: texts, and none of the annotations' own."""
        found: dict[str, bool] = {}
        for item in self.items:
            for name, value in item["questions"].items():
                if name not in OWN_FIELDS:
                    found[name] = found.get(name, True) and (value is None or isinstance(value, str))
        return [name for name, is_text in found.items() if is_text]

    def model(self, name: str | None) -> str:
        """The model whose responses are meant: the one named, else the only one. Raises ReleaseError."""
        if name is not None:
            if any(name in item["questions"] for item in self.items) and name not in OWN_FIELDS:
                return name
            known = ", ".join(self.models) or "no model"
            raise ReleaseError(f"{self.path} has no responses of {name}; there are those of {known} (--model).")
        if len(self.models) == 1:
            return self.models[0]
        if not self.models:
            raise ReleaseError(f"{self.path} has no responses: no item has a text under the name of a model.")
        return self._named_like_the_file()

    def _named_like_the_file(self) -> str:
        """Of several fields, the one that the file's name has between underscores."""
        stem = f"{self.path.stem}_"
        named = [name for name in self.models if f"_{name}_" in stem]
        if len(named) == 1:
            return named[0]
        raise ReleaseError(f"{self.path} has several fields with responses; say which: --model {'|'.join(self.models)}")

    def responses(self, model: str) -> dict[str, str]:
        """The responses of a model by the id of their doc; of a null "". Raises ReleaseError for what is no text."""
        found = {}
        for place, item in enumerate(self.items):
            if model not in item["questions"]:
                continue
            response = item["questions"][model]
            if response is not None and not isinstance(response, str):
                raise ReleaseError(f"{self.path}, item {place}: the response of {model} is no text but {response!r}.")
            found[f"{self.key}-{place}"] = response or ""
        return found


def read(path: Path, overrides: Mapping[str, str]) -> ReleaseFile:
    """Read a result file; `overrides` as in HUMANSENSE_TASK_TYPES.

    Raises ReleaseError, annotations.DataError or taxonomy.TaxonomyError, each with a sentence for the user.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReleaseError(f"{path} can not be read ({error.strerror}).") from error
    try:
        items = json.loads(content)
    except ValueError as error:
        raise ReleaseError(f"{path} is not valid JSON ({error}): it was not written to its end.") from error
    key = _key(path)
    read_in = annotations.read_items(items, key, str(path), overrides)
    return ReleaseFile(path, key, items, read_in, sha256(content).hexdigest())


def _key(path: Path) -> str:
    named = [key for key in FILES if key in path.name.upper()]
    if len(named) == 1:
        return named[0]
    raise ReleaseError(
        f"{path} can not be told to hold video or audio questions; give it a name with {' or '.join(FILES)}, "
        "as the release does."
    )


def name(key: str, model: str, variant: Variant, with_sound: bool) -> str:
    """The name of a result file: that of the release where it knows the setting, else formed likewise."""
    parts = {
        "_audio": variant.shown == "all" and with_sound,
        "_think": variant.style == "think",
        "_asr": variant.transcript,
        "_guided": variant.guide,
        "_blind": variant.shown == "none",
    }
    suffix = "".join(part for part, is_so in parts.items() if is_so)
    return f"{Path(FILES[key]).stem}_{model}{suffix}.json"


def suffixes(path: Path) -> set[str]:
    """What the name of a result file says of its setting: "audio", "think", "asr"."""
    found = re.search(r"((?:_(?:audio|think|asr))+)$", path.stem)
    return set(found[1].strip("_").split("_")) if found else set()


def form(items: Sequence[Mapping[str, Any]]) -> str:
    """The text of a result file, as the release writes it."""
    return json.dumps(items, indent=4)
