"""Keeps what was found about a server's senses beside the answers, for a later run that asks nothing."""

import json
from pathlib import Path

from loguru import logger

from ..inputs.senses import Senses
from ..media.publishing import published


def keep_senses(found: Senses, file: Path) -> None:
    """Write what was found, for a later run that asks nothing.

    Args:
        found: What was found.
        file: The file.
    """
    try:
        with published(file) as writing:
            writing.write_text(json.dumps(found.info), encoding="utf-8")
    except OSError as error:
        logger.warning("What was found about pictures and sounds cannot be kept in {}: {}", file, error)


def read_senses(file: Path) -> Senses | None:
    """Read what an earlier run found.

    Args:
        file: The file.

    Returns:
        What it found; None if there is nothing that can be read.
    """
    try:
        return Senses(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
