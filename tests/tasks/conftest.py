"""Which source the tasks read from: their own, or each of the two there are."""

from collections.abc import Iterator

import pytest

from lmms_humansense.dataset.anywhere import AnywhereSource
from lmms_humansense.tasks.humansense.local_source import LocalSource
from tests.helpers import sources


@pytest.fixture(autouse=True)
def _own_source() -> Iterator[None]:
    """Whatever else ran in this process, the tasks read by themselves."""
    with sources.used(LocalSource()):
        yield


@pytest.fixture(params=[LocalSource, AnywhereSource], ids=["by themselves", "as installed"])
def either_source(request: pytest.FixtureRequest, _own_source: None) -> Iterator[None]:
    """Once the tasks read by themselves, and once through the source of the installed package."""
    with sources.used(request.param()):
        yield
