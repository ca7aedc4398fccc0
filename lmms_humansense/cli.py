"""The command `lmms-humansense`. Each of its commands imports the heavy modules that it needs."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from .about import versions
from .demo.tiny_model import DEFAULT_FAMILY, write_tiny_model
from .demo.tiny_recipes import RECIPES
from .plugin.entry_points import task_folder
from .run import help as run_help

app = typer.Typer(
    help="HumanSense for lmms-eval: run it, prepare its data, report its results, try it.",
    no_args_is_help=True,
    epilog="First steps: lmms-humansense doctor, lmms-humansense demo, lmms-humansense list.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo("\n".join(versions.lines()))
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the versions that matter, and exit."
        ),
    ] = False,
) -> None:
    """Options of the command itself."""


@app.command("list", epilog="Example: lmms-humansense list --json")
def list_tasks(
    tasks: Annotated[bool, typer.Option("--tasks", help="Show also the single tasks.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, for scripts.")] = False,
) -> None:
    """List what --tasks takes: sizes, what each group needs, and whether it can be asked without a network now."""
    from .about.listing import show

    raise typer.Exit(show(as_json, tasks))


@app.command(epilog="Example: lmms-humansense doctor && lmms-humansense run --model humansense_omni …")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON, for scripts.")] = False,
) -> None:
    """Look at Python, packages, GPU, decoders, folders, the Hub and the data; say what to do where something is wrong.

    Ends with status 1 if something stops runs.
    """
    from .about.doctor import doctor as look

    raise typer.Exit(look(as_json))


@app.command(epilog='Example: lmms-eval tasks list --include-path "$(lmms-humansense path)"')
def path() -> None:
    """Print the task folder, for the commands of lmms-eval that load no plugins."""
    typer.echo(task_folder())


@app.command("tiny-model", epilog="Example: lmms-humansense tiny-model tiny --family qwen3_omni_moe")
def tiny_model(
    directory: Annotated[Path, typer.Argument(help="Where to write the checkpoint.")],
    seed: Annotated[int, typer.Option(help="Seed of the random weights.")] = 0,
    family: Annotated[
        str, typer.Option(help=f"One of {', '.join(RECIPES)}.", autocompletion=lambda: list(RECIPES))
    ] = DEFAULT_FAMILY,
) -> None:
    """Write a checkpoint with random weights and under a million parameters, to try things out."""
    if family not in RECIPES:
        close = difflib.get_close_matches(family, RECIPES, 1)
        meant = f"did you mean {close[0]}? " if close else ""
        _stop(f"--family {family} is not known; {meant}There are {', '.join(RECIPES)}.")
    _refuse_unwritable(directory)
    try:
        typer.echo(write_tiny_model(directory, seed, family))
    except (OSError, ValueError) as error:
        _stop(str(error))


@app.command(cls=run_help.RunCommand, epilog=run_help.EPILOG)
def run(
    context: typer.Context,
    config: run_help.Config = None,
    dry_run: run_help.DryRun = False,
    price_in: run_help.PriceIn = None,
    price_out: run_help.PriceOut = None,
    max_failures: run_help.MaxFailures = None,
    model: run_help.Model = None,
    model_args: run_help.ModelArgs = None,
    tasks: run_help.Tasks = None,
    limit: run_help.Limit = None,
    batch_size: run_help.BatchSize = None,
    gen_kwargs: run_help.GenKwargs = None,
    output_path: run_help.OutputPath = None,
    use_cache: run_help.UseCache = None,
    system_instruction: run_help.SystemInstruction = None,
    verbosity: run_help.Verbosity = None,
) -> None:
    """Run lmms-eval with the arguments that follow, and end with a reliable exit status.

    0: results for every task were written. 2: bad arguments or data. 3: incomplete; the command to resume is printed.
    Answers are kept: the same command continues a run that was interrupted. A complete run ends with a table, and with
    a report beside its results.

    --tasks humansense asks for the letter alone, as the paper's table does. --tasks humansense_think is for models that
    were trained to reason in <think> and <answer> tags, such as the paper's own.
    """
    from .run.command import run as run_watched

    raise typer.Exit(run_watched(context.args))


@app.command(epilog="Example: lmms-humansense prepare --tasks humansense_l1 --limit 20 --to /shared/humansense")
def prepare(
    tasks: Annotated[
        str, typer.Option(help="Tasks or groups to prepare, separated by commas.", autocompletion=run_help.tasks)
    ] = "humansense",
    limit: Annotated[int | None, typer.Option(min=1, help="Only this many first questions of each task.")] = None,
    to: Annotated[Path | None, typer.Option(help="A folder for HUMANSENSE_DATA, instead of the cache.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Files to fetch at the same time.")] = 8,
    keep_archives: Annotated[bool, typer.Option("--keep-archives", help="With --to, also keep the zip files.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say what is missing or damaged.")] = False,
    decoded: Annotated[
        bool, typer.Option("--decoded", help="Decode the clips beforehand; with --to, a run needs no videos then.")
    ] = False,
    model_args: Annotated[
        str, typer.Option("--model-args", help="With --decoded: the --model_args of the run, if clips depend on them.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, for scripts.")] = False,
) -> None:
    """Fetch the questions and media in advance, for runs without a network. Resumes if it was interrupted.

    Ends with status 0 if everything is there and undamaged.
    """
    if (decoded and keep_archives) or (model_args and not decoded):
        _stop("--decoded keeps no archives, and --model-args is for --decoded only.")
    if not check:
        _refuse_unwritable(to)
    from .prepare.command import prepare as prepare_data
    from .prepare.command import prepare_decoded

    if decoded:
        raise typer.Exit(
            prepare_decoded(tasks, limit, to, model_args, workers=workers, check_only=check, as_json=as_json)
        )
    raise typer.Exit(
        prepare_data(tasks, limit, to, workers=workers, keep_archives=keep_archives, check_only=check, as_json=as_json)
    )


@app.command("check-media", epilog="Example: lmms-humansense check-media clips --out read.csv")
def check_media(
    folder: Annotated[Path, typer.Argument(help="A folder with clips and sounds.")],
    out: Annotated[Path | None, typer.Option(help="A CSV file for the outcome of each file.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one program may take for one file.")] = 120,
) -> None:
    """Read all clips and sounds of a folder, and compare with decord and the ffmpeg program where they are installed.

    Prints for each file whether it is equal, differs (how) or is refused (why). Ends with status 1 if one is refused.
    """
    _refuse_missing([folder])
    from .check_media.command import check_media as check

    raise typer.Exit(check(folder, out, timeout))


@app.command(
    "check-senses",
    epilog="Example: lmms-humansense check-senses --model_args base_url=http://localhost:8000/v1,model=M,media=vllm",
)
def check_senses(
    model_args: Annotated[str, typer.Option("--model_args", help="As for lmms-eval: name=value, with commas.")],
    model: Annotated[
        Literal["humansense_omni", "humansense_server"], typer.Option(help="A local model, or a served one.")
    ] = "humansense_server",
) -> None:
    """Find out whether pictures and sounds arrive at a model, with at most six questions about a small clip.

    Ends with status 0 if what is sent arrives or nothing can be concluded, and with 2 if the model is deaf or blind. A
    run with humansense_server does the same before its first question, unless senses=off is among its arguments.
    """
    from .run.model_checks import check_model_args

    try:
        check_model_args(model, model_args, {})
    except ValueError as error:
        _stop(str(error))
    from .check_senses.command import check_senses as check

    raise typer.Exit(check(model, model_args))


@app.command(epilog="Example: lmms-humansense report results other_results --out report")
def report(
    results: Annotated[list[Path], typer.Argument(help="Folders or results files of lmms-eval, with samples.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html and the tables.")] = Path("humansense_report"),
    paper: Annotated[
        Literal["all", "omni", "none"], typer.Option(help="Which rows of the paper to show beside yours.")
    ] = "all",
    media: Annotated[Literal["link", "embed", "none"], typer.Option(help="How the page gets its clips.")] = "link",
    terminal: Annotated[bool, typer.Option("--terminal", help="Only print a table.")] = False,
) -> None:
    """Show results beside the paper's: a page with every answer, and tables for papers and scripts."""
    _refuse_missing(results)
    if not terminal:
        _refuse_unwritable(out)
    from .report.command import report as write_report

    raise typer.Exit(write_report(results, out, paper, media, terminal))


