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

    What is done is told on the standard error, so that the text can be redirected. Returns the exit status: 0, or 1
    where nothing was written.
    """
    told = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        checkout = Checkout(folder)
        checks = (repository() / "CONTRIBUTING.md").read_text(encoding="utf-8")
        text = pull_request(change, checkout.committed(TEMPLATE), runs_of(results, told), checks)
        wanted = plan(checkout, change)
        checkout.refuse_changes(wanted)
        checkout.refuse_ignored([path for path, content in wanted.items() if content is not None])
        written = checkout.write(wanted)
    except UpstreamError as error:
        told.print(str(error), style="red", markup=False)
        return 1
    if written:
        told.print(f"{len(written):,} files are changed in {checkout.root} (at {checkout.commit}); look at them,")
        told.print("commit them on a branch of their own, and open a pull request with this text:")
    else:
        told.print(f"{checkout.root} (at {checkout.commit}) has the change already. The text of its pull request:")
    print(text)
    return 0


def plan(checkout: Checkout, change: str) -> dict[str, bytes | None]:
    """What each file of a change is to hold, by its path; None for one that is to go. Raises UpstreamError."""
    described = _CHANGES[change]
    edited: dict[str, str] = {}
    for edit in described.changes():
        edited[edit.path] = _made(edit, edited.get(edit.path) or checkout.committed(edit.path))
    new = formatted(described.files(repository()), checkout)
    owned = {path for place in described.OWNED for path in checkout.committed_below(place)}
    wanted: dict[str, bytes | None] = dict.fromkeys(owned)  # what is not new any more goes
    return {**wanted, **new, **{path: text.encode() for path, text in edited.items()}}


def _made(edit: Edit, text: str) -> str:
    try:
        return edit.make(text)
    except SyntaxError as error:
        raise UpstreamError(f"{edit.path} is no Python that can be read: {error}.") from error
