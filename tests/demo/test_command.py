"""The demo refuses folders that it cannot write."""

import tempfile
from pathlib import Path

import pytest

from lmms_humansense.demo import command


def test_a_temporary_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    with pytest.raises(command.DemoError, match=r"No temporary folder can be written .*: set TMPDIR to one"):
        command.run_demo(tmp_path / "out")
