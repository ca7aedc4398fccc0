"""The rows of the paper's table (arXiv 2508.10576, table 1): data with their source, read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

import pandas

from ..tasks.humansense.taxonomy import TASKS

Which = Literal["all", "omni", "none"]

INCONSISTENT = ("Ola-7B", "IXC2.5-OmniLive-7B")
"""Models whose printed average does not follow from their own row in the paper."""

ON_A_SUBSET = "HumanSense (tiny)"
"""What the paper calls the subset that people and some models were asked about; its list of questions is not public."""


@dataclass(frozen=True)
class Published:
    """One row: shares of right answers by task code, of those that the paper gives, and its average as printed."""

    model: str
    family: str
    is_subset: bool
    average: float | None
    scores: Mapping[str, float]

    @property
    def is_human(self) -> bool:
        """Whether these are people."""
        return self.family == "human"


@lru_cache(maxsize=1)
def published() -> tuple[Published, ...]:
    """All rows, in the paper's order."""
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
    """The rows to show: the models that were asked all questions (or the omni models of these), and people."""
    if which == "none":
        return []
    kept = ("omni", "audio") if which == "omni" else None
    return [row for row in published() if row.is_human or (not row.is_subset and (kept is None or row.family in kept))]


def human() -> Published:
    """The level of people."""
    return next(row for row in published() if row.is_human)
