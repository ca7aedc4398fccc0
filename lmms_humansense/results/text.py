"""Text of unknown origin for outputs that have one line for it."""

import re

_LONGEST = 120
"""The most characters of a name: longer ones would make tables and pictures unreadable."""


def one_line(text: str, longest: int | None = _LONGEST) -> str:
    """The text on one line, shortened if it is longer than `longest`.

    White space of any kind becomes one space. So do characters that cannot be seen, such as those that a terminal would
    obey, or that turn the direction of writing.

    Args:
        text: Any text.
        longest: The most characters; None for no limit.

    Returns:
        The text, without line breaks.
    """
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if longest is None or len(line) <= longest else f"{line[: longest - 1]}…"


_BEGINS_A_FORMULA = re.compile(r"(^|[;,|\t\"])(\s*)(?=[=+\-@])")


def for_spreadsheet(text: str) -> str:
    """The text for a cell of a CSV file, with an apostrophe before what a spreadsheet would take for a formula.

    It also stands after characters that some spreadsheets take for the end of a cell.
    """
    return _BEGINS_A_FORMULA.sub(r"\1\2'", text)
