"""Requests that ended in an error instead of an answer: what messages and files say about them."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .request import Response
from .text import storable

_MAX_KINDS = 10
"""How many kinds of failures a summary names at most."""

_MAX_EXAMPLES = 3
"""How many requests of each kind a summary names at most."""

_MAX_LENGTH = 400
"""Characters of a reason in a summary: errors of CUDA are a page long."""

_PLACEHOLDER = "<file>"


@dataclass(frozen=True)
class Failure:
    """One request that failed.

    Attributes:
        task: The name of the task.
        doc_id: The number of the doc in its task.
        media: Paths of the media of the request, as far as they were known.
        reason: The type and the message of the error.
    """

    task: str
    doc_id: int
    media: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return f"{self.task} doc {self.doc_id}"

    @property
    def kind(self) -> str:
        """The reason without the names of the request's own files: equal for failures with one cause."""
        kind = self.reason
        spellings = {*self.media, *(str(Path(path)) for path in self.media)}
        for path in sorted(spellings, key=len, reverse=True):
            kind = kind.replace(path, _PLACEHOLDER)
        return kind

    def to_dict(self) -> dict[str, Any]:
        """The failure in a form that JSON can hold."""
        return {**asdict(self), "media": list(self.media)}


def failure_of(response: Response) -> Failure:
    """The failure that a response without text reports."""
    request = response.request
    return Failure(request.task, request.doc_id, tuple(map(storable, response.media)), response.error)


def summary(failures: Sequence[Failure]) -> list[str]:
    """Summarize failures by kind.

    Args:
        failures: The failures of a run, in the order in which they happened.

    Returns:
        One line for every kind, the most frequent first, with its number of failures and some of their requests and
        files. Reasons that differ only in numbers are of one kind. All kinds after the tenth share the last line.
    """
    kinds: dict[str, list[Failure]] = {}
    for failure in failures:
        kinds.setdefault(re.sub(r"\d[\d.,]*", "#", failure.kind), []).append(failure)
    ranked = sorted(kinds.values(), key=len, reverse=True)
    lines = [f"{len(alike)} × {_on_one_line(alike[0].kind)} ({_examples(alike)})" for alike in ranked[:_MAX_KINDS]]
    rest = sum(map(len, ranked[_MAX_KINDS:]))
    return [*lines, f"{rest} × for other reasons"] if rest else lines


def _on_one_line(kind: str) -> str:
    """The reason without line breaks, shortened to a few lines of a terminal."""
    return textwrap.shorten(kind, _MAX_LENGTH, placeholder=" …")


def _examples(failures: Sequence[Failure]) -> str:
    named = [" ".join([f"{failure}:", *failure.media]).removesuffix(":") for failure in failures[:_MAX_EXAMPLES]]
    more = [f"and {len(failures) - _MAX_EXAMPLES} more"] if len(failures) > _MAX_EXAMPLES else []
    return "; ".join([*named, *more])
