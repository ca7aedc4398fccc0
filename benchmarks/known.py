"""Times a run of lmms-eval whose answers are all known, beside lmms-eval's own `dummy` model on the same tasks.

The dummy model loads nothing and answers at once, so its run is the time that lmms-eval takes for itself. The tiny
checkpoint first answers the embedded sample with a response cache; then the two take turns.

    python benchmarks/known.py --rounds 5 --out known.json
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lmms_humansense.demo.tiny_model import write_tiny_model

_TASKS = "humansense_sample"


def main() -> None:
    """Run the benchmark and write its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True, help="Where the result is written, as JSON.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), given.rounds)
    given.out.write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


def measured(folder: Path, rounds: int) -> dict[str, Any]:
    """Answer the sample, then time known answers and the dummy model in turns.

    Args:
        folder: An empty folder for the checkpoint, the cache and the results.
        rounds: How often each is timed.

    Returns:
        The seconds of each run, and the medians; `more_seconds` is the median of the differences within a round.
    """
    model = write_tiny_model(folder / "tiny")
    ours = ["--model", "humansense_omni", "--model_args", f"pretrained={model},device=cpu"]
    ways = {
        "dummy": ["--model", "dummy", "--output_path", str(folder / "dummy")],
        "known": [*ours, "--use_cache", str(folder / "cache"), "--output_path", str(folder / "known")],
    }
    first, _ = _timed(ways["known"])
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds):
        for way in sorted(ways, reverse=bool(number % 2)):
            spent, said = _timed(ways[way])
            seconds[way].append(spent)
            if way == "known" and "Nothing was asked" not in said:
                raise SystemExit("A question was asked again.")
    pairs = zip(seconds["known"], seconds["dummy"], strict=True)
    return {
        "tasks": _TASKS,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "first_run": round(first, 2),
        "seconds": {way: [round(one, 2) for one in spent] for way, spent in seconds.items()},
        "medians": {way: round(statistics.median(spent), 2) for way, spent in seconds.items()},
        "more_seconds": round(statistics.median(known - dummy for known, dummy in pairs), 2),
    }


def _timed(arguments: list[str]) -> tuple[float, str]:
    """The seconds of one run of lmms-eval, and what it said."""
    command = [sys.executable, "-m", "lmms_eval", "--tasks", _TASKS, "--log_samples", *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    spent = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return spent, done.stdout + done.stderr


if __name__ == "__main__":
    main()
