"""What `benchmarks/scale.py` derives from measured parts."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks/scale.py"

CPU = {"humansense_omni": (1.0, 1.2, 3.0), "filling": (1.3, 1.4, 3.0), "stored": (0.3, 0.4, 3.0)}
RESULT = {
    "questions": 40,
    "about": {"date": "2026-01-02", "machine": "a machine"},
    "rounds": {
        "distinct": [
            {row: {"cpu_seconds_per_sample": seconds} for row, seconds in {**round_, "model, 1 thread": 0.2}.items()}
            for round_ in (dict(zip(CPU, seconds, strict=True)) for seconds in zip(*CPU.values(), strict=True))
        ]
    },
}


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return importlib.import_module("scale")


def test_media_take_what_a_run_takes_beside_its_model(scale: Any) -> None:
    assert scale.media_seconds(RESULT) == pytest.approx({"none": 1.0, "filled": 1.2, "read": 0.2})


def test_the_slower_of_media_and_gpu_decides(scale: Any) -> None:
    # 8 processes of one worker each, because each leaves a core for its GPU: 3,882 * 1.0 / 8 s, and 60 s of loading.
    by_media = scale.Case(gpus=8, cores=16, media=1.0, model=0.5)
    assert (round(by_media.minutes, 2), by_media.bound, by_media.workers) == (9.09, "media", 8)
    by_gpu = scale.Case(gpus=8, cores=112, media=1.0, model=0.5)
    assert (round(by_gpu.minutes, 2), by_gpu.bound, by_gpu.workers) == (5.04, "GPU", 64)
    assert scale.Case(gpus=8, cores=112, media=0.2, model=0.1).bound == "loading"


def test_a_page_gets_the_tables_between_its_marks(tmp_path: Path) -> None:
    figures, page = tmp_path / "throughput.json", tmp_path / "scale.md"
    figures.write_text(json.dumps(RESULT))
    page.write_text("before\n<!-- derived -->\nold\n<!-- end -->\nafter\n")
    subprocess.run([sys.executable, str(SCRIPT), str(figures), str(page)], check=True)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(
        "before\n<!-- derived -->\nMedia as measured on 2026-01-02 (a machine; 3 rounds of 40 questions):\n"
    )
    assert text.endswith("(CPU seconds).\n<!-- end -->\nafter\n")
    assert "| clips of 100 s at 1280×720 | 1.00 | 1.20 | 0.20 |" in text
    assert "old" not in text
    assert text.count("\n| 8, 112 |") == 3  # plain, think, and the rates of peers
