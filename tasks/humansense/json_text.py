"""Reads JSON that somebody else wrote. Its text can be stored, and it is not nested too deep. Standard library only.

JSON can hold half a character (the escape of one of two surrogates), which no file and no terminal takes. It is
replaced here, once, so that no later step has to know of it.
"""

import json
import re
from typing import Any, Literal

MOST_LEVELS = 100
"""How deep lists and objects may be nested. Python's own functions fail at about a thousand levels."""

_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""An escape in JSON, a pair of surrogates as one. A surrogate without its pair is group 1."""


def loads(content: str | bytes, errors: Literal["strict", "replace"] = "strict") -> tuple[Any, bool]:
    """Read JSON.

    Args:
        content: The text, or its bytes in an encoding that JSON allows.
        errors: What to do with bytes that are no text: refuse the whole content, or replace them.

    Returns:
        The value, and whether a part of its text was replaced.

    Raises:
        ValueError: The content is not valid JSON, or is nested too deep.
    """
    text, is_changed = _decoded(content, errors)
    whole = _ESCAPE.sub(lambda escape: "?" if escape[1] else escape[0], text) if "\\u" in text else text
    too_deep = f"it is nested more than {MOST_LEVELS} levels deep"
    try:
        value = json.loads(whole)
    except RecursionError as error:
        raise ValueError(too_deep) from error
    if _is_deeper(value, MOST_LEVELS):
        raise ValueError(too_deep)
    return value, is_changed or whole != text


def storable(text: str) -> str:
    """The text, with a question mark for each character that cannot be stored."""
    return text.encode("utf-8", "replace").decode()


def _decoded(content: str | bytes, errors: str) -> tuple[str, bool]:
    if isinstance(content, str):
        text = storable(content)
        return text, text != content
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding), False
    except UnicodeDecodeError:
        if errors == "strict":
            raise
        return content.decode(encoding, errors), True


def _is_deeper(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [
            part
            for each in level
            if isinstance(each, dict | list)
            for part in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True
