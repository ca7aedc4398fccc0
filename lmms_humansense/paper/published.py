"""The rows of the paper's table 1 (arXiv 2508.10576)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import pandas

from ..tasks.humansense.taxonomy import TASKS

Which = Literal["all", "omni", "none"]
"""Which rows to show; see `rows`."""

INCONSISTENT = ("Ola-7B", "IXC2.5-OmniLive-7B")
"""Models whose printed average does not follow from their own row in the paper."""

ON_A_SUBSET = "HumanSense (tiny)"
"""The paper's name for the subset that people and some models answered; its list of questions is not public."""


@dataclass(frozen=True)
class Published:
    """One row.

    Attributes:
        model: The name of the model, as in the paper.
        family: "api", "vision", "audio", "omni" or "human".
        is_subset: Whether the scores are on the subset `ON_A_SUBSET`.
        average: The average as printed, between 0 and 1; None if there is none.
        scores: The scores by task code, between 0 and 1, without the tasks that the paper gives no score for.
    """

    model: str
    family: str
    is_subset: bool
    average: float | None
    scores: Mapping[str, float]

    @property
    def is_human(self) -> bool:
        """Whether this is the row of people."""
        return self.family == "human"


@cache
def published() -> tuple[Published, ...]:
    """All rows, in the order of the paper."""
    with files(__package__).joinpath("paper_table1.csv").open(encoding="utf-8") as file:
        table = pandas.read_csv(file)
    return tuple(
        Published(
            model=row["model"],
            family=row["family"],
            is_subset=row["section"] == "tiny",
            average=None if pandas.isna(row["avg"]) else float(row["avg"]),
            scores={task.code: float(row[task.code]) for task in TASKS if not pandas.isna(row[task.code])},
        )
        for _, row in table.iterrows()
    )


def rows(which: Which) -> list[Published]:
    """The rows to show: of people, and of models on all questions.

    Args:
        which: "all" for all models, "omni" for those of the families omni and audio, "none" for no rows, not even that
            of people.

    Returns:
        The rows, in the order of the paper.
    """
    if which == "none":
        return []
    kept = ("omni", "audio") if which == "omni" else None
    return [row for row in published() if row.is_human or (not row.is_subset and (kept is None or row.family in kept))]


def human() -> Published:
    """The row of people."""
    return next(row for row in published() if row.is_human)
