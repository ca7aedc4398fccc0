"""Failures of lmms-eval's wrappers, which look like responses, are counted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.chat_server import refusal
from tests.helpers.wrapper_runs.rows import ROWS, Row
from tests.helpers.wrapper_runs.run import missing, run

pytestmark = pytest.mark.wrappers

BY_NAME = {row.name: row for row in ROWS}


def counted(row: Row, root: Path, task_manager: Any, **more: Any) -> dict[str, dict[str, float]]:
    results = run(row, root, task_manager, **more).results
    return {code: {name: results[code][f"{name},none"] for name in ("failed", "empty")} for code in results}


@pytest.mark.parametrize("name", ["openai-chat", "openai-simple", "async_openai-chat", "litellm-chat"])
def test_a_server_that_refuses_everything(name: str, tmp_path: Path, task_manager: Any) -> None:
    row = replace(BY_NAME[name], args=BY_NAME[name].args + ",max_retries=1")
    if missing(row):
        pytest.skip(f"not tried: needs {', '.join(missing(row))}")
    for metrics in counted(row, tmp_path, task_manager, codes=("AR", "TR"), reply=refusal(400)).values():
        assert metrics["failed"] == 1


def test_errors_that_a_wrapper_turns_into_empty_responses(tmp_path: Path, task_manager: Any) -> None:
    row = replace(BY_NAME["qwen2_5_omni-chat"], needs=("transformers>=5",))
    if missing(row):
        pytest.skip(f"not tried: needs {', '.join(missing(row))}")
    for metrics in counted(row, tmp_path, task_manager, codes=("AR", "TR", "FR2")).values():
        assert metrics["empty"] == 1
