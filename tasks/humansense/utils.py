"""The hooks in the YAML files of the tasks."""

import os
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import datasets
from loguru import logger

from . import data, messages, results, sound, source, variants
from .annotations import DataError
from .data import LocatedDoc
from .taxonomy import BY_CODE
from .variants import Variant


class AskedDoc(LocatedDoc):
    """A located doc, and how it is asked.

    Attributes:
        variant: The name of the variant ("" is the benchmark itself).
        ends: `READ`: tells models that they may mark how their responses end.
    """

    variant: str
    ends: str


READ = "read"
"""The value of the column `ends`. Only tasks that take the marks off (see `scoring`) have such a column."""


FEATURES = datasets.Features(
    {
        **{name: datasets.Value("string") for name in AskedDoc.__annotations__},
        "options": [datasets.Value("string")],
        "frame_count": datasets.Value("int64"),
        "fps": datasets.Value("float64"),
    }
)
"""The columns of a dataset of docs; all but these three are strings."""


def process_docs(dataset: datasets.Dataset) -> datasets.Dataset:
    """The docs of a task from the release, as lmms-eval's hook.

    Args:
        dataset: The dataset of the task's YAML. Its configuration (`dataset_name`) is `<code>` or `<variant>_<code>`,
            and its row names the dataset repository.

    Returns:
        The docs as a dataset with `FEATURES`.

    Raises:
        SystemExit: The docs cannot be loaded.
    """
    try:
        root = data.release_root(dataset[0]["repository"])
    except DataError as error:
        _stop(str(error))
    return docs(dataset.config_name, root)


def docs(name: str, root: str, complete: bool = True) -> datasets.Dataset:
    """The docs of a task in a variant.

    Args:
        name: The name without "humansense" ("ar", "think_ar"), in any case.
        root: The root of the release.
        complete: Whether the whole release is expected there, see `data.load`.

    Returns:
        The docs as a dataset with `FEATURES`.

    Raises:
        SystemExit: The docs cannot be loaded, or lack the transcripts of the variant.
    """
    variant, code = variants.split(name.lower())
    try:
        loaded = data.load(code.upper(), root, complete)
        _refuse_without_transcript(loaded, variant)
    except DataError as error:
        _stop(str(error))
    asked = [{**doc, "variant": variant.name, "ends": READ} for doc in loaded]
    return datasets.Dataset.from_list(asked, features=FEATURES)


def _refuse_without_transcript(loaded: list[LocatedDoc], variant: Variant) -> None:
    lacking = [doc["id"] for doc in loaded if variant.transcript and doc["transcript"] is None]
    if lacking:
        raise DataError(
            f"{variant.group} shows transcripts, and {len(lacking)} of {len(loaded)} questions of {loaded[0]['code']} "
            f"have no field questions.asr_en (the first is {lacking[0]}): run the other tasks, or add the transcripts."
        )


def doc_to_text(doc: AskedDoc, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> str:
    """The prompt of a doc.

    Args:
        doc: A row of `docs`.
        lmms_eval_specific_kwargs: What the model can take (`sees`, `hears`), by the YAML.

    Returns:
        The prompt.

    Raises:
        SystemExit: The model cannot take the doc's media.
    """
    _check_senses(doc, lmms_eval_specific_kwargs)
    return _variant(doc).prompt(doc)


def doc_to_visual(doc: AskedDoc, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> list[Any]:
    """The media of a doc for lmms-eval's simple models.

    Args:
        doc: A row of `docs`.
        lmms_eval_specific_kwargs: What the model can take (`sees`, `hears`), by the YAML.

    Returns:
        The path of a video, or the waveform and sampling rate of an audio file; nothing in a variant without media.

    Raises:
        DataError: The media cannot be read.
    """
    variant = _variant(doc)
    if variant.shown == "none":
        return []
    if variant.shown == "silent" and _has_sense("hears", lmms_eval_specific_kwargs):
        _warn_of_paths(variant.group)
    path = data.local_media(doc)
    if not BY_CODE[doc["code"]].is_audio:
        return [str(path)]
    return [{"array": source.current().waveform(path), "sampling_rate": sound.SAMPLING_RATE}]


def doc_to_messages(doc: AskedDoc, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The messages of a doc for chat models.

    Args:
        doc: A row of `docs`.
        lmms_eval_specific_kwargs: What the model can take (`sees`, `hears`), by the YAML.

    Returns:
        One user turn, see `messages.build`.

    Raises:
        SystemExit: The model cannot take the doc's media.
        DataError: The media cannot be read.
    """
    prompt = doc_to_text(doc, lmms_eval_specific_kwargs)
    variant = _variant(doc)
    media = None if variant.shown == "none" else data.local_media(doc)
    return messages.build(doc, media, prompt, variant.hears(doc) and _has_sense("hears", lmms_eval_specific_kwargs))


def process_results(doc: AskedDoc, responses: list[str]) -> dict[str, results.Credit]:
    """The metrics of one doc.

    Args:
        doc: A row of `docs`.
        responses: The model's response, alone in a list.

    Returns:
        The metrics by name, see `results.metrics`.
    """
    path = _local_file(doc)
    length = sound.duration(path) if path and BY_CODE[doc["code"]].is_audio else None
    return results.metrics(doc, responses[0], length, str(path.absolute()) if path else None, _variant(doc).style)


def _variant(doc: AskedDoc) -> Variant:
    return variants.BY_NAME[doc["variant"]]


@cache  # once for each group
def _warn_of_paths(group: str) -> None:
    logger.warning("{} shows clips without sound, but this model gets their paths and may play the sound.", group)


def _local_file(doc: LocatedDoc) -> Path | None:
    """The local file of a doc; None if it cannot be found, which must not cost the scores of a finished run."""
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
    # lmms-eval would try an ordinary exception again five times, hide it in a RetryError and exit with status 0. This
    # one ends the run at once, with the message and status 1.
    raise SystemExit(f"HumanSense: {message}")
