"""Reads one logged sample, and checks everything that reports need from it. A sample is right, or it is left out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from ..tasks.humansense.annotations import key_of
from ..tasks.humansense.metrics.reasoning import split
from ..tasks.humansense.metrics.scoring import without_mark
from ..tasks.humansense.prompts import Pattern
from ..tasks.humansense.taxonomy import BY_CODE
from ..tasks.humansense.wording import shown

_ID = re.compile(r"(VQA|AQA)-[0-9]{1,9}")
_COUNT = re.compile(r"[0-9]{1,9}")
_MOST_OPTIONS = 26


class SampleError(ValueError):
    """A line is no sample of the task; the message says what is wrong with it."""


def row(sample: Any, code: str) -> dict[str, Any]:
    """The parts of a logged sample that reports need.

    Args:
        sample: A line of a samples file, as parsed JSON.
        code: The code of the task that the file belongs to.

    Returns:
        A row: texts, finite numbers, lists of texts, and None for what the sample does not say.

    Raises:
        SampleError: A field is missing, or has a value that it cannot have.
    """
    whole = _Fields(sample, "")
    acc = whole.part("acc")
    paper = whole.part("paper") if whole.get("paper") is not None else None
    truncated = whole.part("truncated") if whole.get("truncated") is not None else None
    response = _response(whole)
    failed, empty = whole.part("failed"), whole.part("empty") if whole.get("empty") is not None else None
    # Cached answers of an earlier run do not say what was shown.
    told = _Fields((whole.listed("token_counts") or [{}])[0] or {}, "token_counts")
    return {
        "doc_id": whole.integer("doc_id"),
        **_question(acc, code),
        "acc": acc.share("score"),
        "paper": None if paper is None else paper.share("score"),
        "crash": "" if paper is None or paper.get("crash") is None else paper.text("crash"),
        "answered": whole.part("answered").share("score"),
        "failed": failed.share("score"),
        "failure": failed.text_or_none("kind") or "",
        "empty": None if empty is None else empty.share("score"),
        "truncated": None if truncated is None else truncated.share("score"),
        "response": response,
        "reasoning": told.text_or_none("reasoning") or split(response).reasoning,
        "prompt": str(whole.get("input") or ""),
        "frames": told.amount("frames"),
        "seconds_heard": told.amount("seconds_heard"),
        "seconds_present": told.amount("seconds_present"),
        "time_axis": told.text_or_none("time_axis"),
        "vllm_faults": told.texts("vllm_faults") if told.get("vllm_faults") is not None else [],
        "output_tokens": told.amount("output_tokens"),
    }


def _question(acc: "_Fields", code: str) -> dict[str, Any]:
    """What the item `acc` of a sample says about its question and answer; see `results.metrics` of the tasks."""
    if acc.text("code") != code:
        raise acc.wrong("code", f"of {code}")
    if not (identity := _ID.fullmatch(acc.text("id"))) or identity[1] != key_of(BY_CODE[code]):
        raise acc.wrong("id", f"the place of a question ({key_of(BY_CODE[code])}-12)")
    pattern = acc.text("pattern")
    if pattern not in get_args(Pattern):
        raise acc.wrong("pattern", f"one of {', '.join(get_args(Pattern))}")
    options = acc.texts("options")
    if len(options) > _MOST_OPTIONS or (not options and pattern in ("single", "multi")):
        raise acc.wrong("options", f"1 to {_MOST_OPTIONS} options")
    gold = acc.text("gold")
    if not gold or (pattern == "count" and not _COUNT.fullmatch(gold)):
        raise acc.wrong("gold", "an answer")
    return {
        "id": identity[0],
        "code": code,
        "level": BY_CODE[code].level,
        "pattern": pattern,
        "question": acc.text("question"),
        "options": options,
        "option_count": len(options),
        "gold": gold,
        "parsed": acc.text_or_none("parsed"),
        "duration": acc.amount("duration"),
        "media": acc.text("media"),
        "file": acc.text_or_none("file"),
        "clip": acc.text("clip"),
    }


def _response(whole: "_Fields") -> str:
    response = whole.value("filtered_resps")
    while isinstance(response, list):
        response = response[0] if response else ""
    if not isinstance(response, str):
        raise whole.wrong("filtered_resps", "a text")
    return without_mark(response)[0]


class _Fields:
    """The fields of an object in a sample, with readers whose errors name the field."""

    def __init__(self, fields: Any, name: str) -> None:
        if not isinstance(fields, Mapping):
            raise SampleError(f"{name or 'it'} is {shown(fields)}, not an object")
        self._fields, self._name = fields, name

    def wrong(self, field: str, wanted: str) -> SampleError:
        name = f"{self._name}.{field}" if self._name else field
        return SampleError(f"{name} is {shown(self._fields.get(field))}, not {wanted}")

    def get(self, field: str) -> Any:
        return self._fields.get(field)

    def value(self, field: str) -> Any:
        if field not in self._fields:
            raise SampleError(f"it has no {self._name + '.' if self._name else ''}{field}")
        return self._fields[field]

    def part(self, field: str) -> "_Fields":
        return _Fields(self.value(field), field)

    def text(self, field: str) -> str:
        value = self.value(field)
        if not isinstance(value, str):
            raise self.wrong(field, "a text")
        return value

    def text_or_none(self, field: str) -> str | None:
        return None if self.get(field) is None else self.text(field)

    def texts(self, field: str) -> list[str]:
        value = self.value(field)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(field, "a list of texts")
        return value

    def listed(self, field: str) -> Sequence[Any]:
        value = self.get(field) or []
        if not isinstance(value, list):
            raise self.wrong(field, "a list")
        return value

    def integer(self, field: str) -> int:
        value = self.value(field)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1e9:
            raise self.wrong(field, "a whole number from 0 on")
        return value

    def amount(self, field: str) -> float | None:
        """A number from 0 on; None if there is none. A whole number stays one."""
        value = self.get(field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
            raise self.wrong(field, "a number from 0 on")
        return value

    def share(self, field: str) -> float:
        value = self.value(field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise self.wrong(field, "a number from 0 to 1")
        return float(value)
