"""The rows of the paper's table."""

import numpy as np

from lmms_humansense.paper.published import INCONSISTENT, human, published, rows
from lmms_humansense.tasks.humansense.taxonomy import VIDEO


def test_each_average_of_the_paper_is_that_of_its_row_but_for_two_that_are_marked() -> None:
    checked = 0
    for row in published():
        scores = [row.scores.get(task.code) for task in VIDEO]
        if row.average is None or None in scores:
            continue
        error = abs(float(np.mean(scores)) - row.average)  # type: ignore[arg-type]
        assert (error > 0.0015) == (row.model in INCONSISTENT and not row.is_subset), (row.model, error)
        checked += 1
    assert checked == 14


def test_the_rows_that_are_shown_can_be_chosen() -> None:
    assert rows("none") == []
    assert {row.family for row in rows("omni")} == {"omni", "audio", "human"}
    assert len(rows("all")) == 12
    assert human().scores["LD"] == 0.533
