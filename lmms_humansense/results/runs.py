"""A run: the samples of one model on the benchmark's tasks, as read from its results."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas

from ..plugin.names import MODELS
from ..plugin.unanswered import Unanswered, sentences
from ..tasks.humansense.metrics import reasoning
from ..tasks.humansense.metrics.scoring import FailureKind
from ..tasks.humansense.taxonomy import TASKS
from ..tasks.humansense.variants import Variant, split
from . import statistics
from .statistics import Estimate
from .text import one_line

RESCORED = "release_file"
"""The model's name for lmms-eval in results that were made from the release's own result files."""

SAMPLE = "sample"
"""The variants of the embedded sample begin with it."""

Metric = Literal["paper", "acc", "truncated", "empty"]
METRICS: tuple[Metric, ...] = ("paper", "acc")
"""The metrics of which more is better."""

TRUNCATED: Metric = "truncated"
"""The share of responses that were cut off. It is missing where a model does not say how its responses ended."""

EMPTY: Metric = "empty"
"""The share of responses that are empty. It is missing in results of earlier versions."""

SHARES: tuple[Metric, ...] = (TRUNCATED, EMPTY)
"""The metrics that are no scores: only runs have them, and they are not ranked."""


@dataclass(frozen=True)
class Leaf:
    """The samples of one task in one run.

    Attributes:
        code: The task, such as "AR".
        samples: One row for each question that was answered or failed; `reading` defines the columns.
        asked: How many questions the run was to ask.
        total: How many questions the task has.
        date: When the run was made, in lmms-eval's format; later dates sort after earlier ones.
    """

    code: str
    samples: pandas.DataFrame
    asked: int
    total: int
    date: str

    @cached_property
    def estimates(self) -> dict[str, Estimate | None]:
        """The mean of each metric with its interval, computed once for all tables and pictures."""
        return {metric: statistics.estimate(self.samples, metric) for metric in (*METRICS, *SHARES)}

    @cached_property
    def chance(self) -> dict[str, float]:
        """The scores by chance; see `statistics.chance`."""
        return statistics.chance(self.samples)

    @property
    def missing(self) -> int:
        """How many of the task's questions have no sample."""
        return self.total - len(self.samples)

    @property
    def failed(self) -> int:
        """How many requests failed."""
        return int(self.samples["failed"].sum())

    @property
    def truncated(self) -> int:
        """How many responses are known to be cut off."""
        return int((self.samples[TRUNCATED] == 1).sum())

    @property
    def empty(self) -> int:
        """How many responses are known to be empty."""
        return int((self.samples[EMPTY] == 1).sum())

    def failed_as(self, kind: FailureKind) -> int:
        """How many requests failed in this way."""
        return int((self.samples["failure"] == kind).sum())

    @property
    def stopped(self) -> int:
        """How many responses would have stopped the release's scorer with an error."""
        return int((self.samples["crash"] != "").sum())


@dataclass
class Run:
    """One model with one configuration, on the tasks of one group.

    Attributes:
        model: The name of the model, without its folder or organization.
        variant: The part of the group's name after "humansense": "" is the benchmark itself, "think" a variant of it,
            and "sample" and "sample_think" are those of the embedded sample.
        settings: What the scores depend on.
        name: The name of the model, and how this run differs from other runs of the model.
        leaves: The tasks by their code.
        files: The results files that the run was read from.
        origins: Where the questions came from, as the results say.
        info: What the model says about itself.
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
        """Whether its questions are those of the embedded sample instead of the benchmark's."""
        return self.variant.partition("_")[0] == SAMPLE

    @property
    def is_rescored(self) -> bool:
        """Whether its responses come from the release's own result files, which do not describe how they were made."""
        return bool(self.settings["model"] == RESCORED)

    @property
    def is_of_wrapper(self) -> bool:
        """Whether lmms-eval ran its model by a wrapper of its own, or of others."""
        return not self.is_rescored and self.settings["model"] not in MODELS

    @property
    def alarms(self) -> list[str]:
        """What went wrong in a run of a model that is not this package's, as sentences: a reader must not miss it."""
        if not self.is_of_wrapper:
            return []
        group = "_".join(filter(None, ["humansense", self.variant]))
        leaves = [self.leaves[task.code] for task in TASKS if task.code in self.leaves]
        counts = [
            Unanswered(f"{group}_{leaf.code.lower()}", len(leaf.samples), leaf.failed, leaf.empty) for leaf in leaves
        ]
        return [one_line(f"{self.name}: {sentence}", longest=None) for sentence in sentences(counts)]

    @property
    def setting(self) -> Variant:
        """The variant of the benchmark or of the sample."""
        return split(self.variant.removeprefix(SAMPLE).removeprefix("_"))[0]

    @cached_property
    def samples(self) -> pandas.DataFrame:
        """All samples, in the order of the tasks. Read it after all leaves are added."""
        leaves = [self.leaves[task.code].samples for task in TASKS if task.code in self.leaves]
        # pandas.concat would guess another type for a column that is empty in one of the tasks.
        return pandas.DataFrame([row for leaf in leaves for row in leaf.to_dict("records")])

    @cached_property
    def misfit(self) -> str | None:
        """What the responses say about the prompts; see `reasoning.misfit`. Read it after all leaves are added."""
        samples = [leaf.samples for leaf in self.leaves.values()]
        responses = [response for each in samples for response in each.loc[each["failed"] == 0, "response"]]
        return reasoning.misfit(responses, self.setting.style)
