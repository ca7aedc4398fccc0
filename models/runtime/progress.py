"""How far a run has come, for those who show it. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """The state of a run in one process.

    Attributes:
        done: How many requests have a response or have failed, with those answered by earlier runs.
        total: How many requests this process has.
        failed: How many failed.
        truncated: How many responses were cut off at the limit of tokens.
        recalled: How many answers come from earlier runs.
        kept: How many new answers are stored.
        busy: The share of the time in which the model worked, from 0 to 1; None if that is not known.
    """

    done: int
    total: int
    failed: int
    truncated: int
    recalled: int
    kept: int
    busy: float | None
