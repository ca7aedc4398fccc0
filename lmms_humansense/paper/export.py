"""The command `lmms-humansense export-release`: a run's responses as the release's own scripts read them."""

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
from ..tasks.humansense.taxonomy import BY_CODE
from . import files
from .files import ReleaseError


@dataclass(frozen=True)
class Exported:
    """A result file to be written, and what is said of it: its items, the responses, and the failed requests."""

    name: str
    text: str
    items: int
    responses: list[str]
    failed: int

    @property
    def remarks(self) -> str:
        """What a reader of the file has to know."""
        spaced = sum(response != response.strip() for response in self.responses)
        said = [f"{len(self.responses):,} of {self.items:,} items answered"]
        if self.failed:
            said.append(f"{self.failed:,} failed requests are left out")
        if spaced:
            said.append(f"{spaced:,} responses have white space around them, which the release's scripts score as well")
        return "; ".join(said)


def export_release(results: Sequence[Path], folder: Path, model: str) -> int:
    """Write the runs in these results as result files of the release; returns the exit status: 0, or 1.

    Every item and field of the annotation file that was asked stays as it is; the responses, as the model gave them,
    come under the name `model`. Failed requests are left out, as questions that were not asked, and counted aloud; so
    is white space around responses, which lmms-eval takes off before it scores and the release's scripts do not.
    """
    console = Console(highlight=False, soft_wrap=True)
    runs, _ = load_runs(results, console)
    try:
        exported = _exported(runs, model)
        for each in exported:
            _refuse_to_overwrite(folder / each.name, each.text)
    except (ReleaseError, DataError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    for each in exported:
        path = folder / each.name
        path.write_text(each.text, encoding="utf-8")
        console.print(f"{path}: {each.remarks}.", markup=False)
    return 0


def _exported(runs: Sequence[Run], model: str) -> list[Exported]:
    if not runs:
        raise ReleaseError("There is nothing to export.")
    if not model.strip() or "/" in model or model in files.OWN_FIELDS:
        raise ReleaseError(f"--model {model!r} can not name a file and a field for responses: choose another name.")
    by_setting: dict[str, Run] = {}
    for run in runs:
        other = by_setting.setdefault(run.setting.name, run)
        if other is not run:
            raise ReleaseError(
                f"{other.name} and {run.name} would be one file; name the results file of one of them: "
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
        responses = [sample["response"] for sample in samples if not sample["failed"]]
        name = files.name(key, model, run.setting, with_sound)
        yield Exported(name, files.form(items), len(items), responses, failed=len(samples) - len(responses))


def _put(items: Sequence[Any], sample: dict[str, Any], model: str) -> None:
    """Store a sample's response with the question that it answers; of a failed request there is none."""
    place = int(sample["id"].partition("-")[2])
    question = items[place]["questions"] if place < len(items) else {}
    if question.get("question") != sample["question"]:
        raise ReleaseError(
            f"The annotations have another question than the results at item {place} ({sample['question']!r}): set "
            "HUMANSENSE_DATA to the folder whose questions were asked."
        )
    if sample["failed"]:
        question.pop(model, None)
    elif sample["response"] or question.get(model):
        question[model] = sample["response"]
    else:
        question.setdefault(model, "")  # a null says the same


def _questions(run: Run, key: str) -> list[Any]:
    """The items of the annotation file that was asked: from where the results say, else from HUMANSENSE_DATA."""
    wanted = {told["annotations"][FILES[key]] for told in run.origins if FILES[key] in told.get("annotations", {})}
    reasons = []
    for place in _places(run, key):
        try:
            content = _annotations(place, key)
        except (DataError, OSError) as error:
            reasons.append(str(error))
            continue
        if not wanted or sha256(content).hexdigest() in wanted:
            return list(json.loads(content))
        reasons.append(f"{FILES[key]} in {without_credentials(place)} is another than the one that was asked.")
    raise ReleaseError(
        f"The questions of {run.name} are needed and can not be had: {' '.join(reasons)} Set HUMANSENSE_DATA to the "
        "folder or URL that holds them."
    )


def _places(run: Run, key: str) -> list[str]:
    places = []
    for origin in run.origins:
        if FILES[key] in origin.get("annotations", {}):
            source, commit = str(origin["source"]), origin.get("commit")
            places.append(f"{source}@{commit}/{FOLDER}" if commit else source)
    return list(dict.fromkeys(filter(None, [*places, data.root_of_user()])))


def _annotations(place: str, key: str) -> bytes:
    path = Path(place)
    return path.read_bytes() if path.is_file() else bytes(release.open_release(place).annotations(key))


def _refuse_to_overwrite(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise ReleaseError(f"{path} is there already and holds something else: delete it or choose another folder.")
