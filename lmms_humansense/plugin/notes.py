"""What a user should know about the scores of an evaluation, from its responses."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..tasks.humansense.metrics import reasoning, scoring
from ..tasks.humansense.variants import Variant
from . import checks


def notes(results: Mapping[str, Any], tasks: Mapping[Any, Any]) -> list[str]:
    """Say which of the evaluated tasks do not fit how the model was trained to answer.

    Args:
        results: What lmms-eval's `evaluate` returns. With its samples, the responses of all processes are known.
        tasks: The tasks that it evaluated. Without samples, these have the responses of this process.

    Returns:
        A sentence for each variant of the benchmark about which there is something to say.
    """
    logged = results.get("samples") or {}
    found: dict[Variant, list[str]] = {}
    for name, task in checks.our_leaves(tasks):
        for _, variant, _ in checks.tasks_of(name):
            responses = _logged(logged[name]) if name in logged else _kept(task)
            found.setdefault(variant, []).extend(responses)
    said = {variant: reasoning.misfit(responses, variant.style) for variant, responses in found.items()}
    return [f"{variant.group}: {sentence}." for variant, sentence in said.items() if sentence]


def _logged(samples: list[dict[str, Any]]) -> Iterator[str]:
    for sample in samples:
        yield from _texts(sample["filtered_resps"])


def _kept(task: Any) -> Iterator[str]:
    for instance in task.instances:
        for responses in instance.filtered_resps.values():
            yield from _texts(responses)


def _texts(responses: Any) -> Iterator[str]:
    """The texts in what lmms-eval has for one question: a text, or lists of texts. Those of failed requests are not."""
    if isinstance(responses, list):
        for each in responses:
            yield from _texts(each)
    elif isinstance(responses, str) and scoring.failure_of(responses) is None:
        yield scoring.without_mark(responses)[0]
