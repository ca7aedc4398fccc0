"""Print the table of lmms-eval's flags that stands in docs/harness.md, from runs of the embedded sample.

    python scripts/flag_table.py

Each row is run with a tiny checkpoint, as in `pytest -m harness`. Takes two minutes.
"""

import sys
import tempfile
from pathlib import Path

import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from lmms_humansense.demo.tiny_model import write_tiny_model
from tests.harness.cases import RUNS, Case
from tests.harness.observed import Observed, observe


def main() -> None:
    """Run the cases and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        observed = observe(RUNS, Path(folder), write_tiny_model(Path(folder) / "tiny"))
    print("| flag | status | asked | prompt tokens of AR, TR | seconds heard of TR | what happens |")
    print("|---|--:|--:|---|--:|---|")
    for name, case in RUNS.items():
        print(row(case, observed[name]))


def row(case: Case, found: Observed) -> str:
    """A row of the table, of what was observed."""
    tokens = ", ".join(f"{found.shown[task][0]:,}" for task in ("sample_ar", "sample_tr") if task in found.shown)
    heard = f"{found.shown['sample_tr'][1]:g}" if "sample_tr" in found.shown else ""
    return f"| `{case.flag}` | {found.status} | {found.asked} | {tokens} | {heard} | {case.effect} |"


if __name__ == "__main__":
    main.__doc__ = __doc__
    typer.run(main)
