"""The report as one self-contained HTML page."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import combinations
from typing import Any

import pandas
from jinja2 import Environment, StrictUndefined

from ..results.runs import Run
from ..tasks.humansense.metrics.parsing import option_letters
from ..tasks.humansense.metrics.reasoning import split
from ..tasks.humansense.taxonomy import BY_CODE, TASKS
from .compare import Comparison
from .media import Media
from .pictures import Picture
from .reasoning import LengthGroup
from .table import COLUMNS, Table
from .write import EXPLANATION


def page(
    tables: Sequence[Table],
    runs: Sequence[Run],
    comparisons: Sequence[Comparison],
    reasoning: Mapping[str, Sequence[LengthGroup]],
    pictures: Sequence[Picture],
    media: Media,
    problems: Sequence[str] = (),
) -> str:
    """Make the page. It contains everything except linked clips, and shows responses as text, never as markup.

    Args:
        tables: A table for each metric.
        runs: The runs, with all their samples.
        comparisons: The comparisons of pairs of runs.
        reasoning: The responses of each run by the length of their reasoning.
        pictures: The pictures.
        media: How clips come into the page.
        problems: Sentences about results that could not be used.

    Returns:
        The HTML.
    """
    here = files(__package__)
    script = here.joinpath("page.js").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    template = environment.from_string(here.joinpath("page.html.j2").read_text(encoding="utf-8"))
    return template.render(
        names=[run.name for run in runs],
        tables=tables,
        columns=list(COLUMNS),
        tasks={task.code: task.name for task in TASKS},
        comparisons=comparisons,
        reasoning=reasoning,
        pictures=pictures,
        problems=problems,
        alarms=[alarm for run in runs for alarm in run.alarms],
        explanation=f"Below each score: {EXPLANATION}",
        style=here.joinpath("page.css").read_text(encoding="utf-8"),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=_data(runs, media),
    )


def _data(runs: Sequence[Run], media: Media) -> dict[str, Any]:
    # Files of different origin may have another question in the same place.
    questions: dict[tuple[Any, ...], dict[str, Any]] = {}
    for number, run in enumerate(runs):
        for row in run.samples.to_dict("records"):
            key = (run.is_sample, row["id"], row["question"], *row["options"])
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
    names = ("id", "code", "level", "question", "options", "gold", "media", "prompt")
    return {
        **{name: row[name] for name in names},
        "letters": list(option_letters(row["options"])),
        "sound": BY_CODE[row["code"]].is_audio,
        "src": media.source(row["file"]),
    }


def _answer(row: dict[str, Any]) -> dict[str, Any]:
    parts = split(row["response"])  # not all reasoning is in the response: some servers send it beside it
    answer = {
        "outcome": _outcome(row),
        "acc": row["acc"],
        "parsed": row["parsed"],
        "response": parts.rest if parts.reasoning else row["response"],
        "reasoning": row["reasoning"] or None,
        "frames": row["frames"],
        "heard": row["seconds_heard"],
        "present": row["seconds_present"],
        "tokens": row["output_tokens"],
        "truncated": row["truncated"] == 1 or None,
        "empty": row["empty"] == 1 or None,
        "failure": row["failure"] or None,
        "crash": row["crash"] or None,
    }
    return {key: value for key, value in answer.items() if not pandas.isna(value)}


def _outcome(row: dict[str, Any]) -> str:
    """The outcome of a question: "failed", "unparsed", "right", "partly" or "wrong"."""
    if row["failed"]:
        return "failed"
    if not row["answered"]:
        return "unparsed"
    return "right" if row["acc"] == 1 else "partly" if row["acc"] > 0 else "wrong"
