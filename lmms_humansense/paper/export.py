"""The command `lmms-humansense export-release`: writes responses in the form that the release's own scripts read."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console

from ..dataset import release
from ..results.reading import load_runs
from ..results.runs import Run
from ..storage.errors import without_credentials
from ..tasks.humansense import data
from ..tasks.humansense.annotations import FILES, FOLDER, DataError, key_of
from ..tasks.humansense.json_text import loads, storable
from ..tasks.humansense.taxonomy import BY_CODE
from . import files
from .files import ReleaseError


@dataclass(frozen=True)
class Exported:
    """A result file to write.

    Attributes:
        name: Its file name.
        text: Its content.
        remarks: What its readers should know, as one sentence.
    """

    name: str
    text: str
    remarks: str


def export_release(results: Sequence[Path], folder: Path, model: str) -> int:
    """Write the runs in these results as result files of the release.

    The items and fields of the annotation file stay unchanged, and the unchanged responses are added. Failed requests
    are left out, like questions that were not asked, and a line says how many. Another says how many responses have
    white space around them: lmms-eval strips it before it scores, the release's scripts do not.

    Args:
        results: Folders and results files of lmms-eval.
        folder: Where to write.
        model: The field for the responses, and the part of the file's name, by which the release's scripts find them.

    Returns:
        The exit status: 0, or 1 if nothing was written.
    """
    console = Console(highlight=False, soft_wrap=True)
    runs, _ = load_runs(results, console)
    try:
        exported = _exported(runs, model)
        for each in exported:
            _refuse_to_overwrite(folder / each.name, each.text)
        folder.mkdir(parents=True, exist_ok=True)
        for each in exported:
            (folder / each.name).write_text(each.text, encoding="utf-8")
    except (ReleaseError, DataError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    for each in exported:
        console.print(f"{folder / each.name}: {each.remarks}", markup=False)
    return 0


def _exported(runs: Sequence[Run], model: str) -> list[Exported]:
    if not runs:
        raise ReleaseError("There is nothing to export.")
    if not model.strip() or "/" in model or model in files.OWN_FIELDS:
        raise ReleaseError(f"--model {model!r} cannot name a file and a field for responses: choose another name.")
    by_setting: dict[str, Run] = {}
    for run in runs:
        other = by_setting.setdefault(run.setting.name, run)
        if other is not run:
            raise ReleaseError(
                f"{other.name} and {run.name} would be written to one file; give the results file of one of them: "
                f"{', '.join(sorted({str(path) for path in [*other.files, *run.files]}))}."
            )
    return [each for run in runs for each in _of_run(run, model)]


def _of_run(run: Run, model: str) -> Iterator[Exported]:
    with_sound = run.settings.get("use_audio_in_video") != "never"
    for key in FILES:
        asked = [leaf for code, leaf in run.leaves.items() if key_of(BY_CODE[code]) == key]
        if not asked:
            continue
        items = _questions(run, key)
        samples = [sample for leaf in asked for sample in leaf.samples.to_dict("records")]
        for sample in samples:
            _put(items, sample, model)
        text = json.dumps(items, indent=4)  # as the release writes it
        yield Exported(files.name(key, model, run.setting, with_sound), text, _remarks(samples, len(items)))


def _remarks(samples: Sequence[dict[str, Any]], items: int) -> str:
    responses = [sample["response"] for sample in samples if not sample["failed"]]
    failed = len(samples) - len(responses)
    spaced = sum(response != response.strip() for response in responses)
    parts = [f"{len(responses):,} of {items:,} items answered"]
    if failed:
        parts.append(f"{failed:,} failed requests are left out")
    if spaced:
        parts.append(f"{spaced:,} responses have white space around them, which the release's scripts score as well")
    return "; ".join(parts) + "."


def _put(items: Sequence[Any], sample: dict[str, Any], model: str) -> None:
    """Store the response of a sample with its question; remove it if the request failed."""
    place = int(sample["id"].partition("-")[2])
    question = items[place]["questions"] if place < len(items) else {}
    if storable(str(question.get("question"))) != sample["question"]:
        raise ReleaseError(
            f"Item {place} of the annotations is not the question of the results ({sample['question']!r}): set "
            "HUMANSENSE_DATA to the folder with the questions that were asked."
        )
    if sample["failed"]:
        question.pop(model, None)
    elif sample["response"] or question.get(model):
        question[model] = sample["response"]
    else:
        question.setdefault(model, "")  # a null that is there means the same


def _questions(run: Run, key: str) -> list[Any]:
    """The items of the annotation file that was asked: from where the results say, or else from HUMANSENSE_DATA."""
    origins = [origin for origin in run.origins if FILES[key] in (origin.get("annotations") or {})]
    wanted = {origin["annotations"][FILES[key]] for origin in origins}
    reasons = []
    for place in _places(origins):
        try:
            content = _annotations(place, key)
            if not wanted or sha256(content).hexdigest() in wanted:
                return _items(content, key)
        except (DataError, OSError) as error:
            reasons.append(str(error))
            continue
        reasons.append(f"{FILES[key]} in {without_credentials(place)} is not the file that was asked.")
    raise ReleaseError(
        f"The questions of {run.name} are needed but cannot be read: {' '.join(reasons)} Set HUMANSENSE_DATA to the "
        "folder or URL that has them."
    )


def _items(content: bytes, key: str) -> list[Any]:
    """The items of an annotation file, unchanged, once it is clear that they are items."""
    try:
        loads(content)  # refuses what no later step could take
        items = json.loads(content)
    except ValueError as error:
        raise DataError(f"{FILES[key]} is not valid JSON ({error}); download it again.") from error
    if not isinstance(items, list) or not all(isinstance(_questions_of(item), dict) for item in items):
        raise DataError(f"{FILES[key]} must be one JSON array of items with questions; download it again.")
    return items


def _questions_of(item: Any) -> Any:
    return item.get("questions") if isinstance(item, dict) else None


def _places(origins: Sequence[dict[str, Any]]) -> list[str]:
    places = []
    for origin in origins:
        source, commit = str(origin["source"]), origin.get("commit")
        places.append(f"{source}@{commit}/{FOLDER}" if commit else source)
    return list(dict.fromkeys(filter(None, [*places, data.root_of_user()])))


def _annotations(place: str, key: str) -> bytes:
    path = Path(place)
    return path.read_bytes() if path.is_file() else bytes(release.open_release(place).annotations(key))


def _refuse_to_overwrite(path: Path, text: str) -> None:
    if path.is_file() and path.read_bytes() != text.encode():
        raise ReleaseError(f"{path} exists already with another content: delete it or choose another folder.")
