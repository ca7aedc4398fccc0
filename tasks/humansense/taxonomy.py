"""The 15 tasks of HumanSense: the only list of them in this package.

Source: arXiv 2508.10576 (codes, names, levels, question counts) and the release's evaluation code (the seven
`task_type` names that it mentions). The release's other `task_type` names are not documented; `resolve_task_types`
finds their tasks.
"""

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .wording import brief, listed

Input = Literal["video", "video+sound", "audio"]

SKIPPED_TASK_TYPES = ("Abnormal_Recognition",)
"""Types that the annotation files may have and the benchmark leaves out (the release's scorer skips them)."""


@dataclass(frozen=True)
class Task:
    """One of the 15 tasks.

    Attributes:
        code: Its short name in the paper ("AR").
        name: Its name in the paper.
        level: Its level in the paper.
        count: Its number of questions in the paper.
        input: What a question is about.
        aliases: The `task_type` names that it may have in the annotation files (compared by `normalise`).
        keywords: Words that only the names of this task contain.
    """

    code: str
    name: str
    level: Literal["L1", "L2", "L3", "L4"]
    count: int
    input: Input
    aliases: tuple[str, ...]
    keywords: tuple[str, ...] = ()

    @property
    def has_sound(self) -> bool:
        """Whether the question is about something heard: the sound of its video, or an audio file."""
        return self.input != "video"

    @property
    def is_audio(self) -> bool:
        """Whether the question has an audio file instead of a video."""
        return self.input == "audio"


TASKS: tuple[Task, ...] = (
    Task("AR", "Action Recognition", "L1", 300, "video", ("Action_Recognition",), ("action",)),
    Task("ER", "Emotion Recognition", "L1", 300, "video",
         ("Emotion_Recognition", "Expression_Recognition", "Facial_Expression_Recognition", "Facial_Expression"),
         ("emotion", "expression")),
    Task("GR", "Gesture Recognition", "L1", 300, "video", ("Gesture_Recognition",), ("gesture",)),
    Task("PA", "Person Appearance", "L1", 300, "video",
         ("Person_Appearance", "Personal_Appearance", "Person_Appearance_Recognition", "Appearance_Recognition"),
         ("appearance", "face", "attribute")),
    Task("AC", "Abnormal Classification", "L2", 100, "video",
         ("Abnormal_Classification", "Anomaly_Classification"), ("abnormal", "anomaly")),
    Task("CM", "Complex Motion", "L2", 281, "video",
         ("Complex_Motion", "Complex_Motion_Recognition", "Motion_Recognition"), ("motion",)),
    Task("HC", "Human Counting with ReID", "L2", 360, "video",
         ("Human_Counting", "Human_Counting_ReID", "Human_Counting_with_ReID", "Person_Counting", "People_Counting"),
         ("count", "reid")),
    Task("TR", "Talking Person Recognition", "L2", 300, "video+sound",
         ("Talkingperson_Recognition", "Talking_Person_Recognition"), ("talking", "talkingperson", "speaker")),
    Task("FR1", "Familiarity Recognition", "L3", 200, "video+sound", ("Familiarity_Recognition",), ("familiarity",)),
    Task("FR2", "Fraud Recognition", "L3", 300, "audio", ("Fraud_Recognition",), ("fraud",)),
    Task("LD", "Lie Detection", "L3", 200, "video", ("Lie_Detection", "Lie_Recognition", "Deception_Detection"),
         ("lie", "decept")),
    Task("RR1", "Relation Recognition", "L3", 150, "video+sound",
         ("Relation_Recognition", "Relationship_Recognition"), ("relation", "relationship")),
    Task("RR2", "Rapport Recognition", "L3", 200, "video+sound", ("Rapport_Recognition",), ("rapport",)),
    Task("ES", "Emotion Strategy", "L4", 300, "video+sound",
         ("Emo_Strategy", "Emotion_Strategy", "Emotional_Strategy"), ("strategy",)),
    Task("PC", "Psychological Chat", "L4", 291, "audio",
         ("Psychological_Chat", "Psychological_Chat_Room"), ("psychological", "chat")),
)  # fmt: skip

BY_CODE: Mapping[str, Task] = {task.code: task for task in TASKS}

VIDEO: tuple[Task, ...] = tuple(task for task in TASKS if not task.is_audio)
"""The 13 tasks about videos, whose mean is the paper's Avg."""

LEVELS: tuple[str, ...] = ("L1", "L2", "L3", "L4")


class TaxonomyError(ValueError):
    """A task cannot be determined, or there is none of this name; the message says what to type."""


