"""Writes files that other processes read meanwhile: they see a file as it was, or whole."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def published(path: Path) -> Iterator[Path]:
    """Put a file into its place when the block that writes it has ended; if the block fails, nothing changes.

    Args:
        path: The place. Its folder is made.

    Yields:
        The file to write, in the same folder. Its name begins with a dot and ends in ".part".

    Raises:
        OSError: The folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
