"""One run: a model's samples of the benchmark's tasks, as they were read from results."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas

from ..tasks.humansense.taxonomy import TASKS
from ..tasks.humansense.variants import Variant, split
from . import statistics
from .statistics import Estimate

RESCORED = "release_file"
"""The name of the model in results that were made from the release's own result files."""

SAMPLE = "sample"
"""What the names of the embedded sample's variants begin with."""

Metric = Literal["paper", "acc"]
METRICS: tuple[Metric, ...] = ("paper", "acc")


@dataclass(frozen=True)
class Leaf:
    """The samples of one task of one run.

    `samples` has a row per question (see `reading`), `asked` is how many questions were to be asked, and `total` how
    many the task has.
    """

    code: str
    samples: pandas.DataFrame
    asked: int
    total: int
    date: str

    @cached_property
    def estimates(self) -> dict[str, Estimate | None]:
        """The mean of each metric, with its interval; computed once for all tables and pictures."""
        return {metric: statistics.estimate(self.samples, metric) for metric in METRICS}

    @cached_property
    def chance(self) -> dict[str, float]:
        """What one gets without looking; see `statistics.chance`."""
        return statistics.chance(self.samples)

    @property
    def missing(self) -> int:
        """How many of the task's questions have no sample."""
        return self.total - len(self.samples)

    @property
    def failed(self) -> int:
        """How many requests ended in an error instead of an answer."""
        return int(self.samples["failed"].sum())

    @property
    def stopped(self) -> int:
        """At how many responses the release's scorer would have stopped."""
        return int((self.samples["crash"] != "").sum())


@dataclass
class Run:
    """One model under one configuration, on the leaves of one group.

    `variant` is what the group's name has after "humansense": "" is the benchmark itself, "think" a variant of it,
    "sample" and "sample_think" are of the embedded sample. `origins` says where the questions came from, as in the
    results, and `info` is what the model told of itself. `name` is that of the `model`, and what tells this run from
    others.
    """

    model: str
    variant: str
    settings: dict[str, Any]
    name: str = ""
    leaves: dict[str, Leaf] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    origins: list[dict[str, Any]] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def is_sample(self) -> bool:
        """Whether its questions are those of the embedded sample, and not the benchmark's."""
        return self.variant == SAMPLE or self.variant.startswith(f"{SAMPLE}_")

    @property
    def is_rescored(self) -> bool:
        """Whether its responses come from the release's own result files, which do not say how they were made."""
        return bool(self.settings["model"] == RESCORED)

    @property
    def setting(self) -> Variant:
        """The variant of the benchmark or of the sample."""
        return split(self.variant.removeprefix(SAMPLE).removeprefix("_"))[0]

    @cached_property
    def samples(self) -> pandas.DataFrame:
        """All samples, in the order of the tasks; asked for when all leaves are there."""
        leaves = [self.leaves[task.code].samples for task in TASKS if task.code in self.leaves]
        # Not by pandas.concat, which guesses the type of what a task has none of.
        return pandas.DataFrame([row for leaf in leaves for row in leaf.to_dict("records")])
