"""The command `lmms-humansense rescore`: scores responses that the release's own scripts have gathered."""

import contextlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..paper.counts import counts
from ..paper.files import ReleaseError
from ..paper.rescoring import answered_file, by_model, remarks, write_results
from ..results.reading import load_runs
from ..tasks.humansense.annotations import DataError
from ..tasks.humansense.taxonomy import TaxonomyError
from .command import write_report
from .media import Media
from .progress import doing
from .terminal import show_run


def rescore(paths: Sequence[Path], model: str | None, think: bool, out: Path | None) -> int:
    """Score result files and print a table for each model.

    Args:
        paths: The result files of the release.
        model: The model whose responses are scored; None if the files make it clear.
        think: Whether the prompts asked to think, which chooses the release's scorer.
        out: The folder for the report, the counts of the release's scorer, and results as lmms-eval writes them, for
            the other commands; None to write nothing.

    Returns:
        The exit status: 0, or 1 if a file cannot be used.
    """
    console = Console(highlight=False, soft_wrap=True)
    try:
        with doing("Reading the result files", console):
            answered = [answered_file(path, model) for path in paths]
        models = by_model(answered)
    except (ReleaseError, DataError, TaxonomyError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    for each in answered:
        for remark in remarks(each.file, think):
            console.print(f"Note: {remark}", style="yellow", markup=False)
    with contextlib.ExitStack() as stack:
        try:
            folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        except OSError as error:
            reason = f"There is no folder for temporary files ({error.strerror})"
            console.print(f"{reason}: set TMPDIR to a folder that can be written, or give --out.", style="red")
            return 1
        written = [write_results(folder, name, parts, think) for name, parts in models.items()]
        with doing("Scoring the responses", console):
            runs, problems = load_runs(written, console)
    for run in runs:
        show_run(run, console)
    if out is not None:
        with doing("Writing the report", console):
            page = write_report(runs, out, "all", Media("link"), problems)
        console.print(f"Report: {page}", markup=False)
        for each in answered:
            counted = counts(each.file, each.responses, "think" if think else "plain")
            (out / f"scores_{each.file.path.name}").write_text(json.dumps(counted, indent=4), encoding="utf-8")
    return 0
