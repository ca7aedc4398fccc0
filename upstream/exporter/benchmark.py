"""The change that adds HumanSense to lmms-eval, with the model that sees and hears it."""

from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

from lmms_humansense.tasks.humansense.taxonomy import TASKS, Task

from . import edits
from .copies import HELPERS, TINY, copies, texts
from .edits import Edit

NAME = "humansense"
OWNED = ("lmms_eval/tasks/humansense", "lmms_eval/tasks/humansense_sample", HELPERS, TINY)
"""Folders that belong to the change alone: files in them that are no longer part of the change are deleted."""

_LIBRARIES = ("audioread", "decord", "librosa", "qwen-omni-utils", "soxr")
"""The model's dependencies that lmms-eval does not require."""

_README = "lmms_eval/tasks/humansense/README.md"
_TASKS_PLACE = b"<!-- tasks -->"
"""The place of the table of tasks."""


def files(root: Path) -> dict[str, bytes]:
    """The files that the change adds, by their path in lmms-eval."""
    found = {**copies(root), **texts(root, NAME)}
    return {**found, _README: found[_README].replace(_TASKS_PLACE, _table().encode())}


def changes() -> list[Edit]:
    """The changes to files of lmms-eval."""
    return [
        edits.table_entry(
            "lmms_eval/models/__init__.py", "AVAILABLE_CHAT_TEMPLATE_MODELS", "humansense_omni", "HumanSenseOmni"
        ),
        # A model that knows what its answers depend on names the cache class that uses this.
        edits.text(
            "lmms_eval/evaluator.py",
            "response_cache = ResponseCache.create(",
            'response_cache = getattr(lm, "response_cache_class", ResponseCache).create(',
        ),
        edits.before_line("pyproject.toml", "all = [", _extra()),
        edits.bullet(
            "docs/advanced/current_tasks.md",
            "Multimodal Evaluation & Meta-benchmarks",
            "- [HumanSense](https://github.com/antgroup/HumanSense) (humansense) - people on video and sound: "
            "feelings, relations, deception, replies",
        ),
        edits.row(
            "docs/advanced/current_tasks.md",
            "Chat Template Models (Recommended)",
            "| `humansense_omni` | HumanSenseOmni | Qwen2.5-Omni, Qwen3-Omni and Qwen2-Audio, video with its sound |",
        ),
        edits.changelog_item(
            "docs/releases/CHANGELOG.md",
            "New Benchmark Tasks",
            "- HumanSense (`humansense`, 15 tasks, 3,882 questions about people on video and sound), and the model "
            "`humansense_omni` that sees and hears them",
        ),
    ]


def _table() -> str:
    """All tasks, as Markdown."""
    rows = [
        f"| `humansense_{task.code.lower()}` | {task.name} | {task.level} | {_input(task)} | {task.count} |"
        for task in TASKS
    ]
    return "\n".join(["| Task | | Level | Input | Questions |", "| --- | --- | --- | --- | ---: |", *rows])


def _input(task: Task) -> str:
    if task.is_audio:
        return "sound"
    return "video and its sound" if task.has_sound else "video"


def _extra() -> str:
    """The lines of an optional dependency, with the versions that this package needs."""
    needed = [Requirement(text) for text in requires("lmms-humansense") or []]
    named = sorted(f"{each.name}{each.specifier}" for each in needed if each.name in _LIBRARIES)
    return "".join([f"{NAME} = [\n", *(f'    "{each}",\n' for each in dict.fromkeys(named)), "]\n"])
