"""The arguments of `lmms-humansense run`: its own, those of a file, and those of lmms-eval, of which it reads some."""

import argparse
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

from ..models.inputs.generation import KNOWN
from ..models.runtime.failure_limit import read_limit
from ..plugin import harness_names
from ..plugin.harness_names import Option
from ..plugin.names import MODELS
from .redaction import REDACTED, without_secrets

OUTPUT = "humansense_results"
"""The folder for results without --output_path."""

_LISTS = ("list", "list_groups", "list_tags", "list_subtasks")
"""The values of `--tasks` for which lmms-eval prints a list and evaluates nothing."""

_OWN = ("--max_failures", "--dry_run", "--price_in", "--price_out")
"""The options of this command that lmms-eval does not have."""

_READ = (
    *(Option((f"--{name}",)) for name in ("model", "model_args", "tasks", "device", "output_path", "include_path")),
    *(Option((f"--{name}",)) for name in ("gen_kwargs", "limit", "offset", "verbosity", "config")),
    Option(("--system_instruction",)),
    Option(("--batch_size", "-b")),
    Option(("--use_cache", "-c")),
    Option(("--repeats", "--num_samples", "-n")),
)
"""The options of lmms-eval that are read here, for a release of it whose options are not known."""

_OTHER_FORMS = frozenset("\"'[]{}")
"""Characters of values that lmms-eval reads in its own way."""

_SECRET = f"# A secret was left out. Where {REDACTED} stands, put it back before you run this file again.\n"
"""The first line of a file of arguments of which one was a secret."""


class ArgumentsError(ValueError):
    """The arguments cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True)
class Own:
    """The arguments that this command takes itself.

    Attributes:
        max_failures: How many requests to a model that is not this package's may fail; None for the default.
        dry_run: Whether to say what a run would take, instead of running.
        price_in: The price of a million tokens of prompts; None if it is not given.
        price_out: The price of a million tokens of responses; None if it is not given.
    """

    max_failures: str | None = None
    dry_run: bool = False
    price_in: float | None = None
    price_out: float | None = None


class _Parser(argparse.ArgumentParser):
    """Raises its errors."""

    def error(self, message: str) -> NoReturn:
        raise ArgumentsError(f"{message[:1].upper()}{message[1:]}.")


def with_defaults(arguments: Sequence[str]) -> list[str]:
    """The arguments for lmms-eval: the defaults that make a run resumable, followed by the arguments given.

    By default, results go into the folder humansense_results, with every response, and answers are kept in its folder
    `cache`. Because the defaults stand first, lmms-eval lets the given arguments override them, however they are spelt.
    A run with a `--config` of lmms-eval (several evaluations) gets no defaults, because its file may set all of this.
    """
    # As lmms-eval does, argparse takes the last value of an option, and also abbreviated names.
    parser = argparse.ArgumentParser(add_help=False)
    for option in ("--config", "--output_path"):
        parser.add_argument(option, nargs="?", const="")
    given, _ = parser.parse_known_args(arguments)
    if given.config is not None:
        return list(arguments)
    output = given.output_path or OUTPUT
    return ["--output_path", output, "--use_cache", str(Path(output) / "cache"), "--log_samples", *arguments]


def own(arguments: Sequence[str]) -> tuple[list[str], Own]:
    """Take the arguments of this command off those for lmms-eval.

    Args:
        arguments: What was typed after `run`.

    Returns:
        The arguments for lmms-eval, and the others.

    Raises:
        ArgumentsError: A value is not valid, or `--max_failures` is given for a model of this package, which takes it
            in `--model_args`.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--max_failures", "--max-failures", nargs="?", const="")
    parser.add_argument("--dry_run", "--dry-run", action="store_true")
    parser.add_argument("--price_in", "--price-in", type=float)
    parser.add_argument("--price_out", "--price-out", type=float)
    given, others = parser.parse_known_args(arguments)
    found = Own(**vars(given))
    if found.max_failures is not None:
        try:
            read_limit(found.max_failures)
        except ValueError as error:
            raise ArgumentsError(str(error)) from None
        model = read(others).get("model")
        if model in MODELS:
            raise ArgumentsError(
                f"{model} takes the limit in its arguments: --model_args max_failures={found.max_failures}."
            )
    return others, found


