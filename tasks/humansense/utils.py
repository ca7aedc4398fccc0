"""The hooks in the YAML files of the tasks."""

from pathlib import Path
from typing import Any, NoReturn

import datasets

from . import data, handover, messages, results, sound, variants, wrappers
from .annotations import DataError
from .data import LocatedDoc
from .taxonomy import BY_CODE
from .variants import Variant
from .wrappers import Form, MediaForms, Unfit


class AskedDoc(LocatedDoc):
    """A located doc, and how it is asked.

    Attributes:
        variant: The name of the variant ("" is the benchmark itself).
        group: The group that it is asked in, without the variant: "humansense", or that of other questions.
        ends: `READ`: tells models that they may mark how their responses end.
    """

    variant: str
    group: str
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


def docs(name: str, root: str, complete: bool = True, group: str = "humansense") -> datasets.Dataset:
    """The docs of a task in a variant.

    Args:
        name: The name without "humansense" ("ar", "think_ar"), in any case.
        root: The root of the release.
        complete: Whether the whole release is expected there, see `data.load`.
        group: The group of lmms-eval that has these docs.

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
    asked = [{**doc, "variant": variant.name, "group": group, "ends": READ} for doc in loaded]
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
        lmms_eval_specific_kwargs: Not used. lmms-eval calls this hook also where no model is asked, so that only the
            hooks for media check what the model can take.

    Returns:
        The prompt.
    """
    return _variant(doc).prompt(doc)


def doc_to_visual(doc: AskedDoc, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> list[Any]:
    """The media of a doc for lmms-eval's simple models.

    Args:
        doc: A row of `docs`.
        lmms_eval_specific_kwargs: The name of the `wrapper`, by the YAML.

    Returns:
        The path of a video, then its sound if the model takes it apart; the sound of an audio file, as `handover.media`
        says; nothing in a variant without media.

    Raises:
        SystemExit: The model cannot take the doc's media.
        DataError: The media cannot be read.
    """
    plan = _plan(doc, lmms_eval_specific_kwargs, "simple")
    return [medium for medium in _media(doc, plan) if medium is not None]


def doc_to_messages(doc: AskedDoc, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The messages of a doc for chat models.

    Args:
        doc: A row of `docs`.
        lmms_eval_specific_kwargs: The name of the `wrapper`, by the YAML.

    Returns:
        One user turn, see `messages.build`.

    Raises:
        SystemExit: The model cannot take the doc's media.
        DataError: The media cannot be read.
    """
    plan = _plan(doc, lmms_eval_specific_kwargs, "chat")
    video, heard = _media(doc, plan)
    return messages.build(doc, video, heard, _variant(doc).prompt(doc))


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


def _local_file(doc: LocatedDoc) -> Path | None:
    """The local file of a doc; None if it cannot be found, which must not cost the scores of a finished run."""
    try:
        return data.local_media_if_fetched(doc)
    except DataError:
        return None


def _plan(doc: AskedDoc, kwargs: dict[str, Any] | None, form: Form) -> MediaForms:
    """How the doc's media are handed over to a model, or the end of the run if they cannot be."""
    name = str((kwargs or {}).get("wrapper") or "")
    try:
        return wrappers.plan(name, form, BY_CODE[doc["code"]], _variant(doc), doc["group"])
    except Unfit as error:
        _stop(str(error))


def _media(doc: AskedDoc, plan: MediaForms) -> tuple[str | None, Any]:
    if plan == MediaForms():
        return None, None
    return handover.media(data.local_media(doc), plan)


def _stop(message: str) -> NoReturn:
    # lmms-eval would try an ordinary exception again five times, hide it in a RetryError and exit with status 0. This
    # one ends the run at once, with the message and status 1.
    raise SystemExit(f"HumanSense: {message}")
