"""What the benchmarks share: the questions of a made-up release, and how figures are written and printed."""

import datetime
import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lmms_humansense.tasks.humansense.annotations import FILES
from lmms_humansense.tasks.humansense.prompts import PATTERNS


def item(path: str, frames: int, fps: int, **questions: Any) -> dict[str, Any]:
    """A single-choice question of Action Recognition about the clip `path`, with other fields in `questions`."""
    fields = {
        "question": "What is the person doing",
        "task_type": "Action_Recognition",
        "question_pattern": next(name for name, pattern in PATTERNS.items() if pattern == "single"),
        "answer": "A",
        "options": ["A. Running", "B. Reading"],
        "full_frame_number": frames,
        "fps": fps,
    }
    return {"video_path": f"data/videos/{path}", "questions": {**fields, **questions}}


def write_annotations(folder: Path, items: Sequence[dict[str, Any]]) -> None:
    """Write the video questions of a release."""
    (folder / FILES["VQA"]).write_text(json.dumps(items), encoding="utf-8")


def about(libraries: Iterable[str], **more: Any) -> dict[str, Any]:
    """When, where and with which versions of `libraries` something is measured; `more` comes first."""
    return {
        **more,
        "date": str(datetime.date.today()),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {name: version(name) for name in libraries},
    }


def write_figures(path: Path, figures: Any) -> None:
    """Write figures as JSON."""
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def report_seconds(path: Path, rounds: Sequence[dict[str, float]], about: dict[str, Any]) -> None:
    """Write the seconds of all rounds, and print the median, the least and the most of each name."""
    seconds = {name: [taken[name] for taken in rounds] for name in rounds[0]}
    write_figures(path, {"seconds": seconds, "about": about})
    for name, taken in seconds.items():
        print(f"{name}: {statistics.median(taken):.2f} s ({min(taken):.2f} to {max(taken):.2f}, {len(taken)} rounds)")
