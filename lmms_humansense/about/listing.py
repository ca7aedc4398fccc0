"""The command `lmms-humansense list`: what can be asked, what it needs, and whether it needs a network now."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from ..dataset.found import Found, find
from ..plugin.names import SAMPLE
from ..tasks.humansense.annotations import FILES, key_of
from ..tasks.humansense.taxonomy import LEVELS, TASKS, VIDEO, Task
from ..tasks.humansense.variants import BENCHMARK, VARIANTS, Variant

_GIGABYTES = {"VQA": 24.4, "AQA": 1.74}
"""The sizes of videos.zip and audios.zip in the dataset repository antgroup/HumanSense_Benchmark."""

_ABOUT = {
    "": "the benchmark, as in the paper's table",
    "think": "asks for reasoning in tags, for models that were trained to reason",
    "asr": "with the transcript of the sound",
    "asr_silent": "with the transcript instead of the sound",
    "guided": "with the paper's training-free guidance",
    "silent": "without sound",
    "blind": "without pictures and sound",
}
"""What the variants are."""


@dataclass(frozen=True)
class Askable:
    """A name for `--tasks`.

    Attributes:
        name: The name.
        kind: "group" or "task".
        about: What it is.
        questions: How many questions it has in the paper; for the sample, None.
        needs: What its questions show: "video", "sound", "video+sound" or "nothing".
        gigabytes: How much is fetched at most, if nothing is there (10^9 bytes).
        offline: Whether it can be asked without a network now: "yes", "no", or "partly" if some clips were fetched and
            it is not known which.
    """

    name: str
    kind: str
    about: str
    questions: int | None
    needs: str
    gigabytes: float
    offline: str


def entries(found: Found) -> Iterator[Askable]:
    """Everything that `--tasks` takes of this package.

    Args:
        found: Where the data are.

    Yields:
        The groups, the sample, and the tasks of the benchmark and of its variants.
    """
    audio = tuple(task for task in TASKS if task.is_audio)
    for variant in VARIANTS:
        yield _entry(variant.group, "group", _ABOUT[variant.name], variant.tasks, variant, found)
        if variant is BENCHMARK:
            for level in LEVELS:
                members = tuple(task for task in TASKS if task.level == level)
                yield _entry(f"humansense_{level.lower()}", "group", f"level {level[1:]}", members, variant, found)
            yield _entry("humansense_video", "group", "its mean is the paper's Avg.", VIDEO, variant, found)
            yield _entry("humansense_audio", "group", "FR2 and PC", audio, variant, found)
    yield Askable(SAMPLE, "group", "39 questions in this package, to try things", None, "video+sound", 0.0, "yes")
    for variant in VARIANTS:
        for task in variant.tasks:
            name = f"{variant.group}_{task.code.lower()}"
            yield _entry(name, "task", f"{task.code}, {task.name}, {task.level}", (task,), variant, found)


def _entry(name: str, kind: str, about: str, tasks: tuple[Task, ...], variant: Variant, found: Found) -> Askable:
    keys = {key_of(task) for task in tasks}
    shows = "" if variant.shown == "none" else _needs(tasks, variant)
    gigabytes = sum(_GIGABYTES[key] for key in keys) if shows else 0.0
    count = sum(task.count for task in tasks)
    return Askable(
        name, kind, about, count, shows or "nothing", round(gigabytes, 2), _offline(keys, bool(shows), found)
    )


def _needs(tasks: tuple[Task, ...], variant: Variant) -> str:
    sees = any(not task.is_audio for task in tasks)
    hears = variant.shown == "all" and any(task.has_sound for task in tasks)
    return "+".join(word for word, needed in (("video", sees), ("sound", hears)) if needed)


def _offline(keys: set[str], shows: bool, found: Found) -> str:
    if found.problem is not None or not keys <= set(found.questions):
        return "no"
    if not shows and not found.is_folder:  # in a folder, the clips of all questions are looked for
        return "yes"
    if not keys <= set(found.media):
        return "no"
    return "partly" if found.source.startswith("hf://") else "yes"


def show(as_json: bool, tasks: bool) -> int:
    """Print what can be asked.

    Args:
        as_json: Print everything as JSON.
        tasks: Print also the single tasks.

    Returns:
        The exit status, 0.
    """
    found = find()
    known = list(entries(found))
    if as_json:
        print(json.dumps({"source": found.source, "tasks": [asdict(entry) for entry in known]}, indent=1))
        return 0
    print(f"{'name':<27} {'questions':>9}  {'needs':<11} {'GB':>4}  {'offline now':<11}  what it is")
    for entry in known:
        if tasks or entry.kind == "group":
            print(_line(entry))
    print("\nGB: what is fetched at most. ", end="")
    problem = found.problem_of(FILES)
    print(f"Data: {found.source}" + (f"\n{problem}" if problem else ""))
    if any(entry.offline == "partly" for entry in known):
        print("partly: some clips are in the cache; `lmms-humansense prepare --check` says which are missing.")
    if not tasks:
        print("--tasks also takes single tasks (humansense_ar, humansense_think_tr): `list --tasks` shows them.")
    return 0


def _line(entry: Askable) -> str:
    questions = "" if entry.questions is None else f"{entry.questions:,}"
    gigabytes = f"{entry.gigabytes:.1f}" if entry.gigabytes else "–"
    start = f"{entry.name:<27} {questions:>9}  {entry.needs:<11} {gigabytes:>4}"
    return f"{start}  {entry.offline:<11}  {entry.about}"