@app.command(
    epilog="Example: lmms-humansense rescore HumanSense_VQA_M_audio.json HumanSense_AQA_M_audio.json --out scores"
)
def rescore(
    files: Annotated[
        list[Path], typer.Argument(help="Files such as HumanSense_VQA_<model>_audio.json: results of the release.")
    ],
    model: Annotated[str | None, typer.Option(help="The model, if a file has responses of several.")] = None,
    think: Annotated[bool, typer.Option("--think", help="Score think prompts by the release's other scorer.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for a report, and results for other commands.")] = None,
) -> None:
    """Score responses that the release's own scripts have gathered, by both metrics, without running a model."""
    _refuse_missing(files)
    _refuse_unwritable(out)
    from .report.rescore_command import rescore as rescore_files

    raise typer.Exit(rescore_files(files, model, think, out))


@app.command("export-release", epilog="Example: lmms-humansense export-release results release_files --model M")
def export_release(
    results: Annotated[list[Path], typer.Argument(help="Folders or results files of lmms-eval, with samples.")],
    folder: Annotated[Path, typer.Argument(help="Folder for the result files.")],
    model: Annotated[str, typer.Option(help="The name by which the release's scripts find the responses.")],
) -> None:
    """Write results in the form of the release's own scripts, so that these can score them."""
    _refuse_missing(results)
    _refuse_unwritable(folder)
    from .paper.export import export_release as export

    raise typer.Exit(export(results, folder, model))


