"""What is checked before lmms-eval is started, which takes many seconds: names, arguments, data and folders.

Only what certainly cannot work is refused here. Everything else is checked by lmms-eval and by this package's plugin.
"""

import difflib
import fnmatch
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from ..models.inputs.policy import system_prompt_text
from ..models.runtime.arguments import read_model_args
from ..plugin import checks, harness_names
from ..plugin.entry_points import task_folder
from ..plugin.names import MODELS, SAMPLE, TASK_PREFIX
from ..tasks.humansense.annotations import key_of
from .arguments import OUTPUT, ArgumentsError, check_options, evaluations, meant, read
from .generation_checks import check_generation
from .model_checks import check_model_args, checkpoint_to_fetch
from .reach import why_out_of_reach
from .wrapper_arguments import check_wrapper_args

_LEVELS = ("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL")
"""The levels of messages, as loguru names them."""


def check(arguments: Sequence[str], loads: bool = True) -> None:
    """Refuse what cannot work.

    Args:
        arguments: The arguments for lmms-eval.
        loads: Whether the model will be loaded, or its server asked, on this machine now.

    Raises:
        ArgumentsError: An option, a task, a model or one of its arguments is not known, data are missing, or a folder
            cannot be written.
    """
    check_options(arguments)
    given = read(arguments)
    if given["config"] is None:
        _check(given, OUTPUT, loads)
        return
    for number, each in enumerate(evaluations(arguments), 1):
        try:
            _check(read(each), None, loads)
        except ArgumentsError as error:
            raise ArgumentsError(f"--config {given['config']}, evaluation {number}: {error}") from None


def _check(given: Mapping[str, Any], output: str | None, loads: bool) -> None:
    """Refuse an evaluation that cannot work. Its results go into the folder `output` if it names none."""
    _check_verbosity(given["verbosity"])
    _check_tasks(given["tasks"], given["include_path"])
    _check_model(given["model"])
    _check_ours(given)
    _check_arguments(given, loads)
    _check_data(given)
    for option, folder in (("output_path", given["output_path"] or output), ("use_cache", given["use_cache"])):
        place = checks.existing(Path(folder).absolute()) if folder else None
        reason = checks.why_unwritable(place) if place is not None and place.is_dir() else None  # may also be a file
        if reason is not None:
            raise ArgumentsError(f"--{option} {folder} cannot be written ({reason}); name another folder.")
    if loads:
        _check_checkpoint_is_within_reach(given)


def _check_verbosity(level: str | None) -> None:
    if level is not None and level not in _LEVELS:
        near = meant(level.upper(), _LEVELS)
        raise ArgumentsError(f"--verbosity {level}: the levels are {', '.join(_LEVELS)}{near}")


def unknown_tasks(tasks: str | None, include_path: str | None) -> str | None:
    """Say which of the tasks there are not.

    Args:
        tasks: `--tasks`.
        include_path: `--include_path`.

    Returns:
        A sentence with the most similar names; None if all are there, or if this cannot be known.
    """
    if not tasks:
        return "--tasks is missing; for the whole benchmark give --tasks humansense (`lmms-humansense list` has all)."
    if os.path.isdir(tasks) or os.environ.get("LMMS_EVAL_PLUGINS") or _others("lmms_eval.tasks"):
        return None
    ours = frozenset(harness_names.names_in(task_folder()))
    included = frozenset(harness_names.names_in(Path(include_path))) if include_path else frozenset()
    wanted = [name for name in tasks.split(",") if name and not os.path.isfile(name)]
    theirs: frozenset[str] | None = None
    for again in (False, True):  # the index may be older than a task
        missing = [name for name in wanted if not _matches(name, ours | included)]
        theirs = harness_names.known_tasks(_index(), again) if missing else None
        if theirs is None:
            return None
        missing = [name for name in missing if not _matches(name, theirs)]
        if len(missing) < len(wanted):  # lmms-eval passes over a pattern that matches nothing
            missing = [name for name in missing if not _is_pattern(name)]
        if not missing:
            return None
    known = ours | included | (theirs or frozenset())
    if missing[0].strip() in known:
        return f"There is no task {missing[0]!r}: leave out the space; only a comma stands between names."
    similar = _similar(missing[0], ours, known)
    return f"There is no task {missing[0]!r}; {similar}`lmms-humansense list` has those of HumanSense."


def _index() -> Path:
    home = os.environ.get("HF_HOME", "").strip() or os.path.join(
        os.environ.get("XDG_CACHE_HOME", "").strip() or "~/.cache", "huggingface"
    )
    return Path(os.path.expandvars(os.path.expanduser(home))) / "humansense" / "lmms-eval-tasks.json"


def _matches(name: str, known: Iterable[str]) -> bool:
    return bool(fnmatch.filter(known, name)) if _is_pattern(name) else name in known


def _is_pattern(name: str) -> bool:
    return bool(set(name) & set("*?["))


def _similar(name: str, ours: Iterable[str], known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, ours, 2, 0.75) or difflib.get_close_matches(name, known, 2)
    near = [each for each in close if _likeness(each, name) > _likeness(close[0], name) - _ABOUT_AS_LIKE]
    return f"did you mean {' or '.join(near)}? " if near else ""


_ABOUT_AS_LIKE = 0.05
"""How much less like a name the second suggestion may be than the first."""


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _others(group: str) -> bool:
    """Whether another package has entry points of a group."""
    return any(not found.value.startswith("lmms_humansense.") for found in metadata.entry_points(group=group))


def _check_tasks(tasks: str | None, include_path: str | None) -> None:
    sentence = unknown_tasks(tasks, include_path)
    if sentence is not None:
        raise ArgumentsError(sentence)


