"""Processor time of `lmms-humansense prepare` for many small members of an archive, against zipfile's `extractall`.

    TMPDIR=/dev/shm python benchmarks/unpacking.py [--out FILE] [--members 5000] [--rounds 5]

Each round makes a release of its own, of so many members of 500 bytes with a question about each, and unpacks it both
ways. Counts what all threads take, and the system for them: on a disk that is ten times as much in one round as in
another, in memory it is not. Prints and writes the medians.
"""

import argparse
import datetime
import io
import json
import os
import platform
import random
import statistics
import tempfile
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

import huggingface_hub.constants
from loguru import logger
from rich.console import Console

from lmms_humansense.dataset.anywhere import install
from lmms_humansense.prepare.plan import plan
from lmms_humansense.prepare.progress import ProgressDisplay
from lmms_humansense.prepare.work import carry_out
from lmms_humansense.tasks.humansense.annotations import FILES

SIZE = 500
"""Bytes of a member."""


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("unpacking.json"))
    parser.add_argument("--members", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    logger.remove()  # which would say that these are not the paper's questions
    install()
    rounds = []
    for number in range(given.rounds):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(measured(Path(folder), given.members, number))
    seconds = {name: [taken[name] for taken in rounds] for name in rounds[0]}
    about = {
        "members": given.members,
        "bytes of a member": SIZE,
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {"lmms-humansense": version("lmms-humansense")},
    }
    given.out.write_text(json.dumps({"seconds": seconds, "about": about}, indent=1) + "\n", encoding="utf-8")
    for name, taken in seconds.items():
        print(f"{name}: {statistics.median(taken):.2f} s ({min(taken):.2f} to {max(taken):.2f}, {len(taken)} rounds)")


def measured(folder: Path, members: int, seed: int) -> dict[str, float]:
    """Seconds of processor time that both ways take, once."""
    release = write_release(folder / "release", members, seed)
    started = time.process_time()
    with zipfile.ZipFile(release / "videos.zip") as archive:
        archive.extractall(folder / "extracted")
    plainly = time.process_time() - started
    huggingface_hub.constants.HF_HOME = str(folder / "home")  # where its locks lie
    os.environ["HUMANSENSE_DATA"] = str(release)
    started = time.process_time()
    with ProgressDisplay("Preparing", Console(file=io.StringIO())) as progress:
        made = carry_out(plan("AR", to=folder / "prepared"), progress).made
    prepared = time.process_time() - started
    if made != members:
        raise SystemExit(f"{made} of {members} members were made; their times cannot be compared")
    return {"extractall": plainly, "prepare": prepared, "prepare takes more": prepared - plainly}


def write_release(root: Path, members: int, seed: int) -> Path:
    """A release in an archive, with a question about each of its members; the seed draws their bytes."""
    drawn = random.Random(seed)
    root.mkdir()
    items = []
    with zipfile.ZipFile(root / "videos.zip", "w") as archive:
        for number in range(members):
            name = f"videos/many/{number:04d}.mp4"
            archive.writestr(name, drawn.randbytes(SIZE))
            question = {
                "question": "What is the person doing", "task_type": "Action_Recognition", "answer": "A",
                "question_pattern": "Multiple-choice question (select one answer choice)", "fps": 25,
                "options": ["A. Running", "B. Reading"], "full_frame_number": 250,
            }  # fmt: skip
            items.append({"video_path": f"data/{name}", "questions": question})
    (root / FILES["VQA"]).write_text(json.dumps(items), encoding="utf-8")
    return root


if __name__ == "__main__":
    main()
