"""The report as one self-contained page."""

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from itertools import combinations
from typing import Any

import pandas
from jinja2 import Environment, StrictUndefined

from ..results.runs import Run
from ..tasks.humansense.taxonomy import BY_CODE, TASKS
from .compare import Comparison
from .media import Media
from .pictures import Picture
from .table import COLUMNS, Table
from .write import EXPLANATION


def page(
    tables: Sequence[Table],
    runs: Sequence[Run],
    comparisons: Sequence[Comparison],
    pictures: Sequence[Picture],
    media: Media,
    problems: Sequence[str] = (),
) -> str:
    """The HTML. Everything is in it but linked clips; what models said is text, never markup."""
    here = files(__package__)
    script = here.joinpath("page.js").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(here.joinpath("page.html.j2").read_text(encoding="utf-8"))
    return template.render(
        names=[run.name for run in runs],
        tables=tables,
        columns=list(COLUMNS),
        tasks={task.code: task.name for task in TASKS},
        comparisons=comparisons,
        pictures=pictures,
        problems=problems,
        explanation=EXPLANATION,
        style=here.joinpath("page.css").read_text(encoding="utf-8"),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=_embedded(_data(runs, media)),
    )


def _embedded(data: Any) -> str:
    """JSON that can stand in a script element: nothing in it can end the element."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _data(runs: Sequence[Run], media: Media) -> dict[str, Any]:
    questions: dict[tuple[bool, str], dict[str, Any]] = {}
    for number, run in enumerate(runs):
        for row in run.samples.to_dict("records"):
            key = (run.is_sample, row["id"])
            if key not in questions:
                questions[key] = {**_question(row, media), "key": str(len(questions)), "answers": [None] * len(runs)}
            answer = _answer(row)
            if row["prompt"] != questions[key]["prompt"]:
                answer["prompt"] = row["prompt"]
            questions[key]["answers"][number] = answer
    return {
        "runs": [run.name for run in runs],
        "tasks": {task.code: task.name for task in TASKS},
        "pairs": list(combinations(range(len(runs)), 2)),
        "questions": list(questions.values()),
    }


def _question(row: dict[str, Any], media: Media) -> dict[str, Any]:
    return {
        "id": row["id"],
        "code": row["code"],
        "level": row["level"],
        "question": row["question"],
        "options": row["options"],
        "gold": row["gold"],
        "media": row["media"],
        "prompt": row["prompt"],
        "sound": BY_CODE[row["code"]].is_audio,
        "src": media.source(row["file"]),
    }


def _answer(row: dict[str, Any]) -> dict[str, Any]:
    told = {
        "outcome": outcome(row),
        "acc": row["acc"],
        "parsed": row["parsed"],
        "response": row["response"],
        "frames": row["frames"],
        "heard": row["seconds_heard"],
        "present": row["seconds_present"],
        "tokens": row["output_tokens"],
        "crash": row["crash"] or None,
    }
    return {key: value for key, value in told.items() if not _is_missing(value)}


def outcome(row: dict[str, Any]) -> str:
    """What became of a question: "failed", "unparsed", "right", "partly" or "wrong"."""
    if row["failed"]:
        return "failed"
    if not row["answered"]:
        return "unparsed"
    return "right" if row["acc"] == 1 else "partly" if row["acc"] > 0 else "wrong"


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and pandas.isna(value))
