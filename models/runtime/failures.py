"""Requests that ended in an error instead of an answer: what is told of them."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .request import Response

_REASONS = 10
"""How many kinds of failures a summary names at most."""

_REQUESTS = 3
"""How many requests of each kind a summary names at most."""

_LENGTH = 400
"""Characters of a reason in a summary: errors of CUDA take a page."""

_PLACEHOLDER = "<file>"


@dataclass(frozen=True)
class Failure:
    """One request that failed. `media` are the paths of what it shows, as far as that was known."""

    task: str
    doc_id: int
    media: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return f"{self.task} doc {self.doc_id}"

    @property
    def kind(self) -> str:
        """The reason without the names of the sample's own files: equal for failures of one cause."""
        kind = self.reason
        spellings = {*self.media, *(str(Path(path)) for path in self.media)}
        for path in sorted(spellings, key=len, reverse=True):
            kind = kind.replace(path, _PLACEHOLDER)
        return kind

    def to_dict(self) -> dict[str, Any]:
        """The failure as JSON can hold it."""
        return {**asdict(self), "media": list(self.media)}


def failure_of(response: Response) -> Failure:
    """What is told of a request that failed."""
    request = response.request
    return Failure(request.task, request.doc_id, response.media, response.error)


def summary(failures: Sequence[Failure]) -> list[str]:
    """One line for every kind of failure, the most frequent first, with its number and some of its samples and files.

    Reasons that differ only in numbers are of one kind. Kinds beyond the tenth share the last line.
    """
    kinds: dict[str, list[Failure]] = {}
    for failure in failures:
        kinds.setdefault(re.sub(r"\d[\d.,]*", "#", failure.kind), []).append(failure)
    ranked = sorted(kinds.values(), key=len, reverse=True)
    lines = [f"{len(alike)} × {_on_one_line(alike[0].kind)} ({_examples(alike)})" for alike in ranked[:_REASONS]]
    rest = sum(map(len, ranked[_REASONS:]))
    return [*lines, f"{rest} × for other reasons"] if rest else lines


def _on_one_line(kind: str) -> str:
    """A reason without line breaks, and no longer than a few lines on a screen."""
    return textwrap.shorten(kind, _LENGTH, placeholder=" …")


def _examples(failures: Sequence[Failure]) -> str:
    named = [" ".join([f"{failure}:", *failure.media]).removesuffix(":") for failure in failures[:_REQUESTS]]
    more = [f"and {len(failures) - _REQUESTS} more"] if len(failures) > _REQUESTS else []
    return "; ".join([*named, *more])
