"""Reads the results and samples that lmms-eval writes, also of runs that were made in parts."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas
from rich.console import Console

from ..tasks.humansense.metrics.scoring import without_mark
from ..tasks.humansense.taxonomy import BY_CODE
from ..tasks.humansense.variants import split
from .runs import SAMPLE, Leaf, Run

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
        console.print(f"Left out: {problem}", style="yellow", markup=False)
    return runs, problems


def read_runs(paths: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """Read the runs in these folders and results files.

    Results with the same configuration are parts of one run. If a run has several results for one task, the latest
    counts.

    Returns:
        The runs, and a sentence about each file or line that cannot be used.
    """
    problems: list[str] = []
    runs: dict[tuple[str, str], Run] = {}
    for file in _results_files(paths, problems):
        try:
            _add(runs, file, _read_json(file), problems)
        except ResultsError as error:
            problems.append(str(error))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"{type(error).__name__}: {error}"
            problems.append(f"{file} is not a results file of lmms-eval, or has another form ({what}).")
    found = [run for run in runs.values() if run.leaves]
    _name(found)
    return found, problems


def _results_files(paths: Iterable[Path], problems: list[str]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob(f"*_{_RESULTS}"))
            if not inside:
                problems.append(f"{path} contains no *_{_RESULTS} of lmms-eval.")
            found |= dict.fromkeys(inside)
        elif path.is_file():
            found[path] = None
        else:
            problems.append(f"{path} does not exist.")
    return list(found)


def _read_json(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, OSError) as error:
        raise ResultsError(f"{file} is not valid JSON ({error}): it was not written to its end.") from error
    found: dict[str, Any] = content if isinstance(content, dict) else {}
    missing = [key for key in ("results", "configs", "config", "n-samples") if not isinstance(found.get(key), dict)]
    if missing:
        raise ResultsError(f"{file} is not a results file of lmms-eval: it has no {', '.join(missing)}.")
    return found


def _add(runs: dict[tuple[str, str], Run], file: Path, results: Mapping[str, Any], problems: list[str]) -> None:
    """Add the tasks of a results file to the runs that they belong to."""
    ours = {name: named for name in results["configs"] if (named := _leaf_named(name))}
    if not ours:
        raise ResultsError(f"{file} has no task of HumanSense.")
    for name, (variant, code) in ours.items():
        settings = _settings(results, name)
        run = runs.setdefault((_as_key(settings), variant), Run(_model_name(results), variant, settings))
        run.info = results.get("model_info") or {}
        run.origins += [origin for origin in results.get("humansense_data") or [] if origin not in run.origins]
        try:
            leaf = _leaf(file, results, name, code, problems)
        except ResultsError as error:
            problems.append(str(error))
            continue
        known = run.leaves.get(leaf.code)
        if known is None or known.date <= leaf.date:
            run.leaves[leaf.code] = leaf
        run.files.append(file)


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
    samples_file = file.with_name(f"{file.name.removesuffix(_RESULTS)}samples_{name}.jsonl")
    if not samples_file.is_file():
        raise ResultsError(f"{samples_file} is missing: {name} of {file} was run without --log_samples.")
    numbers = results["n-samples"].get(name) or {}
    rows = list(_rows(samples_file, problems))
    if not rows:
        raise ResultsError(f"{samples_file} contains no sample of HumanSense.")
    frame = pandas.DataFrame(rows).drop_duplicates("doc_id").sort_values("doc_id").reset_index(drop=True)
    asked, total = (int(numbers.get(key, len(frame))) for key in ("effective", "original"))
    return Leaf(code, frame, asked, total, str(results.get("date", "")))


def _rows(file: Path, problems: list[str]) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield _row(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                what = f"{type(error).__name__}: {error}"
                problems.append(f"{file}, line {number} is not a sample of HumanSense, or it is cut off ({what}).")


def _row(sample: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a logged sample that reports need."""
    acc = sample["acc"]
    shown = (sample.get("token_counts") or [{}])[0] or {}
    response = sample["filtered_resps"]
    while isinstance(response, list):
        response = response[0] if response else ""
    paper, truncated = sample.get("paper"), sample.get("truncated")
    return {
        "doc_id": int(sample["doc_id"]),
        **{key: acc[key] for key in _OF_QUESTION},
        "option_count": len(acc["options"]),
        "acc": float(acc["score"]),
        "paper": None if paper is None else float(paper["score"]),
        "crash": (paper or {}).get("crash", ""),
        "answered": float(sample["answered"]["score"]),
        "failed": float(sample["failed"]["score"]),
        "truncated": None if truncated is None else float(truncated["score"]),
        "response": without_mark(str(response))[0],
        "prompt": str(sample.get("input", "")),
        **{key: shown.get(key) for key in ("frames", "seconds_heard", "seconds_present", "time_axis", "output_tokens")},
    }


_OF_QUESTION = (
    "id", "code", "level", "pattern", "question", "options", "gold", "parsed", "duration", "media", "file", "clip",
)  # fmt: skip
"""What the item `acc` of a sample says about its question and answer; see `results.metrics` of the tasks."""

_OF_MODEL = (
    "pretrained", "checkpoint", "model_type", "dtype", "quantization", "attn_implementation", "system_prompt", "frames",
    "fps", "nframes", "max_pixels", "time_axis", "video_reader", "use_audio_in_video", "random_weights", "base_url",
    "media", "frame_format",
)  # fmt: skip
"""What a model says about itself that scores depend on."""


def _settings(results: Mapping[str, Any], task: str) -> dict[str, Any]:
    """What a score depends on besides the task. Results with equal settings are parts of one run."""
    config, model = results["config"], results.get("model_info") or {}
    generation = results["configs"][task].get("generation_kwargs") or {}
    known = {key: model.get(key) for key in _OF_MODEL if key in model}
    return {
        "model": config.get("model"),
        **(known or {"model_args": config.get("model_args")}),
        "limit": config.get("limit"),
        "offset": config.get("offset") or None,
        "generation": generation,
        "version": (results.get("versions") or {}).get(task),
        "data": [
            {key: origin.get(key) for key in ("source", "commit") if key in origin}
            for origin in results.get("humansense_data") or []
        ],
    }


def _model_name(results: Mapping[str, Any]) -> str:
    model = results.get("model_info") or {}
    full = str(model.get("pretrained") or results.get("model_name") or results["config"].get("model") or "model")
    return full.rstrip("/").rpartition("/")[2]


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
    text = json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)
    return text if len(text) <= 24 else f"{text[:21]}…"