@app.command(epilog="Example: lmms-humansense parity results --against GPT-4o")
def parity(
    results: Annotated[list[Path], typer.Argument(help="Folders or results files of lmms-eval, with samples.")],
    against: Annotated[
        str | None, typer.Option(help="A row of the paper; by default the one of the same model.")
    ] = None,
) -> None:
    """Compare scores with the paper's, task by task with intervals, and list the settings that differ."""
    _refuse_missing(results)
    from .paper.parity import parity as show_parity

    raise typer.Exit(show_parity(results, against))


@app.command(epilog="Example: lmms-humansense demo --output humansense_demo")
def demo(
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("humansense_demo"),
) -> None:
    """Ask a tiny model that has learned a small world: with everything, without sound, blind; in a minute, on a CPU."""
    _refuse_unwritable(output)
    from .demo.command import DemoError, run_demo

    try:
        run_demo(output)
    except DemoError as error:
        _stop(str(error), error.status)


def _refuse_missing(places: Iterable[Path]) -> None:
    """Stop before any work if a file or folder that is to be read is not there."""
    for place in places:
        if not place.exists():
            beside = [each.name for each in place.parent.glob("*")] if place.parent.is_dir() else []
            close = difflib.get_close_matches(place.name, beside, 1)
            meant = f"; did you mean {place.with_name(close[0])}?" if close else "."
            _stop(f"There is no file or folder {place}{meant}")


def _refuse_unwritable(folder: Path | None) -> None:
    """Stop before any work if the folder for the output cannot be made or written. None is no folder."""
    from .plugin.checks import existing, why_unwritable

    reason = None if folder is None else why_unwritable(existing(folder.absolute()))
    if reason is not None:
        _stop(f"{folder} cannot be written ({reason}); name another folder.")


def _stop(message: str, status: int = 2) -> NoReturn:
    typer.secho(message, err=True, fg=typer.colors.RED)
    raise typer.Exit(status)
