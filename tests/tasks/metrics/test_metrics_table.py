"""The table of docs/scores.md of responses for which `paper` and `acc` differ has the scores that the code computes.

`UPDATE_TABLE=1 pytest tests/tasks/metrics/test_metrics_table.py` writes the table again.
"""

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from lmms_humansense.tasks.humansense.metrics.scoring import Score, score
from lmms_humansense.tasks.humansense.prompts import Pattern, Style

PAGE = Path(__file__).parents[3] / "docs" / "scores.md"
START, END = "<!-- where paper and acc differ: start -->\n", "<!-- where paper and acc differ: end -->"

OPTIONS = ["A. Joy", "B. Anger", "C. Fear", "D. Awe", "E. Pride"]


class Case(NamedTuple):
    """A response to a question, and why the two metrics differ on it."""

    style: Style
    pattern: Pattern
    answer: str
    response: str
    why: str


CASES = [
    Case("plain", "single", "B", "The answer is B.", "`paper` reads the first character only"),
    Case("plain", "single", "B", "(B)", "the same"),
    Case("plain", "single", "B", "But I cannot tell.", "the same; `acc` reads an answer or none"),
    Case("plain", "single", "B", "B or C", "the same; `acc` wants one answer"),
    Case("plain", "single", "B", "<think>…</think><answer>B</answer>", "the plain scorer knows no tags"),
    Case("plain", "single", "B", "", "`paper` leaves empty responses out; to `acc` every question counts"),
    Case("plain", "single", "B", "[request failed] …", "a failed request is no response; it is counted as `failed`"),
    Case("plain", "count", "10", "10", "`paper` reads the first character only, so 10 is never right"),
    Case("plain", "count", "1", "12", "the same"),
    Case("plain", "count", "4", "four", "`paper` wants a digit"),
    Case("plain", "multi", "AC", "A, C", "to `paper` a space is a wrong answer"),
    Case("plain", "multi", "AC", "A and C", "to `paper` every character is an answer"),
    Case("plain", "multi", "A, C", "AC", "`paper` also wants the comma and the space of the annotated answer"),
    Case("think", "single", "B", "<answer>(B)</answer>", "`paper` knows `B`, `B.` with a text, and the option's text"),
    Case("think", "single", "E", "<answer>E</answer>", "the think scorer knows the letters A to D only"),
    Case("think", "single", "B", "<answer>C. Anger</answer>", "`paper` takes a right letter or a right text"),
    Case("think", "count", "10", "<answer>10</answer>", "`paper` reads the first character only"),
    Case("think", "count", "4", "<answer>four</answer>", "the release's code would stop here; counted 0"),
    Case("think", "multi", "AC", "<answer></answer>", "to `paper`, nothing is an incomplete answer"),
]


def options(pattern: Pattern) -> list[str]:
    return [] if pattern == "count" else OPTIONS if pattern == "single" else OPTIONS[:4]


def scored(case: Case) -> Score:
    return score(case.response, case.pattern, case.answer, options(case.pattern), case.style)


def shown(value: float | None) -> str:
    return "left out" if value is None else f"{value:g}"


def row(case: Case) -> str:
    found = scored(case)
    response = f"`{case.response}`" if case.response else "(empty)"
    question = {"single": "single choice", "multi": "multi-select", "count": "count"}[case.pattern]
    cells = [case.style, question, case.answer, response, shown(found.paper), shown(found.acc), case.why]
    return f"| {' | '.join(cells)} |"


def table() -> str:
    heading = "| prompt | question | right | response | `paper` | `acc` | why |\n|---|---|---|---|--:|--:|---|\n"
    return heading + "\n".join(map(row, CASES)) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.style}: {case.response}")
def test_the_metrics_do_differ(case: Case) -> None:
    found = scored(case)
    assert found.paper != found.acc
    assert bool(found.crash) == ("would stop" in case.why)


def test_the_table_in_the_readme_is_this() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(START) == text.count(END) == 1, "docs/scores.md has lost the marks around the table"
    before, _, rest = text.partition(START)
    wanted = before + START + table() + END + rest.partition(END)[2]
    if os.environ.get("UPDATE_TABLE") == "1":
        PAGE.write_text(wanted, encoding="utf-8")
        return
    assert text == wanted, "write it anew: UPDATE_TABLE=1 pytest tests/tasks/metrics/test_metrics_table.py"
