"""The settings in which the questions are asked: the benchmark's own, and the paper's others. Standard library only.

Each is a group of lmms-eval with leaves of its own (`humansense_think_ar`), so that all can run in one command.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from . import prompts
from .annotations import Doc
from .taxonomy import BY_CODE, TASKS, VIDEO, Task, TaxonomyError, tasks_named

MediaSubset = Literal["all", "silent", "none"]

WITH_SOUND = tuple(task for task in TASKS if task.has_sound)
VIDEO_WITH_SOUND = tuple(task for task in TASKS if task.input == "video+sound")


@dataclass(frozen=True)
class Variant:
    """One setting.

    Attributes:
        name: The part of its tasks' names before the code; "" for the benchmark itself.
        tasks: The tasks that it has.
        style: The style of the prompt, and of the release's scorer.
        transcript: Whether the transcript comes before the prompt.
        guide: Whether the paper's guidance comes before the prompt.
        shown: Whether a question has all of its media, no sound, or no media.
    """

    name: str
    tasks: tuple[Task, ...]
    style: prompts.Style = "plain"
    transcript: bool = False
    guide: bool = False
    shown: MediaSubset = "all"

    @property
    def group(self) -> str:
        """The name of its group in lmms-eval."""
        return f"humansense_{self.name}" if self.name else "humansense"

    def prompt(self, doc: Doc) -> str:
        """The prompt of a doc in this setting."""
        prompt = prompts.build(doc["question"], doc["pattern"], doc["options"], self.style)
        if self.transcript:
            prompt = prompts.with_asr(prompt, doc["transcript"] or "")
        return prompts.with_guide(prompt) if self.guide else prompt

    def sees(self, doc: Doc) -> bool:
        """Whether a doc has pictures."""
        return self.shown != "none" and not _task(doc).is_audio

    def hears(self, doc: Doc) -> bool:
        """Whether a doc has sound."""
        return self.shown == "all" and _task(doc).has_sound


BENCHMARK = Variant("", TASKS)

VARIANTS: tuple[Variant, ...] = (
    BENCHMARK,
    Variant("think", TASKS, style="think"),
    Variant("asr", VIDEO_WITH_SOUND, transcript=True),
    Variant("asr_silent", VIDEO_WITH_SOUND, transcript=True, shown="silent"),
    Variant("guided", WITH_SOUND, guide=True),
    Variant("silent", VIDEO, shown="silent"),
    Variant("blind", TASKS, shown="none"),
)
"""All settings. `asr` and `guided` have the tasks that the release chose, `silent` those with pictures."""

BY_NAME: Mapping[str, Variant] = {variant.name: variant for variant in VARIANTS}


def split(name: str) -> tuple[Variant, str]:
    """Split the name of a variant off a name without "humansense".

    Args:
        name: For example "think_ar" or "think".

    Returns:
        The variant and the rest of the name. Without the name of a variant, this is the benchmark and the whole name.
    """
    for variant in sorted(VARIANTS, key=lambda variant: len(variant.name), reverse=True):
        if variant.name and f"{name}_".startswith(f"{variant.name}_"):
            return variant, name[len(variant.name) + 1 :]
    return BENCHMARK, name


def tasks_of(name: str) -> tuple[Task, ...]:
    """The tasks of a name in lmms-eval, of any variant ("humansense_think_ar", "humansense_l3"), or of a code.

    Raises:
        TaxonomyError: There is no such task or group.
    """
    variant, rest = split(name.strip().lower().removeprefix("humansense").lstrip("_"))
    if variant is BENCHMARK:
        return tasks_named(name)
    if not rest:
        return variant.tasks
    named = tasks_named(rest) if rest.upper() in {task.code for task in variant.tasks} else ()
    if not named:
        leaves = ", ".join(f"{variant.group}_{task.code.lower()}" for task in variant.tasks)
        raise TaxonomyError(f"There is no task {name!r}; there are {variant.group} and its tasks {leaves}.")
    return named


def _task(doc: Doc) -> Task:
    return BY_CODE[doc["code"]]
