"""How far the parser of `acc` agrees with readers, and how its time grows with the length of a response.

    python benchmarks/parsing.py [--out FILE]

Reads the responses in tests/tasks/metrics/responses, whose answers two readers found without sight of the parser, and
counts for each set: read as the readers do, unread although it has an answer, and read as something else. It prints
no response: who changes the parser should not know the hidden ones. Then it times responses of growing length.
"""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import typer
from bench_report import about, write_figures

from lmms_humansense.tasks.humansense.metrics.parsing import parse
from lmms_humansense.tasks.humansense.prompts import Pattern

RESPONSES = Path(__file__).parent.parent / "tests" / "tasks" / "metrics" / "responses"
OPTIONS = ["A. Afraid", "B. Happy", "C. Angry", "D. Sad"]
REPEATED = (
    "Answer: ", "A, ", "B. Afraid\n", "wait, ", "<answer>", "</answer>", "\\boxed{", "<think>", "The answer is ",
    "not B ", "4 people ", "「", "{", "* ", "- [x] A. Afraid\n", "🙂", "B", "(", "\"a", "答", ". ",
    "1 ", "\n", "<", "A and B ",
)  # fmt: skip
"""Pieces of text that a rule looks for. A response of many of them is the worst case for that rule."""

SIZES = (125_000, 250_000, 500_000)
"""Characters of the responses that are timed."""


SETS = ("first_half", "second_half", "third_set", "fourth_set", "fifth_set", "hidden_half")


def agreement(name: str) -> dict[str, Any]:
    """Count how the parser reads a set of responses, by pattern.

    Args:
        name: The name of the file, one of `SETS`.

    Returns:
        For each pattern and for "all": `responses`, `answered` (by the readers), `unread` (of these), and `misread`
        (another answer than the readers', or one where they found none).
    """
    counts: dict[str, Counter[str]] = {}
    for line in (RESPONSES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        read = parse(row["response"], row["pattern"], row["options"])
        for pattern in (row["pattern"], "all"):
            count = counts.setdefault(pattern, Counter(responses=0, answered=0, unread=0, misread=0))
            count["responses"] += 1
            count["answered"] += row["answer"] is not None
            count["unread"] += row["answer"] is not None and read is None
            count["misread"] += read is not None and read != row["answer"]
    return {pattern: dict(count) for pattern, count in counts.items()}


def seconds(piece: str, size: int) -> float:
    """The time, in seconds, to read a response of `size` characters that repeats `piece`, by all patterns."""
    response = (piece * (size // len(piece) + 1))[:size]
    patterns: tuple[Pattern, ...] = ("single", "multi", "count", "yesno")
    started = time.perf_counter()
    for pattern in patterns:
        parse(response, pattern, OPTIONS)
    return time.perf_counter() - started


def main(out: Path | None = None) -> None:
    """Print both measurements, and write all figures as JSON."""
    sets = {name: agreement(name) for name in SETS if (RESPONSES / f"{name}.jsonl").exists()}
    for file, counts in sets.items():
        print(file.replace("_", " "))
        for name, count in sorted(counts.items()):
            share = count["unread"] / max(1, count["answered"])
            print(
                f"  {name:7} {count['responses']:4} responses, {count['answered']:4} with an answer: "
                f"{count['unread']:3} unread ({share:.1%}), {count['misread']:3} misread"
            )
    times = {piece: [seconds(piece, size) for size in SIZES] for piece in REPEATED}
    growth = {piece: taken[-1] / taken[-2] for piece, taken in times.items()}
    slowest = max(times, key=lambda piece: times[piece][-1])
    steepest = max(growth, key=lambda piece: growth[piece])
    print(f"{SIZES[-1]:,} characters take at most {times[slowest][-1]:.2f} s (of {slowest!r})")
    print(f"twice the text takes at most {growth[steepest]:.1f} times as long (of {steepest!r})")
    if out:
        write_figures(out, {"about": about(["lmms-humansense"]), "agreement": sets, "seconds": times})


if __name__ == "__main__":
    main.__doc__ = __doc__
    typer.run(main)
