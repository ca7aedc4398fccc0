"""The output and the exit status of `lmms-humansense check-senses`."""

from typing import TYPE_CHECKING

from rich.console import Console

from ..models.inputs.senses import Senses

if TYPE_CHECKING:
    from ..models.omni import HumanSenseOmni
    from ..models.server import HumanSenseServer

DEAF_OR_BLIND = 2
"""The exit status if pictures or sounds do not arrive, or if an argument cannot be used."""

_MEANING = {
    "arrives": "arrive",
    "dropped": "have no effect",
    "refused": "are refused",
    "unknown": "not known",
    "not sent": "not sent",
}


def check_senses(model: str, model_args: str) -> int:
    """Load or reach a model, ask it the questions, and print what was found.

    Args:
        model: "humansense_omni" or "humansense_server".
        model_args: The arguments of the model, as lmms-eval takes them.

    Returns:
        The exit status.
    """
    console = Console(highlight=False, soft_wrap=True)
    try:
        found = _found(model, model_args)
    except (SystemExit, ValueError) as ending:
        reason = str(ending.code) if isinstance(ending, SystemExit) else str(ending)
        console.print(reason.removeprefix("HumanSense: "), style="red", markup=False)
        return DEAF_OR_BLIND
    console.print(f"pictures: {_MEANING[found.sight]}\nsounds: {_MEANING[found.sound]}\n{found.because}", markup=False)
    return DEAF_OR_BLIND if "dropped" in (found.sight, found.sound) else 0


def _found(model: str, model_args: str) -> Senses:
    asked = _class_of(model).create_from_arg_string(model_args)
    try:
        found: Senses = asked.find_senses()
    finally:
        asked.clean()
    return found


def _class_of(model: str) -> "type[HumanSenseOmni | HumanSenseServer]":
    """The class of a model. A served model needs no transformers, so only one of the modules is imported."""
    if model == "humansense_omni":
        from ..models.omni import HumanSenseOmni

        return HumanSenseOmni
    from ..models.server import HumanSenseServer

    return HumanSenseServer
