"""What is said at the end of an evaluation about its responses."""

from types import SimpleNamespace
from typing import Any

from lmms_humansense.plugin.notes import notes

TAGGED = "[response complete] <think>so</think><answer>B</answer>"


def task(*responses: Any) -> Any:
    return SimpleNamespace(instances=[SimpleNamespace(filtered_resps={"none": response}) for response in responses])


def test_the_logged_samples_of_all_tasks_of_a_variant_are_counted_together() -> None:
    samples = {
        "humansense_ar": [{"filtered_resps": [TAGGED]}, {"filtered_resps": [["B"]]}],
        "humansense_sample_er": [{"filtered_resps": [TAGGED]}, {"filtered_resps": ["[request failed] broken"]}],
        "humansense_think_ar": [{"filtered_resps": ["B"]}],
        "other": [{"filtered_resps": [TAGGED]}],
    }
    tasks = {"humansense": {name: task() for name in samples}}
    plain, think = notes({"samples": samples}, tasks)
    assert plain.startswith("humansense: 2 of 3 responses have think or answer tags")
    assert think.startswith("humansense_think: none of 1 responses has think or answer tags")


def test_without_samples_the_responses_of_the_process_are_counted() -> None:
    failed = ("[request failed] broken", "[LMMS_EVAL_REQUEST_FAILED after 3 retries] broken", "[SAFETY_BLOCKED: no]")
    (note,) = notes({}, {"humansense_ar": task(TAGGED, [TAGGED], *failed)})
    assert note.startswith("humansense: 2 of 2 responses")


def test_fitting_prompts_are_not_mentioned() -> None:
    assert notes({}, {"humansense_ar": task("B"), "humansense_think_ar": task(TAGGED), "other": task(TAGGED)}) == []