def read(arguments: Sequence[str]) -> dict[str, Any]:
    """Read arguments of lmms-eval as it reads them, without importing it, and without checking them.

    Args:
        arguments: The arguments.

    Returns:
        The values by name ("use_cache"); None for an option that is not given.

    Raises:
        ArgumentsError: An abbreviated name fits more than one option.
    """
    parser = _Parser(add_help=False)
    for option in _READ:
        parser.add_argument(*option.names, nargs="?")
    return vars(parser.parse_known_args(arguments)[0])


def check_options(arguments: Sequence[str]) -> None:
    """Refuse options that lmms-eval does not have, and values that they do not take.

    Args:
        arguments: The arguments for lmms-eval.

    Raises:
        ArgumentsError: There is one.
    """
    options = harness_names.known_options()
    if not options:
        return
    parser = _Parser(add_help=False)
    for option in options:
        more: dict[str, Any] = {"type": option.kind, "choices": option.choices} if option.takes_value else {}
        parser.add_argument(*option.names, action="store" if option.takes_value else "store_true", **more)
    _, unknown = parser.parse_known_args(arguments)
    if unknown:
        names = [*(name for option in options for name in option.names), *_OWN, "--help"]
        raise ArgumentsError(f"{unknown[0]} is not an option of run or of lmms-eval{_hint(unknown, names)}")


def plain_pairs(option: str, text: str) -> Iterator[tuple[str, str]]:
    """Read the value of an option of the form name=value,name=value.

    Args:
        option: The option.
        text: Its value.

    Yields:
        The names and values; none if there are quotes or brackets, which lmms-eval reads in its own way.

    Raises:
        ValueError: A part is not of the form name=value.
    """
    if set(text) & _OTHER_FORMS:
        return
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"{option} contains {part!r}, which is not of the form name=value.")
        yield name, value


