"""The text of a pull request, after the template of the checkout."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from lmms_humansense import __version__
from lmms_humansense.paper.parity import lines, row_for
from lmms_humansense.paper.published import Published, published
from lmms_humansense.results.reading import load_runs
from lmms_humansense.results.runs import Run
from lmms_humansense.tasks.humansense.taxonomy import BY_CODE, TASKS

from . import entry_points
from .errors import UpstreamError, missing

TEMPLATE = ".github/pull_request_template.md"
NOT_MEASURED = "not yet measured"
MODEL = "Qwen2.5-Omni-7B"
"""The omni model of the paper's table whose weights are public."""

_CHECKED = re.compile(r"<!-- checked -->\n(.*?)<!-- end -->", re.DOTALL)
"""The results of the last check of the changes, in CONTRIBUTING.md."""


@dataclass(frozen=True)
class PullRequestText:
    """The text of a pull request.

    Attributes:
        title: Its title.
        sections: The texts by their headings in the template.
        types: The boxes to tick below "Type of Change".
    """

    title: str
    sections: Mapping[str, str]
    types: Sequence[str]


def pull_request(change: str, template: str, runs: Sequence[Run], contributing: str) -> str:
    """Write the text for a change, with the sections of the template in its order.

    Args:
        change: The name of the change.
        template: The checkout's template for pull requests.
        runs: Runs of real models, which the table compares with the paper.
        contributing: This repository's CONTRIBUTING.md, which has the results of checks with their commit and date.

    Returns:
        The text in Markdown.

    Raises:
        UpstreamError: The template lacks a section of the text.
    """
    checked = _CHECKED.search(contributing)
    checks = checked[1].strip() if checked else "The change was not checked yet."
    text = _entry_points(checks) if change == entry_points.NAME else _benchmark(runs, checks)
    lacking = [name for name in text.sections if f"## {name}" not in template.splitlines()]
    if lacking:
        raise missing(TEMPLATE, f"no section {lacking[0]!r}")
    parts = re.split(r"^(?=## )", template, flags=re.MULTILINE)
    return f"# {text.title}\n\n" + "\n".join(_filled(part, text).rstrip() + "\n" for part in parts if part.strip())


def runs_of(results: Sequence[Path], console: Console) -> list[Run]:
    """Read the runs of real models on the benchmark itself, with the tasks whose questions were all asked.

    Args:
        results: Files or folders with results of lmms-eval.
        console: Where warnings go.

    Returns:
        The runs; an empty list without results.

    Raises:
        UpstreamError: There are results, but none of such a run.
    """
    runs = [_complete(run) for run in load_runs(results, console)[0]]
    runs = [run for run in runs if run.leaves and not run.variant and not run.settings.get("random_weights")]
    if results and not runs:
        raise UpstreamError(
            "The results have no run of a real model with all questions of a task of the benchmark itself; leave "
            "--results out, or give others."
        )
    return runs


def _complete(run: Run) -> Run:
    return replace(run, leaves={code: leaf for code, leaf in run.leaves.items() if not leaf.missing})


def _filled(part: str, text: PullRequestText) -> str:
    heading = part.splitlines()[0].removeprefix("## ")
    if heading in text.sections:
        return f"## {heading}\n{text.sections[heading].strip()}\n"
    for ticked in text.types:
        part = part.replace(f"- [ ] {ticked}", f"- [x] {ticked}")
    return part


