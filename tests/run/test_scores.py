"""The scores of other packages' tasks at the end of a run."""

import json
from pathlib import Path

from lmms_humansense.run.scores import of_other_tasks


def test_each_task_of_others_has_a_line_with_its_metrics(tmp_path: Path) -> None:
    rows = {
        "humansense_er": {"alias": "humansense_er", "acc,none": 0.5},
        "mme": {"alias": "mme", "score,none": 1500, "score_stderr,none": "N/A", "score_stderr_clt,none": 3.0},
        "mmmu_val": {"acc,flexible": 0.25, "acc_stderr,flexible": 0.125, "f1,none": 1.0, "file,none": None},
        "empty": {"alias": "empty", "submission,none": " "},
    }
    place = tmp_path / "today_results.json"
    place.write_text(json.dumps({"results": rows}))
    assert of_other_tasks(place) == [
        "mme: score 1500.0000",
        "mmmu_val: acc (flexible) 0.2500 (stderr 0.1250), f1 1.0000",
    ]
