"""The script that checks the changes for lmms-eval notices problems."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.helpers import checkouts

SCRIPT = Path(__file__).parents[2] / "upstream" / "check.py"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("check", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def checked(script: ModuleType) -> Any:
    return script.Checked("humansense", 3)


@pytest.mark.parametrize("stable", [True, False])
def test_a_change_that_differs_the_second_time_is_a_problem(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stable: bool
) -> None:
    checkout = checkouts.write_checkout(tmp_path / "lmms-eval", whole=False)
    times = iter(range(9))

    def export(folder: Path, change: str) -> None:
        (folder / "new.py").write_text(f"x = {0 if stable else next(times)}\n")

    monkeypatch.setattr(script, "_export", export)
    folder, files, problem = script._changed(checkout, tmp_path / "clone", ["humansense"])
    assert (folder, files) == (tmp_path / "clone", 1)
    assert problem == ("" if stable else "humansense: new.py is changed a second time")


@pytest.mark.parametrize("path", ["new.py", "extra.py"])
def test_what_only_the_second_or_only_the_last_time_writes_is_a_problem(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    checkout = checkouts.write_checkout(tmp_path / "lmms-eval", whole=False)
    for last in (2, 3):
        contents = iter(["x = 0\n"] * (last - 1) + ["x = 1\n"] * 3)

        def export(folder: Path, change: str, contents: Iterator[str] = contents) -> None:
            (folder / "new.py").write_text("x = 0\n")
            if (content := next(contents)) != "x = 0\n":
                (folder / path).write_text(content)

        monkeypatch.setattr(script, "_export", export)
        problem = script._changed(checkout, tmp_path / f"clone-{last}", ["humansense"])[2]
        assert problem == f"humansense: {path} is changed a second time"


def test_equal_outcomes_and_new_tests_that_pass_are_no_problem(script: ModuleType, checked: Any) -> None:
    script._check_tests(checked, {"a": "passed", "b": "failure"}, {"a": "passed", "b": "failure", "c": "passed"})
    assert checked.problems == []
    assert checked.found == {"their tests": "2 come out as before", "new tests": "1 pass"}


@pytest.mark.parametrize(
    ("after", "problem"),
    [
        ({"a": "failure", "c": "passed"}, "their tests: 1 have other outcomes: a failure"),
        ({"c": "passed"}, "their tests: 1 have other outcomes: a None"),
        ({"a": "passed", "c": "failure"}, "new tests: 1 do not pass: c"),
        ({"a": "passed", "c": "skipped"}, "new tests: 1 do not pass: c"),
        ({"a": "passed"}, "new tests: there are none"),
    ],
)
def test_other_outcomes_are_a_problem(script: ModuleType, checked: Any, after: dict[str, str], problem: str) -> None:
    script._check_tests(checked, {"a": "passed"}, after)
    assert checked.problems == [f"humansense, {problem}"]


@pytest.mark.parametrize(("text", "is_problem"), [("x = 1\n", False), ("x=1\n", True), ("import os\n", True)])
def test_files_that_the_checkouts_formatter_or_linter_would_change_are_a_problem(
    script: ModuleType, checked: Any, tmp_path: Path, text: str, is_problem: bool
) -> None:
    checkout = checkouts.write_checkout(tmp_path / "lmms-eval", whole=False)
    (checkout / "test" / "new.py").write_text(text)
    checkouts.commit(checkout)
    script._check_format(checked, checkout, sys.executable)
    assert bool(checked.problems) is is_problem
    assert checked.found["format"].startswith("**ruff: " if is_problem else "1 files unchanged by ruff ")


def test_a_run_without_results_is_a_problem(script: ModuleType, checked: Any, tmp_path: Path) -> None:
    (tmp_path / "clone" / "lmms_eval").mkdir(parents=True)
    (tmp_path / "clone" / "lmms_eval" / "__init__.py").write_text("raise RuntimeError('broken')")
    script._check_run(checked, tmp_path / "clone", sys.executable, "humansense")
    assert len(checked.problems) == 1 and "broken" in checked.problems[0]


def test_outcomes_are_those_of_the_tests(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "clone" / "test").mkdir(parents=True)
    (tmp_path / "clone" / "test" / "test_some.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n@pytest.mark.skip\ndef test_c(): pass\n"
    )
    (tmp_path / "clone" / "test" / "test_broken.py").write_text("import absent_module\n")
    outcomes = script._outcomes(tmp_path / "clone", sys.executable)
    assert {name.rpartition("::")[2]: outcome for name, outcome in outcomes.items() if "some" in name} == {
        "test_a": "passed",
        "test_b": "failure",
        "test_c": "skipped",
    }
    assert [outcome for name, outcome in outcomes.items() if "broken" in name] == ["error"]
