"""Sets the source from which the tasks read questions and media, for the time of a test."""

from collections.abc import Iterator
from contextlib import contextmanager

from lmms_humansense.tasks.humansense import source
from lmms_humansense.tasks.humansense.source import Source


@contextmanager
def used(wanted: Source) -> Iterator[None]:
    """Within the block, the tasks read through this source."""
    before = source.use(wanted)
    try:
        yield
    finally:
        source.use(before)
