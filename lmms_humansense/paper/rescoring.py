"""Scores for responses that the release's own scripts have gathered, as results of lmms-eval."""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .. import __version__
from ..results.runs import RESCORED
from ..tasks.humansense import results as scored
from ..tasks.humansense.annotations import FILES, Doc
from ..tasks.humansense.taxonomy import BY_CODE, TASKS, parse_overrides
from ..tasks.humansense.variants import BY_NAME, Variant
from . import files
from .files import ReleaseError, ReleaseFile


@dataclass(frozen=True)
class Answered:
    """A result file with one model's responses to it, by the id of their doc."""

    file: ReleaseFile
    model: str
    responses: Mapping[str, str]


def answered_file(path: Path, model: str | None) -> Answered:
    """A result file with the responses of a model (see `ReleaseFile.model`). Raises what `files.read` raises."""
    file = files.read(path, parse_overrides(os.environ.get("HUMANSENSE_TASK_TYPES", "")))
    name = file.model(model)
    return Answered(file, name, file.responses(name))


def by_model(answered: Sequence[Answered]) -> dict[str, list[Answered]]:
    """The files of each model. Raises ReleaseError where two of one kind hold responses of one model."""
    found = {each.model: [other for other in answered if other.model == each.model] for each in answered}
    for model, parts in found.items():
        _refuse_twice(model, parts)
    return found


def _refuse_twice(model: str, parts: Sequence[Answered]) -> None:
    for key in FILES:
        paths = [str(each.file.path) for each in parts if each.file.key == key]
        if len(paths) > 1:
            raise ReleaseError(f"{' and '.join(paths)} both hold responses of {model}: rescore them one by one.")


def remarks(file: ReleaseFile, think: bool) -> list[str]:
    """What a user has to know of the questions in a file, as sentences."""
    resolution = file.annotations["resolution"]
    # In one line what a run warns of task by task: such files are often parts.
    found = [warning for warning in file.annotations["warnings"] if not warning.endswith(resolution.warnings)]
    asked = Counter(doc["code"] for doc in file.annotations["docs"])
    other = [f"{code} {count:,}" for code, count in asked.items() if count != BY_CODE[code].count]
    if other:
        found.append(f"{file.path}: other numbers of questions than in the paper: {', '.join(other)}.")
    found += [
        f"{file.path}: {count} of task_type {name} are no part of the benchmark's tables."
        for name, count in resolution.skipped.items()
    ]
    if "think" in files.suffixes(file.path) and not think:
        found.append(f"{file.path} is named as one of think prompts; those are scored with --think.")
    return found


def _variant(parts: Sequence[Answered], think: bool) -> Variant:
    """The setting that the flag and the names of the files tell."""
    if think:
        return BY_NAME["think"]
    suffixes = files.suffixes(parts[0].file.path)
    if "asr" not in suffixes:
        return BY_NAME[""]
    return BY_NAME["asr" if "audio" in suffixes else "asr_silent"]


def write_results(folder: Path, model: str, parts: Sequence[Answered], think: bool) -> Path:
    """Write a model's responses with their scores as lmms-eval writes them; returns the results file.

    `<folder>/<model>/<date>_results.json`, and beside it `<date>_samples_<task>.jsonl`.
    """
    now, variant = datetime.now().strftime("%Y%m%d_%H%M%S"), _variant(parts, think)
    place = folder / (re.sub(r"[^\w.-]", "_", model).strip(".") or "model")
    place.mkdir(parents=True, exist_ok=True)
    responses = {doc_id: response for each in parts for doc_id, response in each.responses.items()}
    sizes, means = {}, {}
    for task in TASKS:
        docs = [doc for each in parts for doc in each.file.annotations["docs"] if doc["code"] == task.code]
        samples = _samples(docs, responses, variant)
        if samples:
            leaf = f"{variant.group}_{task.code.lower()}"
            sizes[leaf] = {"original": len(docs), "effective": len(samples)}
            means[leaf] = {"alias": leaf, **_means(samples)}
            lines = [json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples]
            (place / f"{now}_samples_{leaf}.jsonl").write_text("".join(lines), encoding="utf-8")
    content = {"results": means, "n-samples": sizes, "date": now, **_about(model, parts, list(means))}
    path = place / f"{now}_results.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def _about(model: str, parts: Sequence[Answered], leaves: Sequence[str]) -> dict[str, Any]:
    """What the results file tells of the model, the tasks and the questions."""
    has_sound = any("audio" in files.suffixes(each.file.path) for each in parts)
    return {
        "configs": {leaf: {"task": leaf} for leaf in leaves},
        "config": {"model": RESCORED, "model_args": "", "limit": None},
        "model_name": model,
        "model_info": {
            "pretrained": model,
            "use_audio_in_video": "auto" if has_sound else "never",  # as the names of the files say
            "versions": {"lmms-humansense": __version__},
        },
        "humansense_data": [_origin(each.file) for each in parts],
    }


def _samples(docs: Sequence[Doc], responses: Mapping[str, str], variant: Variant) -> list[dict[str, Any]]:
    """The samples of those docs of a task that the model was asked."""
    return [
        {
            "doc_id": place,
            "target": doc["answer"],
            "filtered_resps": responses[doc["id"]],
            "input": variant.prompt(doc),
            **scored.metrics(doc, responses[doc["id"]], style=variant.style),
        }
        for place, doc in enumerate(docs)
        if doc["id"] in responses
    ]


def _means(samples: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    scores = {
        metric: [sample[metric]["score"] for sample in samples if metric in sample]
        for metric in ("paper", "acc", "answered", "failed")
    }
    return {f"{metric},none": sum(each) / len(each) for metric, each in scores.items() if each}


def _origin(file: ReleaseFile) -> dict[str, Any]:
    return {"source": str(file.path.absolute()), "annotations": {FILES[file.key]: file.sha256}}
