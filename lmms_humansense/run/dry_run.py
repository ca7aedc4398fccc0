"""`lmms-humansense run --dry_run`: what a run would take, from the questions alone. No model and no clip is read."""

import fnmatch
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..dataset.anywhere import as_data_errors, install
from ..dataset.found import repository
from ..models.runtime.arguments import read_model_args
from ..plugin import checks
from ..plugin.entry_points import task_folder
from ..plugin.harness_names import names_in
from ..plugin.names import SAMPLE
from ..tasks.humansense import data
from ..tasks.humansense.annotations import DataError, key_of
from ..tasks.humansense.messages import MAX_PIXELS, frame_rate
from ..tasks.humansense.taxonomy import Task
from ..tasks.humansense.variants import Variant
from .arguments import ArgumentsError, Own
from .page import counted

_PAIR = MAX_PIXELS // 28**2
"""Tokens of two frames of the largest size, as Qwen2.5-Omni counts them: one for 28 x 28 pixels of both."""

_SECOND = 25
"""Tokens of a second of sound, as Qwen2.5-Omni counts them."""

_TEXT = 4
"""Characters of English text for a token, about."""

_AROUND = 60
"""Tokens of the system message and of what a chat template puts around the messages, about."""

_NEW_TOKENS = 1024
"""`max_new_tokens` of the tasks."""


@dataclass
class Forecast:
    """What a run would take.

    Attributes:
        questions: The number of questions.
        tasks: The number of tasks.
        not_counted: Tasks of others.
        seconds: The length of each clip or sound, by root and name; None if it is not known.
        absent: The bytes of each that has to be fetched first; None if they are not known.
        prompt_tokens: About how many tokens the prompts have at most, with all frames and sounds.
        answer_tokens: How many tokens the answers have at most.
        overridden: Arguments of the model that change what is shown, which the tokens do not count.
    """

    questions: int = 0
    tasks: int = 0
    not_counted: list[str] = field(default_factory=list)
    seconds: dict[tuple[str, str], float | None] = field(default_factory=dict)
    absent: dict[tuple[str, str], int | None] = field(default_factory=dict)
    prompt_tokens: int = 0
    answer_tokens: int = 0
    overridden: list[str] = field(default_factory=list)


def show(given: Mapping[str, Any], own: Own) -> None:
    """Print what a run would take.

    Args:
        given: The arguments for lmms-eval by name.
        own: The arguments of this command.

    Raises:
        ArgumentsError: The questions cannot be read, or an argument that is counted with cannot be used.
    """
    from loguru import logger

    logger.remove()  # how task types were decided is of interest in a run only
    logger.add(lambda line: print(line, end="", file=sys.stderr), level="WARNING", format="{message}")
    install()
    try:
        for sentence in sentences(plan(given), own):
            print(sentence)
    except DataError as error:
        raise ArgumentsError(str(error)) from None


def sentences(found: Forecast, own: Own) -> Iterator[str]:
    """Say what a run would take.

    Args:
        found: The counts.
        own: The arguments of this command, with the prices.

    Yields:
        A sentence for each kind of count.
    """
    questions, tasks = counted(found.questions, "question"), counted(found.tasks, "task")
    yield f"{questions} in {tasks}."
    if found.not_counted:
        yield f"Not counted, because they are not of this package: {', '.join(found.not_counted)}."
    known = [seconds for seconds in found.seconds.values() if seconds is not None]
    unknown = len(found.seconds) - len(known)
    more = f" and {unknown:,} sounds whose length is not known before they are there" if unknown else ""
    media = "1 clip or sound" if len(found.seconds) == 1 else f"{len(found.seconds):,} clips and sounds"
    yield f"{media}, {sum(known):,.0f} seconds of media{more}."
    size = sum(count or 0 for count in found.absent.values()) / 1e9
    yield f"To fetch first: {len(found.absent):,} of them, {size:.2f} GB."
    yield (
        f"About {found.prompt_tokens:,} tokens of prompts (at most, as Qwen2.5-Omni counts: {_PAIR} for two frames, "
        f"{_SECOND} for a second of sound), and at most {found.answer_tokens:,} of answers."
    )
    if found.overridden:
        yield f"These are for the frames of the tasks: {', '.join(found.overridden)} in --model_args is not counted."
    if own.price_in is not None or own.price_out is not None:
        prompts = found.prompt_tokens / 1e6 * (own.price_in or 0.0)
        answers = found.answer_tokens / 1e6 * (own.price_out or 0.0)
        parts = f"{prompts:,.2f} for prompts, {answers:,.2f} for answers"
        yield f"At these prices: at most {prompts + answers:,.2f} ({parts})."


