"""What `throughput.py` asks: how many questions, about which clips. Needs neither lmms-eval nor datasets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench_camera import Form
from bench_clips import FPS
from bench_report import item, write_annotations

FORMS = {"long": Form(100, 1280, 720, 100, 4_000_000), "short": Form(10, 640, 360, 50, 1_000_000)}
"""How clips look. Typical bit rates: of a phone's camera, at the lower end, and of the web for small pictures."""

WORKLOADS = {"distinct": ("long", 1), "shared": ("long", 2), "short": ("short", 1)}
"""The form of the clips, and how many questions there are about each."""


@dataclass(frozen=True)
class Counts:
    """How many questions are asked. More of them make the first and the last ones weigh less.

    Attributes:
        ours: Questions of a round for this package. There the first and the last ones are different, because
            workers run ahead of the model.
        others: Questions of a round for other systems, where each takes as long as any other.
        memory: The questions between which memory should not grow.
    """

    ours: int
    others: int
    memory: tuple[int, int]


def counts(ours: int) -> Counts:
    """The counts for so many questions of this package in a round."""
    return Counts(ours, max(1, ours // 4), (max(2, ours * 5 // 4), ours * 5))


def write_release(folder: Path, clips: Sequence[Path], seconds: int, names: int, questions: int) -> None:
    """Write a release.

    Args:
        folder: Where to write it.
        clips: The clips.
        seconds: How long each is.
        names: How many names of clips there are; if more than clips, clips have several names.
        questions: How many questions there are about each name.
    """
    videos = folder / "videos" / "talk"
    videos.mkdir(parents=True)
    items = []
    for number in range(names):
        (videos / f"clip_{number:03}.mp4").hardlink_to(clips[number % len(clips)])
        for place in range(questions):
            asked = {
                "question": f"Who speaks {'first' if place == 0 else f'as number {place + 1}'}",
                "task_type": "Talkingperson_Recognition",
                "answer": "B",
                "options": ["A. The person in the yellow shirt", "B. The person in the blue shirt", "C. Nobody"],
            }
            items.append(item(f"talk/clip_{number:03}.mp4", seconds * FPS, FPS, **asked))
    write_annotations(folder, items)
