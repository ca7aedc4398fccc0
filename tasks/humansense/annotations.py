"""Converts the items of an annotation file to docs: one flat record per question, one type per field.

Validation happens only here. Standard library only.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from .json_text import loads
from .metrics import scoring
from .metrics.parsing import option_letters
from .prompts import PATTERNS, Pattern
from .taxonomy import BY_CODE, TASKS, Resolution, Task, resolve_task_types
from .wording import shown


class Annotations(TypedDict):
    """The content of one annotation file: its docs, how its `task_type` names were resolved, and warnings about it."""

    docs: list["Doc"]
    resolution: Resolution
    warnings: list[str]


class Doc(TypedDict):
    """One question of HumanSense.

    Attributes:
        id: Its file and its place in it ("VQA-12").
        code: The code of its task ("AR").
        level: The level of its task ("L1").
        task_type: The annotated `task_type`.
        question: The annotated question.
        pattern: The form of its answer.
        options: The annotated options as text; empty for counting and yes/no questions.
        answer: The annotated answer as text.
        gold: The answer in the form in which `parsing.parse` returns one.
        media: The annotated path.
        frame_count: The clip's number of frames; 0 for audio.
        fps: The clip's frame rate; 0 for audio.
        transcript: The annotated ASR text; None if there is none.
    """

    id: str
    code: str
    level: str
    task_type: str
    question: str
    pattern: Pattern
    options: list[str]
    answer: str
    gold: str
    media: str
    frame_count: int
    fps: float
    transcript: str | None


class DataError(ValueError):
    """The data cannot be used; the message names the file, the item and field, and the remedy."""


FILES: Mapping[str, str] = {"VQA": "HumanSense_VQA.json", "AQA": "HumanSense_AQA.json"}
"""The annotation files: video questions and audio questions."""

MEDIA: Mapping[str, str] = {"VQA": "videos", "AQA": "audios"}
"""The media folder (or archive) that belongs to each annotation file."""

FOLDER = "bench_data"
"""The dataset repository's folder with the benchmark; the training data beside it is never read."""


_REPLACED = "it has characters that cannot be stored (half of a surrogate pair); they are replaced by question marks."

LONGEST_PATH = 4096
"""The most characters of the path of a media file, as in Linux (PATH_MAX)."""


def key_of(task: Task) -> str:
    """The key in `FILES` of the file that holds a task's questions."""
    return "AQA" if task.is_audio else "VQA"


def read(text: str | bytes, key: str, overrides: Mapping[str, str] | None = None) -> Annotations:
    """Read an annotation file from its JSON text.

    Args:
        text: The content of the file.
        key: The file's key in `FILES` ("VQA" or "AQA").
        overrides: The task codes of `task_type` names, which win over all other rules.

    Returns:
        The docs in the order of the file, with the resolution of their task types and the warnings about them.

    Raises:
        DataError: The file is not one JSON array of items, or a field of an item is missing or has a wrong type.
        TaxonomyError: The task of a `task_type` cannot be determined.
    """
    try:
        items, is_changed = loads(text)
    except ValueError as error:
        raise DataError(f"{FILES[key]} is not valid JSON ({error}); download it again.") from error
    return read_items(items, key, FILES[key], overrides, is_changed)


def read_items(
    items: Any, key: str, name: str, overrides: Mapping[str, str] | None = None, is_changed: bool = False
) -> Annotations:
    """Read an annotation file from its parsed JSON, as `read` does.

    Args:
        items: The parsed JSON of the file.
        key: The key in `FILES` of the file whose tasks the items may have.
        name: The file's name in messages.
        overrides: The task codes of `task_type` names, which win over all other rules.
        is_changed: Whether characters of the file were replaced, because they cannot be stored.

    Returns:
        The docs in the order of the items, with the resolution of their task types and the warnings about them.

    Raises:
        DataError: `items` is not a list of items, or a field of an item is missing or has a wrong type.
        TaxonomyError: The task of a `task_type` cannot be determined.
    """
    if not isinstance(items, list) or not items:
        raise DataError(f"{name} must be one JSON array with at least one question; download it again.")
    fields = [_Item(name, place, item) for place, item in enumerate(items)]
    tasks = tuple(task for task in TASKS if key_of(task) == key)
    resolution = resolve_task_types(Counter(item.text("task_type") for item in fields), tasks, overrides)
    docs = [
        _doc(f"{key}-{place}", item, BY_CODE[resolution.codes[item.text("task_type")]])
        for place, item in enumerate(fields)
        if item.text("task_type") in resolution.codes
    ]
    warnings = [f"{name}: {_REPLACED}"] if is_changed else []
    warnings += [f"{name}: {warning}" for warning in resolution.warnings]
    warnings += [f"{name}, item {doc['id'].partition('-')[2]}: {_oddity(doc)}" for doc in docs if _oddity(doc)]
    return {"docs": docs, "resolution": resolution, "warnings": warnings}


