"""How many requests may fail before a run has become worthless. Standard library only."""

import math
from fractions import Fraction
from typing import Any


def read_limit(value: Any) -> int | float:
    """What `max_failures` means: a whole number of requests, or a share of them from 0 to 1 (a float).

    `5` and "5" are five requests, `0.05` and "5%" a twentieth of them. Raises ValueError for anything else.
    """
    limit: int | float | None = None
    if isinstance(value, str):
        limit = _number(value.strip())
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        limit = value
    if limit is None or not (0 <= limit <= 1 if isinstance(limit, float) else limit >= 0):
        raise ValueError(f"max_failures={value} is neither a number of requests (5) nor a share of them (0.05, 5%).")
    return limit


def _number(text: str) -> int | float | None:
    try:
        if text.endswith("%"):
            return float(text[:-1]) / 100
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return None


def allowed(limit: int | float, asked: int) -> int:
    """How many of `asked` requests may fail. A share is rounded up, so that one may unless none is allowed."""
    if isinstance(limit, int):
        return limit
    return math.ceil(Fraction(str(limit)) * asked)  # of floats, 7 % of 100 would be a little more than 7