@dataclass(frozen=True)
class Resolution:
    """The task of each `task_type`.

    Attributes:
        codes: The task's code by `task_type`.
        how: The rule that decided, by `task_type`: "override", "name", "keyword" or "count".
        skipped: The number of items of each type that is left out.
        warnings: One sentence for each count that differs from the paper's.
    """

    codes: dict[str, str]
    how: dict[str, str]
    skipped: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


_MOST_TYPES = 1000
"""The most task types that an annotation file may have."""

_MOST_NAMED = 30
"""The most task types in one message: more than the benchmark has, so that the advice for any real file is complete."""


def tasks_named(name: str) -> tuple[Task, ...]:
    """The tasks of a name in lmms-eval ("humansense_ar", "humansense_l3", "humansense_video") or of a code ("AR").

    Raises:
        TaxonomyError: There is no such task or group.
    """
    short = name.strip().lower().removeprefix("humansense").lstrip("_")
    groups = {
        "": TASKS,
        "video": VIDEO,
        "audio": tuple(task for task in TASKS if task.is_audio),
        **{level.lower(): tuple(task for task in TASKS if task.level == level) for level in LEVELS},
        **{task.code.lower(): (task,) for task in TASKS},
    }
    if not name.strip() or short not in groups:
        known = ["humansense", *(f"humansense_{group}" for group in groups if group)]
        close = difflib.get_close_matches(name.strip().lower(), known, 1)
        meant = f"did you mean {close[0]}? There are " if close else "there are "
        raise TaxonomyError(f"There is no task or group {name!r}; {meant}{', '.join(known)}.")
    return groups[short]


def words(task_type: str) -> list[str]:
    """The lower-case words of a `task_type`, with any separators (`_`, space, hyphen, CamelCase)."""
    # "ReID" is one word, and a name in odd capitals ("eMOTION") has no CamelCase to split.
    spaced = re.sub(r"(?<=[a-z]{2})(?=[A-Z][a-z]{2})", " ", task_type)
    return re.findall(r"[a-z0-9]+", spaced.lower())


def normalise(task_type: str) -> str:
    """A form of `task_type` without case, separators and word order."""
    return " ".join(sorted(words(task_type)))


def parse_overrides(text: str) -> dict[str, str]:
    """Read `HUMANSENSE_TASK_TYPES` ("Their_Name=PA,Other_Name=HC") as a mapping from `task_type` to code.

    Raises:
        TaxonomyError: An entry has no `=` or an unknown code.
    """
    overrides = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        task_type, separator, code = (piece.strip() for piece in entry.partition("="))
        if not separator or code.upper() not in BY_CODE:
            raise TaxonomyError(
                f"HUMANSENSE_TASK_TYPES has the entry {entry!r}; write Their_Name=CODE with a CODE of "
                f"{', '.join(BY_CODE)}."
            )
        overrides[task_type] = code.upper()
    return overrides


def resolve_task_types(
    counts: Mapping[str, int], tasks: tuple[Task, ...] = TASKS, overrides: Mapping[str, str] | None = None
) -> Resolution:
    """Find the task of every `task_type` of an annotation file.

    The rules, in order: an override; an exact or alias match; a keyword of one task only; among the types and tasks
    that are left, the only task with exactly this number of questions. Two types may share a task only by overrides.

    Args:
        counts: The number of items of each `task_type`.
        tasks: The tasks that may occur in this file.
        overrides: Codes by `task_type`, which win over all other rules.

    Returns:
        The task of each type, and the rule that decided.

    Raises:
        TaxonomyError: A type has no task, or two types claim one. The message names the types, their counts and the
            override to type.
    """
    if len(counts) > _MOST_TYPES:
        raise TaxonomyError(
            f"The annotations have {len(counts):,} task types, but the benchmark has {len(TASKS)} tasks; download the "
            "annotations again."
        )
    by_name = {normalise(name): code for name, code in (overrides or {}).items()}
    skipped_names = {normalise(name) for name in SKIPPED_TASK_TYPES} - set(by_name)
    skipped = {name: count for name, count in counts.items() if normalise(name) in skipped_names}
    open_types = [name for name in counts if name not in skipped]
    codes = {name: by_name[normalise(name)] for name in open_types if normalise(name) in by_name}
    _refuse_foreign(codes, tasks)
    how = dict.fromkeys(codes, "override")
    for rule, find in (("name", _by_alias), ("keyword", _by_keyword)):
        free = _without(tasks, codes)
        found = {name: find(name, free) for name in open_types if name not in codes}
        codes |= {name: code for name, code in found.items() if code is not None}
        how |= {name: rule for name, code in found.items() if code is not None}
    by_count = _by_count(counts, _without(tasks, codes), [name for name in open_types if name not in codes])
    codes |= by_count
    how |= dict.fromkeys(by_count, "count")
    _refuse_unresolved(counts, tasks, open_types, codes, how)
    return Resolution(codes, how, skipped, _count_warnings(counts, tasks, codes))


