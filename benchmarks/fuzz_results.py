"""Damaged results go through the commands that read results: does each end with its tables or with a message?

1,000 times, one file of a good run is damaged: a results file of lmms-eval, a file with its samples, or a result file
of the release. Another good run stands beside it. `report`, `parity`, `export-release` and `rescore` then read them.
Each must end with status 0 or 1 and without a traceback, within a time limit; nothing of the good run may be lost; and
every line of a damaged file is a sample or is named. Every file can be made again from its number.

    python benchmarks/fuzz_results.py --out fuzz_results.json
"""

import io
import json
import random
import re
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import typer
from bench_mutants import damaged_json
from bench_report import write_figures

from lmms_humansense.paper.export import export_release
from lmms_humansense.paper.parity import parity
from lmms_humansense.paper.rescoring import answered_file, write_results
from lmms_humansense.report.command import report
from lmms_humansense.report.rescore_command import rescore
from lmms_humansense.results.reading import read_runs
from lmms_humansense.results.runs import Run
from lmms_humansense.tasks.humansense.annotations import FILES
from lmms_humansense.tasks.humansense.taxonomy import TASKS
from lmms_humansense.tasks.humansense_sample.utils import ROOT

TIMEOUT = 60
_KEPT = 25
_TASK_TYPES = {task.aliases[0] for task in TASKS if task.code in ("AR", "PA", "HC", "TR", "PC")}
"""The tasks in the files: one of each form of question, so that a thousand reports do not take hours."""

_MODELS = {"good": "Good", "other": "Other"}


class LostError(AssertionError):
    """Something is neither shown nor named."""


def main(files: int = 1000, seed: int = 0, out: Path | None = None) -> None:
    """Damage the files, read them, print the counts, and write them to a file."""
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    errors: dict[str, str] = {}
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "made"
        _make(made)
        for number in range(files):
            folder = Path(name) / "damaged"
            shutil.copytree(made, folder)
            began = time.monotonic()
            try:
                with _time_limit():
                    kind, outcome, why = _one(folder, random.Random(f"{seed}-results-{number}"))
                outcomes[f"{kind}, {outcome}"] += 1
                reasons.update({_general(reason, name) for reason in why})
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                errors[str(number)] = f"{type(error).__name__}: {str(error)[:300]}"
            slowest = max(slowest, time.monotonic() - began)
            shutil.rmtree(folder)
    measured = {
        "files": files,
        "outcomes": dict(sorted(outcomes.items())),
        "reasons": dict(reasons.most_common(_KEPT)),
        "slowest, s": round(slowest, 1),
        "tracebacks, hangs and losses": errors,
    }
    print(json.dumps(measured, indent=1, ensure_ascii=False))
    if out:
        write_figures(out, measured)
    if errors:
        raise SystemExit(f"{len(errors)} files were not handled.")


def _make(folder: Path) -> None:
    """Result files of the release for two models, and the same as results of lmms-eval."""
    for place, model in _MODELS.items():
        answered = []
        for key, file in FILES.items():
            items = [item for item in json.loads((ROOT / file).read_text()) if _is_kept(item)]
            for number, item in enumerate(items):
                item["questions"][model] = "A" if number % 3 else str(item["questions"]["answer"])
            path = folder / "release" / f"HumanSense_{key}_{model}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(items))
            answered.append(answered_file(path, model))
        results = write_results(folder / place, model, answered, think=False)
        _with_what_models_say(results)


def _is_kept(item: Any) -> bool:
    return item["questions"]["task_type"] in _TASK_TYPES


