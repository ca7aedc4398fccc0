"""HumanSense: its tasks are registered, and have the release's prompts and the paper's scores."""

from typing import Any

import lmms_eval.models  # noqa: F401  # loads the entry points of plugins, as every start of lmms-eval does
import pytest
from lmms_eval.evaluator import simple_evaluate
from lmms_eval.tasks import TaskManager

from lmms_humansense.tasks.humansense import taxonomy, utils
from lmms_humansense.tasks.humansense.metrics import parsing
from lmms_humansense.tasks.humansense.prompts import Pattern
from lmms_humansense.tasks.humansense.variants import VARIANTS
from lmms_humansense.tasks.humansense_sample.utils import ROOT

SENSES = {"wrapper": "humansense_omni"}
PROMPT = """
You are an advanced multimodal analysis AI assistant. You have been provided with video content and a question.

Question: What is the person in the park doing, which one of the following is correct?

Options:
A. Push-ups
B. Riding a bicycle
C. Jumping jacks
D. Swimming

answer one correct letter only, do not include any extra text or explanation:
"""


@pytest.fixture(scope="module")
def manager() -> TaskManager:
    return TaskManager("ERROR", model_name="dummy")


def first_doc(name: str) -> Any:
    return utils.docs(name, str(ROOT), complete=False)[0]


def test_the_benchmark_is_complete() -> None:
    assert len(taxonomy.TASKS) == 15
    assert sum(task.count for task in taxonomy.TASKS) == 3882


def test_tasks_are_registered(manager: TaskManager) -> None:
    leaves = {f"humansense_{task.code.lower()}" for task in taxonomy.TASKS}
    assert leaves <= set(manager.all_subtasks)
    assert {variant.group for variant in VARIANTS} <= set(manager.all_groups)
    assert {"humansense_l1", "humansense_audio", "humansense_video", "humansense_sample_video"} <= set(
        manager.all_groups
    )


def test_the_hooks_of_a_task_are_these(manager: TaskManager) -> None:
    config = manager._get_config("humansense_ar")
    assert config["process_results"] is utils.process_results
    assert config["reasoning_tags"] == "none"


def test_a_prompt_is_the_releases() -> None:
    assert utils.doc_to_text(first_doc("ar"), SENSES) == PROMPT


def test_a_models_senses_decide_what_it_is_sent() -> None:
    def kinds(senses: dict[str, str]) -> list[str]:
        (turn,) = utils.doc_to_messages(first_doc("tr"), senses)
        return [content["type"] for content in turn["content"]]

    assert kinds(SENSES) == ["video", "audio", "text"]
    assert kinds({"wrapper": "qwen2_5_vl"}) == ["video", "text"]


def test_a_model_that_does_not_hear_is_not_asked_about_a_sound() -> None:
    with pytest.raises(SystemExit, match="no sound reaches --model qwen2_5_vl"):
        utils.doc_to_messages(first_doc("pc"), {"wrapper": "qwen2_5_vl"})


@pytest.mark.parametrize(
    ("pattern", "response", "answer"),
    [
        ("single", "B", "B"),
        ("single", "The answer is (C).", "C"),
        ("single", "I cannot tell", None),
        ("multi", "A, C", "AC"),
        ("count", "There are 3 people", "3"),
        ("yesno", "No, they do not.", "no"),
    ],
)
def test_a_response_is_parsed_strictly(pattern: Pattern, response: str, answer: str | None) -> None:
    assert parsing.parse(response, pattern, ["happy", "sad", "angry", "calm"]) == answer


@pytest.mark.parametrize(
    ("response", "scores"),
    [
        ("C", {"paper": 1, "acc": 1, "answered": 1, "failed": 0, "empty": 0}),
        ("C. Jumping jacks", {"paper": 1, "acc": 1, "answered": 1, "failed": 0, "empty": 0}),
        ("A", {"paper": 0, "acc": 0, "answered": 1, "failed": 0, "empty": 0}),
        ("I cannot tell", {"paper": 0, "acc": 0, "answered": 0, "failed": 0, "empty": 0}),
        ("[response truncated] C", {"paper": 1, "acc": 1, "answered": 1, "failed": 0, "empty": 0, "truncated": 1}),
        ("[response complete] A", {"paper": 0, "acc": 0, "answered": 1, "failed": 0, "empty": 0, "truncated": 0}),
        ("[request failed] MediaError: no such file", {"acc": 0, "answered": 0, "failed": 1, "empty": 0}),
        ("[LMMS_EVAL_REQUEST_FAILED after 5 retries] no", {"acc": 0, "answered": 0, "failed": 1, "empty": 0}),
        ("", {"acc": 0, "answered": 0, "failed": 0, "empty": 1}),
    ],
)
def test_a_response_is_scored_by_the_release_and_strictly(response: str, scores: dict[str, float]) -> None:
    credits = utils.process_results(first_doc("ar"), [response])
    assert {name: credit["score"] for name, credit in credits.items()} == scores


def test_the_sample_runs(manager: TaskManager, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path))
    found = simple_evaluate(
        model="dummy", model_args="", tasks=["humansense_sample"], task_manager=manager, log_samples=True
    )
    assert found["results"]["humansense_sample"]["failed,none"] == 0
    assert sum(len(samples) for samples in found["samples"].values()) == 39
