"""Failures of models that are not this package's: they are counted, said, limited and asked again."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.commands import SCRIPTS, results_of, run
from tests.helpers.wrappers import path_with_stand_in, responses

pytestmark = pytest.mark.slow  # lmms-eval starts in a process of its own, which takes 10 s

HUMANSENSE = str(SCRIPTS / "lmms-humansense")
LMMS_EVAL = (sys.executable, "-m", "lmms_eval")
REFUSED = "[LMMS_EVAL_REQUEST_FAILED after 5 retries] Connection error."
NOTHING = "lmms-eval's wrappers turn errors into empty answers; read the log."


def asking(tasks: str, model_args: str) -> list[str]:
    return ["--model", "stand_in", "--model_args", model_args, "--tasks", tasks, "--output_path", "out"]


@pytest.fixture
def stand_in(tmp_path: Path) -> Any:
    """Runs a command whose lmms-eval has the model `stand_in`, in an empty folder."""
    path = path_with_stand_in(tmp_path / "python")

    def command(*given: str) -> Any:
        return run(*given, cwd=tmp_path, check=False, PYTHONPATH=path)

    return command


def removed(folder: Path) -> None:
    for file in (folder / "out").rglob("*_results.json"):
        file.unlink()


def test_what_a_wrapper_does_not_answer_is_counted_limited_and_asked_again(stand_in: Any, tmp_path: Path) -> None:
    said = [REFUSED, "", "B"]
    given = asking("humansense_sample_tr,humansense_sample_er", responses(tmp_path, said))
    done = stand_in(HUMANSENSE, "run", *given)
    assert done.returncode == 3, done.stderr[-3000:]
    results = results_of(tmp_path)
    asked = {name: numbers["effective"] for name, numbers in results["n-samples"].items()}
    total = sum(asked.values())
    # The requests of both tasks come in one list.
    failed, empty = (sum(place % 3 == rest for place in range(total)) for rest in (0, 1))
    rows = {name: results["results"][name] for name in asked}
    assert sum(round(rows[name]["failed,none"] * asked[name]) for name in asked) == failed
    assert sum(round(rows[name]["empty,none"] * asked[name]) for name in asked) == empty
    assert all(f"{metric}_stderr,none" in row for row in rows.values() for metric in ("failed", "empty"))
    (log,) = (tmp_path / "out" / "logs").iterdir()
    assert "|empty" in log.read_text().replace(" ", "")
    assert f"are empty: {NOTHING}" in done.stdout, "the table of the run"
    (end,) = [line for line in done.stderr.splitlines() if line.startswith("lmms-humansense run: ")]
    assert f"are empty: {NOTHING} max_failures=0.01 allows 1 of {total}." in end
    assert "requests of humansense_sample_tr" in end
    assert done.stderr.splitlines()[-1].split() == ["lmms-humansense", "run", *given]

    # The same command asks only what has no answer yet.
    removed(tmp_path)
    responses(tmp_path, ["A"])
    again = stand_in(HUMANSENSE, "run", *given)
    assert again.returncode == 0, again.stderr[-3000:]
    assert (tmp_path / "responses.asked").read_text() == str(failed + empty)
    scores = results_of(tmp_path)["results"]
    assert {(scores[name]["failed,none"], scores[name]["empty,none"]) for name in asked} == {(0, 0)}
    assert "turn errors into empty answers" not in again.stdout + again.stderr


def test_with_a_limit_that_allows_it_a_run_of_empty_responses_is_complete_and_says_so(
    stand_in: Any, tmp_path: Path
) -> None:
    given = asking("humansense_sample_tr", responses(tmp_path, [""]))
    done = stand_in(HUMANSENSE, "run", *given, "--max_failures", "100%")
    assert done.returncode == 0, done.stderr[-3000:]
    row = results_of(tmp_path)["results"]["humansense_sample_tr"]
    assert (row["empty,none"], row["failed,none"], row["acc,none"], "paper,none" in row) == (1, 0, 0, False)
    count = results_of(tmp_path)["n-samples"]["humansense_sample_tr"]["effective"]
    sentence = f"{count} of {count} responses of humansense_sample_tr are empty: {NOTHING}"
    assert done.stdout.count(sentence) == 1, "below the table"
    (page,) = tmp_path.rglob("report.html")
    assert sentence.replace("'", "&#39;") in page.read_text()
    compared = stand_in(HUMANSENSE, "parity", "out")
    assert sentence in compared.stdout


def test_an_error_of_a_model_ends_lmms_eval_with_a_status_that_says_so(stand_in: Any, tmp_path: Path) -> None:
    given = asking("humansense_sample_tr", responses(tmp_path, "out of luck"))
    done = stand_in(*LMMS_EVAL, *given)
    assert done.returncode == 3
    assert "the run ended in an error, and there are no results: RuntimeError: out of luck" in done.stdout
    assert "Traceback" in done.stderr
    watched = stand_in(HUMANSENSE, "run", *given)
    assert watched.returncode == 3
    assert "lmms-humansense run: lmms-eval ended in an error: RuntimeError: out of luck" in watched.stderr


def test_a_model_that_cannot_be_loaded_ends_lmms_eval_with_status_1(stand_in: Any, tmp_path: Path) -> None:
    done = stand_in(*LMMS_EVAL, *asking("humansense_sample_tr", "responses=nowhere"))
    assert done.returncode == 1
    said = "HumanSense: lmms-eval could not load the model or the tasks: FileNotFoundError: "
    assert done.stderr.splitlines()[-1].startswith(said)
