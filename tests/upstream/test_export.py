"""`upstream/export.py` on checkouts of the installed lmms-eval: its files, errors and output."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from exporter import benchmark, copies, entry_points, formatting
from exporter.checkout import Checkout
from exporter.command import export_upstream
from exporter.errors import UpstreamError
from exporter.pull_request import pull_request
from lmms_eval.models import AVAILABLE_CHAT_TEMPLATE_MODELS

from lmms_humansense.tasks.humansense.taxonomy import TASKS
from tests.helpers import checkouts, logged

CHANGES = (benchmark.NAME, entry_points.NAME)
BUILT_IN = "humansense_omni" in AVAILABLE_CHAT_TEMPLATE_MODELS


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A checkout for each change, with the change written but not committed."""
    folders = {}
    for change in CHANGES:
        folders[change] = checkouts.write_checkout(tmp_path_factory.mktemp("checkout") / change, whole=False)
        assert export_upstream(folders[change], change, []) == 0
    return folders


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return checkouts.write_checkout(tmp_path / "lmms-eval", whole=False)


def changed(folder: Path) -> list[str]:
    status = checkouts.git(folder, "status", "--porcelain", "--untracked-files=all")
    return [line[3:] for line in status.splitlines()]


@pytest.mark.parametrize("change", CHANGES)
def test_a_second_time_changes_nothing_also_once_it_is_committed(
    checkout: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export_upstream(checkout, change, []) == 0
    assert "files are changed in" in capsys.readouterr().err
    before = {path: (checkout / path).read_bytes() for path in changed(checkout)}
    for _ in range(2):
        assert export_upstream(checkout, change, []) == 0
        assert "has the change already" in capsys.readouterr().err
        assert before == {path: (checkout / path).read_bytes() for path in before}
        checkouts.commit(checkout)
        assert changed(checkout) == []


def test_everything_that_the_benchmark_needs_is_there(written: dict[str, Path]) -> None:
    folder = written[benchmark.NAME]
    tasks = folder / "lmms_eval" / "tasks"
    for task in TASKS:
        assert (tasks / "humansense" / f"humansense_{task.code.lower()}.yaml").is_file()
        assert f"`humansense_{task.code.lower()}` | {task.name}" in (tasks / "humansense" / "README.md").read_text()
    assert list((tasks / "humansense_sample").rglob("*.mp4"))
    assert (folder / copies.MODEL).is_file()
    assert not list(folder.rglob("server*.py")), "the served model is not part of it"


def test_every_module_that_is_imported_is_there(written: dict[str, Path]) -> None:
    folder = written[benchmark.NAME]
    helpers = folder / copies.HELPERS
    there = set(helpers.rglob("*.py"))
    assert all(path.parent / "__init__.py" in there for path in there)
    assert not (helpers / "endpoint").exists(), "the served model is not part of it"
    families = copies.repository() / "models" / "local" / "families"
    assert {path.name for path in families.glob("*.py")} == {
        path.name for path in (helpers / "local" / "families").glob("*.py")
    }
    for path in there:
        assert copies.modules_behind(helpers, path) <= there, path
    for line in (folder / copies.MODEL).read_text().splitlines():
        assert not line.strip().startswith("from ."), line
        if (found := re.match(rf"from ({copies.HELPERS.replace('/', '.')}[.\w]*) import ", line.strip())) is not None:
            module = folder / found[1].replace(".", "/")
            assert module.with_suffix(".py") in there or module / "__init__.py" in there


def test_modules_are_found_in_all_folders_wherever_they_are_imported(tmp_path: Path) -> None:
    texts = {
        "__init__.py": "",
        "omni.py": "from .a.one import x\n",
        "a/__init__.py": "",
        "a/one.py": "def f():\n    from ..b import two\n    return two\n",
        "a/unused.py": "",
        "b/__init__.py": "from .three import y\n",
        "b/two.py": "",
        "b/three.py": "y = 1\n",
        "local/__init__.py": "",
        "local/families/__init__.py": "",
        "local/families/some.py": "from ...a import one\n",
        "endpoint/__init__.py": "",
        "endpoint/client.py": "",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = {path.relative_to(tmp_path).as_posix() for path in copies.modules_behind(tmp_path, tmp_path / "omni.py")}
    assert found == set(texts) - {"a/unused.py", "endpoint/__init__.py", "endpoint/client.py"}


def test_nothing_of_it_imports_this_package(written: dict[str, Path]) -> None:
    for folder in written.values():
        for path in [
            path for path in folder.rglob("*") if path.suffix in (".py", ".yaml") or path.name.endswith("_yaml")
        ]:
            assert "lmms_humansense" not in path.read_text(encoding="utf-8"), path


def test_only_import_prefixes_differ_where_the_formatter_leaves_a_file_alone(written: dict[str, Path]) -> None:
    ours = copies.repository() / "tasks" / "humansense" / "_default_template_yaml"
    theirs = written[benchmark.NAME] / "lmms_eval" / "tasks" / "humansense" / "_default_template_yaml"
    assert theirs.read_text() == ours.read_text().replace("lmms_humansense.tasks", "lmms_eval.tasks")


@pytest.mark.parametrize("change", CHANGES)
def test_the_checkouts_formatter_and_linter_leave_the_change_as_it_is(written: dict[str, Path], change: str) -> None:
    folder = written[change]
    files = [path for path in checkouts.git(folder, "ls-files", "-o", "-m").splitlines() if path.endswith(".py")]
    assert files
    for command in (["format", "--check"], ["check"]):
        ended = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *files], cwd=folder, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_files_that_are_no_longer_part_of_it_are_deleted(checkout: Path) -> None:
    stale = checkout / copies.HELPERS / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    checkouts.commit(checkout)
    assert export_upstream(checkout, benchmark.NAME, []) == 0
    assert not stale.exists()
    assert export_upstream(checkout, benchmark.NAME, []) == 0


@pytest.mark.parametrize("path", ["lmms_eval/evaluator.py", "notes.txt", "lmms_eval/tasks/humansense/utils.py"])
def test_local_changes_are_refused_by_name(checkout: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / path).parent.mkdir(parents=True, exist_ok=True)
    (checkout / path).write_text("changed\n")
    before = changed(checkout)
    assert export_upstream(checkout, benchmark.NAME, []) == 1
    assert f"has local changes ({path}): commit or stash them first." in capsys.readouterr().err
    assert changed(checkout) == before


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("docs/advanced/current_tasks.md", benchmark.NAME),
        ("docs/releases/CHANGELOG.md", entry_points.NAME),
        (".github/pull_request_template.md", benchmark.NAME),
        ("pyproject.toml", benchmark.NAME),
        ("lmms_eval/tasks/__init__.py", entry_points.NAME),
    ],
)
def test_a_checkout_without_the_places_is_refused_by_name(
    checkout: Path, path: str, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / path).write_text("# Another\n")
    checkouts.commit(checkout)
    assert export_upstream(checkout, change, []) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"{path} has ") and printed.out == ""
    (checkout / path).unlink()
    checkouts.commit(checkout)
    assert export_upstream(checkout, change, []) == 1
    assert f"has no {Path(path).name}" in capsys.readouterr().err
    assert changed(checkout) == []