def _with_what_models_say(results: Path) -> None:
    """Add what results of our models have, and rescored ones have not."""
    content = json.loads(results.read_text())
    content["model_info"] |= {"frames": "release", "system_prompt": "Be brief.", "refused_arguments": []}
    content["config"]["model"] = "humansense_omni"
    content["versions"] = dict.fromkeys(content["configs"], 1.0)
    for task in content["configs"].values():
        task["generation_kwargs"] = {"max_new_tokens": 16, "until": []}
    results.write_text(json.dumps(content))
    for samples in results.parent.glob("*_samples_*.jsonl"):
        lines = [json.loads(line) for line in samples.read_text().splitlines()]
        shown = {"output_tokens": 1, "frames": 9, "seconds_heard": 1.5, "seconds_present": 2, "time_axis": "release"}
        samples.write_text("".join(json.dumps({**line, "token_counts": [shown]}) + "\n" for line in lines))


def _one(folder: Path, draw: random.Random) -> tuple[str, str, list[str]]:
    """Damage one file and read all: what was damaged and how, what became of it, and the messages."""
    what = draw.choice(("results file", "samples", "release file"))
    ending = {"results file": "*_results.json", "samples": "*_samples_*.jsonl"}.get(what)
    path = draw.choice(
        sorted((folder / "other").rglob(ending) if ending else (folder / "release").glob("*_Other.json"))
    )
    damage, content = damaged_json(draw, path.read_bytes(), lines=what == "samples")
    path.write_bytes(content)
    if what == "release file":
        status, said = _said(lambda: rescore([path], draw.choice((None, "Other")), draw.random() < 0.5, folder / "out"))
        return f"{what}: {damage}", "read" if status == 0 else "refused", said
    runs, problems = read_runs([folder / "good", folder / "other"])
    _check_nothing_is_lost(folder, runs, problems, path)
    for command in (
        lambda: report([folder / "other"], folder / "out"),
        lambda: parity([folder / "other"], None),
        lambda: export_release([folder / "other"], folder / "exported", "Exported"),
    ):
        _said(command)
    whole = any(str(path) in problem for problem in problems)
    lost = all(path.parent != file.parent for run in runs for file in run.files)
    return f"{what}: {damage}", "refused" if lost else "read in part" if whole else "read", problems


def _check_nothing_is_lost(folder: Path, runs: Sequence[Run], problems: Sequence[str], path: Path) -> None:
    """Refuse a run that lacks good samples, and damage after which a task or a line is neither shown nor named."""
    good, other = (
        {
            code: leaf
            for run in runs
            if any(place in file.parts for file in run.files)
            for code, leaf in run.leaves.items()
        }
        for place in _MODELS
    )
    asked = sum(len(json.loads(file.read_bytes())) for file in (folder / "release").glob("*_Good.json"))
    if sum(len(leaf.samples) for leaf in good.values()) != asked:
        raise LostError("questions of the good run are missing")
    named = [problem for problem in problems if str(path) in problem]
    if len(other) < len(good) and not named:
        raise LostError(f"of {len(good)} tasks, {len(other)} are shown and none is named")
    code = path.stem.rpartition("_")[2].upper()
    if path.suffix != ".jsonl" or code not in other:
        return
    lines, shown = len(path.read_bytes().removesuffix(b"\n").split(b"\n")), len(other[code].samples)
    more = [int(found[1].replace(",", "")) for each in named if (found := re.search(r": ([\d,]+) more lines", each))]
    left_out = sum(", line" in each and "are replaced" not in each for each in named) + sum(more)
    if shown + left_out != lines:
        raise LostError(f"of {lines} lines, {shown} are shown and {left_out} named")


def _said(command: Any) -> tuple[int, list[str]]:
    said = io.StringIO()
    with redirect_stdout(said):
        status = command()
    if status not in (0, 1):
        raise LostError(f"status {status}")
    return status, [line for line in said.getvalue().splitlines() if line.strip()] if status else []


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(number: int, frame: Any) -> None:
        raise TimeoutError(f"longer than {TIMEOUT} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(TIMEOUT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _general(reason: str, folder: str) -> str:
    return re.sub(r"\d+", "#", reason.replace(folder, "…"))[:150]


if __name__ == "__main__":
    main.__doc__ = __doc__
    typer.run(main)
