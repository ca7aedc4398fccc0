"""Arguments of models from a command line: they become settings, or are refused with one sentence."""

import difflib
import inspect
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from .settings import RunSettings

Settings = TypeVar("Settings", bound=RunSettings)


def read_settings(
    kind: type[Settings], arguments: Mapping[str, Any], needed: Mapping[str, str], model: str
) -> Settings:
    """Read the settings of a model.

    Args:
        kind: The class of the settings; its annotations say which values a setting takes.
        arguments: The values by name. None is the same as no value. A number may be a string, and a string a number or
            a truth value, because lmms-eval converts everything that looks like one.
        needed: The required arguments, each with a description for the message.
        model: The name of the model, for messages.

    Returns:
        The settings, validated.

    Raises:
        ValueError: An argument is unknown, missing or has a value that it does not take, or two contradict each other.
            The message is one sentence that names the argument.
    """
    given = {name: _as_typed(value) for name, value in arguments.items() if value is not None}
    _refuse_unknown(given, list(inspect.signature(kind).parameters), model)
    for name, description in needed.items():
        if not given.get(name):
            raise ValueError(f"{model} needs {name}=, {description}.")
    try:
        settings = TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        raise ValueError(_first_reason(error)) from None
    if settings.fps is not None and settings.nframes is not None:
        raise ValueError(f"{model} takes fps or nframes, not both.")
    _refuse_media_cache(settings)
    return settings


def _refuse_media_cache(settings: RunSettings) -> None:
    folder = settings.media_cache_folder
    if folder is not None and folder.exists() and not folder.is_dir():
        named = "media_cache" if settings.media_cache else "HUMANSENSE_MEDIA_CACHE"
        raise ValueError(f"{named}={folder} is not a folder.")
    if settings.media_cache_gb is not None and folder is None:
        raise ValueError(f"media_cache_gb={settings.media_cache_gb:g} limits media_cache, which is not given.")


def read_model_args(text: str, beside: Collection[str] = ()) -> dict[str, Any]:
    """Read `--model_args`, and check its form.

    Commas separate the arguments, except within quotes around a value (`system_prompt="Be kind, be brief"`) and within
    brackets, if the value begins with one. lmms-eval reads such arguments too, but leaves the quotes in the value.

    Args:
        text: The value of `--model_args`.
        beside: The arguments that lmms-eval takes from its own options, such as `--batch_size`.

    Returns:
        The values by name. As in lmms-eval, what looks like a number or a truth value becomes one.

    Raises:
        ValueError: A part is not of the form `name=value`, quotes or brackets are not closed, or an argument is given
            twice.
    """
    found: dict[str, Any] = {}
    for part in _parts(text):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise ValueError(
                f"--model_args contains {part!r}, which is not of the form name=value; a comma separates arguments, so "
                "put a value that contains one into quotes, as in 'pretrained=DIR,system_prompt=\"Be kind, be brief\"',"
                " or into a file, and give the path of the file."
            )
        if name in beside:
            raise ValueError(f"{name} is in --model_args; use --{name} instead.")
        if name in found:
            raise ValueError(f"{name} is twice in --model_args; give it once.")
        found[name] = value_of(value)
    return found


def _parts(text: str) -> list[str]:
    """The text between the commas that are neither within quotes around a value nor within a value's brackets."""
    parts, depth, quote = [""], 0, ""
    for char in text:
        _, equals, value = parts[-1].partition("=")
        first = value.lstrip()[:1]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and equals and not first:
            quote = char
        elif first in ("{", "[") or (equals and not first):
            depth = max(0, depth + (char in "{[") - (char in "}]"))
        if char == "," and not quote and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    if quote:
        raise ValueError(
            f"--model_args has a value that begins with {quote} and does not end with it; close the quotes."
        )
    if depth:
        name, _, value = parts[-1].partition("=")
        raise ValueError(
            f"{name.strip()} in --model_args begins with {value.lstrip()[0]}, which is not closed; close it, or put "
            "the value into quotes."
        )
    return [part for part in parts if part.strip()]


def value_of(text: str) -> Any:
    """Read a value as lmms-eval understands it.

    Args:
        text: What was typed after the equals sign.

    Returns:
        A number or a truth value if it looks like one; else the text, without quotes around it.
    """
    if text[:1] in ("'", '"') and text.find(text[0], 1) == len(text) - 1:
        return text[1:-1]
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text.isnumeric():
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def _as_typed(value: Any) -> Any:
    """Restore what the user typed where lmms-eval made a truth value of it: no setting is a truth value."""
    return str(value).lower() if isinstance(value, bool) else value


def _refuse_unknown(given: Mapping[str, Any], names: Collection[str], model: str) -> None:
    unknown = sorted(given.keys() - set(names))
    if not unknown:
        return
    near = difflib.get_close_matches(unknown[0], names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ValueError(f"{model} has no argument {unknown[0]!r}.{hint} It takes {', '.join(names)}.")


def _first_reason(error: ValidationError) -> str:
    first = error.errors()[0]
    if first["type"] == "value_error":  # a message of our own, such as that of read_limit
        return str(first["ctx"]["error"])
    reason = first["msg"].replace("Input", "the value", 1)
    return f"{first['loc'][0]}={first['input']}: {reason}."
