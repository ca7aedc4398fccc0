"""How long the command takes to show its help, and what this package adds to lmms-eval's list of tasks.

    python benchmarks/startup.py [--out FILE] [--rounds 5]

Each round starts new processes: Python that does nothing, `lmms-humansense --help`, and lmms-eval's list of all tasks.
In the last one, the time that passes in this package's plugin is taken apart from what lmms-eval needs in any case.
Prints and writes the medians.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

LISTING = """
import time
import lmms_humansense.plugin.entry_points as plugin

spent, inside = 0.0, 0

def timed(function):
    def call(*arguments):
        global spent, inside
        started, inside = time.perf_counter(), inside + 1
        try:
            return function(*arguments)
        finally:
            inside -= 1
            spent += 0 if inside else time.perf_counter() - started
    return call

for name in ("_adapt", "_install_source", "_our_tasks"):
    setattr(plugin, name, timed(getattr(plugin, name)))
# What lmms-eval itself loads in any case, before it asks the plugin.
import lmms_eval.evaluator
import lmms_eval.models
from lmms_eval.tasks import TaskManager

started = time.perf_counter()
assert "humansense_ar" in TaskManager("ERROR").all_tasks
print(time.perf_counter() - started, spent)
"""


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("startup.json"))
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    rounds = [measured() for _ in range(given.rounds)]
    seconds = {name: [taken[name] for taken in rounds] for name in rounds[0]}
    about = {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("lmms-humansense", "lmms-eval", "typer", "rich")},
    }
    given.out.write_text(json.dumps({"seconds": seconds, "about": about}, indent=1) + "\n", encoding="utf-8")
    for name, taken in seconds.items():
        print(f"{name}: {statistics.median(taken):.2f} s ({min(taken):.2f} to {max(taken):.2f}, {len(taken)} rounds)")


def measured() -> dict[str, float]:
    """Seconds that each start takes, once."""
    listed, added = map(float, output("-c", LISTING).split()[-2:])
    return {
        "Python": seconds_of("-c", "pass"),
        "lmms-humansense --help": seconds_of("-m", "lmms_humansense", "--help"),
        "lmms-eval's list of tasks": listed,
        "of which this package": added,
    }


def seconds_of(*arguments: str) -> float:
    """Seconds until a new Python process has ended."""
    started = time.perf_counter()
    output(*arguments)
    return time.perf_counter() - started


def output(*arguments: str) -> str:
    """What a new Python process prints."""
    return subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
