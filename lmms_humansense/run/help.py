"""The help of `lmms-humansense run`: it shows options that the command itself does not read."""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

_OWN, _THEIRS = "Options of this command", "The options of lmms-eval that matter most (`run -h` prints all)"

EPILOG = """Example: lmms-humansense run --model humansense_omni --model_args pretrained=DIR --tasks humansense

Example: lmms-humansense run --config results/DIR/DATE_run.yaml --limit 20"""
"""The end of the help."""


class RunCommand(TyperCommand):
    """A command whose options are shown, but not read: all arguments stay in `context.args` as they were typed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leave the arguments as they are, except for --help.

        Args:
            ctx: The context of the command, which gets the arguments.
            args: What was typed after the name of the command.

        Returns:
            The arguments.
        """
        typed = list(args)
        super().parse_args(ctx, ["--help"] if "--help" in typed else [])
        ctx.args = typed
        return typed


def tasks(incomplete: str) -> list[str]:
    """Complete the last of the names of `--tasks`.

    Args:
        incomplete: What was typed.

    Returns:
        The whole values that begin with it.
    """
    from ..plugin.entry_points import task_folder
    from ..plugin.harness_names import names_in

    before, comma, last = incomplete.rpartition(",")
    return sorted({f"{before}{comma}{name}" for name in names_in(task_folder()) if name.startswith(last)})


def _models(incomplete: str) -> list[str]:
    """Complete the name of a model."""
    from ..plugin.harness_names import known_models
    from ..plugin.names import MODELS

    return [name for name in (*MODELS, *sorted(known_models() or ())) if name.startswith(incomplete)]


def _own(name: str, value: str | None, text: str) -> Any:
    return typer.Option(name, metavar=value, help=text, rich_help_panel=_OWN)


def _theirs(name: str, value: str, text: str, **more: Any) -> Any:
    return typer.Option(name, metavar=value, help=text, rich_help_panel=_THEIRS, **more)


Config = Annotated[
    str | None, _own("--config", "FILE", "A YAML file of these arguments. One is written beside each result.")
]
DryRun = Annotated[
    bool, _own("--dry_run", None, "Say what a run would take (questions, clips, gigabytes, tokens, costs), and end.")
]
PriceIn = Annotated[str | None, _own("--price_in", "P", "For --dry_run: the price of a million tokens of prompts.")]
PriceOut = Annotated[str | None, _own("--price_out", "P", "For --dry_run: the price of a million tokens of answers.")]
MaxFailures = Annotated[
    str | None,
    _own("--max_failures", "N", "How many requests to a model of lmms-eval may fail: 5, 0.05 or 5%. Default: 1%."),
]
Model = Annotated[
    str | None,
    _theirs("--model", "NAME", "humansense_omni, humansense_server, or a model of lmms-eval.", autocompletion=_models),
]
ModelArgs = Annotated[
    str | None,
    _theirs(
        "--model_args",
        "A=V,A=V",
        "Its arguments. A value that contains a comma needs quotes: 'pretrained=DIR,system_prompt=\"a, b\"'.",
    ),
]
Tasks = Annotated[
    str | None,
    _theirs("--tasks", "NAMES", "Names with commas between; `lmms-humansense list` has them.", autocompletion=tasks),
]
Limit = Annotated[str | None, _theirs("--limit", "N", "Only the first N questions of each task.")]
BatchSize = Annotated[str | None, _theirs("--batch_size", "N", "Requests at once, for humansense_omni. Default: 1.")]
GenKwargs = Annotated[str | None, _theirs("--gen_kwargs", "A=V,A=V", "Such as max_new_tokens=4096.")]
OutputPath = Annotated[str | None, _theirs("--output_path", "DIR", "For results. Default: humansense_results.")]
UseCache = Annotated[str | None, _theirs("--use_cache", "DIR", "For answers. Default: cache in --output_path.")]
SystemInstruction = Annotated[
    str | None, _theirs("--system_instruction", "TEXT", "The system prompt, or the path of a text file.")
]
Verbosity = Annotated[
    str | None,
    _theirs("--verbosity", "LEVEL", "Print all messages: INFO, DEBUG, … Without it, a file gets them."),
]
