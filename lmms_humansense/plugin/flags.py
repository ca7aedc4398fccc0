"""Flags of lmms-eval that do something else than a user of this package's tasks would expect."""

from collections.abc import Iterator, Mapping
from typing import Any


def warn(arguments: Mapping[str, Any]) -> None:
    """Log the remarks on the arguments of an evaluation as warnings."""
    from loguru import logger

    for remark in remarks(arguments):
        logger.warning("HumanSense: {}.", remark)


def remarks(arguments: Mapping[str, Any]) -> Iterator[str]:
    """What flags of an evaluation do not do.

    Args:
        arguments: The arguments of lmms-eval's `simple_evaluate`.

    Yields:
        A sentence for each flag, with what to do instead.
    """
    if arguments.get("baseline"):
        yield (
            "--baseline compares nothing here: lmms-eval reads one file for all tasks, and looks in it for a metric "
            "that these tasks do not have. Run both models, then: lmms-humansense report FOLDER_A FOLDER_B"
        )
    repeats = arguments.get("repeats") or 1
    if repeats > 1:
        yield (
            f"-n {repeats} asks each question {repeats} times, but lmms-eval scores only the first response. For "
            "several samples of each answer, run the command once for each --seed, with an --output_path of its own"
        )
