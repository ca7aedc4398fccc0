"""Flags of lmms-eval that do something else than expected, and errors for callers from Python."""

from types import SimpleNamespace
from typing import Any

import pytest

from lmms_humansense.plugin import evaluation
from lmms_humansense.plugin.flags import remarks


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"baseline": "old.jsonl"}, ["lmms-humansense report FOLDER_A FOLDER_B"]),
        ({"repeats": 3}, ["-n 3 asks each question 3 times, but lmms-eval scores only the first response"]),
        ({"repeats": 2, "baseline": "x"}, ["--baseline", "-n 2"]),
        ({"repeats": 1, "baseline": None}, []),
        ({}, []),
    ],
)
def test_flags_without_effect_are_named(arguments: dict[str, Any], said: list[str]) -> None:
    found = list(remarks(arguments))
    assert len(found) == len(said)
    assert all(words in remark for words, remark in zip(said, found, strict=True))


def refused(*args: Any, **kwargs: Any) -> None:
    raise SystemExit("HumanSense: pretrained=nowhere is not a checkpoint.")


def test_bad_arguments_are_a_value_error_in_python() -> None:
    with pytest.raises(ValueError, match="pretrained=nowhere is not a checkpoint"):
        evaluation._simple_evaluate(refused, model="humansense_omni", tasks=["humansense_sample_ar"])


def test_bad_arguments_end_a_command_line() -> None:
    with pytest.raises(SystemExit, match="pretrained=nowhere is not a checkpoint"):
        evaluation._simple_evaluate(
            refused, model="humansense_omni", tasks=["humansense_sample_ar"], cli_args=SimpleNamespace()
        )


def test_a_status_ends_a_caller_from_python_too() -> None:
    def stopped(*args: Any, **kwargs: Any) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit, match="3"):
        evaluation._simple_evaluate(stopped, model="humansense_omni", tasks=["humansense_sample_ar"])


def test_bad_tasks_are_a_value_error_for_a_caller_of_evaluate() -> None:
    task = SimpleNamespace(eval_docs=[], lmms_eval_specific_kwargs={"wrapper": ""})
    with pytest.raises(ValueError, match="--limit 0 leaves no question of humansense_sample_ar"):
        evaluation._evaluate(refused, SimpleNamespace(), {"humansense_sample_ar": task}, limit=0)