def meant(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that there is not: what was probably meant, or a full stop.

    Args:
        name: The name.
        known: The names that there are.

    Returns:
        The end, which begins behind the last word.
    """
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]}?" if close else "."


def _hint(unknown: Sequence[str], names: Sequence[str]) -> str:
    """What was probably meant by options that there are not."""
    name, equals, value = unknown[0].partition("=")
    if not name.startswith("-"):
        return ". A value with spaces has to be in quotes."
    argument, value = name.lstrip("-").replace("-", "_"), value if equals else "".join(unknown[1:2]) or "VALUE"
    for option, arguments in (("--gen_kwargs", KNOWN), ("--model_args", _arguments_of_models())):
        if argument in arguments:
            return f"; did you mean {option} {argument}={value}?"
    return meant(name, names)


def _arguments_of_models() -> frozenset[str]:
    """The arguments of this package's models."""
    from ..models.endpoint.settings import EndpointSettings
    from ..models.local.settings import LocalSettings

    return frozenset(each.name for kind in (EndpointSettings, LocalSettings) for each in fields(kind))


def only_informs(arguments: Sequence[str]) -> bool:
    """Whether these arguments let lmms-eval print something and evaluate nothing.

    Args:
        arguments: The arguments for lmms-eval.

    Returns:
        Whether they do.

    Raises:
        ArgumentsError: An abbreviated name fits more than one option.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)  # --power is another argument
    parser.add_argument("-h", "--help", "--power_analysis", "--power-analysis", dest="informs", action="store_true")
    given, _ = parser.parse_known_args(arguments)
    return given.informs or read(arguments)["tasks"] in _LISTS


def with_file(arguments: Sequence[str]) -> list[str]:
    """Put the arguments of the file that `--config` names in its place, before the arguments that were typed.

    Args:
        arguments: What was typed after `run`. These arguments win over those of the file.

    Returns:
        The arguments. Those with a file of several evaluations, which lmms-eval reads itself, stay as they are.

    Raises:
        ArgumentsError: The file cannot be read, or is no mapping of arguments to values.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", nargs="?", const="")
    given, others = parser.parse_known_args(arguments)
    if given.config is None:
        return list(arguments)
    import yaml

    try:
        content = yaml.safe_load(Path(given.config).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ArgumentsError(f"--config {given.config} cannot be read: {reason}.") from None
    if isinstance(content, list) or (isinstance(content, dict) and "env" in content):
        return list(arguments)
    if not isinstance(content, dict):
        raise ArgumentsError(f"--config {given.config} is no list of arguments such as `tasks: humansense`.")
    return [part for name, value in content.items() for part in _typed(str(name), value)] + others


def evaluations(arguments: Sequence[str]) -> list[list[str]]:
    """The arguments of each evaluation in a file that lmms-eval reads itself.

    Args:
        arguments: Arguments with `--config`. Those beside it win over those of the file.

    Returns:
        The arguments by evaluation; none if the file sets environment variables, because then it is not known before
        what an evaluation finds.

    Raises:
        ArgumentsError: The file has an argument that lmms-eval does not have.
    """
    import yaml

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config")
    given, others = parser.parse_known_args(arguments)
    content = yaml.safe_load(Path(given.config).read_text(encoding="utf-8"))
    listed = content if isinstance(content, list) else [content]
    if not all(isinstance(each, dict) and "env" not in each for each in listed):
        return []
    known = {name.lstrip("-").replace("-", "_") for option in harness_names.known_options() for name in option.names}
    for name in (str(name) for each in listed for name in each if known and str(name) not in known):
        raise ArgumentsError(f"{name} in --config {given.config} is not an option of lmms-eval{meant(name, known)}")
    return [[part for name, value in each.items() for part in _typed(str(name), value)] + others for each in listed]


def _typed(name: str, value: Any) -> list[str]:
    """An argument of a file as it would be typed."""
    if value is None or value is False:
        return []
    if value is True:
        return [f"--{name}"]
    if isinstance(value, Mapping):
        value = ",".join(f"{key}={_quoted(each)}" for key, each in value.items() if each is not None)
    elif isinstance(value, list):
        nested = any(isinstance(each, list | Mapping) for each in value)  # lmms-eval reads pairs of tags as JSON
        value = _json(value) if nested else ",".join(map(str, value))
    return [f"--{name}={value}"]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)  # YAML also has dates


def _quoted(value: Any) -> str:
    """A value of `--model_args`; text needs quotes if it has a comma, or an opening bracket that is not closed."""
    if isinstance(value, bool | list | Mapping):
        return _json(value)
    text = str(value)
    if text[:1] + text[-1:] in ("[]", "{}") or not ("," in text or text.startswith(("[", "{"))):
        return text
    quote = "'" if '"' in text else '"'
    return f"{quote}{text}{quote}"


def as_file(arguments: Sequence[str]) -> str:
    """The content of a file with which `run --config FILE` repeats a run.

    Args:
        arguments: What was typed after `run`, with the arguments of a file in their place.

    Returns:
        YAML: the arguments with their values, by name, without `--dry_run`. Secrets are left out, as lmms-eval leaves
        them out of its results; then a comment in the first line says so.
    """
    import yaml

    given = {name: values[0] if values else None for name, values in _pairs(arguments) if name != "dry_run"}
    written = {name: True if value is None else without_secrets(name, value) for name, value in given.items()}
    is_changed = any(value is not None and written[name] != value for name, value in given.items())
    return (_SECRET if is_changed else "") + yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=1000)


def _pairs(arguments: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The options with their values, in order, under the first of their long names."""
    full = {name: _long(option) for option in (*_READ, *harness_names.known_options()) for name in option.names}
    pairs: list[tuple[str, list[str]]] = []
    for part in arguments:
        if part.startswith("--"):
            name, has_value, value = part.partition("=")
            pairs.append((_full(name, full), [value] if has_value else []))
        elif len(part) > 1 and part[0] == "-" and part[:2] in full:
            pairs.append((_full(part[:2], full), [part[2:].removeprefix("=")] if part[2:] else []))
        elif pairs:
            pairs[-1][1].append(part)
    return [(name.lstrip("-"), values) for name, values in pairs]


def _long(option: Option) -> str:
    """The first name of an option that may stand in a file: a short one could be the beginning of others there."""
    return next((name for name in option.names if name.startswith("--")), option.names[0])


def _full(name: str, names: Mapping[str, str]) -> str:
    """The name under which an option is kept, which may be abbreviated if it is one of lmms-eval's."""
    own = name.replace("-", "_").replace("__", "--", 1)
    if own in _OWN:
        return own
    if name in names:
        return names[name]
    longer = {full for known, full in names.items() if known.startswith(name)}
    return longer.pop() if len(longer) == 1 else own
