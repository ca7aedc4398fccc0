"""What is checked before lmms-eval is started, which takes many seconds: names, arguments, data and folders.

Only what certainly cannot work is refused here. Everything else is checked by lmms-eval and by this package's plugin.
"""

import difflib
import fnmatch
import importlib.util
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from importlib import metadata
from pathlib import Path
from typing import Any

from ..models.runtime.arguments import read_model_args
from ..plugin import checks, harness_names
from ..plugin.entry_points import task_folder
from ..plugin.names import MODELS, SAMPLE, TASK_PREFIX
from ..tasks.humansense.annotations import key_of
from .arguments import OUTPUT, ArgumentsError, check_options, read
from .engine_names import engine_arguments


def check(arguments: Sequence[str]) -> None:
    """Refuse what cannot work.

    Args:
        arguments: The arguments for lmms-eval.

    Raises:
        ArgumentsError: An option, a task, a model or one of its arguments is not known, data are missing, or a folder
            cannot be written.
    """
    check_options(arguments)
    given = read(arguments)
    if given["config"] is not None:
        return
    _check_tasks(given["tasks"], given["include_path"])
    _check_model(given["model"])
    _check_model_args(given)
    _check_data(given)
    for option, folder in (("output_path", given["output_path"] or OUTPUT), ("use_cache", given["use_cache"])):
        place = checks.existing(Path(folder).absolute()) if folder else None
        reason = checks.why_unwritable(place) if place is not None and place.is_dir() else None  # may also be a file
        if reason is not None:
            raise ArgumentsError(f"--{option} {folder} cannot be written ({reason}); name another folder.")


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
    similar = _similar(missing[0], ours, ours | included | (theirs or frozenset()))
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
    return f"did you mean {' or '.join(close)}? " if close else ""


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
    if os.environ.get("LMMS_EVAL_PLUGINS") or _others("lmms_eval.models"):
        return
    similar = difflib.get_close_matches(model, {*MODELS, *known}) or list(MODELS)
    raise ArgumentsError(
        f"--model {model} is not known; did you mean {' or '.join(similar)}? `lmms-eval models` lists all."
    )


def _check_model_args(given: Mapping[str, Any]) -> None:
    if given["model"] not in MODELS:
        return
    beside = {name: given[name] for name in ("batch_size", "device") if given[name] is not None}
    try:
        arguments = {**read_model_args(given["model_args"] or "", beside), **beside}
        _read_settings(given["model"], arguments)
    except ValueError as error:
        raise ArgumentsError(str(error)) from None


def _read_settings(model: str, arguments: dict[str, Any]) -> None:
    """Read the arguments of a model of this package as the model does.

    Raises:
        ValueError: One cannot be used.
    """
    if model == "humansense_server":
        from ..models.endpoint.settings import read_endpoint_settings

        arguments.pop("device", None)
        arguments.pop("batch_size", None)
        read_endpoint_settings(arguments)
        return
    from ..models.local.settings import read_local_settings

    engine = arguments.pop("engine", "local")
    if engine == "local":
        _check_checkpoint(read_local_settings(arguments).pretrained)
    elif engine == "vllm":
        if importlib.util.find_spec("vllm") is None:
            raise ValueError("engine=vllm needs vLLM, which is not installed: pip install 'lmms-humansense[vllm]'.")
        _check_engine_arguments(arguments)
        if not arguments.get("pretrained"):
            raise ValueError("humansense_omni needs pretrained=, the folder or Hub name of a checkpoint.")
        _check_checkpoint(str(arguments["pretrained"]))
    else:
        raise ValueError(f"engine={engine}: humansense_omni knows the engines local and vllm.")


def _check_engine_arguments(arguments: Mapping[str, Any]) -> None:
    """Refuse names that neither this package nor the engine of the installed vLLM has."""
    from ..models.vllm.settings import VllmSettings

    theirs = engine_arguments()
    if theirs is None:
        return
    ours = [each.name for each in fields(VllmSettings) if each.name != "engine_args"]
    known = {*ours, *theirs, "batch_size", "device"}
    unknown = sorted(name for name in arguments if name not in known)
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ValueError(
            f"humansense_omni with engine=vllm has no argument {unknown[0]!r}.{hint} It takes {', '.join(ours)}, and "
            "the arguments of vLLM's engine."
        )


def _check_checkpoint(pretrained: str) -> None:
    """Refuse what can only be a folder, and is none with a checkpoint."""
    place = Path(pretrained).expanduser()
    if place.is_dir() and not (place / "config.json").is_file():
        raise ValueError(f"pretrained={pretrained} is not a checkpoint: the folder has no config.json.")
    if not place.exists() and (pretrained.startswith((".", "/", "~")) or pretrained.count("/") > 1):
        raise ValueError(f"pretrained={pretrained} is not a checkpoint that can be read: there is no such folder.")


def _check_data(given: Mapping[str, Any]) -> None:
    """Refuse tasks whose questions are neither where the user says nor, without a network, in the cache.

    Also those whose clips are only there in their decoded form, for a model that would not find it.
    """
    named = [name for name in given["tasks"].split(",") if name.startswith(TASK_PREFIX) and not name.startswith(SAMPLE)]
    keys = {key_of(task) for name in named for _, _, task in checks.tasks_of(name)}
    if not keys:
        return
    from ..dataset.found import find

    found = find()
    problem = found.problem_of(keys)
    if problem is not None:
        raise ArgumentsError(f"{problem} (To try things without data: --tasks {SAMPLE}, which is in this package.)")
    if not keys & set(found.decoded):
        return
    if given["model"] not in MODELS:
        raise ArgumentsError(
            f"--model {given['model']} needs the clips themselves, and {found.source} was prepared with --decoded: "
            "`lmms-humansense prepare --to` fetches them into that folder."
        )
    problem = found.problem_of_decoded(keys, _media_cache(given["model_args"] or ""))
    if problem is not None:
        raise ArgumentsError(problem)


def _media_cache(model_args: str) -> Path | None:
    """The folder of decoded clips that a model of this package would use."""
    from ..models.runtime.settings import RunSettings

    return RunSettings(media_cache=read_model_args(model_args).get("media_cache")).media_cache_folder
