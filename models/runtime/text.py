"""Text that files and databases can hold. Standard library only."""

REPLACED = "Characters that cannot be stored (lone surrogates) were replaced by �"
"""The remark about a response in which `storable` changed something."""


def storable(text: str) -> str:
    """Replace what UTF-8 cannot represent.

    JSON can spell half of a character, and names of files can have bytes that are no text. Python represents both, but
    writing them would end a run.

    Args:
        text: Any text.

    Returns:
        The text with U+FFFD for each lone surrogate. Two halves that belong together become their character.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
