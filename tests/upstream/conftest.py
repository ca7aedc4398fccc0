"""Marks of exported tests, which cannot have marks that lmms-eval does not know."""

import pytest

SLOW = ("test_batches_of_what_workers_prepare_answer_as_single_samples_do",)


@pytest.hookimpl(tryfirst=True)  # before tests are deselected by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.name in SLOW:
            item.add_marker(pytest.mark.slow)
