"""Which messages of a run its user sees at once: those of warnings and errors that are said nowhere else."""

from functools import cache
from typing import Any

from . import run_events

_REPEATED = "lmms_eval.__main__"
"""The module whose warnings and errors the end of a run repeats."""

_EXPECTED = "generation_kwargs specified through cli"
"""The beginning of a message of lmms-eval about `--gen_kwargs`, which says what its user wants."""


@cache  # once for each process
def forward_warnings() -> None:
    """Report warnings of lmms-eval and of this package to the process that watches the run, if there is one."""
    if run_events.is_watched():
        from loguru import logger

        logger.add(lambda message: run_events.warned(message.record["message"]), level="WARNING", filter=is_new)


def is_new(record: Any) -> bool:
    """Whether a message is said nowhere else.

    Args:
        record: The record of the message, as loguru has it. `said_at_end` marks what the end of a run or its report
            says.

    Returns:
        Whether the user has to see it during the run.
    """
    is_repeated = record["name"] == _REPEATED or record["extra"].get("said_at_end", False)
    return not is_repeated and not record["message"].startswith(_EXPECTED)
