"""Checks the changes for lmms-eval on a checkout of it: `python upstream/check.py CHECKOUT`.

The checkout itself is not changed; everything happens in clones of its commit. For each of the two changes, and for
both together, the script checks that

- `upstream/export.py` writes it, and a second time changes nothing;
- the formatter and linter of lmms-eval do not change the changed files;
- lmms-eval's own tests have the same outcomes as before, and the new ones pass;
- the benchmark (on the sample's data) and the sample run with `--model dummy`, if the change adds them.

lmms-eval runs in an environment of its own, without lmms-humansense: a new one, or that of `--python`. The script
prints a table in Markdown and ends with status 0 if it finds no problem.
"""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree

import typer
import yaml
from exporter.formatting import has_ruff

STATES = {
    "humansense": ("humansense",),
    "task-entry-points": ("task-entry-points",),
    "both": ("humansense", "task-entry-points"),
}
"""The changes that each clone gets, each as a commit."""

_EXPORT = Path(__file__).resolve().with_name("export.py")
SAMPLE = "lmms_eval/tasks/humansense_sample"
QUESTIONS = 39
_TESTS = ("-m", "pytest", "test", "-q", "--continue-on-collection-errors", "-p", "no:cacheprovider")
_TEST_LIMIT = 1800.0
"""Seconds after which lmms-eval's tests are stopped."""

Outcomes = Mapping[str, str]


@dataclass
class Checked:
    """The results for one state: a sentence for each check, and the problems."""

    state: str
    files: int = 0
    found: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def note(self, check: str, result: str, problem: str = "") -> None:
        """Add the result of a check.

        Args:
            check: The name of the check, which is its row in the table.
            result: The sentence for the table if there is no problem.
            problem: What is wrong; "" if the check passed.
        """
        self.found[check] = f"**{problem}**" if problem else result
        if problem:
            self.problems.append(f"{self.state}, {check}: {problem}")


def main(
    checkout: Annotated[Path, typer.Argument(help="A git checkout of lmms-eval.")],
    python: Annotated[
        str | None, typer.Option(help="An interpreter with lmms-eval's dependencies, instead of a new environment.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A file for the table, which is also printed.")] = None,
) -> None:
    """Check the changes for lmms-eval in clones of a checkout, and print a table; the status is 1 if a check fails."""
    with tempfile.TemporaryDirectory(prefix="check-upstream-") as name:
        folder = Path(name)
        clones = {state: _changed(checkout, folder / state, changes) for state, changes in STATES.items()}
        base = _clone(checkout, folder / "before")
        python = python or _environment(folder / "env", clones["both"][0])
        before = _outcomes(base, python)
        checked = [_checked(state, *clone, python=python, before=before) for state, clone in clones.items()]
        table = _table(checked, base, python, before)
    print(table)
    if out:
        out.write_text(table, encoding="utf-8")
    raise typer.Exit(1 if any(each.problems for each in checked) else 0)


def _clone(checkout: Path, folder: Path) -> Path:
    _run(["git", "clone", "--quiet", str(checkout.resolve()), str(folder)], folder.parent)
    return folder


def _changed(checkout: Path, folder: Path, changes: Sequence[str]) -> tuple[Path, int, str]:
    """A clone with changes, the number of changed files, and the first problem of writing them ("" for none)."""
    _clone(checkout, folder)
    start = _run(["git", "rev-parse", "HEAD"], folder).stdout.strip()
    problems = []
    for change in changes:
        _export(folder, change)
        for finish in (_stage, _commit):
            finish(folder)
            _export(folder, change)
            problems += [f"{change}: {path} is changed a second time" for path in _not_staged(folder)]
    changed = _run(["git", "diff", "--name-only", start], folder).stdout.splitlines()
    return folder, len(changed), next(iter(problems), "")


def _export(folder: Path, change: str) -> None:
    _run([sys.executable, str(_EXPORT), str(folder), "--change", change], folder)


def _stage(folder: Path) -> None:
    _run(["git", "add", "--all"], folder)


def _not_staged(folder: Path) -> list[str]:
    """The files that differ from the last stage or commit."""
    status = _run(["git", "status", "--porcelain", "--untracked-files=all"], folder).stdout
    return [line[3:] for line in status.splitlines() if line[1] != " "]


def _commit(folder: Path) -> None:
    author = ["-c", "user.name=check", "-c", "user.email=check@localhost"]
    _run(["git", *author, "commit", "--quiet", "--no-verify", "--message", "feat: the change"], folder)


