"""Processor time of `lmms-humansense prepare` for many small members of an archive, compared with zipfile's extractall.

    TMPDIR=/dev/shm python benchmarks/unpacking.py [--out FILE] [--members 5000] [--rounds 5]

Each round makes a release of its own, with this many members of 500 bytes and a question about each, and unpacks it
both ways. The processor time is that of all threads, and includes the system's. On a disk, it can be ten times as much
in one round as in another; in memory it is steady. Prints the medians and writes all rounds.
"""

import io
import os
import random
import tempfile
import time
import zipfile
from pathlib import Path

import huggingface_hub.constants
import typer
from bench_report import about, item, report_seconds, write_annotations
from loguru import logger
from rich.console import Console

from lmms_humansense.dataset.anywhere import install
from lmms_humansense.prepare.plan import plan
from lmms_humansense.prepare.progress import ProgressDisplay
from lmms_humansense.prepare.work import carry_out

SIZE = 500
"""Bytes of a member."""


def main(out: Path = Path("unpacking.json"), members: int = 5000, rounds: int = 5) -> None:
    """Measure, print and write."""
    logger.remove()  # It would warn that these are not the paper's questions.
    install()
    taken = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            taken.append(measured(Path(folder), members, number))
    report_seconds(out, taken, about(["lmms-humansense"], members=members, **{"bytes of a member": SIZE}))


def measured(folder: Path, members: int, seed: int) -> dict[str, float]:
    """Seconds of processor time that each way takes, in one round."""
    release = write_release(folder / "release", members, seed)
    started = time.process_time()
    with zipfile.ZipFile(release / "videos.zip") as archive:
        archive.extractall(folder / "extracted")
    plainly = time.process_time() - started
    huggingface_hub.constants.HF_HOME = str(folder / "home")  # The locks of `prepare` lie there.
    os.environ["HUMANSENSE_DATA"] = str(release)
    started = time.process_time()
    with ProgressDisplay("Preparing", Console(file=io.StringIO())) as progress:
        made = carry_out(plan("AR", to=folder / "prepared"), progress).made
    prepared = time.process_time() - started
    if made != members:
        raise SystemExit(f"{made} of {members} members were made; their times cannot be compared.")
    return {"extractall": plainly, "prepare": prepared, "prepare takes more": prepared - plainly}


def write_release(root: Path, members: int, seed: int) -> Path:
    """Write a release in an archive, with a question about each member; the seed draws the members' bytes."""
    drawn = random.Random(seed)
    root.mkdir()
    names = [f"many/{number:04d}.mp4" for number in range(members)]
    with zipfile.ZipFile(root / "videos.zip", "w") as archive:
        for name in names:
            archive.writestr(f"videos/{name}", drawn.randbytes(SIZE))
    write_annotations(root, [item(name, frames=250, fps=25) for name in names])
    return root


if __name__ == "__main__":
    main.__doc__ = __doc__
    typer.run(main)
