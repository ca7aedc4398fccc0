"""Reads the results and samples that lmms-eval writes, also of runs that were made in parts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas
from rich.console import Console

from ..tasks.humansense.json_text import loads
from ..tasks.humansense.taxonomy import BY_CODE
from ..tasks.humansense.variants import split
from ..tasks.humansense.wording import listed, shown
from .runs import SAMPLE, Leaf, Run
from .samples import row
from .text import one_line

_RESULTS = "results.json"


class ResultsError(ValueError):
    """A results file cannot be used; the message names the file and says what is missing."""


def load_runs(paths: Sequence[Path], console: Console) -> tuple[list[Run], list[str]]:
    """Read runs and print a line for each problem.

    Args:
        paths: Folders and results files of lmms-eval.
        console: Where to print.

    Returns:
        The runs and the problems, as `read_runs` returns them.
    """
    runs, problems = read_runs(paths)
    for problem in problems:
        console.print(f"Note: {one_line(problem, longest=None)}", style="yellow", markup=False)
    return runs, problems


def read_runs(paths: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """Read the runs in these folders and results files.

    Results with the same configuration are parts of one run. If a run has several results for one task, the latest
    counts.

    Returns:
        The runs, and a sentence about each file, task or line that cannot be used.
    """
    problems: list[str] = []
    runs: dict[tuple[str, str], Run] = {}
    for file in _results_files(paths, problems):
        try:
            _add(runs, file, _read_json(file, problems), problems)
        except ResultsError as error:
            problems.append(str(error))
    found = [run for run in runs.values() if run.leaves]
    _name(found)
    return found, problems


def _results_files(paths: Iterable[Path], problems: list[str]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            # A pipe with such a name would be waited for without end.
            inside = sorted(file for file in path.rglob(f"*_{_RESULTS}") if file.is_file())
            if not inside:
                problems.append(f"{path} contains no *_{_RESULTS} of lmms-eval.")
            found |= dict.fromkeys(inside)
        elif path.is_file():
            found[path] = None
        else:
            problems.append(f"{path} does not exist.")
    return list(found)


def _read_json(file: Path, problems: list[str]) -> Mapping[str, Any]:
    try:
        content, is_changed = loads(file.read_bytes(), "replace")
    except OSError as error:
        raise ResultsError(f"{file} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise ResultsError(f"{file} is not valid JSON ({error}): it was not written to its end.") from error
    found: dict[str, Any] = content if isinstance(content, dict) else {}
    missing = [key for key in ("results", "configs", "config", "n-samples") if not isinstance(found.get(key), dict)]
    if missing:
        raise ResultsError(f"{file} is not a results file of lmms-eval: it has no {', '.join(missing)}.")
    wrong = _wrong_fields(found)
    if wrong:
        raise ResultsError(f"{file} has another form than results of lmms-eval: see its {', '.join(wrong)}.")
    if is_changed:
        problems.append(f"{file}: {_REPLACED}")
    return found


def _wrong_fields(results: Mapping[str, Any]) -> list[str]:
    """The fields that reports need and that have a type which lmms-eval and our models never write."""
    info = results.get("model_info") or {}
    origins = results.get("humansense_data") or []
    fine = {
        "versions": isinstance(results.get("versions") or {}, dict),
        "model_info": isinstance(info, dict),
        "model_info.versions": not isinstance(info, dict) or isinstance(info.get("versions") or {}, dict),
        "model_info.refused_arguments": not isinstance(info, dict) or _are_texts(info.get("refused_arguments") or []),
        "model_info.generation_of_tasks": not isinstance(info, dict) or _are_generations(info),
        "humansense_data": isinstance(origins, list) and all(map(_is_origin, origins)),
    }
    return [name for name, is_fine in fine.items() if not is_fine]


def _are_generations(info: Mapping[str, Any]) -> bool:
    tasks = info.get("generation_of_tasks") or {}
    return isinstance(tasks, dict) and all(
        isinstance(each, dict) and _are_texts(_as_list(each.get("until") or [])) for each in tasks.values()
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_origin(origin: Any) -> bool:
    """Whether this says where questions came from, as `data.origin` of the tasks does."""
    if not isinstance(origin, dict) or not isinstance(origin.get("source"), str):
        return False
    digests = origin.get("annotations") or {}
    texts = [origin.get("commit") or "", *(digests.values() if isinstance(digests, dict) else [None])]
    return all(isinstance(each, str) for each in texts)


def _add(runs: dict[tuple[str, str], Run], file: Path, results: Mapping[str, Any], problems: list[str]) -> None:
    """Add the tasks of a results file to the runs that they belong to."""
    names = dict.fromkeys([*results["configs"], *results["results"], *results["n-samples"], *_logged(file)])
    ours = {name: named for name in names if (named := _leaf_named(name))}
    if not any(name in results["configs"] for name in ours):
        raise ResultsError(f"{file} has no task of HumanSense.")
    for name, (variant, code) in ours.items():
        try:
            if name not in results["configs"]:
                raise ResultsError(f"{file}: its configs have no {name}, so nothing is known of how it was run.")
            settings = _settings(file, results, name)
            leaf = _leaf(file, results, name, code, problems)
        except ResultsError as error:
            problems.append(str(error))
            continue
        run = runs.setdefault((_as_key(settings), variant), Run(_model_name(results), variant, settings))
        run.info = results.get("model_info") or {}
        run.origins += [origin for origin in results.get("humansense_data") or [] if origin not in run.origins]
        known = run.leaves.get(leaf.code)
        if known is None or known.date <= leaf.date:
            run.leaves[leaf.code] = leaf
        run.files.append(file)


def _logged(file: Path) -> list[str]:
    """The tasks of which samples stand beside a results file."""
    start = f"{file.name.removesuffix(_RESULTS)}samples_"
    found = sorted(other.name for other in file.parent.glob("*.jsonl") if other.name.startswith(start))
    return [name.removeprefix(start).removesuffix(".jsonl") for name in found]


def _leaf_named(name: str) -> tuple[str, str] | None:
    """Split the name of a task into its variant and its code; None if it is not one of this benchmark's tasks.

    "humansense_ar" gives "" and "AR", "humansense_sample_think_ar" gives "sample_think" and "AR".
    """
    prefix, _, rest = name.partition("_")
    in_sample = rest.startswith(f"{SAMPLE}_")
    setting, code = split(rest.removeprefix(f"{SAMPLE}_"))
    if prefix != "humansense" or code.upper() not in BY_CODE:
        return None
    return "_".join(filter(None, [SAMPLE if in_sample else "", setting.name])), code.upper()


def _leaf(file: Path, results: Mapping[str, Any], name: str, code: str, problems: list[str]) -> Leaf:
    if _is_predicted_only(results, name):
        raise ResultsError(
            f"{file}: {name} was made with --predict_only, so its responses have no scores; run it again without it."
        )
    samples_file = file.with_name(f"{file.name.removesuffix(_RESULTS)}samples_{name}.jsonl")
    if not samples_file.is_file():
        raise ResultsError(f"{samples_file} is missing: {name} of {file} was run without --log_samples.")
    try:
        rows = _rows(samples_file, code, problems)
    except OSError as error:
        raise ResultsError(f"{samples_file} cannot be read ({error.strerror}).") from error
    if not rows:
        raise ResultsError(f"{samples_file} contains no sample of HumanSense.")
    numbers = results["n-samples"].get(name)
    counts = numbers if isinstance(numbers, dict) else {}
    asked, total = (counts.get(key, len(rows)) for key in ("effective", "original"))
    if not all(isinstance(count, int) and len(rows) <= count <= _MOST_QUESTIONS for count in (asked, total)):
        raise ResultsError(f"{file}: its n-samples of {name} ({shown(numbers)}) do not fit its {len(rows):,} samples.")
    frame = pandas.DataFrame(rows).sort_values("doc_id").reset_index(drop=True)
    return Leaf(code, frame, asked, total, str(results.get("date", "")))


def _is_predicted_only(results: Mapping[str, Any], name: str) -> bool:
    """Whether lmms-eval put its metric `bypass` in place of the task's own metrics."""
    scores = results["results"].get(name)
    return isinstance(scores, dict) and any(str(metric).startswith("bypass,") for metric in scores)


