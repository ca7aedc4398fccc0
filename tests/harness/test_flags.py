"""The flags of lmms-eval do with this package's tasks and models what the docs say."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.harness.cases import RUNS
from tests.harness.observed import Observed, observe

pytestmark = pytest.mark.harness


@pytest.fixture(scope="module")
def observed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Observed]:
    return observe(RUNS, tmp_path_factory.mktemp("harness"), tiny_model)


@pytest.mark.parametrize("name", list(RUNS))
def test_a_flag_does_what_the_docs_say(name: str, observed: Mapping[str, Observed]) -> None:
    case, found = RUNS[name], observed[name]
    tail = found.printed[-2000:]
    assert found.status == case.status, tail
    assert case.says in found.printed, tail
    assert found.shown == case.shown, tail
    assert found.asked == case.asked
    assert {task: found.responses[task] for task in case.responses} == case.responses
    assert {path: found.recorded(path) for path in case.recorded} == case.recorded
    assert bool(found.results) == bool(case.shown)
