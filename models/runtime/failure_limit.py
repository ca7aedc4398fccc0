"""How many requests may fail before a run ends. Standard library only."""

import math
from fractions import Fraction
from typing import Any


def read_limit(value: Any) -> int | float:
    """Read the argument `max_failures`.

    Args:
        value: A number, or a string of one. `5` and "5" are five requests; `0.05` and "5%" are a twentieth of them.

    Returns:
        An int, the number of requests; or a float from 0 to 1, a share of the requests.

    Raises:
        ValueError: The value is neither.
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
    """Compute how many requests may fail.

    Args:
        limit: What `read_limit` returns.
        asked: How many requests the run has.

    Returns:
        The number of requests. A share is rounded up, so that one request may fail unless the share is 0.
    """
    if isinstance(limit, int):
        return limit
    return math.ceil(Fraction(str(limit)) * asked)  # with floats, 7 % of 100 would be a little more than 7