def _check_model(model: str | None) -> None:
    if not model:
        raise ArgumentsError(f"--model is missing; this package's models are {' and '.join(MODELS)}.")
    known = harness_names.known_models()
    if model in MODELS or known is None or model in known:
        return
    if _has_other_models():
        return
    similar = difflib.get_close_matches(model, {*MODELS, *known}) or list(MODELS)
    raise ArgumentsError(
        f"--model {model} is not known; did you mean {' or '.join(similar)}? `lmms-eval models` lists all."
    )


def _named(tasks: str) -> set[str]:
    """The names of this package's tasks and groups in `--tasks`, also those that a pattern matches."""
    given = tasks.split(",")
    patterns = list(filter(_is_pattern, given))
    ours = frozenset(harness_names.names_in(task_folder())) if patterns else frozenset()
    matched = {name for pattern in patterns for name in fnmatch.filter(ours, pattern)}
    return {name for name in matched.union(given) if name.startswith(TASK_PREFIX)}


def _check_ours(given: Mapping[str, Any]) -> None:
    """Refuse this package's tasks if they are named twice, or left without a question."""
    asked = Counter(found for name in _named(given["tasks"]) for found in checks.tasks_of(name))
    twice = next((found for found, count in asked.items() if count > 1), None)
    if twice is not None and given["include_path"] is None:  # a task of that folder may have the same name
        group, variant, task = twice
        name = "_".join(filter(None, (group, variant.name, task.code.lower())))
        raise ArgumentsError(
            f"--tasks names {name} more than once, alone or in groups (a wildcard names both), so its questions "
            "would be asked again; name the group or its tasks."
        )
    if asked and given["limit"] in ("0", "0.0"):
        raise ArgumentsError("--limit 0 leaves no question; leave it out, or give the number of questions.")


def _check_arguments(given: Mapping[str, Any], loads: bool) -> None:
    """Refuse arguments that the model cannot use."""
    beside = {name: given[name] for name in ("batch_size", "device") if given[name] is not None}
    try:
        if given["model"] in MODELS:
            check_generation(given["gen_kwargs"] or "")
            if given["system_instruction"]:
                system_prompt_text(given["system_instruction"], "--system_instruction")
            check_model_args(given["model"], given["model_args"], beside, loads)
        elif not _has_other_models():
            check_wrapper_args(given["model"], given["model_args"] or "")
    except ValueError as error:
        raise ArgumentsError(str(error)) from None


def _has_other_models() -> bool:
    """Whether other packages may have models, which lmms-eval may prefer to its own."""
    return bool(os.environ.get("LMMS_EVAL_PLUGINS")) or _others("lmms_eval.models")


def _check_data(given: Mapping[str, Any]) -> None:
    """Refuse tasks whose questions are neither where the user says, nor in the cache, nor within reach.

    Also those whose clips are only there in their decoded form, for a model that would not find it.
    """
    named = [name for name in _named(given["tasks"]) if not name.startswith(SAMPLE)]
    keys = {key_of(task) for name in named for _, _, task in checks.tasks_of(name)}
    said = _missing_questions(keys) if keys else None
    if said is not None:
        raise ArgumentsError(f"{said} (To try things without data: --tasks {SAMPLE}, which is in this package.)")
    said = _why_decoded_is_not_found(given, keys) if keys else None
    if said is not None:
        raise ArgumentsError(said)


def _why_decoded_is_not_found(given: Mapping[str, Any], keys: set[str]) -> str | None:
    """Why the model cannot use clips that are only there in their decoded form; None if it can, or if none are."""
    from ..dataset.found import find

    found = find()
    if not keys & set(found.decoded):
        return None
    if given["model"] not in MODELS:
        return (
            f"--model {given['model']} needs the clips themselves, and {found.source} was prepared with --decoded: "
            "`lmms-humansense prepare --to` fetches them into that folder."
        )
    return found.problem_of_decoded(keys, _media_cache(given["model_args"] or ""))


def _media_cache(model_args: str) -> Path | None:
    """The folder of decoded clips that a model of this package would use."""
    from ..models.runtime.settings import RunSettings

    return RunSettings(media_cache=read_model_args(model_args).get("media_cache")).media_cache_folder


def _check_checkpoint_is_within_reach(given: Mapping[str, Any]) -> None:
    wanted = checkpoint_to_fetch(given["model"], given["model_args"])
    reason = _why_hub_is_out_of_reach() if wanted is not None else None
    if reason is not None:
        raise ArgumentsError(f"pretrained={wanted} is no folder and not in the Hub's cache, and {reason}.")


def _missing_questions(keys: set[str]) -> str | None:
    """Why the questions of these annotation files cannot be read; None if they can, or if it is not certain."""
    from ..dataset.found import PREPARE, find

    found = find()
    problem = found.problem_of(keys)
    if problem is not None or keys <= set(found.questions) or not _is_benchmark_on_the_hub(found.source):
        return problem
    reason = _why_hub_is_out_of_reach()
    return None if reason is None else f"The questions are not in the Hub's cache, and {reason}: {PREPARE}."


def _is_benchmark_on_the_hub(source: str) -> bool:
    """Whether the data come from the benchmark's repository, and not from an address of the user's."""
    from ..dataset.found import repository

    return source == f"hf://datasets/{repository()}"


def _why_hub_is_out_of_reach() -> str | None:
    """Why nothing can be fetched from the Hub; None if it can, or if this is not certain."""
    from huggingface_hub import constants

    from ..dataset.found import is_offline

    if is_offline():
        return "HF_HUB_OFFLINE is set"
    reason = why_out_of_reach(constants.ENDPOINT)
    return None if reason is None else f"{constants.ENDPOINT} cannot be reached ({reason})"
