"""The hooks that the task YAML names."""

import os
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import datasets
from loguru import logger

from . import data, messages, results, sound, variants
from .annotations import DataError
from .data import LocatedDoc
from .taxonomy import BY_CODE
from .variants import Variant

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
        "variant": datasets.Value("string"),
    }
)


class AskedDoc(LocatedDoc):
    """A located doc, and the name of the variant in which it is asked ("" is the benchmark itself)."""

    variant: str


def process_docs(dataset: datasets.Dataset) -> datasets.Dataset:
    """The docs of the leaf whose YAML has `dataset_name: <code>` or `<variant>_<code>`, from the release (`data`)."""
    try:
        root = data.release_root(dataset[0]["repository"])
    except DataError as error:
        _stop(str(error))
    return docs(dataset.config_name, root)


def docs(name: str, root: str, complete: bool = True) -> datasets.Dataset:
    """The docs of a task in a variant ("ar", "think_ar", any case) from the release at `root`, as a dataset."""
    variant, code = variants.split(name.lower())
    try:
        loaded = data.load(code.upper(), root, complete)
        _refuse_without_transcript(loaded, variant)
    except DataError as error:
        _stop(str(error))
    return datasets.Dataset.from_list([{**doc, "variant": variant.name} for doc in loaded], features=FEATURES)


def _refuse_without_transcript(loaded: list[LocatedDoc], variant: Variant) -> None:
    lacking = [doc["id"] for doc in loaded if variant.transcript and doc["transcript"] is None]
    if lacking:
        raise DataError(
            f"{variant.group} shows transcripts, and {len(lacking)} of {len(loaded)} questions of {loaded[0]['code']} "
            f"have no field questions.asr_en (the first is {lacking[0]}): run the other tasks, or mend the annotations."
        )


def doc_to_text(doc: AskedDoc, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> str:
    """The prompt. Stops the run when the model cannot take the doc's media."""
    _check_senses(doc, lmms_eval_specific_kwargs)
    return _variant(doc).prompt(doc)


def doc_to_visual(doc: AskedDoc, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> list[Any]:
    """What lmms-eval's simple models expect: the path of a video, the waveform of an audio file."""
    variant = _variant(doc)
    if variant.shown == "none":
        return []
    if variant.shown == "silent" and _has_sense("hears", lmms_eval_specific_kwargs):
        _warn_of_paths(variant.group)
    path = data.local_media(doc)
    if not BY_CODE[doc["code"]].is_audio:
        return [str(path)]
    return [{"array": sound.waveform(path), "sampling_rate": sound.SAMPLING_RATE}]


def doc_to_messages(doc: AskedDoc, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """What chat models are sent."""
    prompt = doc_to_text(doc, lmms_eval_specific_kwargs)
    variant = _variant(doc)
    media = None if variant.shown == "none" else data.local_media(doc)
    return messages.build(doc, media, prompt, variant.hears(doc) and _has_sense("hears", lmms_eval_specific_kwargs))


def process_results(doc: AskedDoc, responses: list[str]) -> dict[str, results.Credit]:
    """The metrics of one doc."""
    path = _local_file(doc)
    length = sound.duration(path) if path and BY_CODE[doc["code"]].is_audio else None
    return results.metrics(doc, responses[0], length, str(path.absolute()) if path else None, _variant(doc).style)


def _variant(doc: AskedDoc) -> Variant:
    return variants.BY_NAME[doc["variant"]]


@cache  # once for each group
def _warn_of_paths(group: str) -> None:
    logger.warning("{} shows clips without sound, but this model is handed their path and may play it itself.", group)


def _local_file(doc: LocatedDoc) -> Path | None:
    """None where it cannot be had: no reason to lose the scores of a run that is over."""
    try:
        return data.local_media_if_fetched(doc)
    except DataError:
        return None


def _has_sense(sense: str, kwargs: dict[str, Any] | None) -> bool:
    override = os.environ.get(f"HUMANSENSE_{sense.upper()}", "").strip()
    if override not in ("", "0", "1"):
        _stop(f"HUMANSENSE_{sense.upper()} is {override!r}; set it to 1 or 0.")
    return override == "1" if override else bool((kwargs or {}).get(sense, sense == "sees"))


def _check_senses(doc: AskedDoc, kwargs: dict[str, Any] | None) -> None:
    task, variant = BY_CODE[doc["code"]], _variant(doc)
    if task.is_audio and variant.hears(doc) and not _has_sense("hears", kwargs):
        instead = (
            f"leave {variant.group}_{doc['code'].lower()} out"
            if variant.name
            else "run the group humansense_video, which leaves FR2 and PC out"
        )
        _stop(
            f"{task.code} ({task.name}) is asked about a sound and this model is not known to hear: {instead}, or set "
            "HUMANSENSE_HEARS=1 if the model does hear."
        )
    if variant.sees(doc) and not _has_sense("sees", kwargs):
        _stop(
            f"{task.code} ({task.name}) is asked about a video and this model only hears: run the group "
            "humansense_audio, or set HUMANSENSE_SEES=1 if the model does see."
        )


def _stop(message: str) -> NoReturn:
    # An ordinary exception would be tried again five times by lmms-eval, hidden in a RetryError and followed by exit
    # status 0. This one ends the run at once, with the sentence and status 1.
    raise SystemExit(f"HumanSense: {message}")
