"""Writes this repository as a change into a checkout of lmms-eval: `python upstream/export.py CHECKOUT`.

Run it with the project installed (`pip install -e ".[test]"`). It prints the text of a pull request.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer
from exporter.command import export_upstream


def main(
    checkout: Annotated[Path, typer.Argument(help="A git checkout of lmms-eval, without changes.")],
    change: Annotated[
        Literal["humansense", "task-entry-points"],
        typer.Option(help="The benchmark with its model, or entry points for the tasks of installed packages."),
    ] = "humansense",
    results: Annotated[
        list[Path] | None, typer.Option(help="Results of real models, which the text compares with the paper's.")
    ] = None,
) -> None:
    """Write this repository as a change into a checkout of lmms-eval, and print the text of a pull request.

    The files are formatted by the checkout's own formatter. Unknown versions of lmms-eval's code are refused, and
    nothing is committed.
    """
    raise typer.Exit(export_upstream(checkout, change, results or []))


if __name__ == "__main__":
    typer.run(main)
