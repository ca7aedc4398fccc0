"""The command `lmms-humansense`. Heavy modules are imported by the commands that need them."""

from pathlib import Path
from typing import Annotated

import typer

from . import __version__, plugin
from .tiny_model import DEFAULT_FAMILY, write_tiny_model
from .tiny_recipes import RECIPES

app = typer.Typer(
    help="HumanSense for lmms-eval: run it, try it, find its tasks, make a tiny model.",
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
    typer.echo(plugin.task_folder())


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
    """
    from .run import run as run_watched

    raise typer.Exit(run_watched(context.args))


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Where the results go.")] = Path("humansense_demo"),
) -> None:
    """Run the embedded sample through lmms-eval with a tiny random model: the whole way, in minutes, on a CPU."""
    from .demo import DemoError, run_demo

    try:
        run_demo(output)
    except DemoError as error:
        _stop(str(error))


def _stop(message: str) -> None:
    typer.secho(message, err=True, fg=typer.colors.RED)
    raise typer.Exit(1)
