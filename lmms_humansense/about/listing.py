"""The command `lmms-humansense list`: what can be asked, what it needs, and whether it needs a network now."""

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from ..dataset.found import Found, find
from ..plugin.entry_points import task_folder
from ..plugin.names import SAMPLE, TASK_PREFIX
from ..tasks.humansense.annotations import FILES, DataError, key_of, read
from ..tasks.humansense.local_source import LocalSource
from ..tasks.humansense.taxonomy import LEVELS, TASKS, VIDEO, Task, TaxonomyError, parse_overrides
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
        questions: How many questions it has: in the user's folder if they have named one, else in the paper.
        needs: What its questions show: "video", "sound", "video+sound" or "nothing".
        gigabytes: How much is fetched at most, if nothing is there (10^9 bytes).
        offline: Whether it can be asked without a network now; None if some clips were fetched and it is not known
            which.
    """

    name: str
    kind: str
    about: str
    questions: int
    needs: str
    gigabytes: float
    offline: bool | None


@dataclass(frozen=True)
class _Release:
    """Questions and media in the release's layout.

    Attributes:
        prefix: What the names of its groups and tasks begin with.
        found: Where they are.
        counts: How many questions each task has, by code.
    """

    prefix: str
    found: Found
    counts: Mapping[str, int]

    def name(self, *parts: str) -> str:
        """The name of a group or task."""
        return "_".join(filter(None, (self.prefix, *parts)))


def entries(found: Found) -> Iterator[Askable]:
    """Everything that `--tasks` takes of this package.

    Args:
        found: Where the data are.

    Yields:
        The groups of the benchmark and of its variants, those of the sample, and then the tasks of both.
    """
    root = str(task_folder() / SAMPLE)
    keys = tuple(FILES)
    releases = (
        _Release(TASK_PREFIX, found, _counts(found)),
        _Release(SAMPLE, Found(root, keys, keys, None), _counts_in(root)),
    )
    for release in releases:
        yield from _groups(release)
    for release in releases:
        for variant in VARIANTS:
            for task in variant.tasks:
                name = release.name(variant.name, task.code.lower())
                yield _entry(name, "task", f"{task.code}, {task.name}, {task.level}", (task,), variant, release)


def _groups(release: _Release) -> Iterator[Askable]:
    audio = tuple(task for task in TASKS if task.is_audio)
    is_sample = release.prefix == SAMPLE
    for variant in VARIANTS:
        about = "questions in this package, to try things" if is_sample and not variant.name else _ABOUT[variant.name]
        yield _entry(release.name(variant.name), "group", about, variant.tasks, variant, release)
        if variant is BENCHMARK:
            for level in () if is_sample else LEVELS:
                members = tuple(task for task in TASKS if task.level == level)
                yield _entry(release.name(level.lower()), "group", f"level {level[1:]}", members, variant, release)
            about = "the tasks with videos" if is_sample else "its mean is the paper's Avg."
            yield _entry(release.name("video"), "group", about, VIDEO, variant, release)
            yield _entry(release.name("audio"), "group", "FR2 and PC", audio, variant, release)


def _counts(found: Found) -> Mapping[str, int]:
    """How many questions each task has, by code, without asking a network."""
    paper = {task.code: task.count for task in TASKS}
    return {**paper, **_counts_in(found.source)} if found.is_folder and found.problem is None else paper


def _counts_in(root: str) -> dict[str, int]:
    """How many questions each task has in a folder, by code, of the annotation files that can be read."""
    counts: dict[str, int] = {}
    for key in FILES:
        with contextlib.suppress(DataError, TaxonomyError):
            overrides = parse_overrides(os.environ.get("HUMANSENSE_TASK_TYPES", ""))
            counted = Counter(doc["code"] for doc in read(LocalSource().annotations(root, key), key, overrides)["docs"])
            counts |= {task.code: counted[task.code] for task in TASKS if key_of(task) == key}
    return counts


def _entry(name: str, kind: str, about: str, tasks: tuple[Task, ...], variant: Variant, release: _Release) -> Askable:
    keys = {key_of(task) for task in tasks}
    shows = "" if variant.shown == "none" else _needs(tasks, variant)
    fetches = bool(shows) and not release.found.is_folder
    gigabytes = round(sum(_GIGABYTES[key] for key in keys), 2) if fetches else 0.0
    count = sum(release.counts[task.code] for task in tasks)
    offline = _offline(keys, bool(shows), release.found)
    return Askable(name, kind, about, count, shows or "nothing", gigabytes, offline)


def _needs(tasks: tuple[Task, ...], variant: Variant) -> str:
    sees = any(not task.is_audio for task in tasks)
    hears = variant.shown == "all" and any(task.has_sound for task in tasks)
    return "+".join(word for word, needed in (("video", sees), ("sound", hears)) if needed)


def _offline(keys: set[str], shows: bool, found: Found) -> bool | None:
    if found.problem is not None or not keys <= set(found.questions):
        return False
    if not shows and not found.is_folder:  # in a folder, the clips of all questions are looked for
        return True
    if not keys <= set(found.media):
        return False
    return None if found.source.startswith("hf://") else True


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
    print(f"{'name':<30} {'questions':>9}  {'needs':<11} {'GB':>4}  {'offline now':<11}  what it is")
    for entry in known:
        if tasks or entry.kind == "group":
            print(_line(entry))
    print("\nGB: what is fetched at most. ", end="")
    problem = found.problem_of(FILES)
    print(f"Data: {found.source}" + (f"\n{problem}" if problem else ""))
    if any(entry.offline is None for entry in known):
        print("partly: some clips are in the cache; `lmms-humansense prepare --check` says which are missing.")
    if not tasks:
        print("--tasks also takes single tasks (humansense_ar, humansense_think_tr): `list --tasks` shows them.")
    return 0


def _line(entry: Askable) -> str:
    gigabytes = f"{entry.gigabytes:.1f}" if entry.gigabytes else "–"
    start = f"{entry.name:<30} {entry.questions:>9,}  {entry.needs:<11} {gigabytes:>4}"
    return f"{start}  {_WORDS[entry.offline]:<11}  {entry.about}"


_WORDS = {True: "yes", False: "no", None: "partly"}
"""How it is said whether something can be asked offline."""
