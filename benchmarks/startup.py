"""How long the command takes to show its help, and how much time this package adds to lmms-eval's list of tasks.

    python benchmarks/startup.py [--out FILE] [--rounds 5]

Each round starts new processes: Python that does nothing, `lmms-humansense --help`, and lmms-eval's list of all tasks.
The last one counts the time in this package's plugin apart from the time that lmms-eval needs in any case.
Prints the medians and writes all rounds.
"""

import subprocess
import sys
import time
from pathlib import Path

import typer
from bench_report import about, report_seconds

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
# lmms-eval itself loads these in any case, before it calls the plugin.
import lmms_eval.evaluator
import lmms_eval.models
from lmms_eval.tasks import TaskManager

started = time.perf_counter()
assert "humansense_ar" in TaskManager("ERROR").all_tasks
print(time.perf_counter() - started, spent)
"""


def main(out: Path = Path("startup.json"), rounds: int = 5) -> None:
    """Measure, print and write."""
    libraries = ("lmms-humansense", "lmms-eval", "typer", "rich")
    report_seconds(out, [measured() for _ in range(rounds)], about(libraries))


def measured() -> dict[str, float]:
    """The seconds of one start of each kind."""
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
    """The standard output of a new Python process."""
    return subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main.__doc__ = __doc__
    typer.run(main)
