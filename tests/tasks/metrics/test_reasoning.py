"""The reasoning in a response, and what tags say about a run."""

import pytest

from lmms_humansense.tasks.humansense.metrics.reasoning import Reasoned, has_tags, misfit, split


@pytest.mark.parametrize(
    ("response", "reasoning", "rest"),
    [
        ("B", "", "B"),
        ("<think>He smiles.</think><answer>B</answer>", "He smiles.", "<answer>B</answer>"),
        ("He smiles.\n</think>\n\nB", "He smiles.", "B"),
        ("<think>He smiles, so", "He smiles, so", ""),
        ("[THINK]He smiles.[/THINK]B", "He smiles.", "B"),
        ("◁think▷He smiles.◁/think▷B", "He smiles.", "B"),
        ("<think>One.</think>B<think>Two.</think>", "One.\n\nTwo.", "B"),
        ("<think>One <think>more</think> B </think>", "One \n\nmore", "B"),
        ("I think </b> so", "", "I think </b> so"),
        ("", "", ""),
    ],
)
def test_a_response_is_split_into_reasoning_and_the_rest(response: str, reasoning: str, rest: str) -> None:
    assert split(response) == Reasoned(reasoning, rest)


@pytest.mark.parametrize(
    ("response", "has"),
    [("<answer>B</answer>", True), ("<think>so", True), ("B</think>", True), ("I think the answer is B", False)],
)
def test_tags_are_found(response: str, has: bool) -> None:
    assert has_tags(response) is has


def test_tags_in_responses_to_plain_prompts_are_told() -> None:
    responses = ["<think>so</think><answer>B</answer>"] * 412 + ["B"] * 38
    assert misfit(responses, "plain") == (
        "412 of 450 responses have think or answer tags, for which `paper` gives 0 on these tasks: ask humansense_think"
    )
    assert misfit(responses, "think") is None


def test_think_prompts_without_tags_are_told() -> None:
    assert misfit(["B"] * 450 + [""], "think") == (
        "none of 450 responses has think or answer tags, which these prompts ask for: ask humansense"
    )
    assert misfit(["B"] * 450, "plain") is None


@pytest.mark.parametrize("style", ["plain", "think"])
def test_a_few_tags_or_no_responses_say_nothing(style: str) -> None:
    assert misfit(["<answer>B</answer>"] * 9 + ["B"] * 91, style) is None  # type: ignore[arg-type]
    assert misfit(["", " "], style) is None  # type: ignore[arg-type]
