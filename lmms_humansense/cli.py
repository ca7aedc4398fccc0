"""The command `lmms-humansense`. Heavy modules are imported by the commands that need them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import __version__
from .demo.tiny_model import DEFAULT_FAMILY, write_tiny_model
from .demo.tiny_recipes import RECIPES
from .plugin.entry_points import task_folder

app = typer.Typer(
    help="HumanSense for lmms-eval: run it, fetch its data, report it, try it.",
    no_args_is_help=True,
    add_completion=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of the command itself."""


@app.command()
def path() -> None:
    """Print the task folder, for `lmms-eval tasks list --include-path "$(lmms-humansense path)"`."""
    typer.echo(task_folder())


@app.command("tiny-model")
def tiny_model(
    directory: Annotated[Path, typer.Argument(help="Where to write the checkpoint.")],
    seed: Annotated[int, typer.Option(help="Seed of the random weights.")] = 0,
    family: Annotated[str, typer.Option(help=f"One of {', '.join(RECIPES)}.")] = DEFAULT_FAMILY,
) -> None:
    """Write a random checkpoint of under a million parameters, to try things with."""
    try:
        typer.echo(write_tiny_model(directory, seed, family))
    except (OSError, ValueError) as error:
        _stop(str(error))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(context: typer.Context) -> None:
    """Run lmms-eval with all that follows, and end with a status that can be relied on.

    0: results for every task were written. 2: bad arguments or data. 3: incomplete; the command to go on is printed.
    If left out: --output_path humansense_results, --use_cache in its folder cache, and --log_samples.
    A complete run ends with a table, and a report beside its results.
    """
    from .run.command import run as run_watched

    raise typer.Exit(run_watched(context.args))


@app.command()
def prepare(
    tasks: Annotated[str, typer.Option(help="Tasks or groups to prepare, with commas.")] = "humansense",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first questions of each task, so many.")] = None,
    to: Annotated[Path | None, typer.Option(help="A folder of its own, for HUMANSENSE_DATA; else the cache.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Files at a time.")] = 8,
    keep_archives: Annotated[bool, typer.Option("--keep-archives", help="Also keep the zip files, with --to.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say what is missing or damaged.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON, for scripts.")] = False,
) -> None:
    """Fetch the questions and media beforehand, for runs without a network; go on where it was ended.

    Ends with status 0 if all is there and whole.
    """
    from .prepare.command import prepare as prepare_data

    raise typer.Exit(
        prepare_data(tasks, limit, to, workers=workers, keep_archives=keep_archives, check_only=check, as_json=as_json)
    )


@app.command()
def report(
    results: Annotated[list[Path], typer.Argument(help="Folders or results files of lmms-eval, with samples.")],
    out: Annotated[Path, typer.Option(help="Where report.html and the tables go.")] = Path("humansense_report"),
    paper: Annotated[
        Literal["all", "omni", "none"], typer.Option(help="Which of the paper's rows stand beside yours.")
    ] = "all",
    media: Annotated[Literal["link", "embed", "none"], typer.Option(help="How clips come into the page.")] = "link",
    terminal: Annotated[bool, typer.Option("--terminal", help="Only print a table.")] = False,
) -> None:
    """Put results beside the paper's: a page with every answer, and tables for papers and scripts."""
    from .report.command import report as write_report

    raise typer.Exit(write_report(results, out, paper, media, terminal))


@app.command()
def rescore(
    files: Annotated[list[Path], typer.Argument(help="Result files of the release: HumanSense_VQA_<model>….json.")],
    model: Annotated[str | None, typer.Option(help="Whose responses, where a file has those of several.")] = None,
    think: Annotated[bool, typer.Option("--think", help="The prompts asked to think: the release's other scorer.")] = (
        False
    ),
    out: Annotated[Path | None, typer.Option(help="Where a report and results for the other commands go.")] = None,
) -> None:
    """Score responses that the release's own scripts have gathered, by both metrics, without running anything."""
    from .report.rescore_command import rescore as rescore_files

    raise typer.Exit(rescore_files(files, model, think, out))


@app.command("export-release")
def export_release(
    results: Annotated[list[Path], typer.Argument(help="Folders or results files of lmms-eval, with samples.")],
    folder: Annotated[Path, typer.Argument(help="Where the result files go.")],
    model: Annotated[str, typer.Option(help="The name under which the release's scripts look for the responses.")],
) -> None:
    """Write results as the release's own scripts keep them, so that these can score them."""
    from .paper.export import export_release as export

    raise typer.Exit(export(results, folder, model))


@app.command()
def parity(
    results: Annotated[list[Path], typer.Argument(help="Folders or results files of lmms-eval, with samples.")],
    against: Annotated[str | None, typer.Option(help="The paper's row, if not that of the same model.")] = None,
) -> None:
    """Put scores beside the paper's, task by task with intervals, and list the settings that differ."""
    from .paper.parity import parity as show_parity

    raise typer.Exit(show_parity(results, against))


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Where the results go.")] = Path("humansense_demo"),
) -> None:
    """Run the embedded sample through lmms-eval with a tiny random model: the whole way, in minutes, on a CPU."""
    from .demo.command import DemoError, run_demo

    try:
        run_demo(output)
    except DemoError as error:
        _stop(str(error))


def _stop(message: str) -> None:
    typer.secho(message, err=True, fg=typer.colors.RED)
    raise typer.Exit(1)
