"""Scores responses that the release's own scripts have gathered, and writes the scores as results of lmms-eval."""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count
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
    """A result file with the responses of one model.

    Attributes:
        file: The result file.
        model: The name of the model.
        responses: Its responses by the id of their doc.
    """

    file: ReleaseFile
    model: str
    responses: Mapping[str, str]


def answered_file(path: Path, model: str | None) -> Answered:
    """Read a result file with the responses of one model.

    Args:
        path: The result file.
        model: The name of the model; None if the file itself makes it clear (see `ReleaseFile.model`).

    Returns:
        The file and the responses.

    Raises:
        ReleaseError: The file cannot be used, or does not make clear which model is meant.
        DataError: The questions in the file are not valid.
        TaxonomyError: A task_type is unknown, or HUMANSENSE_TASK_TYPES is not valid.
    """
    file = files.read(path, parse_overrides(os.environ.get("HUMANSENSE_TASK_TYPES", "")))
    name = file.model(model)
    return Answered(file, name, file.responses(name))


def by_model(answered: Sequence[Answered]) -> dict[str, list[Answered]]:
    """Group result files by model.

    Raises:
        ReleaseError: Two files of one kind contain responses of one model.
    """
    found = {each.model: [other for other in answered if other.model == each.model] for each in answered}
    for model, parts in found.items():
        for key in FILES:
            paths = [str(each.file.path) for each in parts if each.file.key == key]
            if len(paths) > 1:
                raise ReleaseError(f"{' and '.join(paths)} both contain responses of {model}: rescore them one by one.")
    return found


def remarks(file: ReleaseFile, think: bool) -> list[str]:
    """What a user should know about the questions in a file, as sentences.

    Args:
        file: The result file.
        think: Whether its responses are scored as responses to think prompts.

    Returns:
        The sentences, each naming the file.
    """
    resolution = file.annotations["resolution"]
    # One sentence below replaces the warnings about each task, because result files often have only some questions.
    found = [warning for warning in file.annotations["warnings"] if not warning.endswith(resolution.warnings)]
    asked = Counter(doc["code"] for doc in file.annotations["docs"])
    other = [f"{code} {count:,}" for code, count in asked.items() if count != BY_CODE[code].count]
    if other:
        found.append(f"{file.path}: other numbers of questions than in the paper: {', '.join(other)}.")
    found += [
        f"{file.path}: {count} of task_type {name} are not part of the benchmark's tables."
        for name, count in resolution.skipped.items()
    ]
    if "think" in files.suffixes(file.path) and not think:
        found.append(f"{file.path} is named as a file of think prompts; score it with --think.")
    return found


def _variant(parts: Sequence[Answered], think: bool) -> Variant:
    """The variant of the tasks, by the flag and the names of the files."""
    if think:
        return BY_NAME["think"]
    suffixes = files.suffixes(parts[0].file.path)
    if "asr" not in suffixes:
        return BY_NAME[""]
    return BY_NAME["asr" if "audio" in suffixes else "asr_silent"]


def write_results(folder: Path, model: str, parts: Sequence[Answered], think: bool) -> Path:
    """Write the responses of a model with their scores, as lmms-eval writes them.

    Args:
        folder: Where to write.
        model: The name of the model.
        parts: The result files with its responses.
        think: Whether the prompts asked to think, which chooses the scorer.

    Returns:
        The results file, `<folder>/<model>/<date>_results.json`. The samples stand beside it, in
        `<date>_samples_<task>.jsonl`.
    """
    now, variant = datetime.now().strftime("%Y%m%d_%H%M%S"), _variant(parts, think)
    place = _place(folder, model, f"{now}_results.json")
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


def _place(folder: Path, model: str, file: str) -> Path:
    """The folder of a model. Two models may differ only in what no name of a folder can have."""
    name = re.sub(r"[^\w.-]", "_", model).strip(".")[:_LONGEST_NAME] or "model"
    places = (folder / f"{name}{end}" for end in chain([""], (f"_{number}" for number in count(2))))
    return next(place for place in places if not (place / file).exists())


_LONGEST_NAME = 60
"""The most characters of a folder's name; file systems allow 255 bytes."""


def _about(model: str, parts: Sequence[Answered], leaves: Sequence[str]) -> dict[str, Any]:
    """What the results file says about the model, the tasks and the questions."""
    has_sound = any("audio" in files.suffixes(each.file.path) for each in parts)
    return {
        "configs": {leaf: {"task": leaf} for leaf in leaves},
        "config": {"model": RESCORED, "model_args": "", "limit": None},
        "model_name": model,
        "model_info": {
            "pretrained": model,
            "use_audio_in_video": "auto" if has_sound else "never",  # by the names of the files
            "versions": {"lmms-humansense": __version__},
        },
        "humansense_data": [
            {"source": str(each.file.path.absolute()), "annotations": {FILES[each.file.key]: each.file.sha256}}
            for each in parts
        ],
    }


def _samples(docs: Sequence[Doc], responses: Mapping[str, str], variant: Variant) -> list[dict[str, Any]]:
    """The samples of the docs of a task that the model was asked."""
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
        for metric in ("paper", "acc", "answered", "failed", "empty", "truncated")
    }
    return {f"{metric},none": sum(each) / len(each) for metric, each in scores.items() if each}
