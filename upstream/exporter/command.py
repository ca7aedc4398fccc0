"""The command `python upstream/export.py CHECKOUT`."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from . import benchmark, entry_points
from .checkout import Checkout
from .copies import repository
from .edits import Edit
from .errors import UpstreamError
from .formatting import formatted
from .pull_request import TEMPLATE, pull_request, runs_of

_CHANGES = {benchmark.NAME: benchmark, entry_points.NAME: entry_points}


def export_upstream(folder: Path, change: str, results: Sequence[Path]) -> int:
    """Write a change into a checkout of lmms-eval and print the text of its pull request.

    Messages go to the standard error, so that the text can be redirected.

    Args:
        folder: A git checkout of lmms-eval.
        change: The name of the change.
        results: Results of real models, which the text compares with the paper's.

    Returns:
        The exit status: 0, or 1 if nothing was written.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        checkout = Checkout(folder)
        checks = (repository() / "CONTRIBUTING.md").read_text(encoding="utf-8")
        text = pull_request(change, checkout.committed(TEMPLATE), runs_of(results, console), checks)
        wanted = plan(checkout, change)
        checkout.refuse_changes(wanted)
        checkout.refuse_ignored([path for path, content in wanted.items() if content is not None])
        written = checkout.write(wanted)
    except UpstreamError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    if written:
        console.print(f"{len(written):,} files are changed in {checkout.root} (at {checkout.commit}); look at them,")
        console.print("commit them on a branch of their own, and open a pull request with this text:")
    else:
        console.print(f"{checkout.root} (at {checkout.commit}) has the change already. The text of its pull request:")
    print(text)
    return 0


def plan(checkout: Checkout, change: str) -> dict[str, bytes | None]:
    """The files that a change writes.

    Args:
        checkout: Where the change goes.
        change: The name of the change.

    Returns:
        The content of each file by its path; None for a file to delete.

    Raises:
        UpstreamError: The checkout lacks a place that the change edits, or its formatter cannot be used.
    """
    described = _CHANGES[change]
    edited: dict[str, str] = {}
    for edit in described.changes():
        edited[edit.path] = _made(edit, edited.get(edit.path) or checkout.committed(edit.path))
    new = formatted(described.files(repository()), checkout)
    owned = {path for place in described.OWNED for path in checkout.committed_below(place)}
    wanted: dict[str, bytes | None] = dict.fromkeys(owned)  # deleted unless the change still has them
    return {**wanted, **new, **{path: text.encode() for path, text in edited.items()}}


def _made(edit: Edit, text: str) -> str:
    try:
        return edit.make(text)
    except SyntaxError as error:
        raise UpstreamError(f"{edit.path} is not valid Python: {error}.") from error