def _oddity(doc: Doc) -> str:
    if not doc["options"] or set(doc["gold"]) <= set(option_letters(doc["options"])):
        return ""
    return (
        f"the answer {shown(doc['answer'])} is none of its {len(doc['options'])} options, so no response can be right."
    )


def _doc(doc_id: str, item: "_Item", task: Task) -> Doc:
    pattern = item.pattern()
    options = item.options(pattern)
    answer = item.answer(pattern)
    return {
        "id": doc_id,
        "code": task.code,
        "level": task.level,
        "task_type": item.text("task_type"),
        "question": item.text("question"),
        "pattern": pattern,
        "options": options,
        "answer": answer,
        "gold": scoring.gold(answer, pattern, options),
        "media": item.media(),
        "frame_count": 0 if task.is_audio else item.number("full_frame_number", int),
        "fps": 0.0 if task.is_audio else item.number("fps", float),
        "transcript": item.optional_text("asr_en"),
    }


class _Item:
    """One item of an annotation file, with readers whose errors name file, item and field."""

    def __init__(self, file: str, place: int, item: Any) -> None:
        self.where = f"{file}, item {place} (the first is 0)"
        if not isinstance(item, dict):
            raise DataError(f"{self.where} is not an object with video_path and questions.")
        questions = item.get("questions")
        if not isinstance(questions, dict):
            raise self.wrong("questions", "is missing" if questions is None else "must be an object")
        self.item: dict[str, Any] = item
        self.questions: dict[str, Any] = questions

    def wrong(self, field: str, what: str) -> DataError:
        return DataError(f"{self.where}: the field {field} {what}.")

    def value(self, field: str) -> Any:
        value = self.questions.get(field)
        if value is None:
            raise self.wrong(f"questions.{field}", "is missing")
        return value

    def text(self, field: str) -> str:
        value = self.value(field)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(f"questions.{field}", f"must be a text, not {shown(value)}")
        return value

    def optional_text(self, field: str) -> str | None:
        value = self.questions.get(field)
        if value is not None and not isinstance(value, str):
            raise self.wrong(f"questions.{field}", f"must be a text, not {shown(value)}")
        return value

    def media(self) -> str:
        path = self.item.get("video_path")
        if not isinstance(path, str) or not path.strip():
            raise self.wrong("video_path", "is missing" if path is None else f"must be a path, not {shown(path)}")
        if len(path) > LONGEST_PATH:
            raise self.wrong("video_path", f"must be a path of at most {LONGEST_PATH:,} characters, not {shown(path)}")
        return path

    def pattern(self) -> Pattern:
        name = self.text("question_pattern")
        if name not in PATTERNS:
            raise self.wrong(
                "questions.question_pattern", f"is {shown(name)}; known are {', '.join(map(repr, PATTERNS))}"
            )
        return PATTERNS[name]

    def options(self, pattern: Pattern) -> list[str]:
        if pattern in ("count", "yesno"):
            return []
        options = self.value("options")
        if not isinstance(options, list) or not 2 <= len(options) <= 26:
            raise self.wrong("questions.options", f"must be a list of 2 to 26 options, not {shown(options)}")
        wanted = "must be a list of texts or numbers"
        return [
            _as_text(option, self.wrong("questions.options", f"{wanted}, not {shown(option)}")) for option in options
        ]

    def answer(self, pattern: Pattern) -> str:
        value = self.value("answer")
        answer = _as_text(value, self.wrong("questions.answer", f"must be a text or a number, not {shown(value)}"))
        if not answer.strip():
            raise self.wrong("questions.answer", "is empty")
        if pattern == "count" and not (answer.strip().isdecimal() and len(answer.strip()) <= _MOST_DIGITS):
            wanted = f"a whole number of at most {_MOST_DIGITS} digits for a counting question"
            raise self.wrong("questions.answer", f"must be {wanted}, not {shown(value)}")
        return answer

    def number(self, field: str, kind: Callable[[float], Any]) -> Any:
        value = self.value(field)
        try:
            number = float(value) if not isinstance(value, bool) else math.nan
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        # The release divides by int(fps), so a rate under one frame per second cannot be used.
        if not math.isfinite(number) or number < 1:
            raise self.wrong(f"questions.{field}", f"must be a number of at least 1, not {shown(value)}")
        return kind(number)


def _as_text(value: Any, error: DataError) -> str:
    """A text unchanged, a number as text (4 and 4.0 are "4"); raises `error` for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        raise error
    return str(int(value)) if float(value).is_integer() else str(value)


_MOST_DIGITS = 9
"""The most digits of the answer to a counting question."""

_LARGEST = 1e9
"""Numbers in answers and options must be smaller. This also refuses NaN and infinity."""