def test_code_that_has_changed_is_refused_rather_than_overwritten(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = checkout / "lmms_eval" / "tasks" / "__init__.py"
    file.write_text(file.read_text().replace("task_index = {}", "task_index = {'new': {}}"))
    checkouts.commit(checkout)
    assert export_upstream(checkout, entry_points.NAME, []) == 1
    assert "an unknown version of initialize_tasks" in capsys.readouterr().err


def test_what_git_would_ignore_is_refused(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / ".gitignore").write_text("*.mp4\n")
    checkouts.commit(checkout)
    assert export_upstream(checkout, benchmark.NAME, []) == 1
    assert "excludes a file of the change" in capsys.readouterr().err


def test_a_folder_that_is_no_checkout_is_refused(
    tmp_path: Path, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export_upstream(tmp_path / "absent", benchmark.NAME, []) == 1
    assert "is no checkout of lmms-eval" in capsys.readouterr().err
    (checkout / "inner" / "lmms_eval").mkdir(parents=True)
    (checkout / "inner" / "lmms_eval" / "__init__.py").touch()
    assert export_upstream(checkout / "inner", benchmark.NAME, []) == 1
    assert "is not the root of a git checkout" in capsys.readouterr().err


def test_an_absent_formatter_is_named(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formatting, "find_spec", lambda name: None)
    with pytest.raises(UpstreamError, match="pip install ruff"):
        formatting.formatted({"test/a.py": b"x=1"}, Checkout(checkout))


def test_the_checkout_says_which_formatter_is_used(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "pyproject.toml").write_text("[tool.black]\nline-length = 240\n")
    checkouts.commit(checkout)
    commands = []
    monkeypatch.setattr(formatting, "_run", lambda command, folder: commands.append(command[0]))
    formatting.formatted({"test/a.py": b"x=1"}, Checkout(checkout))
    assert commands == ["isort", "black"]


def test_a_checkout_without_a_known_formatter_is_refused(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text("[tool.yapf]\n")
    checkouts.commit(checkout)
    with pytest.raises(UpstreamError, match=r"pyproject.toml has neither \[tool.ruff\] nor \[tool.black\]"):
        formatting.formatted({"test/a.py": b"x=1"}, Checkout(checkout))


def test_without_its_repository_the_command_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(copies, "__file__", str(tmp_path / "upstream" / "exporter" / "copies.py"))
    with pytest.raises(UpstreamError, match="run the command in a clone"):
        copies.repository()


def test_a_module_without_a_place_is_refused() -> None:
    with pytest.raises(UpstreamError, match="would still import lmms_humansense"):
        copies.renamed("test/x.py", b"from lmms_humansense.report import table\n")


def test_the_text_follows_the_template_and_claims_no_scores(
    written: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert export_upstream(written[benchmark.NAME], benchmark.NAME, []) == 0
    text = capsys.readouterr().out
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    template = checkouts.TEXTS[".github/pull_request_template.md"]
    assert headings == [line for line in template.splitlines() if line.startswith("## ")]
    assert text.count("not yet measured |") == len(TASKS) + 1
    assert "- [x] New benchmark/task" in text and "- [ ] New feature" in text
    assert "<!--" not in text


def test_the_script_does_what_the_function_does(written: dict[str, Path], checkout: Path, tmp_path: Path) -> None:
    def run(folder: Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(copies.repository() / "upstream" / "export.py"), str(folder)]
        options = ["--change", entry_points.NAME]
        return subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True)

    done = run(checkout)
    assert (done.returncode, done.stdout.splitlines()[0][:1]) == (0, "#"), done.stderr
    assert "files are changed in" in done.stderr
    assert changed(checkout) == changed(written[entry_points.NAME])
    assert run(tmp_path / "absent").returncode == 1


@pytest.mark.parametrize("change", CHANGES)
def test_the_text_holds_the_last_results_of_the_checks(change: str) -> None:
    template = checkouts.TEXTS[".github/pull_request_template.md"]
    unchecked = pull_request(change, template, [], "no results here")
    assert "The change was not checked yet." in unchecked
    checked = pull_request(change, template, [], "<!-- checked -->\n| a | table |\n<!-- end -->\n")
    assert "| a | table |" in checked and "not checked yet" not in checked


def test_the_versions_in_the_readme_are_the_tasks() -> None:
    root = copies.repository()
    readme = (root / "upstream" / benchmark.NAME / "lmms_eval" / "tasks" / "humansense" / "README.md").read_text()
    for name in ("_default_template_yaml", "_group_template_yaml"):
        version = re.search(r"^  version: (\S+)", (root / "tasks" / "humansense" / name).read_text(), re.MULTILINE)
        assert version and f"\n- {version[1]}: " in readme


def test_scores_of_real_runs_stand_beside_the_papers(
    written: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = logged.write(tmp_path, logged.mostly_right(1), model="Qwen/Qwen2.5-Omni-7B", tasks="AR,ER")
    assert export_upstream(written[benchmark.NAME], benchmark.NAME, [results]) == 0
    text = capsys.readouterr().out
    assert "| | questions | paper: Qwen2.5-Omni-7B | lmms-eval: Qwen2.5-Omni-7B |" in text
    assert "| AR (Action Recognition) | 300 | 47.3 | 100.0 |" in text
    assert text.count("not yet measured |") == len(TASKS) + 1 - 2
    assert "no weights were run" not in text


@pytest.mark.parametrize("changes", [{"limit": 5}, {"model_info": {"random_weights": True}}, {"variant": "think"}])
def test_runs_that_do_not_measure_the_benchmark_are_refused(
    written: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any]
) -> None:
    results = logged.write(tmp_path, logged.mostly_right(1), tasks="AR", **changes)
    assert export_upstream(written[benchmark.NAME], benchmark.NAME, [results]) == 1
    assert "have no run of a real model" in capsys.readouterr().err
