"""Writes the table as Markdown, CSV, LaTeX and JSON."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..results.runs import METRICS, SHARES, Metric, Run
from ..results.text import for_spreadsheet, one_line
from ..tasks.humansense.taxonomy import TASKS
from .compare import Comparison
from .reasoning import LengthGroup
from .table import COLUMNS, Cell, Row, Table

_OF_CELL = ("score", "low", "high", "questions", "marks")

_LATEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def markdown(tables: Sequence[Table], runs: Sequence[Run] = ()) -> str:
    """Write the tables as Markdown, with their notes below; the best score is bold, the second best italic.

    Args:
        tables: A table for each metric.
        runs: The runs of the tables. What went wrong in them stands first.

    Returns:
        The text.
    """
    parts = [f"**{_escape(alarm)}**" for run in runs for alarm in run.alarms]
    for table in tables:
        lines = ["| " + " | ".join(["", *COLUMNS]) + " |", "|---" + "|--:" * len(COLUMNS) + "|"]
        for row in table.rows:
            lines.append(
                "| " + " | ".join([_escape(row.name), *(_plain(row, column, table.blank) for column in COLUMNS)]) + " |"
            )
        noted = [f"- {_escape(row.name)}: {_escape('; '.join(row.notes))}" for row in table.rows if row.notes]
        parts.append(
            "\n".join([f"## Metric `{table.metric}`", "", *lines, "", *noted, "", f"In brackets: {EXPLANATION}"])
        )
    return "# HumanSense\n\n" + "\n\n".join(parts) + "\n"


EXPLANATION = (
    "95 % intervals in percentage points, clustered by clip. Avg. is the unweighted mean of the 13 video "
    "tasks, as in the paper; levels are means of their tasks. A mean is given only if there is a score for each of its "
    "tasks; –: no response could be scored. The paper's rows are by the release's scorer for both metrics; people "
    "answered a subset. `truncated` is the share of responses that were cut off at max_new_tokens; – where the model "
    "does not say, or was not asked. `empty` is the share of responses that are empty, which `acc` counts as wrong and "
    "the release's scorer leaves out; – where the results do not say."
)
"""What the table has, in Markdown, from where its intervals stand."""


def _escape(text: str) -> str:
    """Escape what is markup in Markdown, in a table, or in a link."""
    line = one_line(text, longest=None).replace("&", "&amp;").replace("\\", "&#92;").replace("<", "&lt;")
    return line.replace("|", "\\|").replace("](", "]\\(").replace("`", "\\`")


def _plain(row: Row, column: str, blank: str) -> str:
    cell = row.cells.get(column)
    if cell is None:
        return "–" if column in row.unscored else blank
    mark = {1: "**", 2: "*"}.get(cell.rank or 0, "")
    star = f" ({', '.join(cell.marks)})" if cell.marks else ""
    return f"{mark}{100 * cell.score:.1f}{mark}{_interval(cell)}{star}"


def _interval(cell: Cell) -> str:
    return "" if cell.low is None or cell.high is None else f" [{100 * cell.low:.1f}, {100 * cell.high:.1f}]"


def comma_separated(tables: Sequence[Table]) -> str:
    """Write the tables as CSV: one line for each cell, with unrounded numbers.

    A cell without a score, because no response could be scored, has no numbers. Texts that a spreadsheet would take for
    formulas have an apostrophe before them.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["metric", "row", "kind", "column", *_OF_CELL, "notes"])
    for table in tables:
        for row in table.rows:
            texts = [for_spreadsheet(one_line(text, longest=None)) for text in (row.name, "; ".join(row.notes))]
            for column, cell in row.cells.items():
                numbers = [cell.score, cell.low, cell.high, cell.questions, "; ".join(cell.marks)]
                writer.writerow([table.metric, texts[0], row.kind, column, *numbers, texts[1]])
            for column in row.unscored:
                writer.writerow(
                    [table.metric, texts[0], row.kind, column, None, None, None, None, "no score", texts[1]]
                )
    return file.getvalue()


