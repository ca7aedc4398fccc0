"""Result files as the release's scripts write them, of invented answers to invented questions."""

import copy
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lmms_humansense.tasks.humansense.annotations import Doc
from lmms_humansense.tasks.humansense.prompts import PATTERNS
from lmms_humansense.tasks.humansense.taxonomy import TASKS
from tests.helpers import logged

NAMES = {pattern: name for name, pattern in PATTERNS.items()}
Items = list[dict[str, Any]]


def items(key: str, count: int | None = None, answer: Callable[[Doc], str | None] | None = None) -> Items:
    """The questions of a file ("VQA", "AQA"), `count` of each task or all, with the answers of a model "M".

    A question for which `answer` returns None was not asked. Without `answer`, none was asked.
    """
    found = []
    for task in TASKS:
        if task.is_audio == (key == "AQA"):
            for doc in logged.docs(task, count):
                found.append(_item(doc))
                response = answer(doc) if answer else None
                if response is not None:
                    found[-1]["questions"]["M"] = response
    return found


def _item(doc: Doc) -> dict[str, Any]:
    question: dict[str, Any] = {
        "question": doc["question"],
        "task_type": doc["task_type"],
        "question_pattern": NAMES[doc["pattern"]],
        "answer": int(doc["answer"]) if doc["pattern"] == "count" else doc["answer"],
        "time_stamp": "00:00:01",
    }
    if doc["options"]:
        question["options"] = doc["options"]
    if doc["fps"]:
        question |= {"full_frame_number": doc["frame_count"], "fps": doc["fps"]}
    return {"video_path": doc["media"], "video_or_clip": "video", "time": "", "questions": question}


def write(path: Path, content: Sequence[Any]) -> Path:
    """Write items as the release does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")
    return path


def read(path: Path) -> Items:
    """The items of a result file."""
    return list(json.loads(path.read_text(encoding="utf-8")))


def some(seed: int, share_asked: float = 1.0) -> Callable[[Doc], str | None]:
    """Answers of all kinds: right, wrong, in a sentence, tagged and empty."""
    chance = random.Random(seed)

    def answer(doc: Doc) -> str | None:
        right = doc["answer"]
        wrong = doc["options"][-1] if doc["options"] else "0"
        said = chance.choice(
            [right, wrong, f"{right}. so it is", f"<think>…</think><answer>{right}</answer>", " A", ""]
        )
        return said if chance.random() < share_asked else None

    return answer


def changed(content: Items, place: int, **fields: Any) -> Items:
    """A copy of the items with fields of one question set, or removed where the value is `...`."""
    copied = copy.deepcopy(content)
    for name, value in fields.items():
        copied[place]["questions"].pop(name, None)
        if value is not ...:
            copied[place]["questions"][name] = value
    return copied
