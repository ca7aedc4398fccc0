"""The hooks that the task YAML names."""

import os
from pathlib import Path
from typing import Any, NoReturn

import datasets

from . import data, messages, prompts, results, sound
from .annotations import DataError
from .data import LocatedDoc
from .taxonomy import BY_CODE

FEATURES = datasets.Features(
    {
        "id": datasets.Value("string"),
        "code": datasets.Value("string"),
        "level": datasets.Value("string"),
        "task_type": datasets.Value("string"),
        "question": datasets.Value("string"),
        "pattern": datasets.Value("string"),
        "options": [datasets.Value("string")],
        "answer": datasets.Value("string"),
        "gold": datasets.Value("string"),
        "media": datasets.Value("string"),
        "frame_count": datasets.Value("int64"),
        "fps": datasets.Value("float64"),
        "transcript": datasets.Value("string"),
        "root": datasets.Value("string"),
        "file": datasets.Value("string"),
    }
)


def process_docs(dataset: datasets.Dataset) -> datasets.Dataset:
    """The docs of the leaf whose YAML has `dataset_name: <code>`, from the release (see `data`)."""
    return docs(dataset.config_name, data.release_root(dataset[0]["repository"]))


def docs(name: str, root: str, complete: bool = True) -> datasets.Dataset:
    """The docs of the task with the code `name` (any case) from the release at `root`, as a dataset."""
    try:
        loaded = data.load(name.upper(), root, complete)
    except DataError as error:
        _stop(str(error))
    return datasets.Dataset.from_list([dict(doc) for doc in loaded], features=FEATURES)


def doc_to_text(doc: LocatedDoc, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> str:
    """The plain prompt. Stops the run when the model can not take the doc's media."""
    _check_senses(doc, lmms_eval_specific_kwargs)
    return prompts.build(doc["question"], doc["pattern"], doc["options"])


def doc_to_visual(doc: LocatedDoc, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> list[Any]:
    """What upstream's simple models expect: the path of a video, the waveform of an audio file."""
    path = data.local_media(doc)
    if not BY_CODE[doc["code"]].is_audio:
        return [str(path)]
    return [{"array": sound.waveform(path), "sampling_rate": sound.SAMPLING_RATE}]


def doc_to_messages(doc: LocatedDoc, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """What chat models are sent."""
    prompt = doc_to_text(doc, lmms_eval_specific_kwargs)
    return messages.build(doc, data.local_media(doc), prompt, _has_sense("hears", lmms_eval_specific_kwargs))


def process_results(doc: LocatedDoc, responses: list[str]) -> dict[str, results.Credit]:
    """The metrics of one doc."""
    path = _local_file(doc)
    length = sound.duration(path) if path and BY_CODE[doc["code"]].is_audio else None
    return results.metrics(doc, responses[0], length, str(path.absolute()) if path else None)


def _local_file(doc: LocatedDoc) -> Path | None:
    """None where it can not be had: no reason to lose the scores of a run that is over."""
    try:
        return data.local_media_if_fetched(doc)
    except DataError:
        return None


def _has_sense(sense: str, kwargs: dict[str, Any] | None) -> bool:
    override = os.environ.get(f"HUMANSENSE_{sense.upper()}", "").strip()
    if override not in ("", "0", "1"):
        _stop(f"HUMANSENSE_{sense.upper()} is {override!r}; set it to 1 or 0.")
    return override == "1" if override else bool((kwargs or {}).get(sense, sense == "sees"))


def _check_senses(doc: LocatedDoc, kwargs: dict[str, Any] | None) -> None:
    task = BY_CODE[doc["code"]]
    if task.is_audio and not _has_sense("hears", kwargs):
        _stop(
            f"{task.code} ({task.name}) is asked about a sound and this model is not known to hear: run the group "
            "humansense_video, which leaves FR2 and PC out, or set HUMANSENSE_HEARS=1 if the model does hear."
        )
    if not task.is_audio and not _has_sense("sees", kwargs):
        _stop(
            f"{task.code} ({task.name}) is asked about a video and this model only hears: run the group "
            "humansense_audio, or set HUMANSENSE_SEES=1 if the model does see."
        )


def _stop(message: str) -> NoReturn:
    # An ordinary exception would be tried again five times by lmms-eval, hidden in a RetryError and followed by exit
    # status 0. This one ends the run at once, with the sentence and status 1.
    raise SystemExit(f"HumanSense: {message}")
