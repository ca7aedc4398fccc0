"""The command that measures on a GPU works, here on the CPU with a tiny model, where its figures mean nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts/gpu_check.py"

PARTS = ["tests", "batches", "run", "store", "memory", "think", "vllm", "wrapper", "processes"]


@pytest.mark.slow
def test_every_part_runs_or_says_what_it_lacks(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--small", "--out", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    parts = json.loads((tmp_path / "gpu_check.json").read_text())["parts"]
    assert list(parts) == PARTS
    for part in parts.values():
        assert part["outcome"] == "ok" or (part["outcome"] == "not run" and part["reason"])
    assert all(parts[name]["outcome"] == "ok" for name in PARTS if name not in ("vllm", "wrapper"))
    report = (tmp_path / "gpu_check.md").read_text(encoding="utf-8")
    assert all(f"## {name}" in report for name in PARTS)
    assert [row["equal answers"] for row in parts["batches"]["rows"]] == [1.0] * 4
    assert all(row["failures"] == 0 for row in parts["run"]["rows"])
    stored = parts["store"]["rows"]
    assert [row["store"] for row in stored] == ["none", "filled", "read"]
    assert [(row["failures"], row["equal answers"], row["entries written"]) for row in stored] == [
        (0, 1.0, 0),
        (0, 1.0, 6),  # the frames and the sound of each of three clips
        (0, 1.0, 0),
    ]
    (split,) = parts["memory"]["rows"]
    assert split["answered"] == split["prompts"] and split["batch size after"] < 16


def test_parts_that_end_badly_cost_themselves_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import gpu_check

    (tmp_path / "scripts").mkdir()
    part = tmp_path / "scripts/gpu_parts.py"
    monkeypatch.setattr(gpu_check, "ROOT", tmp_path)

    part.write_text("import os; os._exit(7)")
    assert gpu_check.run_part("run", small=True, work=tmp_path, left=60)["reason"] == "its process ended with status 7"

    monkeypatch.setattr(gpu_check, "LEAST", 0)
    result = {"outcome": "stopped", "rows": [{"size": 1}], "remarks": []}
    (tmp_path / "run.json").write_text(json.dumps(result))
    part.write_text("import time; time.sleep(60)")
    hung = gpu_check.run_part("run", small=True, work=tmp_path, left=1)
    assert (hung["outcome"], hung["reason"], hung["rows"]) == ("failed", "it was ended after 1 s", [{"size": 1}])

    monkeypatch.setattr(gpu_check, "LEAST", 20)
    assert gpu_check.run_part("run", small=True, work=tmp_path, left=5)["outcome"] == "not run"


def test_parts_do_not_use_the_store_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import gpu_check

    monkeypatch.setenv("HUMANSENSE_MEDIA_CACHE", str(tmp_path))
    assert "HUMANSENSE_MEDIA_CACHE" not in gpu_check._environment(small=True)