def _refuse_foreign(codes: Mapping[str, str], tasks: tuple[Task, ...]) -> None:
    for name, code in codes.items():
        if code not in {task.code for task in tasks}:
            raise TaxonomyError(
                f"HUMANSENSE_TASK_TYPES says {brief(name)}={code}, but the file that has this type has no questions of "
                f"{code}; it has those of {', '.join(task.code for task in tasks)}."
            )


def _without(tasks: tuple[Task, ...], codes: Mapping[str, str]) -> tuple[Task, ...]:
    taken = set(codes.values())
    return tuple(task for task in tasks if task.code not in taken)


def _by_alias(name: str, tasks: tuple[Task, ...]) -> str | None:
    # "Talkingperson" and "Talking_Person" are one name: both the joined form and the sorted words are compared.
    sorted_words, joined = normalise(name), "".join(words(name))
    for task in tasks:
        for alias in (*task.aliases, task.name, task.code):
            if sorted_words == normalise(alias) or joined == "".join(words(alias)):
                return task.code
    return None


def _by_keyword(name: str, tasks: tuple[Task, ...]) -> str | None:
    found = {task.code for task in tasks if any(_has_keyword(name, keyword) for keyword in task.keywords)}
    return found.pop() if len(found) == 1 else None


def _has_keyword(name: str, keyword: str) -> bool:
    # A short keyword ("lie") must be a whole word ("Client" is no lie); a longer one may begin a word.
    if len(keyword) <= 4:
        return keyword in words(name)
    return any(word.startswith(keyword) for word in words(name))


def _by_count(counts: Mapping[str, int], free: tuple[Task, ...], left: list[str]) -> dict[str, str]:
    found = {}
    for name in left:
        fitting = [task.code for task in free if task.count == counts[name]]
        rivals = [other for other in left if counts[other] == counts[name]]
        if len(fitting) == 1 and len(rivals) == 1:
            found[name] = fitting[0]
    return found


def _refuse_unresolved(
    counts: Mapping[str, int],
    tasks: tuple[Task, ...],
    open_types: list[str],
    codes: Mapping[str, str],
    how: Mapping[str, str],
) -> None:
    by_rule = Counter(code for name, code in codes.items() if how[name] != "override")
    claims = Counter(codes.values())
    clashing = {code for code, count in claims.items() if count > 1 and by_rule[code]}
    wrong = [name for name in open_types if codes.get(name) is None or codes[name] in clashing]
    if not wrong:
        return
    types = listed([f"{brief(name)} ({counts[name]} questions)" for name in wrong], _MOST_NAMED)
    open_tasks = [task for task in tasks if task.code not in claims or task.code in clashing]
    wanted = ", ".join(f"{task.code} = {task.name} ({task.count})" for task in open_tasks) or "none"
    example = ",".join(f"{brief(name)}=CODE" for name in wrong[:_MOST_NAMED])
    raise TaxonomyError(
        f"The tasks of these task types in the annotations cannot be determined: {types}. Tasks without a type: "
        f'{wanted}. Set their codes with HUMANSENSE_TASK_TYPES="{example}".'
    )


def _count_warnings(counts: Mapping[str, int], tasks: tuple[Task, ...], codes: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence about all tasks whose number of questions is not the paper's; nothing if there are none."""
    names = {task: [name for name, code in codes.items() if code == task.code] for task in tasks}
    found = {task: sum(counts[name] for name in names[task]) for task in tasks}
    differing = {task: count for task, count in found.items() if count != task.count}
    if len(differing) > _MOST_DIFFERING:
        shown = ", ".join(f"{task.code} {count:,} ({task.count:,})" for task, count in differing.items())
        return (f"tasks have other numbers of questions than in the paper (in brackets): {shown}.",)
    said = "; ".join(_differs(task, count, names[task]) for task, count in differing.items())
    return (f"{said}.",) if differing else ()


_MOST_DIFFERING = 2
"""Of how many tasks with an unexpected number of questions everything is said."""


def _differs(task: Task, count: int, names: Sequence[str]) -> str:
    types = f" (task_type {listed([brief(name) for name in names], _MOST_NAMED)})"
    return f"{task.code} ({task.name}) has {count} questions in these annotations, the paper has {task.count}" + (
        types if names else ": no task_type of the file belongs to it"
    )
