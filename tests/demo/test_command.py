"""The demo refuses folders that it cannot write, and its table shows what needs sound."""

import tempfile
from pathlib import Path

import pytest

from lmms_humansense.demo import command
from lmms_humansense.report.table import Cell, Row, Table


def test_a_temporary_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    with pytest.raises(command.DemoError, match=r"No temporary folder can be written .*: set TMPDIR to one"):
        command.run_demo(tmp_path / "out")


def test_the_table_has_a_mean_of_the_tasks_that_need_sound() -> None:
    scores = {code: Cell(0.25 * number) for number, code in enumerate(command.HEARD)}
    rows = [Row("all", "run", {"AR": Cell(1.0), **scores}), Row("some", "run", {"AR": Cell(1.0), "TR": Cell(1.0)})]
    whole, part = command.with_mean(Table("acc", rows)).rows
    assert whole.cells[command.BY_EAR].score == 0.5
    assert command.BY_EAR not in part.cells
    assert command.BY_EAR not in rows[0].cells
