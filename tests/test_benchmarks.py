"""The benchmarks behind the published figures run and have the expected outcomes, on fewer cases than the figures."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

pytestmark = pytest.mark.slow


def measured(script: str, *arguments: str, out: Path) -> Any:
    command = [sys.executable, str(BENCHMARKS / script), *arguments, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(out.read_text())


def test_runs_that_are_killed_lose_a_batch_at_most(tmp_path: Path) -> None:
    ways = measured("kill_points.py", "--kills", "1", out=tmp_path / "kills.json")
    assert len(ways) == 8
    assert all(way["equal"] and way["asked anew"] <= way["may be anew"] for way in ways)


def test_the_ways_of_asking_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_MEDIA_CACHE", str(tmp_path / "of the user"))
    found = measured("throughput.py", "--rounds", "1", "--questions", "2", out=tmp_path / "throughput.json")
    assert not (tmp_path / "of the user").exists()
    assert all(ratios.keys() == {"release", "lmms_eval"} for ratios in found["ratios"].values())
    with_store = {f"{way}_{workload}" for way in ("filling", "stored") for workload in ("distinct", "shared")}
    assert found["ratios"].keys() == {"distinct", "shared", "short", *with_store}
    assert all(found[name] > 0 for name in ("cpu_ratio_vs_release", "cpu_ratio_stored_vs_release", "model_only_ratio"))
    assert 3 < found["mbit_per_second"]["long"] < 8
    ((distinct,), (short,)) = (found["rounds"][name] for name in ("distinct", "short"))
    assert distinct.keys() == {
        "release",
        "lmms_eval",
        "humansense_omni",
        "filling",
        "stored",
        "model alone",
        "model, 1 thread",
    }
    assert short.keys() == {"release", "lmms_eval", "humansense_omni"}


def test_damaged_files_are_accounted_for(tmp_path: Path) -> None:
    found = measured("fuzz.py", "--media", "100", "--annotations", "40", out=tmp_path / "fuzz.json")
    assert found["media"]["answered"] + found["media"]["failed"] == 100
    assert 0 < found["media"]["answered"] < 100
    assert sum(found["annotations"]["outcomes"].values()) == 40


def test_replies_of_a_server_are_accounted_for(tmp_path: Path) -> None:
    found = measured("fuzz_replies.py", "--replies", "200", out=tmp_path / "fuzz.json")
    assert found["taken"] + found["asked again"] + found["failed"] == found["replies"] == 200
    assert min(found["taken"], found["asked again"], found["failed"]) > 0
    assert (found["odd"], found["changed when the run was continued"]) == ([], 0)


def test_starts_are_measured(tmp_path: Path) -> None:
    seconds = measured("startup.py", "--rounds", "1", out=tmp_path / "startup.json")["seconds"]
    assert [len(taken) for taken in seconds.values()] == [1, 1, 1, 1]


def test_preparing_is_compared_with_unpacking(tmp_path: Path) -> None:
    found = measured("unpacking.py", "--rounds", "2", "--members", "300", out=tmp_path / "unpacking.json")
    assert found["about"]["members"] == 300
    assert [len(taken) for taken in found["seconds"].values()] == [2, 2, 2]


def test_known_answers_are_timed_beside_a_model_that_does_nothing(tmp_path: Path) -> None:
    seconds = measured("known.py", "--rounds", "1", out=tmp_path / "known.json")["seconds"]
    assert {way: len(spent) for way, spent in seconds.items()} == {"dummy": 1, "known": 1}


def test_the_store_of_clips_is_measured(tmp_path: Path) -> None:
    found = measured("stored.py", "--rounds", "1", "--seconds", "4", out=tmp_path / "stored.json")
    assert found["CPU seconds for a clip"].keys() == {"decoded", "filling", "stored"}
    assert all(0 < size < found["MB of raw frames"] for size in found["MB of frames"].values())


def test_encoding_is_compared_with_the_plain_processor(tmp_path: Path) -> None:
    found = measured("encoding.py", "--rounds", "1", out=tmp_path / "encoding.json")
    for process in ("workers", "alone"):
        families = found[f"CPU seconds, {process}"]
        assert families.keys() == {"qwen2_5_omni", "qwen3_omni_moe", "qwen2_audio"}
        assert all(spent.keys() == {"plain", "here", "second"} for spent in families.values())


def test_a_run_of_all_tasks_is_rehearsed(tmp_path: Path) -> None:
    found = measured("rehearsal.py", "--share", "0.002", out=tmp_path / "rehearsal.json")
    assert found["questions"] == 15
    assert found["run"]["status"] == found["report"]["status"] == 0
    assert found["seconds to the first answer"] < found["run"]["seconds"]
    assert all(found["bytes written"].values())