def _environment(folder: Path, clone: Path) -> str:
    """A new environment with lmms-eval's dependencies, those of the model, pytest and the formatters."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    wanted = [f"{clone}[humansense]", "pytest", *_formatters(clone)]
    # The version that is installed here, because newer ones are known not to work with lmms-eval.
    wanted.append(f"filelock=={importlib.metadata.version('filelock')}")
    _run([python, "-m", "pip", "install", "--quiet", *wanted], clone)
    return python


def _checked(state: str, clone: Path, files: int, problem: str, *, python: str, before: Outcomes) -> Checked:
    checked = Checked(state, files)
    checked.note("written twice", "no change", problem)
    _check_format(checked, clone, python)
    _check_tests(checked, before, _outcomes(clone, python))
    if "humansense" in STATES[state]:
        _check_run(checked, clone, python, "humansense")
        _check_run(checked, clone, python, "humansense_sample")
    return checked


def _formatters(clone: Path) -> list[str]:
    """The formatters of a checkout, in the versions that it names."""
    if _has_ruff(clone):
        return re.findall(r'"(ruff[^"]*)"', (clone / "pyproject.toml").read_text(encoding="utf-8")) or ["ruff"]
    return [f"{name}=={version}" for name, version, _ in _hooks(clone)]


def _hooks(clone: Path) -> list[tuple[str, str, list[str]]]:
    """Name, version and arguments of the pre-commit hooks."""
    hooks = yaml.safe_load((clone / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    return [(hook["id"], repo["rev"], hook.get("args", [])) for repo in hooks for hook in repo["hooks"]]


def _has_ruff(clone: Path) -> bool:
    return has_ruff((clone / "pyproject.toml").read_text(encoding="utf-8"))


def _check_format(checked: Checked, clone: Path, python: str) -> None:
    names = _run(["git", "diff", "--name-only", f"HEAD~{len(STATES[checked.state])}"], clone).stdout.splitlines()
    files = [name for name in names if name.endswith(".py") and (clone / name).is_file()]
    if _has_ruff(clone):
        commands = [["ruff", "format", "--check"], ["ruff", "check"]]
    else:
        commands = [[name, "--check", *arguments] for name, _, arguments in _hooks(clone)]
    formatters = []
    for command in commands:
        ended = _run([python, "-m", *command, *files], clone, check=False)
        if ended.returncode:
            checked.note("format", "", f"{command[0]}: {(ended.stderr or ended.stdout).strip().splitlines()[0]}")
            return
        version = _run([python, "-m", command[0], "--version"], clone).stdout
        formatters.append(f"{command[0]} {' '.join(re.findall(r'[0-9]+[.][0-9.]+', version)[:1])}")
    checked.note("format", f"{len(files)} files unchanged by {' and '.join(dict.fromkeys(formatters))}")


def _outcomes(clone: Path, python: str) -> Outcomes:
    """The outcome of each test of a clone, by its name."""
    report = clone.parent / f"{clone.name}.xml"
    _run([python, *_TESTS, f"--junitxml={report}"], clone, check=False, limit=_TEST_LIMIT)
    outcomes = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        outcomes[f"{case.get('classname')}::{case.get('name')}"] = min(kinds, default="passed")
    return outcomes


def _check_tests(checked: Checked, before: Outcomes, after: Outcomes) -> None:
    differing = sorted(name for name in before if after.get(name) != before[name])
    new = {name: outcome for name, outcome in after.items() if name not in before}
    bad = sorted(name for name, outcome in new.items() if outcome != "passed")
    if differing:
        checked.note(
            "their tests", "", f"{len(differing)} have other outcomes: {differing[0]} {after.get(differing[0])}"
        )
    else:
        checked.note("their tests", f"{len(before):,} come out as before")
    checked.note("new tests", f"{len(new):,} pass", f"{len(bad)} do not pass: {bad[0]}" if bad else "")
    if not new:
        checked.note("new tests", "", "there are none")


def _check_run(checked: Checked, clone: Path, python: str, task: str) -> None:
    out = clone.parent / f"{clone.name}-{task}"
    command = [python, "-m", "lmms_eval", "--model", "dummy", "--tasks", task, "--output_path", str(out)]
    data = {"HUMANSENSE_DATA": str(clone / SAMPLE)} if task == "humansense" else {}
    ended = _run(command, clone, check=False, environment=data)
    written = list(out.rglob("*_results.json"))
    if not written:
        checked.note(f"--tasks {task}", "", f"no results: {(ended.stderr or ended.stdout).strip()[-300:]}")
        return
    results = json.loads(written[0].read_text(encoding="utf-8"))
    asked = sum(leaf["effective"] for leaf in results["n-samples"].values())
    failed = results["results"][task]["failed,none"]
    wrong = "" if asked == QUESTIONS and failed == 0 else f"{asked} questions, failed: {failed}"
    checked.note(f"--tasks {task}", f"{asked} questions, none failed", wrong)
    shutil.rmtree(out)


def _table(checked: Sequence[Checked], base: Path, python: str, before: Outcomes) -> str:
    """The results of all states, as Markdown."""
    commit = _run(["git", "log", "-1", "--format=%h of %cs"], base).stdout.strip()
    release = re.search(r'^version = "(.*)"', (base / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    passed = sum(outcome == "passed" for outcome in before.values())
    version = _run([python, "-c", "import platform; print(platform.python_version())"], base).stdout.strip()
    checks = list(dict.fromkeys(check for each in checked for check in each.found))
    rows = [
        f"lmms-eval {release[1] if release else '?'} (commit {commit}), {date.today()}, Python {version}, "
        f"{platform.machine()}; of its {len(before):,} tests {passed:,} pass before the change.",
        "",
        f"| | {' | '.join(each.state for each in checked)} |",
        f"|---|{'---|' * len(checked)}",
        f"| changed files | {' | '.join(f'{each.files:,}' for each in checked)} |",
        *(f"| {check} | {' | '.join(each.found.get(check, '') for each in checked)} |" for check in checks),
    ]
    return "\n".join(rows) + "\n"


def _run(
    command: Sequence[str],
    folder: Path,
    check: bool = True,
    limit: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder; Python finds that folder's lmms_eval before an installed one."""
    variables = {**os.environ, "PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1", **(environment or {})}
    if command[0] == sys.executable:
        variables.pop("PYTHONPATH")
    ended = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=limit)
    if check and ended.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {ended.returncode}: {ended.stderr or ended.stdout}")
    return ended


if __name__ == "__main__":
    typer.run(main)
