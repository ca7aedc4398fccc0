"""The tasks read through the package's own source, as in an installation."""

from collections.abc import Iterator

import pytest

from lmms_humansense.dataset.anywhere import install
from lmms_humansense.tasks.humansense.source import current
from tests.helpers import sources


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    with sources.used(current()):
        install()
        yield