@as_data_errors()
def plan(given: Mapping[str, Any]) -> Forecast:
    """Count what a run would take.

    Args:
        given: The arguments for lmms-eval by name, of which `tasks`, `limit`, `offset`, `repeats`, `gen_kwargs` and
            `model_args` are read.

    Returns:
        The counts.

    Raises:
        ArgumentsError: `gen_kwargs` has a `max_new_tokens` that is no number, or `model_args` cannot be read.
        DataError: The questions or the list of the media cannot be read.
    """
    found = Forecast()
    found.overridden = _overridden(given.get("model_args") or "")
    new_tokens = _new_tokens(given.get("gen_kwargs") or "")
    for name in _names(given["tasks"]):
        ours = checks.tasks_of(name)
        found.not_counted += [] if ours else [name]
        for group, variant, task in ours:
            docs = _limited(_load(group, task), given.get("limit"), int(given.get("offset") or 0))
            found.tasks += 1
            found.questions += len(docs)
            found.answer_tokens += len(docs) * new_tokens
            for doc in docs:
                _add(found, doc, variant, task)
    repeats = int(given.get("repeats") or 1)
    found.prompt_tokens, found.answer_tokens = repeats * found.prompt_tokens, repeats * found.answer_tokens
    return found


def _names(tasks: str) -> Sequence[str]:
    known = sorted(set(names_in(task_folder())))
    wanted = [name for name in tasks.split(",") if name]
    return list(dict.fromkeys(found for name in wanted for found in fnmatch.filter(known, name) or [name]))


def _load(group: str, task: Task) -> list[data.LocatedDoc]:
    if group == SAMPLE:
        return data.load(task.code, str(task_folder() / SAMPLE), complete=False)
    return data.load(task.code, data.release_root(repository()))


def _limited(docs: list[data.LocatedDoc], limit: str | None, offset: int) -> list[data.LocatedDoc]:
    number = float(limit or -1)
    count = len(docs) if number < 0 else math.ceil(number * len(docs)) if number < 1 else int(number)
    return docs[offset:][:count]


def _overridden(model_args: str) -> list[str]:
    """The arguments of a model that give other frames than the tasks'."""
    try:
        given = read_model_args(model_args)
    except ValueError as error:
        raise ArgumentsError(str(error)) from None
    return [name for name in ("frames", "fps", "nframes", "max_pixels") if name in given]


def _new_tokens(gen_kwargs: str) -> int:
    values = dict(part.split("=", 1) for part in gen_kwargs.split(",") if "=" in part)
    given = values.get("max_new_tokens", str(_NEW_TOKENS)).strip()
    if not given.isdecimal():
        raise ArgumentsError(f"--gen_kwargs max_new_tokens={given}: it takes a whole number.")
    return int(given)


def _add(found: Forecast, doc: data.LocatedDoc, variant: Variant, task: Task) -> None:
    found.prompt_tokens += _AROUND + len(variant.prompt(doc)) // _TEXT
    if variant.shown == "none":
        return
    clip = doc["root"], doc["file"]
    if clip not in found.seconds:
        _add_clip(found, clip, doc, task)
    seconds = found.seconds[clip] or 0.0
    if variant.sees(doc):
        frames = min(24, max(2, round(seconds * frame_rate(doc["frame_count"], doc["fps"]))))
        found.prompt_tokens += math.ceil(frames / 2) * _PAIR
    if variant.hears(doc):
        found.prompt_tokens += math.ceil(seconds * _SECOND)


def _add_clip(found: Forecast, clip: tuple[str, str], doc: data.LocatedDoc, task: Task) -> None:
    from ..dataset.release import open_media_store

    store = open_media_store(doc["root"], key_of(task))
    local = store.find_local(doc["file"])
    if local is None:
        found.absent[clip] = store.known(doc["file"])[0]
    found.seconds[clip] = doc["frame_count"] / doc["fps"] if doc["frame_count"] else _seconds_of(local)


def _seconds_of(file: Path | None) -> float | None:
    import av

    if file is None:
        return None
    try:
        with av.open(str(file)) as opened:
            return None if opened.duration is None else opened.duration / av.time_base
    except (av.FFmpegError, OSError):  # the run will say what is wrong with it
        return None