def _rows(file: Path, code: str, problems: list[str]) -> list[dict[str, Any]]:
    """The samples in a file. Of lines about the same question, the first counts."""
    rows: list[dict[str, Any]] = []
    known: set[int | str] = set()
    wrong, changed = [], []
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                sample, is_changed = loads(line, "replace")
                found = row(sample, code)
            except ValueError as error:  # SampleError is one
                wrong.append(f"{file}, line {number} is not a sample of HumanSense, or it is cut off ({error}).")
                continue
            if known & {found["doc_id"], found["id"]}:
                wrong.append(f"{file}, line {number} is about the same question as a line before it.")
                continue
            known |= {found["doc_id"], found["id"]}
            rows.append(found)
            changed += [str(number)] if is_changed else []
    problems += _some(wrong, f"{file}: {{:,}} more lines are left out for such reasons.")
    if changed:
        problems.append(f"{file}, line {listed(changed, _MOST_NAMED)}: {_REPLACED}")
    return rows


def _some(sentences: Sequence[str], more: str) -> list[str]:
    left = len(sentences) - _MOST_NAMED
    return [*sentences[:_MOST_NAMED], *([more.format(left)] if left > 0 else [])]


_REPLACED = "characters that cannot be stored are replaced by question marks."

_MOST_NAMED = 10
"""How many lines of one file are named in messages."""

