"""The source that the tasks read from: their own, or each of the two sources."""

from collections.abc import Iterator

import pytest

from lmms_humansense.dataset.anywhere import AnywhereSource
from lmms_humansense.tasks.humansense.local_source import LocalSource
from tests.helpers import sources


@pytest.fixture(autouse=True)
def _own_source() -> Iterator[None]:
    """The tasks read by themselves, whichever source earlier tests in this process used."""
    with sources.used(LocalSource()):
        yield


@pytest.fixture(params=[LocalSource, AnywhereSource], ids=["by themselves", "as installed"])
def either_source(request: pytest.FixtureRequest, _own_source: None) -> Iterator[None]:
    """The tasks read once by themselves, and once through the source of the installed package."""
    with sources.used(request.param()):
        yield
