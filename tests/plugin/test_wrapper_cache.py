"""What a response cache keeps of models that are not this package's."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from lmms_eval.api.instance import GenerationResult, Instance
from lmms_eval.caching.response_cache import ResponseCache

from lmms_humansense.plugin.wrapper_cache import WrapperCache

NO_ANSWERS = [
    "", " \n", "[LMMS_EVAL_REQUEST_FAILED after 5 retries] no", "[LMMS_EVAL_BUDGET_EXCEEDED]",
    "[SAFETY_BLOCKED:unknown]",
]  # fmt: skip


class Model:
    """Gives a response to each request, and notes which requests it got."""

    def __init__(self, *responses: Any) -> None:
        self.responses = responses
        self.asked: list[int] = []

    def generate_until(self, requests: list[Instance]) -> list[Any]:
        self.asked += [request.doc_id for request in requests]
        return [self.responses[request.doc_id] for request in requests]


def run(folder: Path, model: Model, cls: type[ResponseCache] = WrapperCache) -> list[Any]:
    """Ask one question for each response of the model, as lmms-eval does with `--use_cache`."""
    requests = [
        Instance(
            request_type="generate_until",
            arguments=(f"question {number}", {"temperature": 0}, None, number, "humansense_tr", "test"),
            idx=0,
            metadata={"task": "humansense_tr", "doc_id": number, "repeats": 1},
        )
        for number in range(len(model.responses))
    ]
    cache = cls.create(str(folder), model="m", model_args="a=b")
    given: list[Any] = cache.execute(model, "generate_until", requests)
    cache.finalize(success=True)
    cache.close()
    return given


@pytest.mark.parametrize("wrap", [str, GenerationResult], ids=["text", "result"])
@pytest.mark.parametrize("nothing", NO_ANSWERS, ids=repr)
def test_requests_without_an_answer_are_asked_again_and_others_are_not(nothing: str, wrap: Any, tmp_path: Path) -> None:
    first, second, third = Model(wrap("B"), wrap(nothing)), Model("C", wrap("D")), Model("E", "F")
    run(tmp_path, first)
    assert run(tmp_path, second)[0] == "B"
    assert run(tmp_path, third) == ["B", "D"]
    assert (first.asked, second.asked, third.asked) == ([0, 1], [1], [])


@pytest.mark.parametrize("nothing", NO_ANSWERS, ids=repr)
def test_a_failure_that_lmms_eval_kept_is_not_taken_for_an_answer(nothing: str, tmp_path: Path) -> None:
    run(tmp_path, Model("B", "C"), ResponseCache)
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("UPDATE responses SET response = ? WHERE doc_id = 1", (json.dumps(nothing),))
    database.close()
    again = Model("C", "D")
    assert run(tmp_path, again) == ["B", "D"]
    assert again.asked == [1]
