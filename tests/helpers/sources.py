"""Which source the tasks read questions and media from, for as long as a test takes."""

from collections.abc import Iterator
from contextlib import contextmanager

from lmms_humansense.tasks.humansense import source
from lmms_humansense.tasks.humansense.source import Source


@contextmanager
def used(wanted: Source) -> Iterator[None]:
    """Within it, the tasks read through this source."""
    before = source.use(wanted)
    try:
        yield
    finally:
        source.use(before)