_MOST_QUESTIONS = 10**6

_OF_MODEL = (
    "pretrained", "checkpoint", "model_type", "dtype", "quantization", "attn_implementation", "system_prompt", "frames",
    "fps", "nframes", "max_pixels", "time_axis", "video_reader", "use_audio_in_video", "random_weights", "base_url",
    "media", "frame_format", "engine", "vllm_mends", "vllm_server",
)  # fmt: skip
"""What a model says about itself that scores depend on."""


def _settings(file: Path, results: Mapping[str, Any], task: str) -> dict[str, Any]:
    """What a score depends on besides the task. Results with equal settings are parts of one run."""
    config, model, configured = results["config"], results.get("model_info") or {}, results["configs"][task]
    generation = (configured.get("generation_kwargs") or {}) if isinstance(configured, dict) else None
    if not isinstance(generation, dict) or not _are_texts(_as_list(generation.get("until") or [])):
        raise ResultsError(f"{file}: its configs.{task} has another form than in results of lmms-eval.")
    done = (model.get("generation_of_tasks") or {}).get(task) or {}
    known = {key: model.get(key) for key in _OF_MODEL if key in model}
    generation = {**generation, **done}  # what was done, where the model says it, over what was asked for
    return {
        "model": config.get("model"),
        **(known or {"model_args": config.get("model_args")}),
        "limit": config.get("limit"),
        "offset": config.get("offset") or None,
        "generation": generation,
        "seed": config.get("torch_seed") if generation.get("do_sample") else None,  # greedy answers have none
        "version": (results.get("versions") or {}).get(task),
        "data": [
            {key: origin.get(key) for key in ("source", "commit") if key in origin}
            for origin in results.get("humansense_data") or []
        ],
    }


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _model_name(results: Mapping[str, Any]) -> str:
    model = results.get("model_info") or {}
    full = str(model.get("pretrained") or results.get("model_name") or results["config"].get("model") or "model")
    return one_line(full.rstrip("/").rpartition("/")[2]) or "model"


def _as_key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _name(runs: Sequence[Run]) -> None:
    """Name each run after its model, and several runs of one model also after the settings in which they differ."""
    for run in runs:
        run.name = f"{run.model} ({run.variant})" if run.variant else run.model
    for name in {run.name for run in runs}:
        alike = [run for run in runs if run.name == name]
        known = dict.fromkeys(key for run in alike for key in run.settings)
        keys = [key for key in known if len({_as_key(run.settings.get(key)) for run in alike}) > 1]
        for number, run in enumerate(alike, 1):
            if len(alike) > 1:
                differing = ", ".join(f"{key}={_short(run.settings.get(key))}" for key in keys[:3])
                run.name = f"{name} [{differing or f'#{number}'}]"


def _short(value: Any) -> str:
    text = one_line(json.dumps(value, default=str) if isinstance(value, dict | list) else str(value))
    return text if len(text) <= 24 else f"{text[:21]}…"