def latex(table: Table) -> str:
    """Write a table as LaTeX, for the package booktabs."""
    lines = [r"\begin{tabular}{l" + "r" * len(COLUMNS) + "}", r"\toprule", " & ".join(["Model", *COLUMNS]) + r" \\"]
    kind = ""
    for row in table.rows:
        lines += [r"\midrule"] if row.kind != kind else []
        kind = row.kind
        lines.append(" & ".join([_tex(row.name), *(_tex_cell(row.cells.get(column)) for column in COLUMNS)]) + r" \\")
    noted = [f"{row.name}: {'; '.join(row.notes)}" for row in table.rows if row.notes]
    notes = [f"% {one_line(note, longest=None)}" for note in noted]  # a second line would be no comment
    return "\n".join([f"% metric: {table.metric}", *notes, *lines, r"\bottomrule", r"\end{tabular}", ""])


def _tex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in one_line(text, longest=None))


def _tex_cell(cell: Cell | None) -> str:
    if cell is None:
        return "--"
    text = f"{100 * cell.score:.1f}"
    command = {1: "textbf", 2: "underline"}.get(cell.rank or 0)
    return f"\\{command}{{{text}}}" if command else text


def as_json(
    tables: Sequence[Table],
    runs: Sequence[Run],
    comparisons: Sequence[Comparison],
    reasoning: Mapping[str, Sequence[LengthGroup]],
) -> str:
    """Write everything as JSON, with unrounded numbers.

    Args:
        tables: A table for each metric.
        runs: The runs.
        comparisons: The comparisons of pairs of runs.
        reasoning: The responses of each run by the length of their reasoning.

    Returns:
        The text. `scores` holds the score of each task by run and metric, `reasoning` the scores of each run by the
        length of the reasoning.
    """
    content = {
        "scores": {run.name: {metric: _by_task(run, metric) for metric in (*METRICS, *SHARES)} for run in runs},
        "tables": {table.metric: [_row(row) for row in table.rows] for table in tables},
        "runs": [_run(run) for run in runs],
        "comparisons": [asdict(comparison) for comparison in comparisons],
        "reasoning": {name: [asdict(group) for group in groups] for name, groups in reasoning.items()},
    }
    return json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"


def _by_task(run: Run, metric: Metric) -> dict[str, float]:
    found = {task.code: run.leaves[task.code].estimates[metric] for task in TASKS if task.code in run.leaves}
    return {code: estimate.mean for code, estimate in found.items() if estimate is not None}


def _row(row: Row) -> dict[str, Any]:
    cells = {column: {name: getattr(cell, name) for name in _OF_CELL} for column, cell in row.cells.items()}
    return {"name": row.name, "kind": row.kind, "notes": row.notes, "unscored": row.unscored, "scores": cells}


def _run(run: Run) -> dict[str, Any]:
    counts = {code: {"samples": len(leaf.samples), "of": leaf.total} for code, leaf in run.leaves.items()}
    return {
        "name": run.name,
        "variant": run.variant,
        "settings": run.settings,
        "files": sorted({str(file) for file in run.files}),
        "tasks": counts,
    }


def write(
    folder: Path,
    tables: Sequence[Table],
    runs: Sequence[Run],
    comparisons: Sequence[Comparison],
    reasoning: Mapping[str, Sequence[LengthGroup]],
) -> None:
    """Write table.md, table.csv, table.tex and results.json.

    Args:
        folder: Where to write; created if it does not exist.
        tables: A table for each metric.
        runs: The runs.
        comparisons: The comparisons of pairs of runs.
        reasoning: The responses of each run by the length of their reasoning.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(as_json(tables, runs, comparisons, reasoning), encoding="utf-8")
    (folder / "table.md").write_text(markdown(tables, runs), encoding="utf-8")
    (folder / "table.csv").write_text(comma_separated(tables), encoding="utf-8")
    (folder / "table.tex").write_text("\n".join(latex(table) for table in tables), encoding="utf-8")