def _benchmark(runs: Sequence[Run], checks: str) -> PullRequestText:
    total = sum(task.count for task in TASKS)
    return PullRequestText(
        title="feat: add HumanSense benchmark and the humansense_omni model",
        sections={
            "Summary": f"""
- Adds [HumanSense](https://arxiv.org/abs/2508.10576): {total:,} questions in {len(TASKS)} tasks about people, on video
  and sound, with the release's prompts, frames and scorer.
- Adds `humansense_omni`, a chat model for Qwen2.5-Omni, Qwen3-Omni and Qwen2-Audio checkpoints that sees videos and
  hears their sound: in float32, batches answer as single samples do; media are prepared while the model works.
- Adds `humansense_sample`: 39 questions on small clips in the repository, which need no download, weights or GPU.
""",
            "In scope": """
- `lmms_eval/tasks/humansense` and `lmms_eval/tasks/humansense_sample`: YAML, hooks, taxonomy, prompts, scoring, data.
- `lmms_eval/models/chat/humansense_omni.py` with its helpers in `lmms_eval/models/model_utils/humansense`, an entry in
  the model table, and the optional dependencies `lmms_eval[humansense]`.
- One line in `evaluator.py`: a model may name the response cache that fits it (`response_cache_class`).
- Tests of both, and the entries in the list of tasks and in the changelog.
""",
            "Out of scope": f"""
- Other tasks and models: no file of theirs changes.
- Data from archives and URLs elsewhere, downloads of single files, preparing the data for clusters without internet,
  reports, comparison with the paper's table and served models: they stay in the package `lmms-humansense`
  {__version__}, which this change is generated from.
""",
            "Validation": f"""
- `python -m pytest test` | sample size: `N=` all tests | key metrics: outcomes before and after, and of the new tests |
  result: in the tables below
- `python -m lmms_eval --model dummy --tasks humansense` and `--tasks humansense_sample` | sample size: `N=39` each, the
  questions in the repository, as a release and as they are | key metrics: failed requests | result: in the tables below
- `python -m lmms_eval --model humansense_omni --tasks humansense` | sample size: `N={total:,}` | key metrics: the
  table | result: {"measured" if runs else f"{NOT_MEASURED}, no weights were run"}

{_table(runs)}

{checks}
""",
            "Risk / Compatibility": """
- Only new tasks and a new model; without `response_cache_class`, models have the same cache as before.
- The data are 26 GB, in the folder of `HUMANSENSE_DATA`; without it, the dataset's folder `bench_data` is downloaded
  from the Hub when the tasks are first used. Annotations and media are the release's (Apache 2.0), and none of them is
  in the repository.
""",
        },
        types=("New benchmark/task", "New model integration"),
    )


def _table(runs: Sequence[Run]) -> str:
    """Our scores beside the paper's, in percent."""
    if not runs:
        return _compared(None, next(row for row in published() if row.model == MODEL and not row.is_subset))
    return "\n\n".join(_compared(run, row_for(run, None)) for run in runs)


def _compared(run: Run | None, row: Published) -> str:
    ours = {line.name: line.ours for line in lines(run, row)} if run else {}
    rows = [
        f"| | questions | paper: {row.model} | lmms-eval{f': {run.model}' if run else ''} |",
        "|---|---:|---:|---:|",
        *(_row(task.code, f"{task.count:,}", row.scores.get(task.code), ours) for task in TASKS),
        _row("Avg.", "", row.average, ours),
    ]
    return "Accuracy in percent by the release's scorer, beside the paper's table 1:\n\n" + "\n".join(rows)


def _row(name: str, questions: str, theirs: float | None, ours: Mapping[str, float]) -> str:
    paper = "" if theirs is None else f"{100 * theirs:.1f}"
    mine = f"{100 * ours[name]:.1f}" if name in ours else NOT_MEASURED
    shown = f"{name} ({BY_CODE[name].name})" if name in BY_CODE else name
    return f"| {shown} | {questions} | {paper} | {mine} |"


def _entry_points(checks: str) -> PullRequestText:
    return PullRequestText(
        title="feat: let installed packages bring tasks by entry points",
        sections={
            "Summary": """
- Packages can bring models by entry points (`lmms_eval.models`), but tasks only by `--include_path` in every command:
  `LMMS_EVAL_PLUGINS` is read after the tasks were looked up, and has no effect on them.
- Adds the entry points `lmms_eval.tasks`, and has `LMMS_EVAL_PLUGINS` read where tasks are looked up.
- `--include_path` may be given several times; `lmms-eval tasks` and `lmms-eval power` see the tasks of plugins.
""",
            "In scope": """
- `lmms_eval/tasks/plugins.py`, and `TaskManager.initialize_tasks`, which asks it.
- `--include_path` of the command and `--include-path` of `tasks` and `power`.
- Tests, and a section in the task guide.
""",
            "Out of scope": """
- Models of plugins, which stay as they are; the web interface, which reads YAML files of one folder by itself.
- Any task.
""",
            "Validation": f"""
- `python -m pytest test` | sample size: `N=` all tests | key metrics: outcomes before and after, and of the new tests |
  result: in the tables below

{checks}
""",
            "Risk / Compatibility": """
- Of several tasks of one name, the last now counts: built-in, then plugins, then `--include_path`, as planned for
  lm-evaluation-harness. Until now a built-in task silently won over one of `--include_path`; now replaced tasks are
  logged. `include_defaults=False` leaves out plugins as well.
- If a plugin cannot be used, a warning is logged and only its own tasks are left out.
""",
        },
        types=("New feature", "Documentation update"),
    )
